//! A Python client with exponential back-off, and a server that does to it what the test wants.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use e2e::peer::Peer;
use e2e::probe::Probe;
use e2e::records::{and, only};
use serde_json::json;

use super::chain::{Comparison, Saw};
use super::scene::{Backoff, Client, DOUBLING, count, scene, stop};
use crate::scene::Scene;

/// The server is back on its port and takes the client that comes.
fn back(server: &mut Peer, at: SocketAddr, client: &mut Client) -> Result<()> {
    server.listen("l", at, 16)?;
    server.begin("accept l s")?;
    client.connected()?;
    server.finish().map(drop)
}

/// The server closes its port and then resets the connection.
fn reset(server: &mut Peer) -> Result<()> {
    for command in ["close l", "linger0 s", "close s"] {
        server.ask(command)?;
    }
    Ok(())
}

#[test]
fn a_client_that_is_reset_and_refused_is_followed_until_it_is_back() -> Result<()> {
    let Some((scene, [])) = scene([], &[])? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let mut server = scene.server()?;
    let at = server.listen("l", scene.net.server_at(0), 16)?;
    let mut client = Client::start(&scene.net.client, "plain", at, DOUBLING)?;
    server.ask("accept l s")?;
    client.connected()?;
    reset(&mut server)?;
    client.lost()?;
    client.failed(5)?;
    back(&mut server, at, &mut client)?;
    client.kill()?;
    server.kill()?;
    let ends = stop(&scene, probe)?;
    let mut comparison = Comparison::new();
    comparison.check(&client.log, &ends.client)?;
    comparison.report();
    let outage = only(&ends.client, &json!({ "event": "outage" }))?;
    outage.must_be(&json!({ "cause": "reset_by_peer", "error": "ECONNRESET", "remote_port": at.port() }))
}

#[test]
fn an_orderly_end_before_refusals_is_the_beginning_of_the_outage() -> Result<()> {
    let Some((scene, [])) = scene([], &[])? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let mut server = scene.server()?;
    let at = server.listen("l", scene.net.server_at(0), 16)?;
    let mut client = Client::start(&scene.net.client, "plain", at, DOUBLING)?;
    server.ask("accept l s")?;
    client.connected()?;
    server.ask("close l")?;
    server.ask("close s")?;
    client.lost()?;
    client.failed(4)?;
    back(&mut server, at, &mut client)?;
    client.kill()?;
    server.kill()?;
    let ends = stop(&scene, probe)?;
    let mut comparison = Comparison::new();
    comparison.check(&client.log, &ends.client)?;
    comparison.report();
    Ok(())
}

#[test]
fn a_connection_older_than_the_trace_that_is_reset_is_an_outage() -> Result<()> {
    let Some((scene, [])) = scene([], &[])? else { return Ok(()) };
    let mut server = scene.server()?;
    let at = server.listen("l", scene.net.server_at(0), 16)?;
    let mut client = Client::start(&scene.net.client, "plain", at, DOUBLING)?;
    server.ask("accept l s")?;
    client.connected()?;
    let before = client.log.len();
    let probe = Probe::start(&[])?;
    reset(&mut server)?;
    client.lost()?;
    client.failed(2)?;
    back(&mut server, at, &mut client)?;
    client.kill()?;
    server.kill()?;
    let ends = stop(&scene, probe)?;
    let mut comparison = Comparison::new();
    comparison.check(&client.log[before..], &ends.client)?;
    comparison.report();
    Ok(())
}

#[test]
fn a_client_that_starts_before_its_server_is_in_an_outage_since_its_first_failure() -> Result<()> {
    let Some((scene, [])) = scene([], &[])? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let mut server = scene.server()?;
    // A port that is free, and was somebody's a moment ago.
    let at = server.listen("l", scene.net.server_at(0), 16)?;
    server.ask("close l")?;
    let mut client = Client::start(&scene.net.client, "plain", at, DOUBLING)?;
    client.failed(3)?;
    back(&mut server, at, &mut client)?;
    client.kill()?;
    server.kill()?;
    let ends = stop(&scene, probe)?;
    let mut comparison = Comparison::new();
    comparison.check(&client.log, &ends.client)?;
    comparison.report();
    Ok(())
}

