//! Nothing is lost at full speed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::net::Net;
use e2e::peer::Peer;
use e2e::probe::{Probe, parse};
use serde_json::Value;

use crate::scene::peer_program;

const CONNECTIONS: u64 = 100_000;
/// Every how many records one is validated against the schema.
const SAMPLE: u64 = 1000;

#[test]
fn a_hundred_thousand_connections_are_counted_exactly() -> Result<()> {
    if !e2e::need::satisfied(true) {
        return Ok(());
    }
    let net = Net::alone()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("records.json");
    let probe = Probe::start_to_file(&file, &[])?;

    let mut server = Peer::spawn(peer_program(), &["flood-server", "16"], &net.client, false)?;
    let port = server.finish()?.number("port").to_string();
    let flood = ["flood-client", &port, &CONNECTIONS.to_string(), "16"];
    let mut client = Peer::spawn(peer_program(), &flood, &net.client, false)?;
    let truth = client.finish_within(Duration::from_secs(150))?;
    ensure!(client.wait()?.success(), "the client failed");
    server.let_go();
    let accepted = server.finish()?.number("accepted");
    server.wait()?;
    let established = truth.number("established");
    let errors: u64 =
        truth.0["errors"].as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum();
    let run = probe.stop()?;
    ensure!(run.status.code() == Some(0), "{}; stderr:\n{}", run.status, run.stderr);

    let mut counts = BTreeMap::<(String, String), u64>::new();
    let (mut lost, mut lines, mut stopped) = (0, 0, false);
    for line in BufReader::new(std::fs::File::open(&file)?).lines() {
        let line = line?;
        lines += 1;
        let record: Value =
            if lines % SAMPLE == 0 { parse(&line)?.json } else { serde_json::from_str(&line)? };
        ensure!(record["seq"].as_u64() == Some(lines), "seq must be {lines} in {line}");
        let event = record["event"].as_str().context("no event")?;
        if event == "lost" {
            lost += record["count"].as_u64().unwrap_or(0);
        }
        stopped = event == "stop";
        if record["netns"].as_u64() == Some(net.client.inode().into()) {
            let role = record["role"].as_str().unwrap_or("-");
            *counts.entry((role.into(), event.into())).or_default() += 1;
        }
    }
    let seconds = Duration::from_nanos(truth.number("elapsed_ns")).as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = established as f64 / seconds;
    println!(
        "{established} connections in {seconds:.2} s, {rate:.0}/s, {lines} records, {lost} lost, {counts:?}"
    );
    let count = |role: &str, event: &str| counts.get(&(role.into(), event.into())).copied().unwrap_or(0);
    assert!(stopped, "the last record is not `stop`");
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
