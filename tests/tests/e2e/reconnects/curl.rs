//! `curl --retry`, and a web server that comes up later. The truth is curl's own: it writes down each
//! attempt, its end and the time of both. It takes the time from `CLOCK_MONOTONIC` and adds whole seconds to
//! make a time of day of it, so only what is after the point is exact, and says which moment of the second
//! before we read the line it was.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use e2e::clock::{boot_ns, now_ns};
use e2e::probe::Probe;
use e2e::program::{Line, Program, command};
use e2e::records::only;
use serde_json::json;
use tempfile::TempDir;

use super::chain::{Attempt, Comparison, Moment, Saw};
use super::scene::{found, stop};
use crate::scene::Scene;

const PORT: u16 = 8080;
const SECOND: u64 = 1_000_000_000;

/// What curl said after `HH:MM:SS.ffffff `, and when, ns since boot.
fn said(line: &Line) -> Option<(u64, &str)> {
    let (time, rest) = line.text.split_once(' ')?;
    let micros: u64 = time.split_once('.')?.1.parse().ok()?;
    let suspended = boot_ns().saturating_sub(now_ns());
    let read = line.at - suspended;
    let ago = (read % SECOND + SECOND - micros * 1000) % SECOND;
    Some((line.at - ago, rest.trim_start_matches(['*', ' '])))
}

fn log(pid: u64, lines: &[Line]) -> Vec<Saw> {
    let mut begun = None;
    let mut log = Vec::new();
    for (at, text) in lines.iter().filter_map(said) {
        let errno = if text.starts_with("Trying ") {
            begun = Some(at);
            continue;
        } else if text.ends_with("failed: Connection refused") {
            111
        } else if text.starts_with("Connected to ") {
            0
        } else {
            continue;
        };
        let Some(from) = begun.take() else { continue };
        let end = Moment { from, to: at, known: at };
        log.push(Saw::Attempt(Attempt {
            pid,
            begin: Moment { known: from, ..end },
            end,
            errno: Some(errno),
        }));
    }
    log
}

fn curl_is_followed(flags: &[&str], least: u64) -> Result<()> {
    let Some(scene) = Scene::calm()? else { return Ok(()) };
    let folders = ["/usr/bin".into()];
    let Some([curl, python]): Option<[PathBuf; 2]> = found(["curl", "python3"], &folders) else {
        return Ok(());
    };
    let probe = Probe::start(&[])?;
    let url = format!("http://{}/", scene.net.server_at(PORT));
    let mut words =
        vec!["--silent", "--verbose", "--trace-time", "--output", "/dev/null", "--retry-connrefused"];
    words.extend(["--retry", "9", "--retry-max-time", "15"].iter().chain(flags));
    words.push(&url);
    let mut curl = command(&curl, &words);
    curl.env("LC_ALL", "C");
    let mut curl = Program::measuring(curl, &scene.net.client)?;
    for _ in 0..2 {
        curl.hear("failed: Connection refused")?;
    }
    let folder = TempDir::new()?;
    let (address, port) = (scene.net.server_v4().to_string(), PORT.to_string());
    let shared = folder.path().to_string_lossy();
    let words = ["-u", "-m", "http.server", "--bind", &address, "--directory", &shared, &port];
    let mut server = Program::spawn(command(&python, &words), &scene.net.server, None)?;
    server.hear("Serving HTTP on")?;
    let status = curl.end()?;
    ensure!(status.success(), "curl ended with {status}:\n{}", curl.transcript());
    server.kill()?;
    let ends = stop(&scene, probe)?;
    let mut comparison = Comparison::new();
    comparison.check(&log(curl.pid().into(), &curl.said), &ends.client)?;
    comparison.report();
    let back = only(&ends.client, &json!({ "event": "reconnected" }))?;
    back.must_be(&json!({ "comm": "curl", "remote_port": PORT, "previous_cause": null }))?;
    let gaps = back.json["backoff_ns"].as_array().context("no backoff_ns")?;
    let last = gaps.last().and_then(serde_json::Value::as_u64).context("no gap")?;
    assert!(
        last >= least * 1_000_000_000,
        "curl waited {least} s before the last attempt, and not {last} ns"
    );
    Ok(())
}

#[test]
fn curl_that_retries_every_second_is_followed() -> Result<()> {
    curl_is_followed(&["--retry-delay", "1"], 1)
}

#[test]
fn curl_that_retries_with_its_own_backoff_is_followed() -> Result<()> {
    // It waits for one second, then for two.
    curl_is_followed(&[], 2)
}
