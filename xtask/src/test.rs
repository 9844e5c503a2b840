//! `cargo xtask test`: every test, and one plain line at the end that says how many.

mod tally;

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

use anyhow::{Context as _, Result};

use crate::{build, setup, workspace};
use tally::{Reader, Tally};

/// Runs all tests: unit, scenario and command line first, then end-to-end on this kernel as root.
///
/// The end-to-end tests end with the fault lab: every way a connection can fail or end, made for real, and the
/// cause that connprobe gives for it. `--faults` goes through the lab alone, twenty times.
///
/// A test that cannot run here is counted and listed with its reason. The last line on standard output
/// is always `N passed, N failed, N skipped`; the exit code is 1 when anything failed.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask test\n  \
    cargo xtask test --no-e2e                    nothing that needs root\n  \
    cargo xtask test --dev --filter refused      tests with \"refused\" in their name, quickly\n  \
    cargo xtask test --faults                    the fault lab 20 times, and its matrix of causes")]
pub(crate) struct Args {
    /// Run only tests whose name contains this
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// Leave out the end-to-end tests: no root, no eBPF toolchain
    #[arg(long)]
    no_e2e: bool,
    /// Leave out everything but the end-to-end tests
    #[arg(long, conflicts_with = "no_e2e")]
    only_e2e: bool,
    /// Run the fault lab and nothing else, and print the causes wanted against the causes given
    #[arg(long, conflicts_with = "no_e2e")]
    faults: bool,
    /// How many times to go through the fault lab
    #[arg(long, value_name = "N", default_value_t = 20, requires = "faults")]
    runs: u32,
    #[command(flatten)]
    profile: build::Profile,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let mut tally = Tally::default();
    if !args.only_e2e && !args.faults {
        run(workspace::cargo().args(["test", "--no-fail-fast"]).args(&args.filter))?.count(&mut tally);
    }
    // What keeps the end-to-end tests from starting is a failure like theirs: counted, and listed at the end.
    if !args.no_e2e
        && let Err(error) = end_to_end(args, &mut tally)
    {
        tally.fail(format!("e2e: {error:#}"));
    }
    finish(args, &tally)
}

/// Builds connprobe as it is shipped and hands it to the `e2e` package.
fn end_to_end(args: &Args, tally: &mut Tally) -> Result<()> {
    let sudo = if workspace::is_root() { None } else { Some(runner_variable()?) };
    if sudo.is_some() && workspace::find("sudo").is_none() {
        tally.skip("e2e", "the end-to-end tests need root, and there is no sudo");
        return Ok(());
    }
    let toolchain = setup::for_test()?;
    let binary = build::connprobe(args.profile, &toolchain)?;
    let cargo_test = || {
        let mut command = workspace::cargo();
        command.args(["test", "--package", "e2e", "--no-fail-fast"]).env("CONNPROBE_BIN", &binary);
        // One after the other: each starts a tracer, which needs its time on a busy machine. The lab, which has one
        // tracer for all, plays several scenarios at once.
        command.env("RUST_TEST_THREADS", "1").envs(sudo.iter().map(|runner| (runner, "sudo -E")));
        command
    };
    let mut command = cargo_test();
    if args.faults {
        command.args(["--test", "lab"]).env("CONNPROBE_LAB_RUNS", args.runs.to_string());
    }
    command
        .args(&args.filter)
        // Without it libtest keeps the SKIP lines of tests that pass to itself.
        .args(["--", "--show-output"]);
    let mut done = run(&mut command)?;
    for test in done.reader.to_be_run_again() {
        run_again(&test, &mut done, cargo_test)?;
    }
    done.count(tally);
    Ok(())
}

/// How often a test is run again of which the kernel hid something from connprobe.
const AGAIN: usize = 4;

/// Until it passes, or fails although nothing was hidden.
fn run_again(test: &str, done: &mut Done, cargo_test: impl Fn() -> Command) -> Result<()> {
    for _ in 0..AGAIN {
        println!("\nOnce more, because this kernel hid an event from connprobe: {test}");
        let again = run(cargo_test().args(["--test", "e2e", "--", "--exact", test, "--show-output"]))?;
        if again.reader.is_clean() && again.succeeded {
            done.reader.passed_after_all(test);
            return Ok(());
        }
        if again.reader.to_be_run_again().is_empty() {
            break;
        }
    }
    Ok(())
}

/// The variable that makes cargo start tests through another program. It names the host's target.
fn runner_variable() -> Result<String> {
    let version = workspace::output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("`rustc -vV` names no host")?.to_uppercase().replace('-', "_");
    Ok(format!("CARGO_TARGET_{host}_RUNNER"))
}

/// A `cargo test` that has ended.
struct Done {
    reader: Reader,
    succeeded: bool,
    shown: String,
}

impl Done {
    fn count(self, tally: &mut Tally) {
        tally.add(self.reader, self.succeeded, &self.shown);
    }
}

/// Runs one `cargo test` and shows its output as it comes.
fn run(command: &mut Command) -> Result<Done> {
    let shown = workspace::shown(command);
    eprintln!("\n{shown}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("failed to start {shown}"))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let reader = Mutex::new(Reader::default());
    thread::scope(|scope| {
        scope.spawn(|| show(stderr, &reader, |line| eprintln!("{line}")));
        show(stdout, &reader, |line| println!("{line}"));
    });
    let status = child.wait().with_context(|| format!("failed to wait for {shown}"))?;
    let reader = reader.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(Done { reader, succeeded: status.success(), shown })
}

fn show(stream: Option<impl Read>, reader: &Mutex<Reader>, print: impl Fn(&str)) {
    let Some(stream) = stream else { return };
    for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        if reader.lock().unwrap_or_else(std::sync::PoisonError::into_inner).read(&line) {
            print(&line);
        }
    }
}

fn finish(args: &Args, tally: &Tally) -> Result<()> {
    for (title, lines) in [("Skipped", tally.skipped()), ("Failed", tally.failed())] {
        if !lines.is_empty() {
            println!("\n{title}:");
            lines.iter().for_each(|line| println!("  {line}"));
        }
    }
    if tally.is_empty() {
        eprintln!("no test ran: none has {:?} in its name", args.filter.as_deref().unwrap_or_default());
    }
    println!("\n{}", tally.line());
    if tally.is_empty() || !tally.failed().is_empty() {
        // Not an error value: nothing may be printed after the closing line.
        std::process::exit(1);
    }
    Ok(())
}
