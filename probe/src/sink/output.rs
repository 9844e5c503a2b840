//! Brings the bytes of records to a file, a pipe or a terminal, without making the pipeline wait for it.
//!
//! Lines are made in the pipeline's thread and handed in chunks to a writer thread over a queue that is bounded
//! in bytes. When the queue is full a live trace drops records and counts them ([`Output::dropped`]); a replay
//! waits ([`Policy`]). A closed pipe ends the output quietly ([`Status::Closed`]). When a write fails, what was
//! written of the last line is taken back from a regular file, so that it ends with a whole line.

mod queue;
mod stdout;
mod target;

use std::io;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Format, csv::Csv, ecs::Ecs, json::Json, text::Text};
use crate::config::{ColorChoice, Config, FormatName};
use crate::kernel::privilege;
use crate::record::{EventName, Record};
use queue::Queue;
pub use stdout::Stdout;
#[cfg(test)]
pub(crate) use stdout::stdout_error;
use target::Target;

/// A chunk is handed on when it is as large as this, even in the middle of a batch.
const CHUNK: usize = 64 << 10;

/// An output that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be opened.
    #[error("failed to open output file `{}`: {source}; choose a file in a directory you may write to", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("failed to write {name}: {source}; {}", advice(source))]
    Write {
        /// `stdout`, or the file.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// The writer thread cannot be started.
    #[error("failed to start the writer thread: {0}; check the limit of processes (ulimit -u)")]
    Thread(io::Error),
    /// The reader of the output does not read.
    #[error("gave up writing to {name}: nobody has read it for {} s; {bytes} bytes are lost", patience.as_secs())]
    Stalled {
        /// `stdout`, or the file.
        name: String,
        /// How long it was waited for.
        patience: Duration,
        /// Bytes that were still waiting.
        bytes: u64,
    },
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space or choose another --output-file; everything before is whole"
        }
        io::ErrorKind::FileTooLarge => "raise the limit of file sizes (ulimit -f) or rotate the file sooner",
        _ => "check the disk or choose another --output-file; everything before is whole",
    }
}

/// What happens when the queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The record is dropped and counted: a live trace never waits.
    Drop,
    /// The caller waits: a replay loses nothing.
    Block,
}

/// How an output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It takes records.
    Open,
    /// The reader of the pipe is gone: stop, and exit with 0.
    Closed,
    /// A write failed: stop; [`Output::finish`] says what happened.
    Failed,
}

/// Where the records go.
pub struct Output {
    format: Box<dyn Format>,
    queue: Queue,
    writer: JoinHandle<()>,
    policy: Policy,
    name: String,
    /// Hand every record on at once: somebody is watching.
    prompt: bool,
    pending: Vec<u8>,
    dropped: u64,
}

impl Output {
    /// Opens what the configuration asks for; call it before anything is loaded into the kernel.
    pub fn open(config: &Config, policy: Policy) -> Result<Self, Error> {
        let target = Target::open(config.output_file.as_deref())?;
        let color = use_color(config.color, target.is_terminal());
        Self::start(target, format(config.output, color), policy, config.output_queue.0)
    }

    fn start(target: Target, mut format: Box<dyn Format>, policy: Policy, cap: u64) -> Result<Self, Error> {
        let mut header = Vec::new();
        format.begin(&mut header);
        let mut pending = Vec::new();
        if target.is_empty() {
            pending.extend_from_slice(&header);
        } else if target.ends_inside_line() {
            pending.push(b'\n');
        }
        let (queue, name, prompt) = (Queue::new(cap), target.name(), target.is_terminal());
        let taker = queue.clone();
        let writer = std::thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || {
                privilege::drop_all();
                queue::write_all(&taker, target, &header);
            })
            .map_err(Error::Thread)?;
        Ok(Self { format, queue, writer, policy, name, prompt, pending, dropped: 0 })
    }

    /// Takes one record. On a terminal it is shown at once, else with the batch.
    pub fn send(&mut self, record: &Record) {
        // What tells of losses, and the frame of the run, has a little room of its own.
        let urgent = matches!(record.event, EventName::Lost | EventName::Start | EventName::Stop);
        let waiting = self.pending.len();
        if self.policy == Policy::Drop && self.queue.is_full(waiting, if urgent { 2 * CHUNK } else { 0 }) {
            self.dropped += 1;
            return;
        }
        self.format.record(record, &mut self.pending);
        if self.prompt || self.pending.len() >= CHUNK {
            self.flush_batch();
        }
    }

    /// Hands on what has come since the last time: call it at the end of each batch.
    pub fn flush_batch(&mut self) {
        if !self.pending.is_empty() {
            let next = Vec::with_capacity(self.pending.len().min(CHUNK));
            self.queue.push(std::mem::replace(&mut self.pending, next), self.policy == Policy::Block);
        }
    }

    /// Records dropped since the last call, for a `lost` record with `where` = `sink`.
    pub fn dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    /// How it is: ask after each batch and on each tick.
    pub fn status(&self) -> Status {
        self.queue.status()
    }

    /// Opens the output file anew, after all that was sent before: for SIGHUP, when the file was rotated away.
    /// When that fails the old file is kept and a warning logged. Nothing happens to stdout.
    pub fn reopen(&mut self) {
        self.flush_batch();
        self.queue.reopen();
    }

    /// Writes what is left and closes. `patience` bounds the wait for a reader that does not read: give one
    /// when the user wants to go (SIGINT), none when the trace ended by itself.
    pub fn finish(mut self, patience: Option<Duration>) -> Result<(), Error> {
        self.flush_batch();
        match self.queue.finish(patience) {
            Ok(()) => {
                // The thread has said that it is done, or has panicked, which aborts.
                let _ = self.writer.join();
                self.queue.take_error().map_or(Ok(()), Err)
            }
            Err(bytes) => {
                Err(Error::Stalled { name: self.name, patience: patience.unwrap_or_default(), bytes })
            }
        }
    }
}

fn format(name: FormatName, color: bool) -> Box<dyn Format> {
    match name {
        FormatName::Text => Box::new(Text::new(color)),
        FormatName::Json => Box::new(Json),
        FormatName::Csv => Box::new(Csv),
        FormatName::Ecs => Box::new(Ecs),
    }
}

/// Whether to colour what goes to a terminal, or not: the choice, then `NO_COLOR`, `CLICOLOR_FORCE` and `TERM`.
pub fn use_color(choice: ColorChoice, terminal: bool) -> bool {
    color(choice, terminal, |name| std::env::var(name).ok())
}

fn color(choice: ColorChoice, terminal: bool, get: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name| get(name).is_some_and(|value| !value.is_empty());
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if set("NO_COLOR") => false,
        ColorChoice::Auto if get("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0") => {
            true
        }
        ColorChoice::Auto => terminal && get("TERM").as_deref() != Some("dumb"),
    }
}

#[cfg(test)]
mod tests;
