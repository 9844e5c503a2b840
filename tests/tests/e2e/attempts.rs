//! Attempts that end before ESTABLISHED: exactly one `failed` each, with its cause.

use anyhow::{Result, ensure};
use e2e::net::Ns;
use e2e::peer::{Peer, Truth};
use e2e::probe::Probe;
use e2e::records::{Record, and};
use nix::errno::Errno;
use serde_json::{Value, json};

use crate::scene::{Scene, connected_by, steered};

/// The attempt began within the call, and ended between its begin and the record's arrival.
fn must_last_plausibly(failed: &Record, connect: &Truth, at_least: u64) -> Result<()> {
    let lasted = failed.number("duration_ns").unwrap_or(u64::MAX);
    let at_most = failed.arrived - connect.t0();
    ensure!((at_least..=at_most).contains(&lasted), "not {at_least} to {at_most} ns: {}", failed.json);
    Ok(())
}

/// Pattern of what was refused by a RST.
fn refused(client: &Peer, scene: &Scene, port: u16, connect: &Truth) -> Value {
    and(
        &connected_by(client),
        &json!({
            "family": "ipv4", "protocol": "tcp", "cause": "refused", "error": "ECONNREFUSED", "errno": 111,
            "local_addr": scene.net.client_v4(), "local_port": connect.local().port(),
            "remote_addr": scene.net.server_v4(), "remote_port": port,
        }),
    )
}

#[test]
fn a_refused_blocking_connect_fails_once_as_refused() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let mut client = scene.client()?;
    let truth = client.connect("c", scene.net.server_at(9))?;
    assert_eq!(truth.errno(), Some(Errno::ECONNREFUSED));
    probe.wait_for(&scene.at_client("failed"))?;
    let ends = scene.stop(probe)?;
    let failed = ends.client("failed", &refused(&client, &scene, 9, &truth))?;
    must_last_plausibly(failed, &truth, 1)?;
    ends.client("connect", &connected_by(&client))?;
    Ok(())
}

#[test]
fn a_refused_non_blocking_connect_fails_once_as_refused() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let mut client = scene.client()?;
    client.ask("socket c 4")?;
    client.ask("nonblock c")?;
    let truth = client.try_to(&format!("connect c {}", scene.net.server_at(9)))?;
    assert_eq!(truth.errno(), Some(Errno::EINPROGRESS));
    client.ask("poll c out 20000")?;
    assert_eq!(client.ask("so_error c")?.n(), Errno::ECONNREFUSED as u64);
    client.ask("close c")?;
    probe.wait_for(&scene.at_client("failed"))?;
    let ends = scene.stop(probe)?;
    let failed = ends.client("failed", &refused(&client, &scene, 9, &truth))?;
    must_last_plausibly(failed, &truth, 1)
}

/// One blocking attempt from `ns` to `to` that the kernel ends at once, without a SYN.
fn at_once(scene: &Scene, ns: &Ns, to: &str, errno: Errno, pattern: &Value) -> Result<Record> {
    let probe = Probe::start(&[])?;
    let mut client = steered(ns, "client")?;
    let truth = client.connect("c", to.parse()?)?;
    assert_eq!(truth.errno(), Some(errno));
    let here = json!({ "event": "failed", "netns": ns.inode() });
    probe.wait_for(&here)?;
    client.ask("close c")?;
    let run = probe.stop()?.sound()?;
    scene.check(&run)?;
    let failed = e2e::records::only(&run.records, &here)?;
    let (remote_addr, remote_port) = (to.split(':').next(), to.split(':').nth(1));
    failed.must_be(&and(
        &connected_by(&client),
        &json!({
            "family": "ipv4", "remote_addr": remote_addr,
            "remote_port": remote_port.and_then(|p| p.parse::<u16>().ok()),
            "errno": errno as i32, "error": format!("{errno:?}"),
        }),
    ))?;
    failed.must_be(pattern)?;
    must_last_plausibly(failed, &truth, 0)?;
    let ends =
        |r: &&Record| r.is(&json!({ "netns": ns.inode() })) && matches!(r.event(), "failed" | "closed");
    assert_eq!(run.records.iter().filter(ends).count(), 1);
    Ok(failed.clone())
}

