//! What failed, by whom, to whom and why: failed attempts, and connections that ended in an abnormal way.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::findings::{ByCause, Evidence, Failure, OverTime, Peer, Ranked, Who};
use super::outages::Explained;
use super::over_time::Buckets;
use super::subject::clipped;
use super::table::Table;
use crate::filter::went_wrong;
use crate::record::{Cause, EventName, Record, Timestamp};

/// Keys of each of the three tables.
pub(super) const ROOM: usize = 4_096;

/// What has come so far.
#[derive(Debug)]
pub(super) struct Tally {
    kinds: Table<Kind, Kept>,
    peers: Table<Peer, Causes>,
    programs: Table<Who, Causes>,
    over_time: Buckets,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    who: Who,
    peer: Peer,
    was_established: bool,
    cause: Cause,
}

#[derive(Debug, Default)]
struct Kept {
    error: Option<&'static str>,
    soft_error: Option<&'static str>,
    reset_reason: Option<Arc<str>>,
    evidence: Evidence,
}

#[derive(Debug, Default)]
struct Causes {
    by_cause: BTreeMap<Cause, u64>,
    evidence: Evidence,
}

impl Causes {
    fn add(&mut self, cause: Cause, r: &Record) {
        *self.by_cause.entry(cause).or_default() += 1;
        self.evidence.add(r);
    }
}

/// The cause, if the record is a failure: a failed attempt or an abnormal end.
pub(super) fn cause(r: &Record) -> Option<Cause> {
    let is_end = matches!(r.event, EventName::Failed | EventName::Closed);
    (is_end && went_wrong(r)).then(|| r.cause.unwrap_or(Cause::Other))
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            kinds: Table::new(ROOM),
            peers: Table::new(ROOM),
            programs: Table::new(ROOM),
            over_time: Buckets::default(),
        }
    }
}

impl Tally {
    /// A record; those that are no failure are nothing here.
    pub(super) fn take(&mut self, r: &Record) {
        let Some(cause) = cause(r) else { return };
        let (who, peer) = (Who::of(r), Peer::of(r));
        let was_established = r.event == EventName::Closed;
        self.peers.add(peer, 1).add(cause, r);
        self.programs.add(who.clone(), 1).add(cause, r);
        let kept = self.kinds.add(Kind { who, peer, was_established, cause }, 1);
        kept.error = r.error.or(kept.error);
        kept.soft_error = r.soft_error.or(kept.soft_error);
        if let Some(reason) = &r.reset_reason {
            kept.reset_reason = Some(clipped(reason));
        }
        kept.evidence.add(r);
        self.over_time.add(r.ts, cause);
    }

    /// The tables. What outages tell of needs no sentence of its own.
    pub(super) fn finish(self, period: (Timestamp, Timestamp), explained: &Explained, top: usize) -> Told {
        let failures = self.kinds.ranked(top, |kind, count, kept| Failure {
            in_outage: explained
                .get(&(kind.who.clone(), kind.peer, kind.was_established, kind.cause))
                .is_some_and(|explained| *explained >= count),
            who: kind.who,
            peer: kind.peer,
            was_established: kind.was_established,
            cause: kind.cause,
            error: kept.error,
            soft_error: kept.soft_error,
            reset_reason: kept.reset_reason,
            count,
            evidence: kept.evidence,
        });
        Told {
            failures,
            peers: by_cause(self.peers, top),
            programs: by_cause(self.programs, top),
            over_time: self.over_time.finish(period),
        }
    }
}

/// What the failures add up to.
pub(super) struct Told {
    pub(super) failures: Ranked<Failure>,
    pub(super) peers: Ranked<ByCause<Peer>>,
    pub(super) programs: Ranked<ByCause<Who>>,
    pub(super) over_time: OverTime,
}

fn by_cause<K: Clone + Eq + std::hash::Hash>(table: Table<K, Causes>, top: usize) -> Ranked<ByCause<K>> {
    table.ranked(top, |subject, count, causes| ByCause {
        subject,
        count,
        causes: causes.by_cause,
        evidence: causes.evidence,
    })
}
