//! Steering a peer program: one command at a time, each answered by the truth.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use nix::errno::Errno;
use serde_json::{Value, json};

use crate::clock::PATIENCE;
use crate::net::Ns;
use crate::records::and;
use crate::run::{bound_to_us, in_netns, lines, on_cpu};

/// The answer to one command.
#[derive(Clone, Debug)]
pub struct Truth(pub Value);

impl Truth {
    /// A number of the answer.
    pub fn number(&self, key: &str) -> u64 {
        self.0[key].as_u64().unwrap_or_else(|| panic!("no number `{key}` in {}", self.0))
    }

    /// Who did it.
    pub fn pid(&self) -> u64 {
        self.number("pid")
    }

    /// What the system call counted: bytes, ready descriptors, `SO_ERROR`, the child's pid.
    pub fn n(&self) -> u64 {
        self.number("n")
    }

    /// The errno, if it failed.
    pub fn errno(&self) -> Option<Errno> {
        let number = i32::try_from(self.0["errno"].as_i64().unwrap_or(0)).unwrap_or(0);
        (number != 0).then(|| Errno::from_raw(number))
    }

    /// `CLOCK_MONOTONIC` before the system call, ns.
    pub fn t0(&self) -> u64 {
        self.number("t0")
    }

    /// `CLOCK_MONOTONIC` after the system call, ns.
    pub fn t1(&self) -> u64 {
        self.number("t1")
    }

    /// The local address of the socket.
    pub fn local(&self) -> SocketAddr {
        let text = self.0["local"].as_str().unwrap_or_else(|| panic!("no local address in {}", self.0));
        text.parse().expect("the actor prints socket addresses")
    }
}

/// A peer program, killed on drop.
pub struct Peer {
    child: Child,
    stdin: Option<ChildStdin>,
    answers: Receiver<String>,
    args: Vec<String>,
    program: PathBuf,
}

impl Peer {
    /// Starts `program` with `args` in a namespace, on the first CPU if `pinned`.
    pub fn spawn(program: &Path, args: &[&str], ns: &Ns, pinned: bool) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        in_netns(bound_to_us(&mut command), ns.open()?);
        if pinned {
            on_cpu(&mut command, 0);
        }
        let mut child = command.spawn().with_context(|| format!("failed to start {}", program.display()))?;
        let stdout = child.stdout.take().context("no stdout")?;
        let stdin = child.stdin.take();
        let answers = lines(stdout);
        let args = std::iter::once(program.to_string_lossy().into_owned())
            .chain(args.iter().map(ToString::to_string))
            .collect();
        Ok(Self { child, stdin, answers, args, program: program.into() })
    }

    /// Its process id.
    pub fn pid(&self) -> u64 {
        self.child.id().into()
    }

    /// Its command line, as a record has it.
    pub fn cmdline(&self) -> String {
        self.args.join(" ")
    }

    /// Sends a command whose answer comes later (it blocks until somebody else acts).
    pub fn begin(&mut self, command: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("its stdin is closed")?;
        writeln!(stdin, "{command}").with_context(|| format!("failed to command `{command}`"))
    }

    /// The next answer.
    pub fn finish(&mut self) -> Result<Truth> {
        self.finish_within(PATIENCE)
    }

    /// The next answer, of something that works longer than it waits.
    pub fn finish_within(&mut self, patience: Duration) -> Result<Truth> {
        let line = self.answers.recv_timeout(patience).map_err(|e| anyhow!("no answer of the peer: {e}"))?;
        Ok(Truth(serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))?))
    }

    /// Sends a command and takes its answer, whatever the errno.
    pub fn try_to(&mut self, command: &str) -> Result<Truth> {
        self.begin(command)?;
        self.finish().with_context(|| format!("`{command}`"))
    }

    /// Sends a command that must succeed.
    pub fn ask(&mut self, command: &str) -> Result<Truth> {
        let truth = self.try_to(command)?;
        ensure!(truth.errno().is_none(), "`{command}` failed: {:?}", truth.errno());
        Ok(truth)
    }

    /// Opens a listener on `at` (port 0: any) and says where it listens.
    pub fn listen(&mut self, name: &str, at: impl Into<SocketAddr>, backlog: u32) -> Result<SocketAddr> {
        let at = at.into();
        self.ask(&format!("socket {name} {}", if at.is_ipv4() { 4 } else { 6 }))?;
        self.ask(&format!("bind {name} {at}"))?;
        Ok(self.ask(&format!("listen {name} {backlog}"))?.local())
    }

    /// Makes a socket and connects it, blocking; whatever the errno.
    pub fn connect(&mut self, name: &str, to: SocketAddr) -> Result<Truth> {
        self.ask(&format!("socket {name} {}", if to.is_ipv4() { 4 } else { 6 }))?;
        self.try_to(&format!("connect {name} {to}"))
    }

    /// Kills it with SIGKILL and reaps it.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Closes its stdin: it may end.
    pub fn let_go(&mut self) {
        self.stdin = None;
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> Result<std::process::ExitStatus> {
        crate::run::wait(&mut self.child, PATIENCE)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // A forked worker ends by itself: its pipe of commands closes with its parent.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Pattern: owned by this peer, run by root.
pub fn owned_by(peer: &Peer) -> Value {
    json!({
        "pid": peer.pid(), "comm": "peer", "exe": peer.program, "cmdline": peer.cmdline(), "uid": 0,
        "user": "root",
    })
}

/// Pattern: owned by this peer, which connected.
pub fn connected_by(peer: &Peer) -> Value {
    and(&owned_by(peer), &json!({ "pid_source": "connect", "role": "client" }))
}

/// Pattern: owned by this peer, which accepted.
pub fn accepted_by(peer: &Peer) -> Value {
    and(&owned_by(peer), &json!({ "pid_source": "accept", "role": "server" }))
}
