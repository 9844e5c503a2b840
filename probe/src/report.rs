//! Forensics for a person: what failed, by whom, to whom, why and since when.
//!
//! ```text
//! records ──► Report::take ──► finish ──► Findings ──► text, json, html
//!             bounded tallies              plain data   sentences, tables, charts
//! ```
//!
//! The aggregator is pure and its room is bounded: every table has a cap, and what it gives up is counted, so that
//! totals stay exact (`probe/docs/bounded.md`).

pub mod clock;
mod failures;
pub mod findings;
mod frame;
mod handshakes;
pub mod html;
mod inbound;
pub mod json;
mod lanes;
mod outages;
pub mod output;
mod over_time;
pub mod progress;
pub mod sentence;
mod sheets;
pub mod source;
mod subject;
mod table;
pub mod text;
pub mod window;
mod words;

use findings::{Evidence, Findings, Flap, Peer, Resets, Retransmitting, Totals, Who};
use frame::Frame;
use table::{Largest, Table};

use crate::record::{End, EventName, Record, TcpState, Timestamp};

/// Peers that come and go.
const FLAPPING: usize = 1_024;
/// Kinds of RST.
const RESETS: usize = 256;

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Not what was before.
    pub since: Timestamp,
    /// Not what was after.
    pub until: Timestamp,
    /// Rows of each table.
    pub top: usize,
}

impl Default for Scope {
    fn default() -> Self {
        Self { since: Timestamp(i64::MIN), until: Timestamp(i64::MAX), top: 10 }
    }
}

/// Takes records and says what they add up to.
#[derive(Debug)]
pub struct Report {
    scope: Scope,
    frame: Frame,
    totals: Totals,
    outages: outages::Tally,
    failures: failures::Tally,
    handshakes: handshakes::Tally,
    inbound: inbound::Tally,
    flapping: Table<(Who, Peer), (u64, Evidence)>,
    resets: Table<ResetKind, Evidence>,
    retransmitting: Largest<Retransmitting>,
}

type ResetKind = (Option<End>, Option<std::sync::Arc<str>>, Option<TcpState>);

impl Report {
    /// An empty one.
    pub fn new(scope: Scope) -> Self {
        Self {
            scope,
            frame: Frame::default(),
            totals: Totals::default(),
            outages: outages::Tally::new(scope.since),
            failures: failures::Tally::default(),
            handshakes: handshakes::Tally::new(scope.top),
            inbound: inbound::Tally::default(),
            flapping: Table::new(FLAPPING),
            resets: Table::new(RESETS),
            retransmitting: Largest::new(scope.top),
        }
    }

    /// One record, in the order of the stream.
    pub fn take(&mut self, r: &Record) {
        if r.event == EventName::Start {
            self.frame.start(r);
        }
        if r.ts > self.scope.until {
            return;
        }
        self.outages.take(r);
        if r.ts < self.scope.since {
            return;
        }
        self.frame.take(r);
        self.count(r);
        self.failures.take(r);
        self.inbound.take(r);
        match r.event {
            EventName::Established => self.handshakes.take(r),
            EventName::Flapping => {
                let (times, evidence) = self.flapping.add((Who::of(r), Peer::of(r)), 1);
                *times = (*times).max(r.count.unwrap_or(0));
                evidence.add(r);
            }
            EventName::Reset => {
                let reason = r.reset_reason.as_ref().map(subject::clipped);
                self.resets.add((r.reset_by, reason, r.state), 1).add(r);
            }
            EventName::Closed => self.retransmits(r),
            _ => {}
        }
    }

    /// When peers came back is not among the records.
    pub fn without_recoveries(&mut self) {
        self.frame.gaps.without_recoveries = true;
        self.outages.without_recoveries();
    }

    /// A line that is no record.
    pub fn bad_line(&mut self, line: u64, why: String) {
        self.frame.bad_line(line, why);
    }

    /// The input ended early.
    pub fn cut_short(&mut self, why: String) {
        self.frame.gaps.cut_short = Some(why);
    }

    /// Whether it did.
    pub fn is_cut_short(&self) -> bool {
        self.frame.gaps.cut_short.is_some()
    }

    /// Records taken so far, and failures among them.
    pub fn progress(&self) -> (u64, u64) {
        (self.totals.records, self.totals.failed + self.totals.abnormal)
    }

    /// What it all adds up to.
    pub fn finish(mut self) -> Findings {
        let top = self.scope.top;
        let (origin, mut gaps) = self.frame.finish();
        let period = origin.period.unwrap_or_default();
        let outages = self.outages.finish(period.1, top);
        gaps.forgotten = outages.forgotten;
        (self.totals.outages, self.totals.outages_going_on) = (outages.ranked.total, outages.going_on);
        let failures = self.failures.finish(period, &outages.explained, top);
        let inbound = self.inbound.finish(top);
        Findings {
            origin,
            gaps,
            totals: self.totals,
            outages: outages.ranked,
            lanes: outages.lanes,
            flapping: self.flapping.ranked(top, |(who, peer), count, (reconnects, evidence)| Flap {
                who,
                peer,
                count,
                reconnects,
                evidence,
            }),
            failures: failures.failures,
            peers: failures.peers,
            programs: failures.programs,
            over_time: failures.over_time,
            handshakes: self.handshakes.finish(),
            resets: self.resets.ranked(top, |(by, reason, state), count, evidence| Resets {
                by,
                reason,
                state,
                count,
                evidence,
            }),
            retransmitting: self.retransmitting.into_sorted().collect(),
            knocks: inbound.knocks,
            scans: inbound.scans,
            overflows: inbound.overflows,
            unaccepted: inbound.unaccepted,
        }
    }

    fn count(&mut self, r: &Record) {
        let totals = &mut self.totals;
        totals.records += 1;
        match r.event {
            EventName::Connect => totals.attempts += 1,
            EventName::Established => totals.established += 1,
            EventName::Accept => totals.accepted += 1,
            EventName::Failed => totals.failed += 1,
            EventName::Closed => {
                totals.closed += 1;
                totals.abnormal += u64::from(failures::cause(r).is_some());
                let add = |sum: &mut u64, more: Option<u64>| *sum = sum.saturating_add(more.unwrap_or(0));
                add(&mut totals.bytes_sent, r.bytes_sent);
                add(&mut totals.bytes_received, r.bytes_received);
                add(&mut totals.retransmits, r.retransmits.map(u64::from));
            }
            EventName::Stop => totals.open = r.totals.as_ref().map(|run| run.open),
            _ => {}
        }
        if let Some(cause) = failures::cause(r) {
            *totals.causes.entry(cause).or_default() += 1;
        }
    }

    fn retransmits(&mut self, r: &Record) {
        let Some(retransmits) = r.retransmits.filter(|n| *n > 0) else { return };
        self.retransmitting.offer(retransmits.into(), || Retransmitting {
            who: Who::of(r),
            peer: Peer::of(r),
            retransmits,
            bytes_sent: r.bytes_sent,
            duration_ns: r.duration_ns,
            rtt_us: r.rtt_us,
            evidence: Evidence::of(r),
        });
    }
}

#[cfg(test)]
mod tests;
