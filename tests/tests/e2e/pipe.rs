//! As a person types it: connprobe and jq in a shell on a terminal.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::clock::PATIENCE;
use e2e::need;
use e2e::probe::parse;
use e2e::records::and;
use e2e::run::{bound_to_us, lines, wait};
use nix::pty::{OpenptyResult, openpty};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::json;

use crate::scene::{Scene, connected_by};

const LINE: &str = r#"connprobe trace --output json | jq -c 'select(.event=="failed")'"#;

/// A line without the colours jq puts on a terminal (1.6 cannot be asked not to by the environment).
fn without_colours(line: &str) -> String {
    let mut parts = line.split('\x1b');
    let first = parts.next().unwrap_or("").to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

/// A process group of a shell's own, interrupted and at last killed on drop.
struct Group(Child);

impl Group {
    fn signal(&self, signal: Signal) -> nix::Result<()> {
        killpg(Pid::from_raw(i32::try_from(self.0.id()).unwrap_or(i32::MAX)), signal)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The shell is not reaped yet, so its group is still its own.
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = self.signal(Signal::SIGKILL);
            let _ = self.0.wait();
        }
    }
}

#[test]
fn the_line_of_the_manual_prints_a_refused_attempt() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    std::os::unix::fs::symlink(need::connprobe().context("no binary")?, folder.path().join("connprobe"))?;
    let mut path = OsString::from(folder.path());
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());

    // jq holds its output back unless it goes to a terminal.
    let OpenptyResult { master, slave: tty } = openpty(None, None)?;
    let mut shell = Command::new("sh");
    shell.args(["-c", LINE]).env("PATH", path).env("TERM", "dumb").process_group(0);
    shell.stdin(Stdio::null()).stdout(tty).stderr(Stdio::inherit());
    let mut group = Group(bound_to_us(&mut shell).spawn()?);
    // The command still holds the terminal: without it the reader sees the end.
    drop(shell);
    let lines = lines(File::from(master));

    // Nothing on the screen says when the tracer is ready: a person tries again.
    let mut client = scene.client()?;
    let deadline = Instant::now() + PATIENCE;
    let failed = loop {
        ensure!(Instant::now() < deadline, "no line for a refused attempt");
        client.connect("c", scene.net.server_at(9))?;
        let Ok(line) = lines.recv_timeout(Duration::from_millis(500)) else { continue };
        let record = parse(&without_colours(line.trim_end()))?;
        assert_eq!(record.event(), "failed");
        if record.number("netns") == Some(scene.net.client.inode().into()) {
            break record;
        }
    };
    failed.must_be(&and(&connected_by(&client), &json!({ "cause": "refused", "error": "ECONNREFUSED" })))?;
    // Ctrl-C reaches the whole line.
    group.signal(Signal::SIGINT)?;
    wait(&mut group.0, PATIENCE)?;
    Ok(())
}
