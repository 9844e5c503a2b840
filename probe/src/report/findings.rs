//! What a report says, as plain data: the renderers read it, nothing else is known to them.

mod kinds;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::record::{Cause, LostWhere, Timestamp};
pub use kinds::{AtListener, Handshake, Handshakes, Knocks, Resets, Retransmitting, Scan};

/// Everything a report says.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Where and when the records were made.
    pub origin: Origin,
    /// What makes the report less than the whole truth.
    pub gaps: Gaps,
    /// Sums over all records of the period.
    pub totals: Totals,
    /// Outages: those that go on first, then the longest first.
    pub outages: Ranked<Outage>,
    /// The peers with the most downtime, and their outages.
    pub lanes: Vec<Lane>,
    /// Peers that come and go.
    pub flapping: Ranked<Flap>,
    /// What failed, by whom, to whom and why.
    pub failures: Ranked<Failure>,
    /// Failures by peer.
    pub peers: Ranked<ByCause<Peer>>,
    /// Failures by program.
    pub programs: Ranked<ByCause<Who>>,
    /// Failures over time, by cause.
    pub over_time: OverTime,
    /// How long handshakes took.
    pub handshakes: Handshakes,
    /// RSTs sent and received.
    pub resets: Ranked<Resets>,
    /// Connections that sent the most segments again.
    pub retransmitting: Vec<Retransmitting>,
    /// Who tries closed ports.
    pub knocks: Ranked<Knocks>,
    /// Who scans ports.
    pub scans: Ranked<Scan>,
    /// Listeners whose accept queue was full.
    pub overflows: Ranked<AtListener>,
    /// Listeners whose connections nobody accepted.
    pub unaccepted: Ranked<AtListener>,
}

/// The rows with the largest counts, and what is known of the others. `total` is the sum of the rows' counts and
/// `others`.
#[derive(Clone, Debug)]
pub struct Ranked<T> {
    /// The largest first.
    pub rows: Vec<T>,
    /// Sum of all counts.
    pub total: u64,
    /// Sum of the counts that are in no row.
    pub others: u64,
    /// How many rows that sum stands for.
    pub other_rows: u64,
    /// Nothing was given up for lack of room: every row has its whole count.
    pub is_exact: bool,
}

impl<T> Default for Ranked<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), total: 0, others: 0, other_rows: 0, is_exact: true }
    }
}

/// Where and when the records were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// First and last moment told of.
    pub period: Option<(Timestamp, Timestamp)>,
    /// Host name.
    pub host: Option<Arc<str>>,
    /// Boot id.
    pub boot_id: Option<Arc<str>>,
    /// Kernel release.
    pub kernel: Option<String>,
    /// Version of the connprobe that saw it.
    pub version: Option<String>,
    /// Filters in force, as flags.
    pub filters: Vec<String>,
    /// What that kernel cannot tell, a sentence each.
    pub missing: Vec<String>,
}

/// What makes the report less than the whole truth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Lost on the way, by place.
    pub lost: BTreeMap<LostWhere, u64>,
    /// Records that are marked `incomplete`.
    pub incomplete: u64,
    /// Lines that are no records.
    pub bad_lines: u64,
    /// The first of them, from 1, and what is wrong with it.
    pub first_bad_line: Option<(u64, String)>,
    /// Why the input ended early.
    pub cut_short: Option<String>,
    /// The stream leaves out when peers came back: nothing is known of the ends of outages.
    pub without_recoveries: bool,
    /// Programs and peers that were forgotten because there were too many.
    pub forgotten: u64,
}

impl Gaps {
    /// Whether the report rests on everything that happened.
    pub fn is_nothing(&self) -> bool {
        self.lost.is_empty() && self.incomplete == 0 && self.bad_lines == 0 && self.cut_short.is_none()
    }
}

/// Sums over all records of the period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records.
    pub records: u64,
    /// Attempts that started.
    pub attempts: u64,
    /// Connections opened here.
    pub established: u64,
    /// Connections accepted here.
    pub accepted: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Established connections that ended.
    pub closed: u64,
    /// Of these, the ones that ended in an abnormal way.
    pub abnormal: u64,
    /// Payload sent by connections that ended, bytes.
    pub bytes_sent: u64,
    /// Payload received by them, bytes.
    pub bytes_received: u64,
    /// Segments they sent again.
    pub retransmits: u64,
    /// Outages told of.
    pub outages: u64,
    /// Of these, the ones that go on at the end.
    pub outages_going_on: u64,
    /// Failures by cause: failed attempts and abnormal ends.
    pub causes: BTreeMap<Cause, u64>,
    /// Connections open at the end, where the stream has its end.
    pub open: Option<u64>,
}

