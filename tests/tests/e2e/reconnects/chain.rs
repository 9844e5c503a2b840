//! What a client saw of its connections, and what connprobe has to tell of it.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use e2e::clock::{boot_ns, wall_ns};
use e2e::records::{Record, listing};
use serde_json::{Value, json};

/// How far what is told may be from the truth, ns.
const TOLERANCE: u64 = 5_000_000;

/// When something happened, ns since boot: somewhere between two readings of a clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// When the client takes it to have happened.
    pub(crate) known: u64,
}

impl Moment {
    pub(crate) fn at(known: u64) -> Self {
        Self { from: known, to: known, known }
    }
}

/// One `connect()`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub(crate) pid: u64,
    pub(crate) begin: Moment,
    pub(crate) end: Moment,
    /// 0: established; `None`: the client gave up.
    pub(crate) errno: Option<u16>,
}

/// The end of a connection that the client did not want.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lost {
    pub(crate) at: Moment,
    /// 0: the peer closed it.
    pub(crate) errno: u16,
}

/// What the client saw next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Saw {
    Attempt(Attempt),
    Lost(Lost),
    /// It closed the connection itself, with nothing unread.
    Left,
}

/// The attempts up to one that succeeds, and what ended the connection before them, where there was one.
#[derive(Debug, Default)]
struct Chain {
    lost: Option<Lost>,
    left: bool,
    attempts: Vec<Attempt>,
}

impl Chain {
    /// A loss, or a first failure that is tried again.
    fn is_outage(&self) -> bool {
        self.lost.is_some_and(|lost| lost.errno != 0) || self.attempts.len() > 1
    }

    fn since(&self) -> Option<Moment> {
        Some(match self.lost {
            Some(lost) => lost.at,
            None => self.attempts.first()?.begin,
        })
    }

    fn previous_cause(&self) -> Value {
        match self.lost.map(|lost| lost.errno) {
            None if !self.left => Value::Null,
            None | Some(0) => json!("orderly"),
            Some(_) => json!("reset_by_peer"),
        }
    }

    /// Number that the record of an attempt's beginning has: a first one after an orderly end, or after
    /// nothing, is part of an outage only when it has failed.
    fn number_at_begin(&self, index: usize) -> Option<u64> {
        let known = index > 0 || self.lost.is_some_and(|lost| lost.errno != 0);
        (self.is_outage() && known).then_some(index as u64 + 1)
    }

    fn number_at_end(&self, index: usize) -> Option<u64> {
        self.is_outage().then_some(index as u64 + 1)
    }
}

fn chains(log: &[Saw]) -> Vec<Chain> {
    let mut chains = vec![Chain::default()];
    for saw in log {
        let begins_anew =
            chains.last().is_some_and(|c| c.attempts.last().is_some_and(|a| a.errno == Some(0)));
        if begins_anew {
            chains.push(Chain::default());
        }
        let Some(chain) = chains.last_mut() else { continue };
        match saw {
            Saw::Lost(lost) => chain.lost = Some(*lost),
            Saw::Left => chain.left = true,
            Saw::Attempt(attempt) => chain.attempts.push(*attempt),
        }
    }
    chains
}

/// Compares what was told with the truth and remembers how far it was off.
#[derive(Default)]
pub(crate) struct Comparison {
    wall_offset: u64,
    /// Largest distance by quantity, ns: from what the client measured, and out of its bounds.
    errors: BTreeMap<&'static str, (u64, u64)>,
}

impl Comparison {
    pub(crate) fn new() -> Self {
        Self { wall_offset: wall_ns() - boot_ns(), ..Self::default() }
    }

    fn number(&mut self, what: &'static str, told: u64, least: u64, most: u64, measured: u64) -> Result<()> {
        let beyond = least.saturating_sub(told).max(told.saturating_sub(most));
        let error = self.errors.entry(what).or_default();
        *error = (error.0.max(told.abs_diff(measured)), error.1.max(beyond));
        ensure!(
            beyond <= TOLERANCE,
            "{what} is {told} ns, {beyond} ns out of {least}..={most} (the client: {measured})"
        );
        Ok(())
    }

    pub(crate) fn span(&mut self, what: &'static str, told: u64, from: Moment, to: Moment) -> Result<()> {
        let (least, most) = (to.from.saturating_sub(from.to), to.to.saturating_sub(from.from));
        self.number(what, told, least, most, to.known.saturating_sub(from.known))
    }

    fn time(&mut self, what: &'static str, told: &Record, truth: Moment) -> Result<()> {
        let at: jiff::Timestamp = told.text("ts").context("no ts")?.parse()?;
        let at = u64::try_from(at.as_nanosecond())?.saturating_sub(self.wall_offset);
        self.number(what, at, truth.from, truth.to, truth.known).with_context(|| told.json.to_string())
    }

