//! Running connprobe and waiting for what it prints.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail, ensure};
use jsonschema::Validator;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::clock::{PATIENCE, now_ns};
use crate::need;
use crate::records::{Record, listing, must_be_whole};
use crate::run::{await_file, bound_to_us, output, signal, wait};

/// The JSON Schema that connprobe itself prints.
pub fn schema() -> Result<&'static Validator> {
    static SCHEMA: OnceLock<Result<Validator, String>> = OnceLock::new();
    let made = SCHEMA.get_or_init(|| {
        let make = || -> Result<Validator> {
            let bin = need::connprobe().context("CONNPROBE_BIN is not set")?;
            let text = output(&bin.to_string_lossy(), &["schema"])?;
            let schema = serde_json::from_str(&text).context("the schema is not JSON")?;
            jsonschema::validator_for(&schema).map_err(|e| anyhow!("not a JSON Schema: {e}"))
        };
        make().map_err(|e| format!("{e:#}"))
    });
    made.as_ref().map_err(|e| anyhow!("{e}"))
}

/// Parses one line and validates it.
pub fn parse(line: &str) -> Result<Record> {
    let json: Value = serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
    let errors: Vec<String> =
        schema()?.iter_errors(&json).map(|e| format!("{}: {e}", e.instance_path())).collect();
    ensure!(errors.is_empty(), "against the schema:\n{}\nin {line}", errors.join("\n"));
    Ok(Record { json: json.into(), arrived: now_ns() })
}

/// How many records a failure lists.
const SHOWN: usize = 100;

#[derive(Default)]
struct Heard {
    records: Vec<Record>,
    wrong: Vec<String>,
    ended: bool,
    /// Who else hears the records of a network namespace.
    followers: HashMap<u64, Arc<Shared>>,
}

