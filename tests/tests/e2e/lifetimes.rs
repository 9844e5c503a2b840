//! Lifetimes that end in order: exact bytes, plausible times, and who ended them.

use anyhow::{Result, ensure};
use e2e::peer::Truth;
use e2e::probe::Probe;
use e2e::records::{Record, and};
use serde_json::{Value, json};

use crate::scene::{Scene, accepted_by, connected_by};

#[derive(Clone, Copy, PartialEq)]
enum First {
    Client,
    Server,
}

/// A lifetime must be longer than what lies surely within it and shorter than what surely holds it.
fn must_last_plausibly(closed: &Record, born: (&Truth, &Truth), end: &Truth) -> Result<()> {
    let lasted = closed.number("duration_ns").unwrap_or(0);
    let (at_least, at_most) = (end.t0().saturating_sub(born.1.t1()), closed.arrived - born.0.t0());
    ensure!((at_least..=at_most).contains(&lasted), "not {at_least} to {at_most} ns: {}", closed.json);
    Ok(())
}

/// One connection over which each side sends as many bytes as told; `first` closes first.
fn orderly(sent_by_client: u64, sent_by_server: u64, first: First) -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (scene.client()?, scene.server()?);
    let at = server.listen("l", scene.net.server_at(0), 16)?;
    server.begin("accept l s")?;
    let connect = client.connect("c", at)?;
    ensure!(connect.errno().is_none(), "failed to connect");
    let accept = server.finish()?;
    client.begin(&format!("send c {sent_by_client}"))?;
    assert_eq!(server.ask(&format!("recv s {sent_by_client}"))?.n(), sent_by_client);
    client.finish()?;
    server.begin(&format!("send s {sent_by_server}"))?;
    assert_eq!(client.ask(&format!("recv c {sent_by_server}"))?.n(), sent_by_server);
    server.finish()?;
    let end = if first == First::Client {
        let end = client.ask("close c")?;
        assert_eq!(server.ask("drain s")?.n(), 0);
        server.ask("close s")?;
        end
    } else {
        let end = server.ask("close s")?;
        assert_eq!(client.ask("drain c")?.n(), 0);
        client.ask("close c")?;
        end
    };
    probe.wait_for(&scene.at_client("closed"))?;
    probe.wait_for(&scene.at_server("closed"))?;
    let ends = scene.stop(probe)?;

    let by = |here: First| if here == first { "local" } else { "remote" };
    let both = json!({
        "family": "ipv4", "protocol": "tcp", "cause": "orderly", "error": null, "errno": null, "reset_by": null,
        "pre_existing": null, "incomplete": null, "closer_pid": null,
    });
    let at_client = and(
        &connected_by(&client),
        &json!({
            "local_addr": scene.net.client_v4(), "local_port": connect.local().port(),
            "remote_addr": scene.net.server_v4(), "remote_port": at.port(),
        }),
    );
    let at_server = and(
        &accepted_by(&server),
        &json!({
            "local_addr": scene.net.server_v4(), "local_port": at.port(),
            "remote_addr": scene.net.client_v4(), "remote_port": connect.local().port(),
        }),
    );
    let closed = ends.client("closed", &and(&and(&at_client, &both), &json!({
        "bytes_sent": sent_by_client, "bytes_received": sent_by_server, "closed_by": by(First::Client),
    })))?;
    must_last_plausibly(closed, (&connect, &connect), &end)?;
    let closed = ends.server("closed", &and(&and(&at_server, &both), &json!({
        "bytes_sent": sent_by_server, "bytes_received": sent_by_client, "closed_by": by(First::Server),
        "accepted": true,
    })))?;
    must_last_plausibly(closed, (&connect, &accept), &end)?;

    ends.client("connect", &connected_by(&client))?;
    let established = ends.client("established", &at_client)?;
    let took = established.number("connect_ns").unwrap_or(0);
    ensure!((1..=connect.t1() - connect.t0()).contains(&took), "connect_ns is {took}");
    let accepted = ends.server("accept", &at_server)?;
    let waited = accepted.number("accept_wait_ns").unwrap_or(u64::MAX);
    ensure!(waited <= accept.t1() - connect.t0(), "accept_wait_ns is {waited}");
    Ok(())
}

#[test]
fn a_client_that_closes_first_without_a_byte_is_orderly() -> Result<()> {
    orderly(0, 0, First::Client)
}

#[test]
fn a_server_that_closes_first_without_a_byte_is_orderly() -> Result<()> {
    orderly(0, 0, First::Server)
}

#[test]
fn one_byte_from_the_client_is_counted_as_one() -> Result<()> {
    orderly(1, 0, First::Client)
}

#[test]
fn one_byte_from_the_server_is_counted_as_one() -> Result<()> {
    orderly(0, 1, First::Server)
}

#[test]
fn a_mebibyte_each_way_is_counted_exactly_when_the_client_closes() -> Result<()> {
    orderly(1 << 20, 1 << 20, First::Client)
}

#[test]
fn a_mebibyte_and_a_byte_is_counted_exactly_when_the_server_closes() -> Result<()> {
    orderly(1 << 20, (1 << 20) + 1, First::Server)
}

#[test]
fn a_half_closed_connection_ends_only_with_the_second_fin() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (scene.client()?, scene.server()?);
    scene.join(&mut client, &mut server)?;
    client.ask("shutdown c")?;
    assert_eq!(server.ask("drain s")?.n(), 0);
    server.ask("send s 5000")?;
    let end = server.ask("close s")?;
    assert_eq!(client.ask("drain c")?.n(), 5000);
    client.ask("close c")?;
    let closed = probe.wait_for(&scene.at_client("closed"))?;
    probe.wait_for(&scene.at_server("closed"))?;
    let ends = scene.stop(probe)?;
    let bytes = |sent: u64, received: u64, by: &str| -> Value {
        json!({ "cause": "orderly", "bytes_sent": sent, "bytes_received": received, "closed_by": by })
    };
    ends.client("closed", &and(&connected_by(&client), &bytes(0, 5000, "local")))?;
    ends.server("closed", &and(&accepted_by(&server), &bytes(5000, 0, "remote")))?;
    ensure!(closed.arrived > end.t0(), "closed before the second FIN");
    Ok(())
}
