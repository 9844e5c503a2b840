//! The command line on a real kernel: how runs end, where output goes, replay.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::clock::PATIENCE;
use e2e::need;
use e2e::net::shared_host;
use e2e::probe::{Probe, command, end_of, parse, run_to_end};
use e2e::records::{Record, and, must_be_whole};
use e2e::run::{as_user, await_file, lines, readable};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::scene::{Scene, connected_by};

/// One refused attempt of the client; the port it was made from.
fn refused(scene: &Scene, port: u16) -> Result<u16> {
    let mut client = scene.client()?;
    Ok(client.connect("c", scene.net.server_at(port))?.local().port())
}

fn records_in(file: &Path) -> Result<Vec<Record>> {
    std::fs::read_to_string(file)?.lines().map(parse).collect()
}

#[test]
fn a_duration_ends_the_run_with_stop_and_exit_code_0() -> Result<()> {
    if !need::satisfied(true) {
        return Ok(());
    }
    let _host = shared_host();
    Probe::start(&["--duration", "2s"])?.end()?.sound()?;
    Ok(())
}

#[test]
fn sigint_ends_the_run_with_stop_and_exit_code_0() -> Result<()> {
    if !need::satisfied(true) {
        return Ok(());
    }
    let _host = shared_host();
    let probe = Probe::start(&[])?;
    probe.signal(Signal::SIGINT)?;
    let run = probe.end()?.sound()?;
    let totals = run.records.last().map(|r| &r.json["totals"]);
    ensure!(totals.is_some_and(Value::is_object), "no totals in the last record");
    Ok(())
}

/// Runs `trace` that shows `failed` records of the client's namespace only and ends by itself, with refused
/// attempts until it does: without `start` nothing says when it is ready, so a person tries again.
fn until_it_ends(scene: &Scene, args: &[&str]) -> Result<String> {
    let netns = scene.net.client.inode().to_string();
    let only = ["trace", "--netns", &netns, "--events", "failed"];
    let mut child = command(&[only.as_slice(), args].concat())?.spawn()?;
    let lines = lines(child.stdout.take().context("no stdout")?);
    let (mut text, deadline) = (String::new(), Instant::now() + PATIENCE);
    let mut client = scene.client()?;
    loop {
        client.connect("c", scene.net.server_at(9))?;
        match lines.recv_timeout(Duration::from_millis(200)) {
            Ok(line) => text.extend([&line, "\n"]),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        ensure!(Instant::now() < deadline, "{args:?} does not end by itself; it printed:\n{text}");
    }
    let (status, _, stderr) = end_of(child)?;
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""), "{args:?} printed:\n{text}");
    Ok(text)
}

#[test]
fn a_count_ends_the_run_after_so_many_records() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let text = until_it_ends(&scene, &["--output", "json", "--count", "2"])?;
    let records = text.lines().map(parse).collect::<Result<Vec<_>>>()?;
    let events: Vec<_> = records.iter().map(|r| (r.event(), r.number("seq"))).collect();
    assert_eq!(events, [("failed", Some(1)), ("failed", Some(2))]);
    Ok(())
}

#[test]
fn a_closed_pipe_ends_the_run_quietly() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let mut child = command(&["trace", "--output", "json"])?.spawn()?;
    let mut stdout = BufReader::new(child.stdout.take().context("no stdout")?);
    let mut first = String::new();
    ensure!(readable(stdout.get_ref(), PATIENCE)?, "no first line");
    stdout.read_line(&mut first)?;
    parse(first.trim_end())?;
    // `head -1` has what it wants.
    drop(stdout);
    refused(&scene, 9)?;
    let (status, _, stderr) = end_of(child)?;
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
    Ok(())
}

#[test]
fn a_replay_prints_the_same_records() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("raw");
    let name = file.to_string_lossy();
    let probe = Probe::start(&["--record", &name])?;
    refused(&scene, 9)?;
    let (mut client, mut server) = (scene.client()?, scene.server()?);
    scene.join(&mut client, &mut server)?;
    client.ask("send c 100")?;
    server.ask("recv s 100")?;
    client.ask("close c")?;
    server.ask("drain s")?;
    server.ask("close s")?;
    probe.wait_for(&scene.at_client("closed"))?;
    probe.wait_for(&scene.at_server("closed"))?;
    let live = probe.stop()?.sound()?.records;
    let (status, out, stderr) = run_to_end(&["replay", &name, "--output", "json"])?;
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
    let replayed = out.lines().map(parse).collect::<Result<Vec<_>>>()?;
    must_be_whole(&replayed)?;
    for (live, replayed) in live.iter().zip(&replayed) {
        ensure!(live.json == replayed.json, "live     {}\nreplayed {}", live.json, replayed.json);
    }
    assert_eq!(live.len(), replayed.len());
    Ok(())
}

