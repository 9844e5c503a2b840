//! What all scenarios share: one connprobe, busy CPUs, and what is checked when the last scenario is over.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::busy::{BusyCpus, busy_cpus};
use e2e::matrix::Matrix;
use e2e::need;
use e2e::net::Ns;
use e2e::probe::{Followed, Probe, Run};
use e2e::records::{Record, listing};
use e2e::witness::Witness;
use libtest_mimic::{Arguments, Conclusion, Failed, Trial};

use crate::lab::Lab;
use crate::{aborts, attempts, faults, lifetimes, listeners, ordinary, owners, rejects, timers, transports};

/// A scenario: makes a fault and asserts what is told of it.
pub(crate) type Scenario = fn(&Lab) -> Result<()>;

/// Waiting for timers takes most of the time.
const AT_ONCE: usize = 6;
/// A bound for the busy processes, should nobody end them.
const LONGEST: Duration = Duration::from_secs(3600);
/// How often a scenario is played whose events could not all be seen.
const TRIES: usize = 5;
/// So many scenarios keep their namespaces after their end: a namespace that is gone gives its inode, by which its
/// records are known, to the next one.
const KEPT: usize = 64;

/// The scenarios of a file, by name.
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        pub(crate) const ALL: &[(&str, $crate::stage::Scenario)] = &[$((stringify!($name), $name)),*];
    };
}
pub(crate) use scenarios;

/// Every scenario with the name of its file; those that wait for the longest come first.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, &'static str, Scenario)> {
    let themes = [
        ("listeners", listeners::ALL),
        ("timers", timers::ALL),
        ("rejects", rejects::ALL),
        ("attempts", attempts::ALL),
        ("aborts", aborts::ALL),
        ("owners", owners::ALL),
        ("transports", transports::ALL),
        ("lifetimes", lifetimes::ALL),
    ];
    themes.into_iter().flat_map(|(theme, all)| all.iter().map(move |(name, play)| (theme, *name, *play)))
}

/// Every scenario of a run; the ordinary connections only in the first.
fn of_run(run: u32) -> impl Iterator<Item = (&'static str, &'static str, Scenario)> {
    let ordinary = ordinary::ALL.iter().map(|(name, play)| ("ordinary", *name, *play));
    ordinary.filter(move |_| run == 1).chain(all())
}

/// Why a scenario cannot be played on this machine.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unavailable(pub(crate) &'static str);

/// The peer program.
pub(crate) fn peer_program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_peer"))
}

/// Everything the kernel reported: `connprobe replay` shows again what went wrong.
fn recording() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("lab.cpr")
}

/// A scenario that is over.
struct Played {
    name: String,
    namespaces: Vec<Ns>,
    told: Followed,
    /// How many records of births and ends it had been told, where it succeeded.
    settled: Option<usize>,
}

