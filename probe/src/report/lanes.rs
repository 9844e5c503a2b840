//! Outages by program and peer. The sums are of all outages; the lists, which are there to be drawn, hold those that
//! were kept.

use std::collections::HashMap;

use super::findings::{Evidence, Lane, Outage, OutageEnd, Peer, Who};
use super::table::Table;
use crate::record::Timestamp;

/// Programs and peers with sums; beyond it those with the least downtime are given up.
pub(super) const ROOM: usize = 4_096;

/// What has come so far. A row counts downtime, so that the worst peers stay.
#[derive(Debug)]
pub(super) struct Lanes {
    sums: Table<(Who, Peer), Sum>,
}

#[derive(Debug, Default)]
struct Sum {
    outages: u64,
    going_on: u64,
    longest_ns: u64,
    failures: u64,
    evidence: Evidence,
}

impl Default for Lanes {
    fn default() -> Self {
        Self { sums: Table::new(ROOM) }
    }
}

impl Lanes {
    /// One outage.
    pub(super) fn add(&mut self, outage: &Outage) {
        let sum = self.sums.add((outage.who.clone(), outage.peer), outage.downtime_ns);
        sum.outages += 1;
        sum.going_on += u64::from(outage.end == OutageEnd::GoesOn);
        sum.longest_ns = sum.longest_ns.max(outage.downtime_ns);
        sum.failures += outage.failures.values().sum::<u64>();
        sum.evidence.join(&outage.evidence);
    }

    /// The pairs with the most downtime, and of their outages those to draw, in order of time.
    pub(super) fn finish(self, drawn: &[Outage], until: Timestamp, top: usize) -> Vec<Lane> {
        let ranked = self.sums.ranked(top, |(who, peer), downtime_ns, mut sum| {
            sum.evidence.sort();
            Lane {
                who,
                peer,
                count: sum.outages,
                going_on: sum.going_on,
                is_exact: true,
                outages: Vec::new(),
                downtime_ns,
                longest_ns: sum.longest_ns,
                failures: sum.failures,
                evidence: sum.evidence,
            }
        });
        let mut lanes = ranked.rows;
        let places: HashMap<_, _> =
            lanes.iter().enumerate().map(|(at, lane)| ((lane.who.clone(), lane.peer), at)).collect();
        for outage in drawn {
            let end = match outage.end {
                OutageEnd::Back(at) | OutageEnd::TraceEnded(at) => at,
                OutageEnd::GoesOn => until,
                OutageEnd::Unknown => outage.since,
            };
            if let Some(at) = places.get(&(outage.who.clone(), outage.peer)) {
                lanes[*at].outages.push((outage.since, end, outage.end));
            }
        }
        for lane in &mut lanes {
            lane.is_exact = ranked.is_exact;
            lane.outages.sort_by_key(|(from, to, _)| (*from, *to));
        }
        lanes
    }
}
