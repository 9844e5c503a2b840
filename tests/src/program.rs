//! Real programs in a namespace: servers and clients that connprobe's users run, not made for these tests.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write, pipe};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;

use crate::clock::{PATIENCE, boot_ns};
use crate::net::Ns;
use crate::run::{as_user_in, bound_to_us, in_netns, on_cpu, put_ahead, signal, wait};

/// What a program wrote, and when it was read: `CLOCK_BOOTTIME`, ns.
#[derive(Clone, Debug)]
pub struct Line {
    /// Never before it was written.
    pub at: u64,
    /// Without its end.
    pub text: String,
}

/// A running program, killed on drop. Standard output and error are one stream.
pub struct Program {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Line>,
    /// Every line so far.
    pub said: Vec<Line>,
}

impl Program {
    /// Starts a command in a namespace, as root or as another user.
    pub fn spawn(mut command: Command, ns: &Ns, user: Option<u32>) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let (from, to) = pipe()?;
        command.stdin(Stdio::piped()).stdout(to.try_clone()?).stderr(to);
        match user {
            Some(id) => as_user_in(&mut command, id, ns.open()?),
            None => in_netns(&mut command, ns.open()?),
        };
        // Last: a change of the user takes it back.
        bound_to_us(&mut command);
        let mut child = command.spawn().with_context(|| format!("failed to start {name}"))?;
        // It holds the writing end of the pipe.
        drop(command);
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for text in BufReader::new(from).lines().map_while(Result::ok) {
                if sender.send(Line { at: boot_ns(), text }).is_err() {
                    break;
                }
            }
        });
        Ok(Self { name, stdin: child.stdin.take(), child, lines, said: Vec::new() })
    }

    /// The same for one that measures: on the first CPU, away from the one that handles the packets, and ahead of
    /// every ordinary process.
    pub fn measuring(mut command: Command, ns: &Ns) -> Result<Self> {
        on_cpu(&mut command, 0);
        // SAFETY: one async-signal-safe system call.
        unsafe {
            command.pre_exec(|| {
                put_ahead(0);
                Ok(())
            });
        }
        Self::spawn(command, ns, None)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes a line to its standard input.
    pub fn say(&mut self, line: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("its stdin is closed")?;
        writeln!(stdin, "{line}").with_context(|| format!("failed to say {line:?} to {}", self.name))
    }

    /// Waits for the next line that has `words` in it.
    pub fn hear(&mut self, words: &str) -> Result<Line> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if line.text.contains(words) {
                        return Ok(line);
                    }
                }
                Err(why) => {
                    let why = if why == RecvTimeoutError::Timeout { "too late" } else { "it ended" };
                    bail!("{why}: {} never said {words:?} in:\n{}", self.name, self.transcript());
                }
            }
        }
    }

    /// Sends it a signal, if it still runs.
    pub fn signal(&mut self, which: Signal) -> Result<()> {
        match self.child.try_wait()? {
            None => signal(&self.child, which),
            Some(_) => Ok(()),
        }
    }

    /// Kills it with SIGKILL and reaps it.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        self.read_out();
        Ok(())
    }

    /// Closes its standard input and waits until it ends by itself.
    pub fn end(&mut self) -> Result<ExitStatus> {
        self.stdin = None;
        let status = wait(&mut self.child, PATIENCE).with_context(|| self.name.clone())?;
        self.read_out();
        Ok(status)
    }

    /// All that it said, for a message.
    pub fn transcript(&self) -> String {
        self.said.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// What a program that is gone said last. A child of its own may still hold the pipe.
    fn read_out(&mut self) {
        while let Ok(line) = self.lines.recv_timeout(std::time::Duration::from_millis(100)) {
            self.said.push(line);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command in a namespace to its end, which must be a good one; what it said.
pub fn done(command: Command, ns: &Ns, user: Option<u32>) -> Result<String> {
    let mut program = Program::spawn(command, ns, user)?;
    let status = program.end()?;
    ensure!(status.success(), "{} ended with {status}:\n{}", program.name, program.transcript());
    Ok(program.transcript())
}

/// Where a program is: in `PATH` or in one of these folders.
pub fn find(program: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = folders.iter().cloned().chain(std::env::split_paths(&path));
    all.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// A command with arguments.
pub fn command(program: &Path, args: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}
