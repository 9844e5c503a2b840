//! Outages, put together from what the records tell of a program and a peer: the loss, the failures meanwhile,
//! and the return.
//!
//! Every record up to the end of the period is looked at, also those before its start: what was lost before and is
//! still gone belongs to it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;

use lru::LruCache;

use super::findings::{Evidence, Lane, Outage, OutageEnd, Peer, Ranked, Who};
use super::subject::between;
use super::table::Largest;
use crate::episode::Key;
use crate::record::story::Program;
use crate::record::{Cause, EventName, Record, Role, Timestamp};

/// Programs and peers followed at once; beyond it the one not heard of for longest is forgotten.
pub(super) const PAIRS: NonZeroUsize = NonZeroUsize::new(8_192).expect("not zero");
/// Outages kept, the longest ones.
pub(super) const KEPT: usize = 1_024;

/// What has come so far.
#[derive(Debug)]
pub(super) struct Tally {
    pairs: LruCache<Key<Program>, Pair>,
    ended: Largest<Outage>,
    since: Timestamp,
    told: u64,
    forgotten: u64,
}

#[derive(Debug, Default)]
struct Pair {
    who: Who,
    peer: Peer,
    /// Failed attempts since it last worked.
    streak: Streak,
    open: Option<Open>,
}

#[derive(Debug, Default)]
struct Streak {
    causes: BTreeMap<Cause, u64>,
    evidence: Evidence,
}

#[derive(Debug)]
struct Open {
    since: Timestamp,
    previous: Option<Cause>,
    evidence: Evidence,
    /// A connection was there again, which `reconnected` is expected to tell.
    answered: Option<Timestamp>,
}

impl Tally {
    /// Of a period that starts here.
    pub(super) fn new(since: Timestamp) -> Self {
        Self { pairs: LruCache::new(PAIRS), ended: Largest::new(KEPT), since, told: 0, forgotten: 0 }
    }

    /// A record of any kind.
    pub(super) fn take(&mut self, r: &Record) {
        let is_told = matches!(
            r.event,
            EventName::Connect
                | EventName::Established
                | EventName::Accept
                | EventName::Failed
                | EventName::Closed
                | EventName::Outage
                | EventName::Reconnected
        );
        let Some(key) = key(r).filter(|_| is_told) else { return };
        let starts = matches!(r.event, EventName::Failed | EventName::Outage | EventName::Reconnected);
        if !self.pairs.contains(&key) {
            // What only works is nothing to remember.
            if !starts {
                return;
            }
            if self.pairs.len() >= PAIRS.get()
                && let Some((_, old)) = self.pairs.pop_lru()
            {
                self.forgotten += 1;
                self.end(old, OutageEnd::Unknown, None);
            }
            let pair = Pair { who: Who::of(r), peer: Peer::of(r), ..Pair::default() };
            self.pairs.put(key.clone(), pair);
        }
        let Some(mut pair) = self.pairs.pop(&key) else { return };
        if r.event != EventName::Reconnected
            && let Some(at) = pair.open.as_ref().and_then(|open| open.answered)
        {
            // Nobody told, but it worked: `reconnected` was lost or is filtered out.
            pair = self.end(pair, OutageEnd::Back(at), None);
        }
        pair = self.tell(pair, r);
        if pair.open.is_some() || !pair.streak.causes.is_empty() {
            self.pairs.put(key, pair);
        }
    }

    fn tell(&mut self, mut pair: Pair, r: &Record) -> Pair {
        match r.event {
            EventName::Failed => {
                *pair.streak.causes.entry(r.cause.unwrap_or(Cause::Other)).or_default() += 1;
                pair.streak.evidence.add(r);
            }
            EventName::Established | EventName::Accept => match &mut pair.open {
                Some(open) => open.answered = Some(r.ts),
                None => pair.streak = Streak::default(),
            },
            EventName::Outage => match &mut pair.open {
                // The same one again, after a long silence.
                Some(open) => open.evidence.add(r),
                None => {
                    if pair.streak.evidence.between.is_some_and(|(first, _)| first < r.ts) {
                        pair.streak = Streak::default();
                    }
                    pair.open = Some(Open {
                        since: r.ts,
                        previous: r.previous_cause,
                        evidence: Evidence::of(r),
                        answered: None,
                    });
                }
            },
            EventName::Reconnected => {
                let length = i64::try_from(r.downtime_ns.unwrap_or(0)).unwrap_or(i64::MAX);
                let open = pair.open.get_or_insert_with(|| Open {
                    since: Timestamp(r.ts.0.saturating_sub(length)),
                    previous: r.previous_cause,
                    evidence: Evidence::default(),
                    answered: None,
                });
                open.evidence.add(r);
                pair = self.end(pair, OutageEnd::Back(r.ts), Some(r));
            }
            _ => {}
        }
        pair
    }

    /// Takes the outage out of a pair, if there is one. What goes on at the end was ended by the caller.
    fn end(&mut self, mut pair: Pair, end: OutageEnd, told: Option<&Record>) -> Pair {
        let streak = std::mem::take(&mut pair.streak);
        let Some(open) = pair.open.take() else { return pair };
        let until = match end {
            OutageEnd::Back(at) => at,
            OutageEnd::GoesOn | OutageEnd::Unknown => {
                streak.evidence.between.map_or(open.since, |(_, last)| last.max(open.since))
            }
        };
        if until >= self.since || end == OutageEnd::GoesOn {
            self.told += 1;
            let outage = outage(&pair, open, streak, end, until, told);
            self.ended.offer(outage.downtime_ns, || outage);
        }
        pair
    }

