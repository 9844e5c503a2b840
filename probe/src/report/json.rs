//! The report as one JSON document: the only `Serialize` of it, described in `probe/docs/report.md`. Add fields,
//! never rename them.

mod rows;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::Serialize;

use super::clock::Clock;
use super::findings::{Evidence, Findings, Ranked};
use super::sentence;
use super::subject::between;
use crate::record::{Cause, LostWhere, Timestamp};
use crate::sink::escape::is_active;

/// Version of the document, field `v`.
const VERSION: u32 = 1;

/// The whole document, indented.
pub fn write(findings: &Findings) -> String {
    // A document with string keys has nothing in it that cannot be written.
    let text = serde_json::to_string_pretty(&Document::of(findings)).unwrap_or_default();
    let mut safe = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        // What may act on a terminal stands in strings only; line breaks are the document's own.
        if is_active(c) && c != '\n' {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| safe.push_str(&format!("\\u{unit:04x}")));
        } else {
            safe.push(c);
        }
    }
    safe.push('\n');
    safe
}

#[derive(Serialize)]
struct Document<'a> {
    v: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    period: Option<Period>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    boot_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    filters: &'a [String],
    missing: &'a [String],
    complete: bool,
    gaps: Gaps<'a>,
    totals: Totals<'a>,
    findings: Vec<Finding<'a>>,
    outages: Table<rows::Outage<'a>>,
    flapping: Table<rows::Flap<'a>>,
    failures: Table<rows::Failure<'a>>,
    failing_peers: Table<rows::FailingPeer<'a>>,
    failing_programs: Table<rows::FailingProgram<'a>>,
    failures_over_time: OverTime<'a>,
    handshakes: Handshakes<'a>,
    resets: Table<rows::Resets<'a>>,
    retransmitting: Vec<rows::Retransmitting<'a>>,
    refused_inbound: Table<rows::Knocks<'a>>,
    port_scans: Table<rows::Scan<'a>>,
    listen_overflows: Table<rows::AtListener<'a>>,
    never_accepted: Table<rows::AtListener<'a>>,
}

#[derive(Serialize)]
struct Period {
    from: Timestamp,
    to: Timestamp,
    duration_ns: u64,
}

#[derive(Serialize)]
struct Gaps<'a> {
    lost: &'a BTreeMap<LostWhere, u64>,
    incomplete: u64,
    bad_lines: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_bad_line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cut_short: Option<&'a str>,
    without_recoveries: bool,
    forgotten: u64,
    sentences: Vec<String>,
}

#[derive(Serialize)]
struct Totals<'a> {
    records: u64,
    attempts: u64,
    established: u64,
    accepted: u64,
    failed: u64,
    closed: u64,
    abnormal: u64,
    outages: u64,
    outages_going_on: u64,
    bytes_sent: u64,
    bytes_received: u64,
    retransmits: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<u64>,
    causes: &'a BTreeMap<Cause, u64>,
}

#[derive(Serialize)]
struct Finding<'a> {
    kind: &'static str,
    weight: &'static str,
    sentence: String,
    evidence: Proof<'a>,
}

/// What a finding rests on.
#[derive(Serialize)]
struct Proof<'a> {
    records: u64,
    seqs: &'a [u64],
    conns: &'a [std::sync::Arc<str>],
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Timestamp>,
}

impl<'a> From<&'a Evidence> for Proof<'a> {
    fn from(evidence: &'a Evidence) -> Self {
        Self {
            records: evidence.records,
            seqs: &evidence.seqs,
            conns: &evidence.conns,
            first: evidence.between.map(|(first, _)| first),
            last: evidence.between.map(|(_, last)| last),
        }
    }
}

#[derive(Serialize)]
struct Table<T> {
    rows: Vec<T>,
    total: u64,
    others: u64,
    other_rows: u64,
    exact: bool,
}

impl<'a, S, T: From<&'a S>> From<&'a Ranked<S>> for Table<T> {
    fn from(ranked: &'a Ranked<S>) -> Self {
        Self {
            rows: ranked.rows.iter().map(T::from).collect(),
            total: ranked.total,
            others: ranked.others,
            other_rows: ranked.other_rows,
            exact: ranked.is_exact,
        }
    }
}

#[derive(Serialize)]
struct OverTime<'a> {
    bucket_ns: u64,
    buckets: Vec<Bucket<'a>>,
}

