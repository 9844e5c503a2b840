//! Sockets older than the tracer.

use anyhow::Result;
use e2e::probe::Probe;
use e2e::records::{and, only};
use serde_json::json;

use crate::scene::{Scene, owned_by};

#[test]
fn a_connection_and_a_listener_from_before_are_known_with_their_owners() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let (mut client, mut server) = (scene.client()?, scene.server()?);
    let at = server.listen("l", scene.net.server_at(0), 16)?;
    server.begin("accept l s")?;
    let port = client.connect("c", at)?.local().port();
    server.finish()?;
    client.ask("send c 5000")?;
    assert_eq!(server.ask("recv s 5000")?.n(), 5000);

    let probe = Probe::start(&[])?;
    client.ask("send c 1234")?;
    assert_eq!(server.ask("recv s 1234")?.n(), 1234);
    server.ask("send s 77")?;
    assert_eq!(client.ask("recv c 77")?.n(), 77);
    client.ask("close c")?;
    server.ask("drain s")?;
    server.ask("close s")?;
    probe.wait_for(&scene.at_client("closed"))?;
    probe.wait_for(&scene.at_server("closed"))?;
    server.ask("close l")?;
    probe.wait_for(&scene.at_server("listen_end"))?;
    let ends = scene.stop(probe)?;

    let seeded = json!({ "pre_existing": true, "pid_source": "snapshot" });
    let at_client = and(
        &and(&owned_by(&client), &seeded),
        &json!({
            "local_addr": scene.net.client_v4(), "local_port": port,
            "remote_addr": scene.net.server_v4(), "remote_port": at.port(),
        }),
    );
    let at_server = and(
        &and(&owned_by(&server), &seeded),
        &json!({
            "local_addr": scene.net.server_v4(), "local_port": at.port(),
            "remote_addr": scene.net.client_v4(), "remote_port": port,
        }),
    );
    let known = ends.client("snapshot", &at_client)?;
    known.must_be(&json!({ "state": "established" }))?;
    only(&ends.server, &json!({ "event": "snapshot", "remote_port": port }))?.must_be(&at_server)?;
    let listener = json!({ "event": "snapshot", "state": "listen", "local_port": at.port() });
    only(&ends.server, &listener)?.must_be(&and(&owned_by(&server), &seeded))?;

    let closed = ends.client("closed", &and(&at_client, &json!({
        "cause": "orderly", "closed_by": "local", "duration_ns": null, "bytes_sent": 6234, "bytes_received": 77,
    })))?;
    assert_eq!(closed.text("conn"), known.text("conn"));
    ends.server("closed", &and(&at_server, &json!({
        "cause": "orderly", "closed_by": "remote", "duration_ns": null, "bytes_sent": 77, "bytes_received": 6234,
    })))?;
    ends.server("listen_end", &owned_by(&server))?;
    Ok(())
}

#[test]
fn a_connection_from_before_that_is_reset_says_by_whom() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let (mut client, mut server) = (scene.client()?, scene.server()?);
    scene.join(&mut client, &mut server)?;
    let probe = Probe::start(&[])?;
    client.ask("linger0 c")?;
    client.ask("close c")?;
    server.try_to("drain s")?;
    server.ask("close s")?;
    probe.wait_for(&scene.at_client("closed"))?;
    probe.wait_for(&scene.at_server("closed"))?;
    let ends = scene.stop(probe)?;
    let seeded = json!({ "pre_existing": true, "duration_ns": null });
    let ours = json!({ "cause": "reset_linger", "reset_by": "local" });
    ends.client("closed", &and(&and(&owned_by(&client), &seeded), &ours))?;
    let theirs = json!({ "cause": "reset_by_peer", "reset_by": "remote", "error": "ECONNRESET" });
    ends.server("closed", &and(&and(&owned_by(&server), &seeded), &theirs))?;
    Ok(())
}

#[test]
fn a_listener_from_before_accepts_connections_of_now() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let (mut client, mut server) = (scene.client()?, scene.server()?);
    let at = server.listen("l", scene.net.server_at(0), 16)?;
    let probe = Probe::start(&[])?;
    server.begin("accept l s")?;
    client.connect("c", at)?;
    server.finish()?;
    client.ask("close c")?;
    server.ask("drain s")?;
    server.ask("close s")?;
    probe.wait_for(&scene.at_client("closed"))?;
    probe.wait_for(&scene.at_server("closed"))?;
    let ends = scene.stop(probe)?;
    let now = json!({ "pid_source": "accept", "pre_existing": null, "cause": "orderly" });
    ends.server("closed", &and(&owned_by(&server), &now))?;
    Ok(())
}
