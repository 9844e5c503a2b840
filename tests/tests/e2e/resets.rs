//! Lifetimes that end with a RST: who sent it and why.

use anyhow::Result;
use e2e::need::has_reset_reasons;
use e2e::probe::Probe;
use e2e::records::and;
use nix::errno::Errno;
use serde_json::{Value, json};

use crate::scene::{Scene, accepted_by, connected_by};

fn by_peer() -> Value {
    json!({
        "cause": "reset_by_peer", "reset_by": "remote", "closed_by": "remote", "error": "ECONNRESET", "errno": 104,
    })
}

#[test]
fn a_close_with_linger_0_is_a_reset_of_ours() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (scene.client()?, scene.server()?);
    scene.join(&mut client, &mut server)?;
    client.ask("linger0 c")?;
    client.ask("close c")?;
    assert_eq!(server.try_to("drain s")?.errno(), Some(Errno::ECONNRESET));
    server.ask("close s")?;
    probe.wait_for(&scene.at_client("closed"))?;
    probe.wait_for(&scene.at_server("closed"))?;
    let ends = scene.stop(probe)?;
    let ours = json!({ "cause": "reset_linger", "reset_by": "local", "closed_by": "local", "error": null });
    ends.client("closed", &and(&connected_by(&client), &ours))?;
    ends.server("closed", &and(&accepted_by(&server), &by_peer()))?;
    Ok(())
}

#[test]
fn a_close_with_unread_data_says_how_much_was_unread() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (scene.client()?, scene.server()?);
    scene.join(&mut client, &mut server)?;
    server.ask("send s 1000")?;
    client.ask("recv c 223")?;
    client.ask("peek c 777")?;
    client.ask("close c")?;
    assert_eq!(server.try_to("drain s")?.errno(), Some(Errno::ECONNRESET));
    server.ask("close s")?;
    probe.wait_for(&scene.at_client("closed"))?;
    probe.wait_for(&scene.at_server("closed"))?;
    let ends = scene.stop(probe)?;
    let ours = json!({
        "cause": "reset_unread_data", "reset_by": "local", "closed_by": "local", "error": null, "unread_bytes": 777,
        "bytes_sent": 0, "bytes_received": 1000,
    });
    let closed = ends.client("closed", &and(&connected_by(&client), &ours))?;
    if has_reset_reasons() {
        closed.must_be(&json!({ "reset_reason": "tcp_abort_on_close" }))?;
    }
    ends.server("closed", &and(&accepted_by(&server), &by_peer()))?;
    Ok(())
}

#[test]
fn a_disconnect_by_af_unspec_is_a_reset_of_ours() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (scene.client()?, scene.server()?);
    scene.join(&mut client, &mut server)?;
    client.ask("disconnect c")?;
    assert_eq!(server.try_to("drain s")?.errno(), Some(Errno::ECONNRESET));
    client.ask("close c")?;
    server.ask("close s")?;
    probe.wait_for(&scene.at_client("closed"))?;
    probe.wait_for(&scene.at_server("closed"))?;
    let ends = scene.stop(probe)?;
    let ours = json!({ "cause": "reset_linger", "reset_by": "local", "closed_by": "local" });
    ends.client("closed", &and(&connected_by(&client), &ours))?;
    ends.server("closed", &and(&accepted_by(&server), &by_peer()))?;
    Ok(())
}

#[test]
fn a_reset_in_close_wait_is_the_peers_with_epipe() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (scene.client()?, scene.server()?);
    scene.join(&mut client, &mut server)?;
    client.ask("shutdown c")?;
    assert_eq!(server.ask("drain s")?.n(), 0);
    client.ask("linger0 c")?;
    client.ask("close c")?;
    // Data has been read to its end, so only the RST can wake it.
    assert_eq!(server.ask("poll s hup 20000")?.n(), 1);
    let broken = server.try_to("send s 1")?;
    assert_eq!(broken.errno(), Some(Errno::EPIPE));
    server.ask("close s")?;
    probe.wait_for(&scene.at_client("closed"))?;
    probe.wait_for(&scene.at_server("closed"))?;
    let ends = scene.stop(probe)?;
    let by_peer = json!({ "cause": "reset_by_peer", "reset_by": "remote", "closed_by": "remote" });
    ends.server("closed", &and(&accepted_by(&server), &by_peer))?;
    Ok(())
}

#[test]
fn a_connection_nobody_accepted_says_so() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (scene.client()?, scene.server()?);
    let at = server.listen("l", scene.net.server_at(0), 16)?;
    assert_eq!(client.connect("c", at)?.errno(), None);
    // The handshake is done on the server's side too once the listener is readable.
    assert_eq!(server.ask("poll l in 20000")?.n(), 1);
    server.ask("close l")?;
    assert_eq!(client.try_to("drain c")?.errno(), Some(Errno::ECONNRESET));
    client.ask("close c")?;
    probe.wait_for(&scene.at_client("closed"))?;
    probe.wait_for(&scene.at_server("closed"))?;
    let ends = scene.stop(probe)?;
    ends.client("closed", &and(&connected_by(&client), &by_peer()))?;
    ends.server("closed", &json!({
        "cause": "never_accepted", "accepted": false, "role": "server", "pid": server.pid(), "pid_source": "listener",
        "reset_by": "local", "closed_by": "local",
    }))?;
    assert!(!ends.server.iter().any(|r| r.event() == "accept"));
    Ok(())
}