/// A program, as people know it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Who {
    /// Command name.
    pub comm: Option<Arc<str>>,
    /// systemd unit.
    pub unit: Option<Arc<str>>,
    /// Container id.
    pub container: Option<Arc<str>>,
}

/// The other end, by the port that is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Peer {
    /// Its address.
    pub addr: Option<IpAddr>,
    /// The peer's port, or this host's where this host is the server.
    pub port: Option<u16>,
    /// This host is the server.
    pub is_client: bool,
}

/// What a finding rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// How many records.
    pub records: u64,
    /// Numbers of the first of them.
    pub seqs: Vec<u64>,
    /// Ids of the first connections.
    pub conns: Vec<Arc<str>>,
    /// When it happened first and last.
    pub between: Option<(Timestamp, Timestamp)>,
}

/// How an outage ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutageEnd {
    /// It was back at this moment.
    Back(Timestamp),
    /// It goes on at the end of the period.
    GoesOn,
    /// The trace ended at this moment and it was not back; a later run knows nothing of it.
    TraceEnded(Timestamp),
    /// The stream does not tell.
    Unknown,
}

/// A peer that was lost to a program.
#[derive(Clone, Debug)]
pub struct Outage {
    /// Who lost it.
    pub who: Who,
    /// What was lost.
    pub peer: Peer,
    /// The loss.
    pub since: Timestamp,
    /// The end.
    pub end: OutageEnd,
    /// How long: to the end, or to the end of the trace or the period, ns.
    pub downtime_ns: u64,
    /// How the last connection before it ended; `None` if there was none.
    pub previous_cause: Option<Cause>,
    /// Failed attempts meanwhile, by cause.
    pub failures: BTreeMap<Cause, u64>,
    /// From the first to the last of these, ns.
    pub failing_ns: u64,
    /// Attempts, the successful one counted.
    pub attempts: Option<u32>,
    /// The longest pause between attempts, ns.
    pub longest_gap_ns: Option<u64>,
    /// Records and connections.
    pub evidence: Evidence,
}

/// The outages of one program and peer.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Who.
    pub who: Who,
    /// Lost whom.
    pub peer: Peer,
    /// How many.
    pub count: u64,
    /// Of these, the ones that go on at the end.
    pub going_on: u64,
    /// The numbers are of all of them; otherwise they were more.
    pub is_exact: bool,
    /// From, to, and whether it goes on; in order. Only those that were kept: the longest of all peers.
    pub outages: Vec<(Timestamp, Timestamp, OutageEnd)>,
    /// Sum of the lengths, ns.
    pub downtime_ns: u64,
    /// The longest, ns.
    pub longest_ns: u64,
    /// Failed attempts in all of them.
    pub failures: u64,
    /// Records and connections.
    pub evidence: Evidence,
}

impl Lane {
    /// What stands in front of its numbers.
    pub(super) fn at_least(&self) -> &'static str {
        if self.is_exact { "" } else { "at least " }
    }
}

/// A peer that comes and goes.
#[derive(Clone, Debug)]
pub struct Flap {
    /// Who reconnects.
    pub who: Who,
    /// To whom.
    pub peer: Peer,
    /// How often it was said.
    pub count: u64,
    /// Reconnects within the window, at most.
    pub reconnects: u64,
    /// Records and connections.
    pub evidence: Evidence,
}

/// Attempts that failed, or connections that ended, for the same cause.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Whose.
    pub who: Who,
    /// To whom.
    pub peer: Peer,
    /// They had been established.
    pub was_established: bool,
    /// Why.
    pub cause: Cause,
    /// The error the program got, of the last one.
    pub error: Option<&'static str>,
    /// The error an ICMP message left.
    pub soft_error: Option<&'static str>,
    /// The kernel's reason for the RST.
    pub reset_reason: Option<Arc<str>>,
    /// How many.
    pub count: u64,
    /// All of them are told of in an outage already.
    pub in_outage: bool,
    /// Records and connections.
    pub evidence: Evidence,
}

/// Failures of one peer or program.
#[derive(Clone, Debug)]
pub struct ByCause<T> {
    /// Which.
    pub subject: T,
    /// How many.
    pub count: u64,
    /// By cause.
    pub causes: BTreeMap<Cause, u64>,
    /// Records and connections.
    pub evidence: Evidence,
}

/// Failures over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OverTime {
    /// Start of the first bucket.
    pub from: Timestamp,
    /// Width of a bucket, ns.
    pub width_ns: u64,
    /// Failures by cause, a map for each bucket.
    pub buckets: Vec<BTreeMap<Cause, u64>>,
}