    /// All outages of a period that ends here, those that go on first, then by length; and the longest by peer.
    pub(super) fn finish(mut self, until: Timestamp, knows_ends: bool, top: usize) -> Told {
        let pairs = std::mem::replace(&mut self.pairs, LruCache::new(NonZeroUsize::MIN));
        let (mut going_on, mut open_now) = (Vec::new(), 0);
        for (_, mut pair) in pairs {
            match pair.open.as_ref().map(|open| open.answered) {
                Some(Some(at)) => drop(self.end(pair, OutageEnd::Back(at), None)),
                Some(None) if knows_ends => {
                    if let Some(open) = pair.open.take() {
                        let streak = std::mem::take(&mut pair.streak);
                        open_now += 1;
                        going_on.push(outage(&pair, open, streak, OutageEnd::GoesOn, until, None));
                    }
                }
                Some(None) => drop(self.end(pair, OutageEnd::Unknown, None)),
                None => {}
            }
        }
        going_on.sort_by_key(|outage| (outage.since, Reverse(outage.evidence.records)));
        let total = self.told + open_now;
        let mut all = going_on;
        all.extend(self.ended.into_sorted());
        let lanes = lanes(&all, until, top);
        let explained = explained(&all);
        all.truncate(top);
        let others = total - all.len() as u64;
        Told {
            lanes,
            explained,
            going_on: open_now,
            forgotten: self.forgotten,
            ranked: Ranked { rows: all, total, others, other_rows: others, is_exact: true },
        }
    }
}

/// What the outages add up to.
pub(super) struct Told {
    pub(super) ranked: Ranked<Outage>,
    pub(super) lanes: Vec<Lane>,
    pub(super) explained: Explained,
    pub(super) going_on: u64,
    pub(super) forgotten: u64,
}

fn outage(
    pair: &Pair,
    open: Open,
    streak: Streak,
    end: OutageEnd,
    until: Timestamp,
    told: Option<&Record>,
) -> Outage {
    let failing_ns = streak.evidence.between.map_or(0, |(first, last)| between(first, last));
    let mut evidence = open.evidence;
    evidence.join(&streak.evidence);
    evidence.extend_to(open.since);
    evidence.sort();
    let downtime_ns = told.and_then(|r| r.downtime_ns).unwrap_or_else(|| between(open.since, until));
    let previous = told.and_then(|r| r.previous_cause).or(open.previous);
    Outage {
        who: pair.who.clone(),
        peer: pair.peer,
        since: open.since,
        end,
        downtime_ns,
        previous_cause: previous,
        failures: streak.causes,
        failing_ns,
        attempts: told.and_then(|r| r.attempts),
        longest_gap_ns: told.and_then(|r| r.backoff_ns.as_ref()?.iter().max().copied()),
        evidence,
    }
}

/// Failures that outages tell of: by program, peer, whether they had been established, and cause.
pub(super) type Explained = HashMap<(Who, Peer, bool, Cause), u64>;

fn explained(outages: &[Outage]) -> Explained {
    let mut explained = Explained::new();
    for outage in outages {
        let mut add = |was_established, cause, count| {
            *explained.entry((outage.who.clone(), outage.peer, was_established, cause)).or_default() += count;
        };
        for (cause, count) in &outage.failures {
            add(false, *cause, *count);
        }
        if let Some(cause) = outage.previous_cause {
            add(true, cause, 1);
        }
    }
    explained
}

/// The outages by program and peer, in order of time; the pairs with the most downtime.
fn lanes(outages: &[Outage], until: Timestamp, top: usize) -> Vec<Lane> {
    let mut by_pair: HashMap<(&Who, Peer), Lane> = HashMap::new();
    for outage in outages {
        let end = match outage.end {
            OutageEnd::Back(at) => at,
            OutageEnd::GoesOn => until,
            OutageEnd::Unknown => outage.since,
        };
        let lane = by_pair.entry((&outage.who, outage.peer)).or_insert_with(|| Lane {
            who: outage.who.clone(),
            peer: outage.peer,
            outages: Vec::new(),
            downtime_ns: 0,
            longest_ns: 0,
            failures: 0,
            evidence: Evidence::default(),
        });
        lane.outages.push((outage.since, end, outage.end));
        lane.downtime_ns = lane.downtime_ns.saturating_add(outage.downtime_ns);
        lane.longest_ns = lane.longest_ns.max(outage.downtime_ns);
        lane.failures += outage.failures.values().sum::<u64>();
        lane.evidence.join(&outage.evidence);
    }
    let mut lanes: Vec<_> = by_pair.into_values().collect();
    for lane in &mut lanes {
        lane.outages.sort_by_key(|(from, to, _)| (*from, *to));
        lane.evidence.sort();
    }
    lanes.sort_by_key(|lane| (Reverse(lane.downtime_ns), lane.outages.first().map(|first| first.0)));
    lanes.truncate(top);
    lanes
}

/// The pair that an episode is about: as the tracker tells them apart.
fn key(r: &Record) -> Option<Key<Program>> {
    let server = r.role? == Role::Server;
    let program = Program {
        exe: super::subject::clipped(r.exe.as_ref().or(r.comm.as_ref())?),
        unit: r.unit.as_ref().map(super::subject::clipped),
        container: r.container.as_ref().map(super::subject::clipped),
    };
    let port = if server { r.local_port? } else { r.remote_port? };
    Some(Key { program, netns: r.netns.unwrap_or(0), peer: r.remote_addr?, port, server })
}
