//! `connprobe report` on a real kernel: what it says of attempts that were really refused.

use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::clock::PATIENCE;
use e2e::probe::{Probe, command, end_of, run_to_end};
use e2e::run::lines;
use serde_json::{Value, json};

use crate::scene::Scene;

/// The report of this long a look at the client's namespace, with refused attempts until it ends.
fn of_a_live_run(scene: &Scene, time: &str) -> Result<Value> {
    let netns = scene.net.client.inode().to_string();
    let args = ["report", "--live", time, "--netns", &netns, "--output", "json", "--top", "1"];
    let mut child = command(&args)?.spawn()?;
    let lines = lines(child.stdout.take().context("no stdout")?);
    let (mut text, deadline) = (String::new(), Instant::now() + PATIENCE);
    let mut client = scene.client()?;
    loop {
        client.connect("c", scene.net.server_at(9))?;
        match lines.recv_timeout(Duration::from_millis(200)) {
            Ok(line) => text.push_str(&line),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        ensure!(Instant::now() < deadline, "it does not end by itself; it printed:\n{text}");
    }
    let (status, _, stderr) = end_of(child)?;
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""), "it printed:\n{text}");
    serde_json::from_str(&text).with_context(|| text)
}

#[test]
fn a_live_report_tells_of_a_peer_that_refuses() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let report = of_a_live_run(&scene, "3s")?;
    let failure = &report["failures"]["rows"][0];
    ensure!(failure["count"].as_u64().is_some_and(|count| count > 2), "{report:#}");
    assert_eq!(failure["cause"], "refused");
    assert_eq!(failure["remote_addr"], json!(scene.net.server_v4()));
    assert_eq!(report["outages"]["rows"][0]["end"], "goes_on");
    assert_eq!(report["findings"][0]["kind"], "outage");
    Ok(())
}

#[test]
fn a_report_of_a_record_file_says_what_the_trace_saw() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("raw");
    let name = file.to_string_lossy();
    let probe = Probe::start(&["--record", &name])?;
    let (mut client, mut server) = (scene.client()?, scene.server()?);
    client.connect("c", scene.net.server_at(9))?;
    scene.join(&mut client, &mut server)?;
    client.ask("send c 100")?;
    server.ask("recv s 100")?;
    client.ask("close c")?;
    server.ask("drain s")?;
    server.ask("close s")?;
    probe.wait_for(&scene.at_client("closed"))?;
    probe.wait_for(&scene.at_server("closed"))?;
    let live = probe.stop()?.sound()?.records;
    let netns = scene.net.client.inode().to_string();
    let (status, out, stderr) = run_to_end(&["report", &name, "--netns", &netns, "--output", "json"])?;
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
    let report: Value = serde_json::from_str(&out)?;
    let of_client = |event| live.iter().filter(|r| r.is(&scene.at_client(event))).count();
    for (total, event) in [("failed", "failed"), ("established", "established"), ("closed", "closed")] {
        assert_eq!(report["totals"][total], of_client(event), "{event}: {report:#}");
    }
    assert_eq!(report["totals"]["bytes_sent"], 100);
    Ok(())
}
