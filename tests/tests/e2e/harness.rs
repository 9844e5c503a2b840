//! The harness itself, without a tracer.

use std::path::Path;

use anyhow::{Context, Result};
use e2e::clock::now_ns;
use e2e::net::Ns;
use nix::errno::Errno;

use crate::scene::{Scene, steered};

#[test]
fn a_namespace_is_entered_and_goes_away() -> Result<()> {
    if !e2e::need::satisfied(false) {
        return Ok(());
    }
    let ns = Ns::new()?;
    let inside = ns.enter(|| std::fs::read_link("/proc/thread-self/ns/net"))??;
    assert_eq!(inside.to_string_lossy(), format!("net:[{}]", ns.inode()));
    let path = ns.path();
    assert!(path.exists());
    drop(ns);
    assert!(!path.exists());
    Ok(())
}

#[test]
fn a_namespace_goes_away_when_the_test_panics() -> Result<()> {
    if !e2e::need::satisfied(false) {
        return Ok(());
    }
    let ns = Ns::new()?;
    let path = ns.path();
    let panicked = std::thread::spawn(move || {
        let _held = ns;
        // Not `panic!`: its message would look like a failure of this test.
        std::panic::resume_unwind(Box::new("on purpose"));
    })
    .join();
    assert!(panicked.is_err());
    assert!(!path.exists());
    Ok(())
}

#[test]
fn every_cpu_is_busy_and_free_again() -> Result<()> {
    let Some(scene) = Scene::untraced()? else { return Ok(()) };
    let pids = scene.busy_pids();
    assert_eq!(pids.len(), e2e::run::cpus());
    drop(scene);
    for pid in pids {
        assert!(!Path::new("/proc").join(pid.to_string()).exists());
    }
    Ok(())
}

#[test]
fn peers_tell_the_truth_of_each_call() -> Result<()> {
    let Some(scene) = Scene::untraced()? else { return Ok(()) };
    let (mut client, mut server) = (scene.client()?, scene.server()?);
    let before = now_ns();
    let at = server.listen("l", scene.net.server_at(0), 16)?;
    server.begin("accept l s")?;
    let connected = client.connect("c", at)?;
    assert_eq!(connected.errno(), None);
    assert_eq!(connected.local().ip(), scene.net.client_v4());
    assert_eq!(connected.pid(), client.pid());
    assert!(before < connected.t0() && connected.t0() < connected.t1() && connected.t1() < now_ns());
    let accepted = server.finish()?;
    assert_eq!(accepted.local(), at);
    client.begin("send c 1048576")?;
    assert_eq!(server.ask("recv s 1048576")?.n(), 1_048_576);
    assert_eq!(client.finish()?.n(), 1_048_576);
    client.ask("linger0 c")?;
    client.ask("close c")?;
    assert_eq!(server.try_to("drain s")?.errno(), Some(Errno::ECONNRESET));
    Ok(())
}

#[test]
fn a_worker_inherits_the_listener_and_accepts() -> Result<()> {
    let Some(scene) = Scene::untraced()? else { return Ok(()) };
    let (mut client, mut server) = (scene.client()?, scene.server()?);
    let at = server.listen("l", scene.net.server_at(0), 16)?;
    let worker = server.ask("fork w")?.n();
    server.begin("in w accept l s")?;
    client.connect("c", at)?;
    let accepted = server.finish()?;
    assert_eq!(accepted.pid(), worker);
    assert_ne!(accepted.pid(), server.pid());
    Ok(())
}

#[test]
fn packets_are_handled_in_a_bystanders_context() -> Result<()> {
    let Some(scene) = Scene::untraced()? else { return Ok(()) };
    // Row `cpu`, column 10: packets this CPU was sent by another one (`received_rps`).
    let steered_to_last = || -> Result<u64> {
        let text = std::fs::read_to_string("/proc/net/softnet_stat")?;
        let row = text.lines().nth(e2e::run::cpus() - 1).context("a row per CPU")?;
        Ok(u64::from_str_radix(row.split_whitespace().nth(9).context("ten columns")?, 16)?)
    };
    let (mut client, mut server) = (scene.client()?, scene.server()?);
    let before = steered_to_last()?;
    scene.join(&mut client, &mut server)?;
    let after = steered_to_last()?;
    assert!(after > before, "no packet was handled on another CPU than the peers'");
    Ok(())
}

#[test]
fn an_empty_namespace_has_no_route() -> Result<()> {
    if !e2e::need::satisfied(false) {
        return Ok(());
    }
    let ns = Ns::new()?;
    let mut client = steered(&ns, "client")?;
    let truth = client.connect("c", "198.51.100.1:80".parse()?)?;
    assert_eq!(truth.errno(), Some(Errno::ENETUNREACH));
    Ok(())
}
