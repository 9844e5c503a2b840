//! The scene of these tests, and the client that measures.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use e2e::need;
use e2e::net::Ns;
use e2e::probe::Probe;
use e2e::program::{self, Program};
use e2e::records::{Record, must_be_once};
use serde_json::Value;
use std::net::SocketAddr;

use super::chain::{Attempt, Lost, Moment, Saw};
use crate::scene::{Ends, Scene};

/// The scene, if this machine has every program; those live in `PATH` or in one of the folders.
pub(super) fn scene<const N: usize>(
    programs: [&str; N],
    folders: &[PathBuf],
) -> Result<Option<(Scene, [PathBuf; N])>> {
    let Some(scene) = Scene::calm()? else { return Ok(None) };
    Ok(found(programs, folders).map(|programs| (scene, programs)))
}

/// Where these programs are, if all are here.
pub(super) fn found<const N: usize>(programs: [&str; N], folders: &[PathBuf]) -> Option<[PathBuf; N]> {
    let all = programs.map(|name| (name, program::find(name, folders)));
    let absent: Vec<_> = all.iter().filter(|(_, path)| path.is_none()).map(|(name, _)| *name).collect();
    if !absent.is_empty() {
        need::unavailable(&format!("{} not installed", absent.join(" and ")));
        return None;
    }
    Some(all.map(|(_, path)| path.unwrap_or_default()))
}

/// How long the client waits before it tries again, seconds.
#[derive(Clone, Copy)]
pub(super) struct Backoff {
    pub(super) first: f32,
    pub(super) factor: f32,
    pub(super) longest: f32,
    /// How long an attempt may take.
    pub(super) patience: f32,
}

/// 50 ms, then twice as long each time.
pub(super) const DOUBLING: Backoff = Backoff { first: 0.05, factor: 2.0, longest: 0.4, patience: 5.0 };

/// A running `client.py`.
pub(super) struct Client {
    program: Program,
    /// What it said so far.
    pub(super) log: Vec<Saw>,
}

impl Client {
    pub(super) fn start(ns: &Ns, kind: &str, to: SocketAddr, backoff: Backoff) -> Result<Self> {
        let python = python().context("python3 is gone")?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/reconnects/client.py");
        let times = [backoff.first, backoff.factor, backoff.longest, backoff.patience].map(|s| s.to_string());
        let mut args = vec![script.to_string_lossy().into_owned(), kind.into(), to.ip().to_string()];
        args.push(to.port().to_string());
        args.extend(times);
        Ok(Self { program: Program::measuring(program::command(&python, &args), ns)?, log: Vec::new() })
    }

    /// What it says next.
    pub(super) fn next(&mut self) -> Result<Saw> {
        // libpq writes what the server has to say between the lines of the client.
        let line = self.program.hear("{\"")?.text;
        let json: Value = serde_json::from_str(&line).with_context(|| format!("the client said: {line}"))?;
        let saw = saw(&json).with_context(|| line.clone())?;
        self.log.push(saw);
        Ok(saw)
    }

    /// Waits until it is connected.
    pub(super) fn connected(&mut self) -> Result<()> {
        while !matches!(self.next()?, Saw::Attempt(attempt) if attempt.errno == Some(0)) {}
        Ok(())
    }

    /// Waits until it has lost its connection.
    pub(super) fn lost(&mut self) -> Result<()> {
        ensure!(matches!(self.next()?, Saw::Lost(_)), "it did not lose its connection: {:?}", self.log);
        Ok(())
    }

    /// Waits until so many attempts more have failed.
    pub(super) fn failed(&mut self, times: usize) -> Result<()> {
        for _ in 0..times {
            let saw = self.next()?;
            let failed = matches!(saw, Saw::Attempt(attempt) if attempt.errno != Some(0));
            ensure!(failed, "it did not fail: {:?}", self.log);
        }
        Ok(())
    }

    /// Kills it; what it said until then is in `log`.
    pub(super) fn kill(&mut self) -> Result<()> {
        let known = self.program.said.len();
        self.program.kill()?;
        for line in &self.program.said[known..] {
            // It may have died in the middle of a line.
            if let Ok(json) = serde_json::from_str(&line.text) {
                self.log.push(saw(&json)?);
            }
        }
        Ok(())
    }
}

fn saw(json: &Value) -> Result<Saw> {
    let number = |value: &Value| value.as_u64().with_context(|| format!("{value} is no time"));
    if json["did"] == "lost" {
        let errno = u16::try_from(number(&json["errno"])?)?;
        return Ok(Saw::Lost(Lost { at: Moment::at(number(&json["at"])?), errno }));
    }
    let (begin, end) = (&json["begin"], &json["end"]);
    let errno = json["errno"].as_u64().map(u16::try_from).transpose()?;
    let (from, to) = (number(&end[0])?, number(&end[1])?);
    let begin = Moment { from: number(&begin[0])?, to: number(&begin[1])?, known: number(&begin[0])? };
    // What it gave up is over when it says so, not when it comes back from that.
    let end = Moment { from, to, known: if errno.is_none() { from } else { to } };
    Ok(Saw::Attempt(Attempt { pid: number(&json["pid"])?, begin, end, errno }))
}

/// The distribution's Python, which is a program and not a script that starts one.
pub(super) fn python() -> Option<PathBuf> {
    program::find("python3", &["/usr/bin".into()])
}

/// Waits until everything that began in both namespaces has ended, and stops the tracer.
pub(super) fn stop(scene: &Scene, probe: Probe) -> Result<Ends> {
    let ends = [scene.net.client.inode(), scene.net.server.inode()].map(u64::from);
    probe.wait_until("the end of every connection", |all| {
        let ours = |r: &&Record| r.number("netns").is_some_and(|netns| ends.contains(&netns));
        let ours: Vec<Record> = all.iter().filter(ours).cloned().collect();
        must_be_once(&ours).is_ok().then_some(())
    })?;
    scene.stop(probe)
}

/// Waits until so many records are of the client's namespace and `event`.
pub(super) fn count(scene: &Scene, probe: &Probe, event: &str, least: usize) -> Result<()> {
    let pattern = scene.at_client(event);
    probe.wait_until(&format!("{least} {event}"), |all| {
        (all.iter().filter(|r| r.is(&pattern)).count() >= least).then_some(())
    })
}
