//! A plain sentence for each finding, with what it rests on.

mod failed;

use super::clock::Clock;
use super::findings::{
    AtListener, Evidence, Failure, Findings, Flap, Gaps, Handshake, Knocks, Lane, Outage, OutageEnd,
    Retransmitting, Scan,
};
use super::words::{address, attempts, endpoint, loss, lost, times};
use crate::record::Cause;
use crate::sink::units::{bytes, count, duration};

/// A handshake that took this long waited for a SYN to be sent again: the first timeout is a second (RFC 6298, 2.1).
const SLOW: u64 = 1_000_000_000;
/// Fewer segments sent again are nothing to tell.
const MANY_RETRANSMITS: u32 = 10;

/// So many outages of one peer that are over are told in one sentence.
const AGAIN: u64 = 3;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It is still so at the end.
    Now,
    /// It happened.
    Failure,
    /// It is worth a look.
    Notice,
}

impl Weight {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Failure => "failure",
            Self::Notice => "notice",
        }
    }
}

/// A finding in words.
#[derive(Clone, Debug)]
pub struct Statement<'a> {
    /// What kind of finding: a word of the JSON report.
    pub kind: &'static str,
    /// How much it matters.
    pub weight: Weight,
    /// The sentence.
    pub text: String,
    /// What it rests on.
    pub evidence: &'a Evidence,
}

/// All findings in words, what goes on first.
pub fn all<'a>(findings: &'a Findings, clock: &Clock) -> Vec<Statement<'a>> {
    let mut said: Vec<Statement<'a>> = Vec::new();
    let mut say = |kind, weight, text, evidence| said.push(Statement { kind, weight, text, evidence });
    let again: Vec<&Lane> =
        findings.lanes.iter().filter(|lane| lane.count - lane.going_on >= AGAIN).collect();
    let is_again = |o: &&Outage| again.iter().any(|lane| lane.who == o.who && lane.peer == o.peer);
    for o in findings.outages.rows.iter().filter(|o| o.end == OutageEnd::GoesOn || !is_again(o)) {
        let weight = if o.end == OutageEnd::GoesOn { Weight::Now } else { Weight::Failure };
        say("outage", weight, outage(o, clock), &o.evidence);
    }
    for lane in again {
        say("outages", Weight::Failure, outages(lane, clock), &lane.evidence);
    }
    // Never accepted: told by listener below.
    let is_news = |f: &&Failure| !f.in_outage && f.cause != Cause::NeverAccepted;
    for f in findings.failures.rows.iter().filter(is_news) {
        say("failure", Weight::Failure, failed::sentence(f, clock), &f.evidence);
    }
    for o in &findings.overflows.rows {
        say("listen_overflow", Weight::Failure, overflow(o, clock), &o.evidence);
    }
    for u in &findings.unaccepted.rows {
        say("never_accepted", Weight::Failure, unaccepted(u, clock), &u.evidence);
    }
    for f in &findings.flapping.rows {
        say("flapping", Weight::Failure, flapping(f, clock), &f.evidence);
    }
    for s in &findings.scans.rows {
        // What it tried before it was known as a scan, or afterwards.
        let others = findings.knocks.rows.iter().find(|k| k.addr == s.addr).map_or(0, |k| k.count);
        say("port_scan", Weight::Notice, scan(s, others, clock), &s.evidence);
    }
    let scans = |k: &&Knocks| findings.scans.rows.iter().any(|s| s.addr == k.addr);
    for k in findings.knocks.rows.iter().filter(|k| !scans(k)) {
        say("refused_inbound", Weight::Notice, knocks(k, clock), &k.evidence);
    }
    for h in findings.handshakes.slowest.iter().filter(|h| h.connect_ns >= SLOW) {
        say("slow_handshake", Weight::Notice, handshake(h, clock), &h.evidence);
    }
    for r in findings.retransmitting.iter().filter(|r| r.retransmits >= MANY_RETRANSMITS) {
        say("retransmissions", Weight::Notice, retransmitting(r, clock), &r.evidence);
    }
    said.sort_by_key(|statement| statement.weight);
    said
}

