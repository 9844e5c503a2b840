//! Whose connection it is.

use anyhow::Result;
use e2e::peer::Peer;
use e2e::probe::Probe;
use e2e::records::and;
use serde_json::json;

use crate::scene::{Scene, accepted_by, connected_by, owned_by, peer_program};

#[test]
fn a_forked_worker_that_accepts_is_the_owner() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (scene.client()?, scene.server()?);
    let at = server.listen("l", scene.net.server_at(0), 16)?;
    let worker = server.ask("fork w")?.n();
    server.ask("in w name worker")?;
    server.ask("in w setuid 65534")?;
    server.begin("in w accept l s")?;
    assert_eq!(client.connect("c", at)?.errno(), None);
    assert_eq!(server.finish()?.pid(), worker);
    client.ask("close c")?;
    server.ask("in w drain s")?;
    server.ask("in w close s")?;
    probe.wait_for(&scene.at_client("closed"))?;
    probe.wait_for(&scene.at_server("closed"))?;
    let ends = scene.stop(probe)?;
    let owner = json!({
        "pid": worker, "pid_source": "accept", "comm": "worker", "exe": peer_program(), "cmdline": server.cmdline(),
        "uid": 65534, "user": "nobody", "role": "server",
    });
    ends.server("accept", &owner)?;
    ends.server("closed", &and(&owner, &json!({ "cause": "orderly", "closer_pid": null })))?;
    ends.client("closed", &connected_by(&client))?;
    ends.server("listen", &owned_by(&server))?;
    Ok(())
}

#[test]
fn a_process_gone_before_the_record_is_still_named() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let mut server = scene.server()?;
    let at = server.listen("l", scene.net.server_at(0), 16)?;
    let mut client = Peer::spawn(peer_program(), &["once", &at.to_string()], &scene.net.client, true)?;
    let truth = client.finish()?;
    assert!(client.wait()?.success());
    // Only now, with the client reaped, does the connection end.
    server.ask("accept l s")?;
    assert_eq!(server.ask("drain s")?.n(), 1);
    server.ask("close s")?;
    probe.wait_for(&scene.at_client("closed"))?;
    probe.wait_for(&scene.at_server("closed"))?;
    let ends = scene.stop(probe)?;
    let owner = and(&connected_by(&client), &json!({ "local_port": truth.local().port() }));
    ends.client("established", &owner)?;
    ends.client(
        "closed",
        &and(&owner, &json!({ "cause": "orderly", "closed_by": "local", "bytes_sent": 1 })),
    )?;
    ends.server("closed", &and(&accepted_by(&server), &json!({ "bytes_received": 1 })))?;
    Ok(())
}

#[test]
fn a_killed_client_owns_its_end() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (scene.client()?, scene.server()?);
    scene.join(&mut client, &mut server)?;
    client.kill()?;
    assert_eq!(server.ask("drain s")?.n(), 0);
    server.ask("close s")?;
    probe.wait_for(&scene.at_client("closed"))?;
    probe.wait_for(&scene.at_server("closed"))?;
    let ends = scene.stop(probe)?;
    let end = json!({ "cause": "process_exit", "closed_by": "local", "reset_by": null, "error": null });
    ends.client("closed", &and(&connected_by(&client), &end))?;
    let end = json!({ "cause": "orderly", "closed_by": "remote", "error": null });
    ends.server("closed", &and(&accepted_by(&server), &end))?;
    Ok(())
}

#[test]
fn ipv6_is_ipv6() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (scene.client()?, scene.server()?);
    let at = server.listen("l", (scene.net.server_v6(), 0), 16)?;
    server.begin("accept l s")?;
    let truth = client.connect("c", at)?;
    assert_eq!(truth.errno(), None);
    server.finish()?;
    client.ask("send c 42")?;
    assert_eq!(server.ask("recv s 42")?.n(), 42);
    client.ask("close c")?;
    server.ask("drain s")?;
    server.ask("close s")?;
    probe.wait_for(&scene.at_client("closed"))?;
    probe.wait_for(&scene.at_server("closed"))?;
    let ends = scene.stop(probe)?;
    ends.client(
        "closed",
        &and(
            &connected_by(&client),
            &json!({
                "family": "ipv6", "cause": "orderly", "bytes_sent": 42, "bytes_received": 0,
                "local_addr": scene.net.client_v6(), "local_port": truth.local().port(),
                "remote_addr": scene.net.server_v6(), "remote_port": at.port(),
            }),
        ),
    )?;
    ends.server(
        "closed",
        &and(
            &accepted_by(&server),
            &json!({
                "family": "ipv6", "local_addr": scene.net.server_v6(), "remote_addr": scene.net.client_v6(),
                "local_port": at.port(), "remote_port": truth.local().port(), "bytes_received": 42,
            }),
        ),
    )?;
    Ok(())
}

#[test]
fn a_refused_ipv6_attempt_is_refused() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let mut client = scene.client()?;
    let truth = client.connect("c", (scene.net.server_v6(), 9).into())?;
    assert_eq!(truth.errno(), Some(nix::errno::Errno::ECONNREFUSED));
    probe.wait_for(&scene.at_client("failed"))?;
    let ends = scene.stop(probe)?;
    ends.client("failed", &and(&connected_by(&client), &json!({
        "family": "ipv6", "cause": "refused", "error": "ECONNREFUSED", "remote_addr": scene.net.server_v6(),
        "local_addr": scene.net.client_v6(), "remote_port": 9,
    })))?;
    Ok(())
}

#[test]
fn v4_mapped_ipv6_is_shown_as_ipv4() -> Result<()> {
    let Some(scene) = Scene::traced()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (scene.client()?, scene.server()?);
    // The server too: an AF_INET6 listener that takes IPv4.
    let at = server.listen("l", "[::]:0".parse::<std::net::SocketAddr>()?, 16)?;
    server.begin("accept l s")?;
    client.ask("socket c 6")?;
    let truth = client.ask(&format!("connect c [::ffff:{}]:{}", scene.net.server_v4(), at.port()))?;
    server.finish()?;
    client.ask("close c")?;
    server.ask("drain s")?;
    server.ask("close s")?;
    probe.wait_for(&scene.at_client("closed"))?;
    probe.wait_for(&scene.at_server("closed"))?;
    let ends = scene.stop(probe)?;
    let pattern = and(
        &connected_by(&client),
        &json!({
            "family": "ipv4", "local_addr": scene.net.client_v4(), "remote_addr": scene.net.server_v4(),
            "local_port": truth.local().port(), "remote_port": at.port(),
        }),
    );
    ends.client("closed", &pattern)?;
    ends.client("established", &pattern)?;
    ends.server(
        "closed",
        &and(
            &accepted_by(&server),
            &json!({
                "family": "ipv4", "local_addr": scene.net.server_v4(), "remote_addr": scene.net.client_v4(),
            }),
        ),
    )?;
    Ok(())
}