#[test]
fn sighup_reopens_the_output_file() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let (file, rotated) = (folder.path().join("records"), folder.path().join("records.1"));
    let probe = Probe::start_to_file(&file, &[])?;
    let before = refused(&scene, 9)?;
    let failed = |port: u16| {
        let pattern = and(&scene.at_client("failed"), &json!({ "local_port": port }));
        move |text: &str| text.lines().filter_map(|line| parse(line).ok()).any(|r| r.is(&pattern))
    };
    await_file(&file, failed(before))?;
    std::fs::rename(&file, &rotated)?;
    probe.signal(Signal::SIGHUP)?;
    await_file(&file, |_| file.exists())?;
    let after = refused(&scene, 10)?;
    await_file(&file, failed(after))?;
    let run = probe.stop()?;
    assert_eq!((run.status.code(), run.stderr.as_str()), (Some(0), ""));
    let mut all = records_in(&rotated)?;
    all.extend(records_in(&file)?);
    must_be_whole(&all)
}

#[test]
fn without_root_it_says_in_one_line_what_it_needs() -> Result<()> {
    if !need::satisfied(true) {
        return Ok(());
    }
    let _host = shared_host();
    // A copy where everybody may look: the build's folder may be closed to others.
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join("connprobe");
    std::fs::copy(need::connprobe().context("no binary")?, &copy)?;
    for path in [folder.path(), &copy] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    }
    let mut plain = std::process::Command::new(&copy);
    plain.args(["trace", "--output", "json"]).current_dir("/");
    plain.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (status, out, stderr) = end_of(as_user(&mut plain, 65534).spawn()?)?;
    assert_eq!((status.code(), out.as_str()), (Some(3), ""), "stderr: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    ensure!(
        stderr.contains("CAP_BPF") || stderr.to_lowercase().contains("cap_bpf"),
        "no capability in: {stderr}"
    );
    Ok(())
}

#[test]
fn doctor_is_content_with_root() -> Result<()> {
    if !need::satisfied(true) {
        return Ok(());
    }
    let _host = shared_host();
    let (status, out, stderr) = run_to_end(&["doctor"])?;
    assert_eq!(status.code(), Some(0), "{out}{stderr}");
    for hook in ["tcp_connect", "inet_csk_accept", "tcp_set_state", "tcp_reset"] {
        ensure!(out.contains(hook), "no {hook} in:\n{out}");
    }
    Ok(())
}

#[test]
fn a_full_disk_ends_the_run_with_exit_code_5() -> Result<()> {
    if !need::satisfied(true) {
        return Ok(());
    }
    let _host = shared_host();
    let args = ["trace", "--output", "json", "--output-file", "/dev/full", "--duration", "5s"];
    let (status, out, stderr) = run_to_end(&args)?;
    assert_eq!((status.code(), out.as_str()), (Some(5), ""), "{stderr}");
    ensure!(stderr.contains("/dev/full"), "the error does not name the file: {stderr}");
    Ok(())
}

#[test]
fn every_output_form_shows_a_refused_attempt() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let mut seen = BTreeSet::new();
    for form in ["text", "json", "csv", "ecs"] {
        let text = until_it_ends(&scene, &["--output", form, "--count", "1"])?;
        ensure!(text.to_lowercase().contains("refused"), "{form}: {text}");
        seen.insert(text);
    }
    assert_eq!(seen.len(), 4);
    Ok(())
}

#[test]
fn two_tracers_at_once_see_the_same() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let (one, two) = (Probe::start(&[])?, Probe::start(&[])?);
    let mut client = scene.client()?;
    client.connect("c", scene.net.server_at(9))?;
    let mut conns = BTreeSet::new();
    for probe in [one, two] {
        probe.wait_for(&scene.at_client("failed"))?;
        let ends = scene.stop(probe)?;
        let failed = ends.client("failed", &and(&connected_by(&client), &json!({ "cause": "refused" })))?;
        conns.insert(failed.text("conn").map(String::from));
    }
    assert_eq!(conns.len(), 1, "a connection has one id");
    Ok(())
}