/// What makes the report less than the whole truth, a sentence each.
pub fn gaps(gaps: &Gaps) -> Vec<String> {
    let mut said = Vec::new();
    for (place, number) in &gaps.lost {
        let (what, wherefore) = lost(*place);
        let was = if *number == 1 { "was" } else { "were" };
        said.push(format!("{} {was} lost {wherefore}: counts may be too low", count(*number, what)));
    }
    if gaps.incomplete > 0 {
        said.push(format!("{} marked as incomplete", is(gaps.incomplete, "record")));
    }
    if let Some(why) = &gaps.cut_short {
        said.push(format!("the input ended early: {why}"));
    }
    if let Some((line, why)) = &gaps.first_bad_line {
        let bad = match gaps.bad_lines {
            1 => "1 line is no record and was".to_owned(),
            many => format!("{many} lines are no records and were"),
        };
        said.push(format!("{bad} left out, the first is line {line}: {why}"));
    }
    if gaps.without_recoveries {
        said.push("the records leave out when peers came back: how outages ended is not known".to_owned());
    }
    if gaps.forgotten > 0 {
        let pairs = count(gaps.forgotten, "pair");
        said.push(format!("{pairs} of program and peer had to be forgotten: their outages may be missing"));
    }
    said
}

/// What is said where nothing is found.
pub fn nothing(findings: &Findings) -> &'static str {
    match findings.totals.records {
        0 => "There are no records of this period, or none that the filters let through.",
        _ => "Nothing went wrong in what these records tell.",
    }
}

/// A peer that was lost.
pub(super) fn outage(o: &Outage, clock: &Clock) -> String {
    let who = o.who.as_client_of(&o.peer);
    let (peer, since) = (o.peer.sentence(), clock.moment(o.since));
    let mut parts = vec![match o.previous_cause {
        Some(cause) => format!("{who} lost {peer} at {since} {}", loss(cause)),
        None => format!("{who} could not reach {peer} from {since} on"),
    }];
    let failed: u64 = o.failures.values().sum();
    let over = if failed > 1 { format!(" over {}", duration(o.failing_ns)) } else { String::new() };
    let causes: Vec<_> =
        o.failures.iter().map(|(cause, n)| format!("{} {}", attempts(*cause), times(*n))).collect();
    if let Some((last, first)) = causes.split_last() {
        parts.extend(first.iter().cloned());
        parts.push(format!("{last}{over}"));
    }
    let length = duration(o.downtime_ns);
    parts.push(match (o.end, o.previous_cause) {
        (OutageEnd::Back(_), Some(_)) => format!("back after {length}"),
        (OutageEnd::Back(_), None) => format!("reached it after {length}"),
        (OutageEnd::GoesOn, _) => format!("not back at the end, {length} later"),
        (OutageEnd::TraceEnded(_), _) => format!("not back when the trace ended, {length} later"),
        (OutageEnd::Unknown, _) => "how it ended is not told".to_owned(),
    });
    parts.join(", ")
}

/// A peer that was lost several times.
pub(super) fn outages(lane: &Lane, clock: &Clock) -> String {
    let failed = match lane.failures {
        0 => String::new(),
        failures => format!(", {} meanwhile", count(failures, "failed attempt")),
    };
    format!(
        "{} lost {} {}{}{}, {} in all, the longest {}{failed}",
        lane.who.as_client_of(&lane.peer),
        lane.peer.sentence(),
        lane.at_least(),
        times(lane.count),
        when(&lane.evidence, clock),
        duration(lane.downtime_ns),
        duration(lane.longest_ns),
    )
}

/// A peer that comes and goes.
pub(super) fn flapping(f: &Flap, clock: &Clock) -> String {
    let often = if f.reconnects > 0 {
        format!(", {} within a short time", times(f.reconnects))
    } else {
        String::new()
    };
    match f.peer.is_client {
        false => format!(
            "{} had to reconnect to {} again and again{often}{}",
            f.who.as_client_of(&f.peer),
            f.peer.sentence(),
            when(&f.evidence, clock)
        ),
        true => format!(
            "{} came back to {} again and again{often}{}",
            f.peer.sentence(),
            f.who.sentence(),
            when(&f.evidence, clock)
        ),
    }
}