#[test]
fn without_a_route_it_fails_as_no_route() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let empty = Ns::new()?;
    at_once(&scene, &empty, "198.51.100.1:80", Errno::ENETUNREACH, &json!({ "cause": "no_route" }))?;
    Ok(())
}

#[test]
fn an_unreachable_route_fails_with_ehostunreach() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    scene.net.client.ip(&["route", "add", "unreachable", "198.51.100.1"])?;
    let failed = at_once(&scene, &scene.net.client, "198.51.100.1:80", Errno::EHOSTUNREACH, &json!({}))?;
    let cause = failed.text("cause").unwrap_or("");
    ensure!(["unreachable", "no_route"].contains(&cause), "cause is {cause}");
    Ok(())
}

#[test]
fn a_prohibited_route_fails_as_denied() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    scene.net.client.ip(&["route", "add", "prohibit", "198.51.100.1"])?;
    at_once(&scene, &scene.net.client, "198.51.100.1:80", Errno::EACCES, &json!({ "cause": "denied" }))?;
    Ok(())
}

#[test]
fn a_blackhole_route_fails_once_with_einval() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    scene.net.client.ip(&["route", "add", "blackhole", "198.51.100.1"])?;
    at_once(&scene, &scene.net.client, "198.51.100.1:80", Errno::EINVAL, &json!({}))?;
    Ok(())
}

#[test]
fn without_a_free_port_it_fails_as_no_port() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    scene.net.client.sh("echo 20000 20001 > /proc/sys/net/ipv4/ip_local_port_range")?;
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (scene.client()?, scene.server()?);
    let at = server.listen("l", scene.net.server_at(0), 16)?;
    let mut made = 0;
    loop {
        let truth = client.connect(&format!("c{made}"), at)?;
        match truth.errno() {
            None => made += 1,
            Some(Errno::EADDRNOTAVAIL) => break,
            Some(other) => anyhow::bail!("connect gave {other}"),
        }
        server.ask(&format!("accept l s{made}"))?;
        ensure!(made <= 2, "{made} connections with two ports");
    }
    probe.wait_for(&scene.at_client("failed"))?;
    for n in 0..made {
        client.ask(&format!("close c{n}"))?;
        server.ask(&format!("close s{}", n + 1))?;
    }
    probe.wait_until("every connection closed", |all| {
        let closed = |p: Value| all.iter().filter(|r| r.is(&p)).count();
        (closed(scene.at_client("closed")) + closed(scene.at_server("closed")) == 2 * made).then_some(())
    })?;
    let ends = scene.stop(probe)?;
    let pattern =
        json!({ "cause": "no_port", "error": "EADDRNOTAVAIL", "errno": 99, "remote_port": at.port() });
    ends.client("failed", &and(&connected_by(&client), &pattern))?;
    Ok(())
}

#[test]
fn an_attempt_the_application_gives_up_is_abandoned() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let nobody = scene.net.nobody_v4();
    // A neighbour that swallows everything: no ARP failure comes first.
    let mac = ["lladdr", "02:00:00:00:00:63", "dev", "veth"];
    scene.net.client.ip(&[&["neighbour", "add", &nobody.to_string()], mac.as_slice()].concat())?;
    let probe = Probe::start(&[])?;
    let mut client = scene.client()?;
    client.ask("socket c 4")?;
    client.ask("nonblock c")?;
    let truth = client.try_to(&format!("connect c {nobody}:80"))?;
    assert_eq!(truth.errno(), Some(Errno::EINPROGRESS));
    assert_eq!(client.ask("poll c out 300")?.n(), 0);
    let closed = client.ask("close c")?;
    probe.wait_for(&scene.at_client("failed"))?;
    let ends = scene.stop(probe)?;
    let pattern = and(
        &connected_by(&client),
        &json!({
            "cause": "abandoned", "error": null, "remote_addr": nobody, "remote_port": 80,
            "local_port": truth.local().port(),
        }),
    );
    let failed = ends.client("failed", &pattern)?;
    must_last_plausibly(failed, &truth, closed.t0() - truth.t1())
}
