//! `redis-cli`, which reconnects when it is asked for the next thing, and a Redis that is killed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::clock::boot_ns;
use e2e::net::Ns;
use e2e::probe::Probe;
use e2e::program::{Program, command};
use e2e::records::only;
use serde_json::json;
use std::os::unix::process::CommandExt;
use tempfile::TempDir;

use super::chain::{Attempt, Comparison, Lost, Moment, Saw};
use super::scene::{found, stop};
use crate::scene::Scene;

const PORT: u16 = 6379;

/// What the pauses between questions are multiples of.
const PAUSE: Duration = Duration::from_millis(60);

/// Debian's package `redis-tools` has the server too, as `redis-check-rdb`, and no service that would start
/// with the machine. One file is both everywhere: its name decides.
const SERVER: &str = "redis-check-rdb";

fn server(scene: &Scene, program: &Path, folder: &TempDir) -> Result<Program> {
    let (address, port) = (scene.net.server_v4().to_string(), PORT.to_string());
    let folder = folder.path().to_string_lossy();
    let words =
        ["--bind", &address, "--port", &port, "--dir", &folder, "--save", "", "--protected-mode", "no"];
    let mut server = command(program, &words);
    server.arg0("redis-server");
    let mut server = Program::spawn(server, &scene.net.server, None)?;
    server.hear("Ready to accept connections")?;
    Ok(server)
}

/// `redis-cli` measures nothing. It is asked for one thing after another, and the kernel's own counter says
/// how often it has tried to connect for each.
struct Cli<'a> {
    program: Program,
    ns: &'a Ns,
    attempts: u64,
    log: Vec<Saw>,
}

impl<'a> Cli<'a> {
    fn start(ns: &'a Ns, program: &Path, address: &str) -> Result<Self> {
        let attempts = attempts(ns)?;
        let words = ["-h", address, "-p", &PORT.to_string()];
        Ok(Self { program: Program::measuring(command(program, &words), ns)?, ns, attempts, log: Vec::new() })
    }

    /// Asks for an answer that must have these words in it; `errno` is how it fared with the connection it
    /// tried.
    fn ask(&mut self, words: &str, from: u64, errno: u16) -> Result<Moment> {
        self.program.say("PING")?;
        let to = self.program.hear(words)?.at;
        let now = attempts(self.ns)?;
        let tried = now - std::mem::replace(&mut self.attempts, now);
        let during = Moment { from, to, known: to };
        let begin = Moment { known: from, ..during };
        for _ in 0..tried {
            let pid = self.program.pid().into();
            self.log.push(Saw::Attempt(Attempt { pid, begin, end: during, errno: Some(errno) }));
        }
        Ok(during)
    }
}

/// How many connections were begun in a namespace.
fn attempts(ns: &Ns) -> Result<u64> {
    let counters = ns.enter(|| std::fs::read_to_string("/proc/thread-self/net/snmp"))??;
    let mut rows = counters.lines().filter(|line| line.starts_with("Tcp:"));
    let (names, numbers) = rows.next().zip(rows.next()).context("no counters of TCP")?;
    let named = names.split_whitespace().zip(numbers.split_whitespace());
    let (_, number) = named.into_iter().find(|(name, _)| *name == "ActiveOpens").context("no ActiveOpens")?;
    Ok(number.parse()?)
}

#[test]
fn redis_cli_is_followed_while_redis_is_killed_and_started() -> Result<()> {
    let Some(scene) = Scene::calm()? else { return Ok(()) };
    let Some([redis, cli]): Option<[PathBuf; 2]> = found([SERVER, "redis-cli"], &[]) else { return Ok(()) };
    let folder = TempDir::new()?;
    let mut redis_server = server(&scene, &redis, &folder)?;
    let probe = Probe::start(&[])?;
    let from = boot_ns();
    let mut cli = Cli::start(&scene.net.client, &cli, &scene.net.server_v4().to_string())?;
    cli.ask("PONG", from, 0)?;
    let killed = boot_ns();
    redis_server.kill()?;
    // The first question finds the end of the connection, each one after it that nobody listens.
    let at = cli.log.len();
    let during = cli.ask("Error: ", boot_ns(), 111)?;
    let lost = Moment { from: killed, ..during };
    for n in 1..=4 {
        // Nothing to wait for: this is the pause of whoever asks, and the gap that is told.
        std::thread::sleep(n * PAUSE);
        cli.ask("Connection refused", boot_ns(), 111)?;
    }
    let mut redis_server = server(&scene, &redis, &folder)?;
    cli.ask("PONG", boot_ns(), 0)?;
    ensure!(cli.program.end()?.success(), "redis-cli failed");
    redis_server.kill()?;
    let ends = stop(&scene, probe)?;
    // The server's FIN was there before the question, its RST after it: which of them redis-cli met when it
    // closed is not for this test to say.
    let first = ends.client.iter().find(|r| r.event() == "closed").context("no closed")?;
    let errno = if first.text("cause") == Some("reset_by_peer") { 104 } else { 0 };
    cli.log.insert(at, Saw::Lost(Lost { at: lost, errno }));
    ensure!(cli.log.len() >= 7, "redis-cli tried less often than it was asked: {:?}", cli.log);
    let mut comparison = Comparison::new();
    comparison.check(&cli.log, &ends.client)?;
    comparison.report();
    only(&ends.client, &json!({ "event": "reconnected" }))?.must_be(&json!({ "comm": "redis-cli" }))
}