/// A port scan, and `others` of its tries told elsewhere.
pub(super) fn scan(s: &Scan, others: u64, clock: &Clock) -> String {
    // A table may have no room for all of them.
    let tries = Some(s.count.saturating_add(others)).filter(|tries| *tries >= u64::from(s.ports));
    format!(
        "{} scanned this host: at least {} closed ports{}{}",
        address(s.addr),
        s.ports,
        tries.map(|tries| format!(" in {tries} tries")).unwrap_or_default(),
        when(&s.evidence, clock)
    )
}

/// Somebody at closed ports.
pub(super) fn knocks(k: &Knocks, clock: &Clock) -> String {
    let ports: Vec<_> = k.ports.keys().map(|port| port.to_string()).collect();
    let ports = match ports.as_slice() {
        [] => "closed ports".to_owned(),
        [port] => format!("port {port}, where nothing listens"),
        several if k.more_ports => {
            format!("more than {} closed ports ({}, …)", several.len(), several.join(", "))
        }
        several => format!("{} closed ports ({})", several.len(), several.join(", ")),
    };
    format!("{} knocked {} at {ports}{}", address(k.addr), times(k.count), when(&k.evidence, clock))
}

/// A full accept queue.
pub(super) fn overflow(o: &AtListener, clock: &Clock) -> String {
    let backlog = o.backlog.map(|n| format!(" (backlog {n})")).unwrap_or_default();
    format!(
        "{} did not accept fast enough at {}: its queue{backlog} was full and turned connections away {}{}",
        o.who.sentence(),
        endpoint(o.addr, o.port),
        times(o.count),
        when(&o.evidence, clock)
    )
}

/// Connections that no `accept()` took.
pub(super) fn unaccepted(u: &AtListener, clock: &Clock) -> String {
    let at = endpoint(u.addr, u.port);
    let who = u.who.comm.as_ref().map(|_| format!(" by {}", u.who.sentence())).unwrap_or_default();
    format!("{} never accepted{who} at {at}{}", were(u.count, "connection"), when(&u.evidence, clock))
}

/// A slow handshake.
pub(super) fn handshake(h: &Handshake, clock: &Clock) -> String {
    let again = match h.syn_retransmits {
        0 => String::new(),
        n => format!(", its SYN was sent again {}", times(n.into())),
    };
    format!(
        "{} waited {} for the handshake with {}{again}{}",
        h.who.as_client_of(&h.peer),
        duration(h.connect_ns),
        h.peer.sentence(),
        when(&h.evidence, clock)
    )
}

/// A connection that sent much again.
pub(super) fn retransmitting(r: &Retransmitting, clock: &Clock) -> String {
    let mut facts: Vec<String> = Vec::new();
    facts.extend(r.bytes_sent.map(|sent| format!("{} sent", bytes(sent))));
    facts.extend(r.duration_ns.map(|ns| format!("open for {}", duration(ns))));
    facts.extend(r.rtt_us.map(|us| format!("rtt {}", duration(u64::from(us) * 1_000))));
    let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) };
    format!(
        "{} sent {} again to {}{facts}{}",
        r.who.as_client_of(&r.peer),
        count(r.retransmits.into(), "segment"),
        r.peer.sentence(),
        when(&r.evidence, clock)
    )
}

/// `, at 11:02:03.1`, or `, between … and …`.
fn when(evidence: &Evidence, clock: &Clock) -> String {
    let Some((from, to)) = evidence.between else { return String::new() };
    let (from, to) = (clock.moment(from), clock.moment(to));
    if from == to { format!(", at {from}") } else { format!(", between {from} and {to}") }
}

/// `1 record is`, `2 records are`.
fn is(number: u64, thing: &str) -> String {
    format!("{} {}", count(number, thing), if number == 1 { "is" } else { "are" })
}

/// `1 connection was`, `2 connections were`.
fn were(number: u64, thing: &str) -> String {
    format!("{} {}", count(number, thing), if number == 1 { "was" } else { "were" })
}

#[cfg(test)]
mod tests;
