//! Outages, put together from what the records tell of a program and a peer: the loss, the failures meanwhile,
//! and the return.
//!
//! Every record up to the end of the period is looked at, also those before its start: what was lost before and is
//! still gone belongs to it.
//!
//! A stream may hold several runs of a trace, one after the other. Nobody looked between two of them, so what was
//! gone at the end of one has no end that is known.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;

use lru::LruCache;

use super::failures;
use super::findings::{Evidence, Lane, Outage, OutageEnd, Peer, Ranked, Who};
use super::lanes::Lanes;
use super::subject::between;
use super::table::{Largest, Table};
use crate::episode::Key;
use crate::record::story::{Program, is_held};
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
    lanes: Lanes,
    explained: Table<Explains, ()>,
    run: Run,
    since: Timestamp,
    knows_ends: bool,
    told: u64,
    forgotten: u64,
}

/// How far the run of the trace is that the records are from.
#[derive(Debug, Default)]
struct Run {
    started: bool,
    stopped: bool,
    last: Timestamp,
}

impl Run {
    /// Whether a record is the first one of another run. Its `snapshot` records come before its `start`, and a run
    /// that was killed has no `stop`.
    fn is_left_by(&self, r: &Record) -> bool {
        let is_first = r.event == EventName::Start || (r.event == EventName::Snapshot && r.seq == 1);
        self.stopped || (self.started && is_first)
    }

    fn take(&mut self, r: &Record) {
        self.started |= r.event == EventName::Start;
        self.stopped = r.event == EventName::Stop;
        self.last = self.last.max(r.ts);
    }
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
    /// Those of the period: the tables of failures know no others.
    in_period: BTreeMap<Cause, u64>,
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

/// How the connection ended with whose end the outage began. Where it began with a failed attempt, an earlier
/// abnormal end is another matter.
fn lost_by(outage: &Record) -> Option<Cause> {
    let began_with = |previous: &Cause| *previous == Cause::Orderly || outage.cause == Some(*previous);
    outage.previous_cause.filter(began_with)
}

impl Tally {
    /// Of a period that starts here.
    pub(super) fn new(since: Timestamp) -> Self {
        Self {
            pairs: LruCache::new(PAIRS),
            ended: Largest::new(KEPT),
            lanes: Lanes::default(),
            explained: Table::new(failures::ROOM),
            run: Run::default(),
            since,
            knows_ends: true,
            told: 0,
            forgotten: 0,
        }
    }

    /// When peers came back is not among the records.
    pub(super) fn without_recoveries(&mut self) {
        self.knows_ends = false;
    }

    /// A record of any kind.
    pub(super) fn take(&mut self, r: &Record) {
        if self.run.is_left_by(r) {
            self.leave_run();
            self.run = Run { last: r.ts, ..Run::default() };
        }
        self.run.take(r);
        self.follow(r);
    }

    /// Another run knows nothing of what this one followed.
    fn leave_run(&mut self) {
        let end = if self.knows_ends { OutageEnd::TraceEnded(self.run.last) } else { OutageEnd::Unknown };
        while let Some((_, pair)) = self.pairs.pop_lru() {
            let answered = pair.open.as_ref().and_then(|open| open.answered);
            self.end(pair, answered.map_or(end, OutageEnd::Back), None);
        }
    }

    fn follow(&mut self, r: &Record) {
        let is_told = matches!(
            r.event,
            EventName::Connect
                | EventName::Established
                | EventName::Accept
                | EventName::Failed
                | EventName::Closed
                | EventName::Outage
                | EventName::Reconnected
        ) || is_held(r);
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
                let cause = r.cause.unwrap_or(Cause::Other);
                *pair.streak.causes.entry(cause).or_default() += 1;
                if r.ts >= self.since {
                    *pair.streak.in_period.entry(cause).or_default() += 1;
                }
                pair.streak.evidence.add(r);
            }
            // It was found open.
            EventName::Established | EventName::Accept | EventName::Snapshot => match &mut pair.open {
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
                        previous: lost_by(r),
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
            OutageEnd::Back(at) | OutageEnd::TraceEnded(at) => at,
            OutageEnd::GoesOn | OutageEnd::Unknown => {
                streak.evidence.between.map_or(open.since, |(_, last)| last.max(open.since))
            }
        };
        if until >= self.since || end == OutageEnd::GoesOn {
            self.told += 1;
            let outage = self.add_up(&pair, open, streak, end, until, told);
            self.ended.offer(outage.downtime_ns, || outage);
        }
        pair
    }

    /// Makes the outage, and adds it to what all of them add up to.
    fn add_up(
        &mut self,
        pair: &Pair,
        open: Open,
        streak: Streak,
        end: OutageEnd,
        until: Timestamp,
        told: Option<&Record>,
    ) -> Outage {
        let explains = |was_established, cause| (pair.who.clone(), pair.peer, was_established, cause);
        for (cause, count) in &streak.in_period {
            self.explained.add(explains(false, *cause), *count);
        }
        let was_lost_in_period = open.since >= self.since;
        let outage = outage(pair, open, streak, end, until, told);
        if let Some(cause) = outage.previous_cause.filter(|_| was_lost_in_period) {
            self.explained.add(explains(true, cause), 1);
        }
        self.lanes.add(&outage);
        outage
    }

    /// All outages of a period that ends here, those that go on first, then by length; and the longest by peer.
    pub(super) fn finish(mut self, until: Timestamp, top: usize) -> Told {
        let pairs = std::mem::replace(&mut self.pairs, LruCache::new(NonZeroUsize::MIN));
        let (mut going_on, mut open_now) = (Vec::new(), 0);
        for (_, mut pair) in pairs {
            match pair.open.as_ref().map(|open| open.answered) {
                Some(Some(at)) => drop(self.end(pair, OutageEnd::Back(at), None)),
                Some(None) if self.knows_ends => {
                    if let Some(open) = pair.open.take() {
                        let streak = std::mem::take(&mut pair.streak);
                        open_now += 1;
                        going_on.push(self.add_up(&pair, open, streak, OutageEnd::GoesOn, until, None));
                    }
                }
                Some(None) => drop(self.end(pair, OutageEnd::Unknown, None)),
                None => {}
            }
        }
        going_on.sort_by_key(|outage| (outage.since, Reverse(outage.evidence.records)));
        let total = self.told + open_now;
        let is_exact = self.forgotten == 0 && self.ended.offered() <= KEPT as u64;
        let mut all = going_on;
        all.extend(self.ended.into_sorted());
        let lanes = self.lanes.finish(&all, until, top);
        let explained = self.explained.ranked(usize::MAX, |explains, count, ()| (explains, count));
        all.truncate(top);
        let others = total - all.len() as u64;
        Told {
            lanes,
            explained: explained.rows.into_iter().collect(),
            going_on: open_now,
            forgotten: self.forgotten,
            ranked: Ranked { rows: all, total, others, other_rows: others, is_exact },
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
    let previous = open.previous;
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

/// Failures of the period that outages tell of: by program, peer, whether they had been established, and cause.
pub(super) type Explained = HashMap<Explains, u64>;
type Explains = (Who, Peer, bool, Cause);

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