#[derive(Serialize)]
struct Bucket<'a> {
    from: Timestamp,
    causes: &'a BTreeMap<Cause, u64>,
}

#[derive(Serialize)]
struct Handshakes<'a> {
    count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p90_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_ns: Option<u64>,
    histogram: Vec<Bin>,
    slowest: Vec<rows::Handshake<'a>>,
}

#[derive(Serialize)]
struct Bin {
    #[serde(skip_serializing_if = "Option::is_none")]
    up_to_ns: Option<u64>,
    count: u64,
}

impl<'a> Document<'a> {
    fn of(f: &'a Findings) -> Self {
        let clock = Clock::new(TimeZone::UTC, &f.origin);
        let said = sentence::all(f, &clock);
        let period = |(from, to): (Timestamp, Timestamp)| Period { from, to, duration_ns: between(from, to) };
        Self {
            v: VERSION,
            period: f.origin.period.map(period),
            host: f.origin.host.as_deref(),
            boot_id: f.origin.boot_id.as_deref(),
            kernel: f.origin.kernel.as_deref(),
            version: f.origin.version.as_deref(),
            filters: &f.origin.filters,
            missing: &f.origin.missing,
            complete: f.gaps.is_nothing(),
            gaps: gaps(f),
            totals: totals(f),
            findings: said
                .into_iter()
                .map(|s| Finding {
                    kind: s.kind,
                    weight: s.weight.name(),
                    sentence: s.text,
                    evidence: s.evidence.into(),
                })
                .collect(),
            outages: (&f.outages).into(),
            flapping: (&f.flapping).into(),
            failures: (&f.failures).into(),
            failing_peers: (&f.peers).into(),
            failing_programs: (&f.programs).into(),
            failures_over_time: over_time(f),
            handshakes: handshakes(f),
            resets: (&f.resets).into(),
            retransmitting: f.retransmitting.iter().map(Into::into).collect(),
            refused_inbound: (&f.knocks).into(),
            port_scans: (&f.scans).into(),
            listen_overflows: (&f.overflows).into(),
            never_accepted: (&f.unaccepted).into(),
        }
    }
}

fn gaps(f: &Findings) -> Gaps<'_> {
    Gaps {
        lost: &f.gaps.lost,
        incomplete: f.gaps.incomplete,
        bad_lines: f.gaps.bad_lines,
        first_bad_line: f.gaps.first_bad_line.as_ref().map(|(line, _)| *line),
        cut_short: f.gaps.cut_short.as_deref(),
        without_recoveries: f.gaps.without_recoveries,
        forgotten: f.gaps.forgotten,
        sentences: sentence::gaps(&f.gaps),
    }
}

fn totals(f: &Findings) -> Totals<'_> {
    let t = &f.totals;
    Totals {
        records: t.records,
        attempts: t.attempts,
        established: t.established,
        accepted: t.accepted,
        failed: t.failed,
        closed: t.closed,
        abnormal: t.abnormal,
        outages: t.outages,
        outages_going_on: t.outages_going_on,
        bytes_sent: t.bytes_sent,
        bytes_received: t.bytes_received,
        retransmits: t.retransmits,
        open: t.open,
        causes: &t.causes,
    }
}

/// Only the buckets in which something failed.
fn over_time(f: &Findings) -> OverTime<'_> {
    let over = &f.over_time;
    let start = |at: usize| {
        let offset = u64::try_from(at).unwrap_or(u64::MAX).saturating_mul(over.width_ns);
        Timestamp(over.from.0.saturating_add(i64::try_from(offset).unwrap_or(i64::MAX)))
    };
    let filled = over.buckets.iter().enumerate().filter(|(_, causes)| !causes.is_empty());
    let buckets = filled.map(|(at, causes)| Bucket { from: start(at), causes }).collect();
    OverTime { bucket_ns: over.width_ns, buckets }
}

fn handshakes(f: &Findings) -> Handshakes<'_> {
    let h = &f.handshakes;
    Handshakes {
        count: h.count,
        p50_ns: h.quantile(0.5),
        p90_ns: h.quantile(0.9),
        p99_ns: h.quantile(0.99),
        histogram: h.histogram.iter().map(|(bound, count)| Bin { up_to_ns: *bound, count: *count }).collect(),
        slowest: h.slowest.iter().map(Into::into).collect(),
    }
}