#[derive(Default)]
struct Shared {
    heard: Mutex<Heard>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, line: Result<Record>) {
        let mut heard = self.lock();
        match line {
            Ok(record) => {
                let netns = record.number("netns").unwrap_or(0);
                if let Some(follower) = heard.followers.get(&netns) {
                    follower.hear(Ok(record.clone()));
                }
                heard.records.push(record);
            }
            Err(e) => heard.wrong.push(format!("{e:#}")),
        }
        self.changed.notify_all();
    }

    fn end(&self) {
        let mut heard = self.lock();
        heard.followers.values().for_each(|follower| follower.end());
        heard.ended = true;
        self.changed.notify_all();
    }

    /// Waits until `found` finds what it looks for among all records so far.
    fn wait_until<T>(&self, what: &str, found: impl Fn(&[Record]) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        let mut heard = self.lock();
        loop {
            if let Some(found) = found(&heard.records) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if heard.ended || left.is_zero() {
                let why = if heard.ended { "connprobe ended" } else { "too late" };
                let last = heard.records.len().saturating_sub(SHOWN);
                let (all, wrong) = (listing(&heard.records[last..]), heard.wrong.join("\n"));
                bail!("{why}: never saw {what} among:\n{all}\n{wrong}");
            }
            heard = self.changed.wait_timeout(heard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The records of some network namespaces, from the moment they are followed.
pub struct Followed(Arc<Shared>);

impl Followed {
    /// Waits until `found` finds what it looks for among all records so far.
    pub fn wait_until<T>(&self, what: &str, found: impl Fn(&[Record]) -> Option<T>) -> Result<T> {
        self.0.wait_until(what, found)
    }

    /// All records so far.
    pub fn records(&self) -> Vec<Record> {
        self.0.lock().records.clone()
    }
}

/// A running connprobe, killed on drop.
pub struct Probe {
    child: Child,
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
    errors: Option<JoinHandle<String>>,
}

/// All that a run of connprobe left behind.
#[derive(Debug)]
pub struct Run {
    /// Every record, in order.
    pub records: Vec<Record>,
    /// Lines that are no record, with the reason.
    pub wrong: Vec<String>,
    /// How it ended.
    pub status: ExitStatus,
    /// What it complained about.
    pub stderr: String,
}

impl Run {
    /// Exit code 0, every line valid against the schema, `seq` without a hole, `start` and `stop` there.
    pub fn sound(self) -> Result<Self> {
        ensure!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
        ensure!(self.status.code() == Some(0), "{}; stderr:\n{}", self.status, self.stderr);
        must_be_whole(&self.records)?;
        Ok(self)
    }

    /// The records of a network namespace.
    pub fn of(&self, netns: u32) -> Vec<Record> {
        self.records.iter().filter(|r| r.number("netns") == Some(netns.into())).cloned().collect()
    }
}

/// `connprobe` with arguments, bound to the life of this test.
pub fn command(args: &[&str]) -> Result<Command> {
    let mut command = Command::new(need::connprobe().context("CONNPROBE_BIN is not set")?);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    bound_to_us(&mut command);
    Ok(command)
}

/// Runs `connprobe` with arguments to its end: status, stdout and stderr.
pub fn run_to_end(args: &[&str]) -> Result<(ExitStatus, String, String)> {
    end_of(command(args)?.spawn()?)
}

/// Reads both outputs of a child to its end: status, stdout and stderr.
pub fn end_of(mut child: Child) -> Result<(ExitStatus, String, String)> {
    let out = child.stdout.take().map(|mut out| {
        std::thread::spawn(move || {
            let mut text = String::new();
            let _ = out.read_to_string(&mut text);
            text
        })
    });
    let errors = complaints(&mut child)?;
    let status = wait(&mut child, PATIENCE)?;
    let out = out.map(JoinHandle::join).and_then(Result::ok).unwrap_or_default();
    Ok((status, out, errors.join().unwrap_or_default()))
}

fn complaints(child: &mut Child) -> Result<JoinHandle<String>> {
    let mut stderr = child.stderr.take().context("no stderr")?;
    Ok(std::thread::spawn(move || {
        let mut text = String::new();
        let _ = stderr.read_to_string(&mut text);
        text
    }))
}

impl Probe {
    /// Starts `connprobe trace --output json` and waits for its `start` record.
    pub fn start(args: &[&str]) -> Result<Self> {
        let probe = Self::spawn(args)?;
        probe.wait_for(&json!({ "event": "start" }))?;
        Ok(probe)
    }

    /// The same with `--output-file`; waits for the `start` record in the file.
    pub fn start_to_file(file: &Path, args: &[&str]) -> Result<Self> {
        let name = file.to_string_lossy();
        let probe = Self::spawn(&[&["--output-file", &name], args].concat())?;
        await_file(file, |text| text.lines().any(|line| line.contains(r#""event":"start""#)))?;
        Ok(probe)
    }

    fn spawn(args: &[&str]) -> Result<Self> {
        schema()?;
        let mut child = command(&[&["trace", "--output", "json"], args].concat())?
            .spawn()
            .context("failed to start connprobe")?;
        let stdout = BufReader::new(child.stdout.take().context("no stdout")?);
        let errors = Some(complaints(&mut child)?);
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let reader = std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                theirs.hear(parse(&line));
            }
            theirs.end();
        });
        Ok(Self { child, shared, reader: Some(reader), errors })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, which: Signal) -> Result<()> {
        signal(&self.child, which)
    }

    /// The first record that is `pattern`, already printed or yet to come.
    pub fn wait_for(&self, pattern: &Value) -> Result<Record> {
        self.wait_until(&pattern.to_string(), |records| records.iter().find(|r| r.is(pattern)).cloned())
    }

    /// Waits until `found` finds what it looks for among all records so far.
    pub fn wait_until<T>(&self, what: &str, found: impl Fn(&[Record]) -> Option<T>) -> Result<T> {
        self.shared.wait_until(what, found)
    }

    /// Hears the records of these namespaces from now on. Who followed one of them before, and lets it be used
    /// again by another, hears of it no more.
    pub fn follow(&self, netns: &[u32]) -> Followed {
        let follower = Arc::new(Shared::default());
        let mut heard = self.shared.lock();
        heard.followers.extend(netns.iter().map(|netns| (u64::from(*netns), Arc::clone(&follower))));
        Followed(follower)
    }

    /// Ends it with SIGTERM, as a service manager does.
    pub fn stop(self) -> Result<Run> {
        self.signal(Signal::SIGTERM)?;
        self.end()
    }

    /// Waits until it ends by itself.
    pub fn end(mut self) -> Result<Run> {
        let status = wait(&mut self.child, PATIENCE)?;
        self.reader.take().map(JoinHandle::join);
        let stderr = self.errors.take().map(JoinHandle::join).and_then(Result::ok).unwrap_or_default();
        let heard = std::mem::take(&mut *self.shared.lock());
        Ok(Run { records: heard.records, wrong: heard.wrong, status, stderr })
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
