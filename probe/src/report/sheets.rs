//! The tables of a report, as text in cells: who failed most, who was failed on, and the rest in numbers.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::clock::Clock;
use super::findings::{AtListener, Evidence, Findings, OutageEnd, Ranked};
use super::words::{address, endpoint, plain};
use crate::record::Cause;
use crate::sink::units::{bytes, duration};

/// A table: its name, its columns (numbers are marked with `#` in front), its rows, and what the others add up to.
pub(super) struct Sheet {
    pub(super) name: &'static str,
    pub(super) columns: &'static [&'static str],
    pub(super) rows: Vec<Vec<String>>,
    pub(super) others: Option<String>,
}

/// Every table that has a row.
pub(super) fn sheets(f: &Findings, clock: &Clock) -> Vec<Sheet> {
    let mut sheets = vec![
        Sheet {
            name: "Outages in detail",
            columns: &["who", "peer", "since", "for", "attempts#", "end"],
            rows: rows(&f.outages, |o| {
                vec![
                    o.who.cell(),
                    o.peer.cell(),
                    clock.moment(o.since),
                    duration(o.downtime_ns),
                    known(o.attempts),
                    ended(o.end).to_owned(),
                ]
            }),
            others: others(&f.outages, "outages"),
        },
        Sheet {
            name: "Failing peers",
            columns: &["peer", "failures#", "causes", "last"],
            rows: rows(&f.peers, |p| {
                vec![p.subject.cell(), p.count.to_string(), causes(&p.causes), last(&p.evidence, clock)]
            }),
            others: others(&f.peers, "failures"),
        },
        Sheet {
            name: "Failing programs",
            columns: &["program", "failures#", "causes", "last"],
            rows: rows(&f.programs, |p| {
                vec![p.subject.cell(), p.count.to_string(), causes(&p.causes), last(&p.evidence, clock)]
            }),
            others: others(&f.programs, "failures"),
        },
        Sheet {
            name: "Slowest handshakes",
            columns: &["who", "peer", "took", "SYNs again#", "at"],
            rows: f
                .handshakes
                .slowest
                .iter()
                .map(|h| {
                    let (who, peer) = (h.who.cell(), h.peer.cell());
                    let again = h.syn_retransmits.to_string();
                    vec![who, peer, duration(h.connect_ns), again, last(&h.evidence, clock)]
                })
                .collect(),
            others: None,
        },
        Sheet {
            name: "Resets",
            columns: &["sent by", "reason", "in state", "resets#", "last"],
            rows: rows(&f.resets, |r| {
                vec![
                    known(r.by.map(|by| if by.name() == "local" { "this host" } else { "peer" })),
                    known(r.reason.as_deref().map(plain)),
                    known(r.state.map(|state| plain(state.name()))),
                    r.count.to_string(),
                    last(&r.evidence, clock),
                ]
            }),
            others: others(&f.resets, "resets"),
        },
        Sheet {
            name: "Most retransmissions",
            columns: &["who", "peer", "again#", "sent", "open for", "rtt"],
            rows: f
                .retransmitting
                .iter()
                .map(|r| {
                    vec![
                        r.who.cell(),
                        r.peer.cell(),
                        r.retransmits.to_string(),
                        known(r.bytes_sent.map(bytes)),
                        known(r.duration_ns.map(duration)),
                        known(r.rtt_us.map(|us| duration(u64::from(us) * 1_000))),
                    ]
                })
                .collect(),
            others: None,
        },
    ];
    sheets.extend(inbound(f, clock));
    sheets.retain(|sheet| !sheet.rows.is_empty());
    sheets
}

fn inbound(f: &Findings, clock: &Clock) -> [Sheet; 4] {
    let listener = |at: &AtListener| {
        let place = endpoint(at.addr, at.port);
        vec![at.who.cell(), place, known(at.backlog), at.count.to_string(), last(&at.evidence, clock)]
    };
    [
        Sheet {
            name: "Full accept queues",
            columns: &["owner", "listener", "backlog#", "dropped#", "last"],
            rows: rows(&f.overflows, listener),
            others: others(&f.overflows, "dropped connections"),
        },
        Sheet {
            name: "Never accepted",
            columns: &["owner", "listener", "backlog#", "connections#", "last"],
            rows: rows(&f.unaccepted, listener),
            others: others(&f.unaccepted, "connections"),
        },
        Sheet {
            name: "Port scans",
            columns: &["from", "ports#", "tries#", "last"],
            rows: rows(&f.scans, |s| {
                vec![address(s.addr), s.ports.to_string(), s.count.to_string(), last(&s.evidence, clock)]
            }),
            others: others(&f.scans, "tries"),
        },
        Sheet {
            name: "Knocks at closed ports",
            columns: &["from", "tries#", "ports", "last"],
            rows: rows(&f.knocks, |k| {
                let mut ports: Vec<_> = k.ports.keys().map(|port| port.to_string()).collect();
                if k.more_ports {
                    ports.push("…".to_owned());
                }
                vec![address(k.addr), k.count.to_string(), ports.join(", "), last(&k.evidence, clock)]
            }),
            others: others(&f.knocks, "tries"),
        },
    ]
}

fn rows<T>(ranked: &Ranked<T>, cells: impl Fn(&T) -> Vec<String>) -> Vec<Vec<String>> {
    ranked.rows.iter().map(cells).collect()
}

/// `and 12 of 53 failures in 5 more rows`.
fn others<T>(ranked: &Ranked<T>, what: &str) -> Option<String> {
    let rows = ranked.other_rows;
    let about = if ranked.is_exact { "" } else { "about " };
    let word = if rows == 1 { "row" } else { "rows" };
    (rows > 0)
        .then(|| format!("and {} of {} {what} in {about}{rows} more {word}", ranked.others, ranked.total))
}

fn last(evidence: &Evidence, clock: &Clock) -> String {
    known(evidence.between.map(|(_, last)| clock.moment(last)))
}

fn known(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// What causes are called in tables and legends.
pub(super) fn causes(causes: &BTreeMap<Cause, u64>) -> String {
    let mut causes: Vec<_> = causes.iter().collect();
    causes.sort_by_key(|(_, count)| Reverse(**count));
    let words: Vec<_> =
        causes.iter().map(|(cause, count)| format!("{} {count}", plain(cause.name()))).collect();
    words.join(", ")
}

/// How an outage ended, in a word.
fn ended(end: OutageEnd) -> &'static str {
    match end {
        OutageEnd::Back(_) => "back",
        OutageEnd::GoesOn => "goes on",
        OutageEnd::TraceEnded(_) => "trace ended",
        OutageEnd::Unknown => "not told",
    }
}
