//! Nothing is lost at full speed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::net::Net;
use e2e::peer::Peer;
use e2e::probe::{Probe, parse};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::scene::peer_program;

const CONNECTIONS: u64 = 100_000;
/// Far more than 64 KiB of events.
const FEW: u64 = 5_000;
/// Every how many records one is validated against the schema.
const SAMPLE: u64 = 1000;

/// What the two programs of the flood counted themselves.
struct Truth {
    established: u64,
    errors: u64,
    accepted: u64,
    elapsed: Duration,
}

/// So many connections over the loopback of the client's namespace, at full speed.
fn flood(net: &Net, connections: u64) -> Result<Truth> {
    let mut server = Peer::spawn(peer_program(), &["flood-server", "16"], &net.client, false)?;
    let port = server.finish()?.number("port").to_string();
    let flood = ["flood-client", &port, &connections.to_string(), "16"];
    let mut client = Peer::spawn(peer_program(), &flood, &net.client, false)?;
    let truth = client.finish_within(Duration::from_secs(150))?;
    ensure!(client.wait()?.success(), "the client failed");
    server.let_go();
    let accepted = server.finish()?.number("accepted");
    server.wait()?;
    let errors = truth.0["errors"].as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum();
    let elapsed = Duration::from_nanos(truth.number("elapsed_ns"));
    Ok(Truth { established: truth.number("established"), errors, accepted, elapsed })
}

/// What connprobe told of the flood.
struct Told {
    /// By role and event.
    counts: BTreeMap<(String, String), u64>,
    lost: u64,
    lines: u64,
}

/// Counts a file of records without holding it in memory; `seq` must have no hole, the last must be `stop`.
fn told(file: &Path, net: &Net) -> Result<Told> {
    let (mut told, mut stopped) = (Told { counts: BTreeMap::new(), lost: 0, lines: 0 }, false);
    for line in BufReader::new(File::open(file)?).lines() {
        let line = line?;
        told.lines += 1;
        let sampled = told.lines % SAMPLE == 0;
        let record: Value =
            if sampled { Value::clone(&parse(&line)?.json) } else { serde_json::from_str(&line)? };
        ensure!(record["seq"].as_u64() == Some(told.lines), "seq must be {} in {line}", told.lines);
        let event = record["event"].as_str().context("no event")?;
        if event == "lost" {
            println!("{line}");
            told.lost += record["count"].as_u64().unwrap_or(0);
        }
        stopped = event == "stop";
        if record["netns"].as_u64() == Some(net.client.inode().into()) {
            let role = record["role"].as_str().unwrap_or("-");
            *told.counts.entry((role.into(), event.into())).or_default() += 1;
        }
    }
    ensure!(stopped, "the last record is not `stop`");
    Ok(told)
}

#[test]
fn a_hundred_thousand_connections_are_counted_exactly() -> Result<()> {
    if !e2e::need::satisfied(true) {
        return Ok(());
    }
    let net = Net::alone()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("records.json");
    let probe = Probe::start_to_file(&file, &[])?;

    let truth = flood(&net, CONNECTIONS)?;
    let Truth { established, errors, accepted, elapsed } = truth;
    let run = probe.stop()?;
    ensure!(run.status.code() == Some(0), "{}; stderr:\n{}", run.status, run.stderr);

    let Told { counts, lost, lines } = told(&file, &net)?;
    let seconds = elapsed.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = established as f64 / seconds;
    println!(
        "{established} connections in {seconds:.2} s, {rate:.0}/s, {lines} records, {lost} lost, {counts:?}"
    );
    let count = |role: &str, event: &str| counts.get(&(role.into(), event.into())).copied().unwrap_or(0);
    assert_eq!(established + errors, CONNECTIONS);
    assert_eq!(lost, 0);
    assert_eq!(count("client", "established") + lost, established);
    assert_eq!(count("client", "closed") + lost, established);
    assert_eq!(count("client", "connect"), CONNECTIONS);
    assert_eq!(count("client", "failed"), errors);
    assert_eq!(count("server", "accept"), accepted);
    assert_eq!(count("server", "closed"), accepted);
    assert_eq!(accepted, established);
    Ok(())
}

#[test]
fn what_a_small_buffer_cannot_hold_is_counted() -> Result<()> {
    if !e2e::need::satisfied(true) {
        return Ok(());
    }
    let net = Net::alone()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("records.json");
    let probe = Probe::start_to_file(&file, &["--buffer", "64K"])?;
    // Stopped, it cannot read: whatever does not fit into the buffer is lost for sure.
    probe.signal(Signal::SIGSTOP)?;
    let Truth { established, .. } = flood(&net, FEW)?;
    probe.signal(Signal::SIGCONT)?;
    let run = probe.stop()?;
    ensure!(run.status.code() == Some(0), "{}; stderr:\n{}", run.status, run.stderr);
    let Told { counts, lost, .. } = told(&file, &net)?;
    println!("{established} connections, {lost} events lost, {counts:?}");
    let count = |event: &str| counts.get(&("client".into(), event.into())).copied().unwrap_or(0);
    ensure!(lost > 0, "nothing is said to be lost");
    for event in ["established", "closed"] {
        let seen = count(event);
        ensure!(seen <= established, "{seen} `{event}` of {established} connections");
        ensure!(seen + lost >= established, "{seen} `{event}` and {lost} lost of {established} connections");
    }
    Ok(())
}
