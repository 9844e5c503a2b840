//! A client that was lost is back: what its server is told. The clients are steered, so the truth is theirs:
//! when they called what ended the connection and what began the next one.

use anyhow::{Context, Result};
use e2e::peer::Truth;
use e2e::probe::Probe;
use e2e::records::{Record, and};
use e2e::run::put_ahead;
use nix::errno::Errno;
use serde_json::{Value, json};

use super::chain::{Comparison, Moment};
use super::scene::stop;
use crate::scene::{Scene, accepted_by};

/// How long the server leaves a connection in its queue, milliseconds.
const QUEUED: u64 = 300;

/// A peer's clock is `CLOCK_MONOTONIC`: it counts as `CLOCK_BOOTTIME` does, from another beginning.
fn during(truth: &Truth) -> Moment {
    Moment { from: truth.t0(), to: truth.t1(), known: truth.t0() }
}

/// One reconnect, with this previous cause, from one moment to the other.
fn must_be_back(told: &Record, previous: &Value, lost: Moment, back: Moment) -> Result<()> {
    told.must_be(&json!({ "attempts": 1, "errors": {}, "previous_cause": previous }))?;
    let mut comparison = Comparison::new();
    let downtime = told.number("downtime_ns").context("no downtime_ns")?;
    comparison.span("downtime_ns at the server", downtime, lost, back)?;
    comparison.report();
    told.must_be(&json!({ "backoff_ns": [downtime] }))
}

#[test]
fn a_client_that_resets_and_comes_back_is_news_to_its_server() -> Result<()> {
    let Some(scene) = Scene::calm()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (scene.client()?, scene.server()?);
    let at = server.listen("l", scene.net.server_at(0), 16)?;
    server.begin("accept l s")?;
    client.connect("c", at)?;
    server.finish()?;
    client.ask("linger0 c")?;
    let lost = client.ask("close c")?;
    probe.wait_for(&scene.at_server("closed"))?;
    let back = client.connect("c", at)?;
    assert_eq!(back.errno(), None);
    // It is back now. That the server takes it from its queue later is the server's own affair.
    client.ask(&format!("poll c in {QUEUED}"))?;
    server.ask("close s")?;
    server.ask("accept l s")?;
    client.kill()?;
    server.kill()?;
    let ends = stop(&scene, probe)?;
    let told =
        ends.server("reconnected", &and(&accepted_by(&server), &json!({ "local_port": at.port() })))?;
    must_be_back(told, &json!("reset_by_peer"), during(&lost), during(&back))?;
    // To a server a client that goes is no outage.
    assert!(!ends.server.iter().any(|r| r.event() == "outage"));
    Ok(())
}

#[test]
fn a_client_that_vanished_and_comes_back_is_news_to_its_server() -> Result<()> {
    let Some(scene) = Scene::routed()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (scene.client()?, scene.server()?);
    let at = server.listen("l", scene.net.server_at(0), 16)?;
    server.begin("accept l s")?;
    client.connect("gone", at)?;
    server.finish()?;
    for option in ["keepidle 1", "keepintvl 1", "keepcnt 1", "keepalive 1"] {
        server.ask(&format!("set s {option}"))?;
    }
    // Nobody but the server can say when it is told that the client is gone.
    put_ahead(i32::try_from(server.pid())?);
    scene.net.cut()?;
    let lost = server.try_to("recv s 1")?;
    assert_eq!(lost.errno(), Some(Errno::ETIMEDOUT));
    scene.net.router()?.mend()?;
    server.begin("accept l t")?;
    let back = client.connect("c", at)?;
    server.finish()?;
    client.kill()?;
    server.kill()?;
    let ends = stop(&scene, probe)?;
    let told =
        ends.server("reconnected", &and(&accepted_by(&server), &json!({ "local_port": at.port() })))?;
    must_be_back(told, &json!("keepalive_timeout"), Moment::at(lost.t1()), during(&back))
}
