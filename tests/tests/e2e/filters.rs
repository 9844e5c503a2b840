//! Filters show what they should and nothing else.

use anyhow::{Result, ensure};
use e2e::probe::{Probe, Run};
use e2e::records::{Record, listing};
use serde_json::{Value, json};

use crate::scene::Scene;

/// Records that belong to the run and to no connection.
fn of_the_run(record: &Record) -> bool {
    matches!(record.event(), "start" | "stop" | "lost")
}

/// Runs with filters and one steered client; stops when `last` was seen.
fn filtered(args: &[&str], act: impl FnOnce() -> Result<()>, last: &Value) -> Result<Run> {
    let probe = Probe::start(args)?;
    act()?;
    probe.wait_for(last)?;
    probe.stop()?.sound()
}

/// Every record of a connection must satisfy `fits`, and some must.
fn all_fit(run: &Run, fits: impl Fn(&Record) -> bool) -> Result<()> {
    let (fit, unfit): (Vec<_>, Vec<_>) = run.records.iter().filter(|r| !of_the_run(r)).partition(|r| fits(r));
    ensure!(unfit.is_empty(), "must not be shown:\n{}", listing(unfit));
    ensure!(!fit.is_empty(), "nothing is shown");
    Ok(())
}

/// An attempt to port 9, then one to port 10.
fn two_ports(scene: &Scene) -> Result<()> {
    let mut client = scene.client()?;
    client.connect("a", scene.net.server_at(9))?;
    client.connect("b", scene.net.server_at(10))?;
    Ok(())
}

fn failed(scene: &Scene, port: u16) -> Value {
    json!({ "event": "failed", "netns": scene.net.client.inode(), "remote_port": port })
}

#[test]
fn remote_port_shows_that_port_only() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let run = filtered(&["--remote-port", "10"], || two_ports(&scene), &failed(&scene, 10))?;
    all_fit(&run, |r| r.number("remote_port") == Some(10))
}

#[test]
fn port_shows_both_ends_of_that_port() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let run = filtered(&["--port", "10"], || two_ports(&scene), &failed(&scene, 10))?;
    all_fit(&run, |r| r.number("remote_port") == Some(10) || r.number("local_port") == Some(10))
}

#[test]
fn netns_shows_that_namespace_only() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let netns = scene.net.client.inode();
    let args = ["--netns", &netns.to_string()];
    let run = filtered(&args, || two_ports(&scene), &failed(&scene, 10))?;
    all_fit(&run, |r| r.number("netns") == Some(netns.into()))
}

#[test]
fn events_shows_those_events_only() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let run = filtered(&["--events", "start,failed,stop"], || two_ports(&scene), &failed(&scene, 10))?;
    all_fit(&run, |r| r.event() == "failed")
}

#[test]
fn comm_shows_that_command_only() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let act = || -> Result<()> {
        let mut client = scene.client()?;
        client.connect("a", scene.net.server_at(9))?;
        client.ask("name wanted-one")?;
        client.connect("b", scene.net.server_at(10))?;
        Ok(())
    };
    let run = filtered(&["--comm", "wanted-one"], act, &failed(&scene, 10))?;
    all_fit(&run, |r| r.text("comm") == Some("wanted-one") && r.number("remote_port") == Some(10))
}

#[test]
fn pid_shows_that_process_only() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let (mut other, mut client) = (scene.client()?, scene.client()?);
    let pid = client.pid();
    let act = || -> Result<()> {
        other.connect("a", scene.net.server_at(9))?;
        client.connect("b", scene.net.server_at(10))?;
        Ok(())
    };
    let run = filtered(&["--pid", &pid.to_string()], act, &failed(&scene, 10))?;
    all_fit(&run, |r| r.number("pid") == Some(pid))
}

#[test]
fn addr_shows_that_prefix_only() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let (here, there) = (scene.net.client_v4(), scene.net.server_v4());
    let act = || -> Result<()> {
        let mut client = scene.client()?;
        // To itself: not the wanted address.
        client.connect("a", (here, 9).into())?;
        client.connect("b", (there, 10).into())?;
        Ok(())
    };
    let run = filtered(&["--addr", &format!("{there}/32")], act, &failed(&scene, 10))?;
    let there = there.to_string();
    all_fit(&run, |r| r.text("remote_addr") == Some(&there) || r.text("local_addr") == Some(&there))
}

#[test]
fn failures_shows_only_what_went_wrong() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let act = || -> Result<()> {
        let (mut client, mut server) = (scene.client()?, scene.server()?);
        scene.join(&mut client, &mut server)?;
        client.ask("close c")?;
        server.ask("drain s")?;
        server.ask("close s")?;
        client.connect("b", scene.net.server_at(10))?;
        Ok(())
    };
    let run = filtered(&["--failures"], act, &failed(&scene, 10))?;
    let wrong =
        ["failed", "reset", "refused_inbound", "listen_overflow", "outage", "reconnected", "flapping"];
    all_fit(&run, |r| {
        wrong.contains(&r.event()) || (r.event() == "closed" && r.text("cause") != Some("orderly"))
    })
}