    /// `told`, the records of the client's namespace, are the story of `log`, and nothing else.
    pub(crate) fn check(&mut self, log: &[Saw], told: &[Record]) -> Result<()> {
        let chains = chains(log);
        let story = || format!("\nthe client: {log:#?}\ntold:\n{}", listing(told));
        self.outages(&chains, told).and_then(|()| self.attempts(&chains, told)).with_context(story)
    }

    fn outages(&mut self, chains: &[Chain], told: &[Record]) -> Result<()> {
        let lost: Vec<&Chain> = chains.iter().filter(|c| c.is_outage()).collect();
        let outages: Vec<_> = told.iter().filter(|r| r.event() == "outage").collect();
        let back: Vec<_> = told.iter().filter(|r| r.event() == "reconnected").collect();
        let ended = lost.iter().filter(|c| c.attempts.last().is_some_and(|a| a.errno == Some(0))).count();
        ensure!(
            (outages.len(), back.len()) == (lost.len(), ended),
            "{} outages and {} reconnects must be {} and {ended}",
            outages.len(),
            back.len(),
            lost.len()
        );
        for (chain, outage) in lost.iter().zip(outages) {
            outage.must_be(&json!({ "role": "client", "previous_cause": chain.previous_cause() }))?;
            self.time("outage ts", outage, chain.since().context("an outage of nothing")?)?;
        }
        lost.iter().zip(back).try_for_each(|(chain, back)| self.reconnected(chain, back))
    }

    fn reconnected(&mut self, chain: &Chain, told: &Record) -> Result<()> {
        let (since, last) = (chain.since(), chain.attempts.last());
        let (since, last) = (since.context("an outage of nothing")?, last.context("no attempt")?);
        let mut errors = BTreeMap::<String, u64>::new();
        for attempt in chain.attempts.iter().filter(|a| a.errno != Some(0)) {
            let name = attempt.errno.map_or("none".into(), name);
            *errors.entry(name).or_default() += 1;
        }
        told.must_be(&json!({
            "role": "client", "pid": last.pid, "attempts": chain.attempts.len(), "errors": errors,
            "previous_cause": chain.previous_cause(),
        }))?;
        let downtime = told.number("downtime_ns").context("no downtime_ns")?;
        self.span("downtime_ns", downtime, since, last.end)?;
        self.time("reconnected ts", told, last.end)?;
        let gaps = told.json["backoff_ns"].as_array().context("no backoff_ns")?;
        let ends: Vec<Moment> =
            chain.lost.iter().map(|l| l.at).chain(chain.attempts.iter().map(|a| a.end)).collect();
        // Without a loss the first attempt has no gap.
        let begins = &chain.attempts[usize::from(chain.lost.is_none())..];
        ensure!(gaps.len() == begins.len(), "{} gaps for {} attempts", gaps.len(), begins.len());
        for ((gap, attempt), pause) in gaps.iter().zip(begins).zip(ends) {
            self.span("backoff_ns", gap.as_u64().context("a gap is a number")?, pause, attempt.begin)?;
        }
        Ok(())
    }

    fn attempts(&mut self, chains: &[Chain], told: &[Record]) -> Result<()> {
        let numbered = chains.iter().flat_map(|c| (0..c.attempts.len()).map(move |i| (c, i)));
        let mut begins = told.iter().filter(|r| r.event() == "connect");
        let mut ends = told.iter().filter(|r| matches!(r.event(), "failed" | "established"));
        for (chain, index) in numbered {
            let attempt = chain.attempts[index];
            let begin = begins.next().context("an attempt was not told")?;
            begin.must_be(&json!({ "pid": attempt.pid, "attempt": chain.number_at_begin(index) }))?;
            self.time("connect ts", begin, attempt.begin)?;
            let end = ends.next().context("the end of an attempt was not told")?;
            let (event, errno, cause) = match attempt.errno {
                Some(0) => ("established", None, Value::Null),
                Some(errno) => ("failed", Some(errno), json!("refused")),
                None => ("failed", None, json!("abandoned")),
            };
            end.must_be(&json!({
                "event": event, "pid": attempt.pid, "conn": begin.text("conn"), "errno": errno,
                "cause": cause, "attempt": chain.number_at_end(index),
            }))?;
            self.time("failed/established ts", end, attempt.end)?;
        }
        ensure!(begins.next().is_none() && ends.next().is_none(), "an attempt that was none");
        Ok(())
    }

    /// Prints the largest errors.
    pub(crate) fn report(&self) {
        let thread = std::thread::current();
        let errors: Vec<_> = self
            .errors
            .iter()
            .map(|(what, (error, beyond))| {
                let ms = |ns: u64| format!("{}.{:03}", ns / 1_000_000, ns / 1000 % 1000);
                format!("{what} {} ms ({} out of bounds)", ms(*error), ms(*beyond))
            })
            .collect();
        eprintln!("largest errors of {}: {}", thread.name().unwrap_or("?"), errors.join(", "));
    }
}

fn name(errno: u16) -> String {
    format!("{:?}", nix::errno::Errno::from_raw(errno.into()))
}
