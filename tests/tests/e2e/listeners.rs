//! Listeners, and ports where there is none.

use anyhow::{Result, ensure};
use e2e::need::has_reset_reasons;
use e2e::probe::Probe;
use e2e::records::{Record, and, listing};
use nix::errno::Errno;
use serde_json::json;

use crate::scene::{Scene, owned_by};

#[test]
fn a_listener_starts_with_its_backlog_and_ends() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let mut server = scene.server()?;
    let at = server.listen("l", scene.net.server_at(0), 7)?;
    server.ask("close l")?;
    probe.wait_for(&scene.at_server("listen_end"))?;
    let ends = scene.stop(probe)?;
    let pattern = and(
        &owned_by(&server),
        &json!({
            "family": "ipv4", "local_addr": scene.net.server_v4(), "local_port": at.port(), "remote_port": null,
        }),
    );
    let listen = ends.server("listen", &and(&pattern, &json!({ "backlog": 7 })))?;
    let end = ends.server("listen_end", &pattern)?;
    assert_eq!(listen.text("conn"), end.text("conn"));
    Ok(())
}

#[test]
fn a_listener_ends_with_its_process() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let mut server = scene.server()?;
    let at = server.listen("l", (scene.net.server_v6(), 0), 3)?;
    server.kill()?;
    probe.wait_for(&scene.at_server("listen_end"))?;
    let ends = scene.stop(probe)?;
    let pattern = and(&owned_by(&server), &json!({ "family": "ipv6", "local_port": at.port() }));
    ends.server("listen", &and(&pattern, &json!({ "backlog": 3 })))?;
    ends.server("listen_end", &pattern)?;
    Ok(())
}

#[test]
fn an_inbound_attempt_to_a_port_without_a_listener_is_seen() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let mut client = scene.client()?;
    let truth = client.connect("c", scene.net.server_at(9))?;
    assert_eq!(truth.errno(), Some(Errno::ECONNREFUSED));
    let (netns, client_v4, server_v4) =
        (scene.net.server.inode(), scene.net.client_v4(), scene.net.server_v4());
    let tried = json!({ "netns": netns, "remote_addr": client_v4, "local_addr": server_v4, "local_port": 9 });
    let seen = |r: &&Record| matches!(r.event(), "refused_inbound" | "reset") && r.is(&tried);
    let seen = probe.wait_until("refused_inbound or reset", |all| all.iter().find(seen).cloned())?;
    if has_reset_reasons() {
        seen.must_be(&json!({ "reset_reason": "no_socket" }))?;
    }
    let ends = scene.stop(probe)?;
    let lives: Vec<_> =
        ends.server.iter().filter(|r| ["accept", "closed", "failed"].contains(&r.event())).collect();
    ensure!(lives.is_empty(), "a life without a socket:\n{}", listing(lives));
    Ok(())
}