#[test]
fn attempts_that_the_client_gives_up_count_without_an_errno() -> Result<()> {
    let Some(routed) = Scene::routed()? else { return Ok(()) };
    let Some((_, [])) = scene([], &[])? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let mut server = routed.server()?;
    let at = server.listen("l", routed.net.server_at(0), 16)?;
    let impatient = Backoff { patience: 0.15, ..DOUBLING };
    let mut client = Client::start(&routed.net.client, "plain", at, impatient)?;
    server.ask("accept l s")?;
    client.connected()?;
    // The reset passes, new connections do not.
    routed.net.router()?.filters("forward", &["tcp flags & (syn | ack) == syn drop"])?;
    server.ask("linger0 s")?;
    server.ask("close s")?;
    client.lost()?;
    client.failed(3)?;
    routed.net.router()?.mend()?;
    server.begin("accept l s")?;
    client.connected()?;
    server.finish()?;
    client.kill()?;
    server.kill()?;
    let ends = stop(&routed, probe)?;
    let mut comparison = Comparison::new();
    comparison.check(&client.log, &ends.client)?;
    comparison.report();
    Ok(())
}

#[test]
fn a_restarted_process_goes_on_with_the_attempts() -> Result<()> {
    let Some((scene, [])) = scene([], &[])? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let mut server = scene.server()?;
    let at = server.listen("l", scene.net.server_at(0), 16)?;
    let mut client = Client::start(&scene.net.client, "plain", at, DOUBLING)?;
    server.ask("accept l s")?;
    client.connected()?;
    reset(&mut server)?;
    client.lost()?;
    client.failed(3)?;
    client.kill()?;
    let mut second = Client::start(&scene.net.client, "plain", at, DOUBLING)?;
    second.failed(2)?;
    back(&mut server, at, &mut second)?;
    second.kill()?;
    server.kill()?;
    let ends = stop(&scene, probe)?;
    let mut comparison = Comparison::new();
    let log: Vec<Saw> = client.log.iter().chain(&second.log).copied().collect();
    comparison.check(&log, &ends.client)?;
    comparison.report();
    let pids: std::collections::BTreeSet<_> = ends.client.iter().filter_map(|r| r.number("pid")).collect();
    assert_eq!(pids.len(), 2, "both processes have a part in it");
    Ok(())
}

#[test]
fn a_client_that_comes_and_goes_is_flapping_and_that_is_said_once() -> Result<()> {
    let Some((scene, [])) = scene([], &[])? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let mut server = scene.server()?;
    let at = server.listen("l", scene.net.server_at(0), 16)?;
    let quick = Backoff { first: 0.02, factor: 1.0, longest: 0.02, patience: 5.0 };
    server.begin("accept l s")?;
    let mut client = Client::start(&scene.net.client, "plain", at, quick)?;
    client.connected()?;
    server.finish()?;
    // More than five reconnects in the window, which is what flapping is where nothing is configured.
    for _ in 0..7 {
        server.ask("linger0 s")?;
        server.ask("close s")?;
        client.lost()?;
        server.begin("accept l s")?;
        client.connected()?;
        server.finish()?;
    }
    count(&scene, &probe, "reconnected", 7)?;
    client.kill()?;
    server.kill()?;
    let ends = stop(&scene, probe)?;
    let mut comparison = Comparison::new();
    comparison.check(&client.log, &ends.client)?;
    comparison.report();
    let owner = json!({ "role": "client", "remote_port": at.port() });
    let flapping = ends.client("flapping", &and(&owner, &json!({ "count": 6 })))?;
    let sixth = ends.client.iter().filter(|r| r.event() == "reconnected").nth(5).context("six reconnects")?;
    assert_eq!(flapping.text("conn"), sixth.text("conn"));
    assert_eq!(flapping.text("ts"), sixth.text("ts"));
    Ok(())
}