pub(crate) struct Stage {
    pub(crate) probe: Probe,
    busy: BusyCpus,
    witness: Option<Witness>,
    /// Scenarios that were played again, and what could not be seen of them.
    again: Mutex<Vec<String>>,
    matrix: Mutex<Matrix>,
    played: Mutex<VecDeque<Played>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Plays what the arguments select, as often as `CONNPROBE_LAB_RUNS` says.
pub(crate) fn run(mut args: Arguments) -> ExitCode {
    let runs = std::env::var("CONNPROBE_LAB_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    args.test_threads.get_or_insert(AT_ONCE);
    let selected: Vec<_> = (1..=runs)
        .flat_map(|run| of_run(run).map(move |(theme, name, play)| (numbered(theme, name, run, runs), play)))
        .filter(|(name, _)| is_selected(&args, name))
        .collect();
    if selected.is_empty() || args.list {
        return libtest_mimic::run(&args, selected.into_iter().map(idle).collect()).exit_code();
    }
    match need::missing_for(true) {
        Some(reason) => {
            libtest_mimic::run(&args, selected.into_iter().map(skipped(&reason)).collect()).exit_code()
        }
        None => play_all(&args, selected, runs),
    }
}

fn numbered(theme: &str, name: &str, run: u32, runs: u32) -> String {
    if runs == 1 { format!("{theme}::{name}") } else { format!("{theme}::{name}#{run}") }
}

fn is_selected(args: &Arguments, name: &str) -> bool {
    let fits = |filter: &String| if args.exact { name == filter } else { name.contains(filter.as_str()) };
    args.filter.as_ref().is_none_or(fits) && !args.skip.iter().any(fits)
}

fn idle((name, _): (String, Scenario)) -> Trial {
    Trial::test(name, || Ok(()))
}

fn skipped(reason: &str) -> impl Fn((String, Scenario)) -> Trial {
    move |(name, _)| {
        let reason = reason.to_owned();
        Trial::test(name.clone(), move || {
            need::skip(&name, &reason);
            Ok(())
        })
    }
}

fn play_all(args: &Arguments, selected: Vec<(String, Scenario)>, runs: u32) -> ExitCode {
    let stage = match Stage::new() {
        Ok(stage) => Arc::new(stage),
        Err(e) => return conclude(&[("lab::connprobe_starts", Err(e))]).exit_code(),
    };
    let trials = selected.into_iter().map(|(name, scenario)| {
        let stage = Arc::clone(&stage);
        Trial::test(name.clone(), move || stage.play(&name, scenario).map_err(|e| format!("{e:#}").into()))
    });
    let played = libtest_mimic::run(args, trials.collect());
    let Some(stage) = Arc::into_inner(stage) else {
        return conclude(&[("lab::every_scenario_ends", Err(anyhow::anyhow!("one goes on")))]).exit_code();
    };
    let whole = conclude(&stage.end(runs));
    if played.has_failed() || whole.has_failed() {
        println!("What the kernel reported is in {}", recording().display());
        return ExitCode::FAILURE;
    }
    let _ = std::fs::remove_file(recording());
    ExitCode::SUCCESS
}

/// Tells how checks of the whole lab went, as tests.
fn conclude(checks: &[(&str, Result<()>)]) -> Conclusion {
    let trials = checks.iter().map(|(name, result)| {
        let result = result.as_ref().map(drop).map_err(|e| Failed::from(format!("{e:#}")));
        Trial::test(*name, move || result)
    });
    libtest_mimic::run(&Arguments::default(), trials.collect())
}

impl Stage {
    fn new() -> Result<Self> {
        let file = recording();
        // What an earlier lab left: connprobe writes over nothing.
        let _ = std::fs::remove_file(&file);
        let probe = Probe::start(&["--record", &file.to_string_lossy()])?;
        let busy = busy_cpus(peer_program(), LONGEST)?;
        let (witness, again) = (Witness::new().ok(), Mutex::default());
        Ok(Self { probe, busy, witness, again, matrix: Mutex::default(), played: Mutex::default() })
    }

    /// Plays one scenario in a lab of its own. One that is unavailable here is skipped; one that failed is played
    /// again if the witness saw that something of it happened where this kernel may run no program.
    fn play(self: &Arc<Self>, name: &str, scenario: Scenario) -> Result<()> {
        for left in (0..TRIES).rev() {
            let mut lab = Lab::new(Arc::clone(self), name)?;
            let result = scenario(&lab).and_then(|()| lab.settle());
            let failed = match result.map_err(anyhow::Error::downcast::<Unavailable>) {
                Ok(()) => None,
                Err(Ok(Unavailable(reason))) => {
                    need::skip(name, reason);
                    return Ok(());
                }
                Err(Err(e)) => Some(e),
            };
            let hidden = match (&failed, &self.witness) {
                (Some(_), Some(witness)) if left > 0 => witness.hidden(&lab.net().beginnings()),
                _ => Vec::new(),
            };
            if let [first, ..] = hidden.as_slice() {
                lock(&self.again).push(format!(
                    "{name}: {} such events, first {}",
                    hidden.len(),
                    first.trim()
                ));
                continue;
            }
            lab.notes().iter().for_each(|(wanted, given)| lock(&self.matrix).note(wanted, given));
            return failed.map_or(Ok(()), Err);
        }
        unreachable!("the last try returns")
    }

    /// A scenario is over. Its namespaces go when many others are over too.
    pub(crate) fn retire(&self, name: String, namespaces: Vec<Ns>, told: Followed, settled: Option<usize>) {
        let mut played = lock(&self.played);
        played.push_back(Played { name, namespaces, told, settled });
        let oldest = played.iter_mut().rev().nth(KEPT).map(|old| std::mem::take(&mut old.namespaces));
        drop(played);
        drop(oldest);
    }

    /// Ends connprobe, prints the matrix and checks what must hold for the whole stream.
    fn end(self, runs: u32) -> Vec<(&'static str, Result<()>)> {
        let (busy, played, matrix) = (self.busy.pids(), self.played, self.matrix);
        let played = played.into_inner().unwrap_or_else(PoisonError::into_inner);
        let matrix = matrix.into_inner().unwrap_or_else(PoisonError::into_inner);
        let run = self.probe.stop();
        let again = self.again.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !again.is_empty() {
            println!(
                "\nPlayed again, because the kernel acted for a socket on top of process 1, where this one runs"
            );
            println!("no BPF program (the kernel's own trace saw it):");
            again.iter().for_each(|line| println!("  {line}"));
        }
        println!("\nThe end wanted against the end given, in {runs} runs:\n\n{matrix}");
        let (right, all) = matrix.diagonal();
        let straight = (right == all).then_some(()).context("an end is not the one wanted");
        vec![
            ("lab::the_stream_is_whole", run.and_then(|run| whole(run, &busy))),
            ("lab::nothing_was_told_after_the_end", played.iter().try_for_each(Played::must_be_settled)),
            ("lab::every_end_is_the_one_wanted", straight),
            ("lab::every_fault_has_a_scenario", faults::must_be_covered()),
        ]
    }
}

/// Exit code, schema, `seq`, nothing lost, and no bystander owns anything.
fn whole(run: Run, busy: &[u32]) -> Result<()> {
    let run = run.sound()?;
    let lost: Vec<_> = run.records.iter().filter(|r| r.event() == "lost").collect();
    ensure!(lost.is_empty(), "something was lost:\n{}", listing(lost));
    let foreign = |r: &&Record| r.number("pid").is_some_and(|pid| busy.iter().any(|b| u64::from(*b) == pid));
    let foreign: Vec<_> = run.records.iter().filter(foreign).collect();
    ensure!(foreign.is_empty(), "a bystander owns:\n{}", listing(foreign));
    Ok(())
}

/// Records of a birth or an end.
pub(crate) fn of_a_life(record: &Record) -> bool {
    matches!(record.event(), "connect" | "established" | "accept" | "failed" | "closed")
}

impl Played {
    fn must_be_settled(&self) -> Result<()> {
        let Some(settled) = self.settled else { return Ok(()) };
        let lives: Vec<_> = self.told.records().into_iter().filter(of_a_life).collect();
        ensure!(lives.len() == settled, "{}: {settled} records, and later:\n{}", self.name, listing(&lives));
        Ok(())
    }
}
