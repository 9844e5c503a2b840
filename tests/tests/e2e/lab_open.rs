//! The fault lab: what connprobe still tells wrongly. Not part of the test binary: a test that passes moves to its
//! own file.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use e2e::peer::Peer;
use e2e::probe::Probe;
use e2e::records::{and, only};
use nix::errno::Errno;
use serde_json::json;

use crate::lab::{Lab, error};
use crate::lab_attempts::{KINDS_V4, KINDS_V6, begun, http, http_v6, rejected};
use crate::lab_identity::{counter, orderly};
use crate::lab_lifetimes::{Story, local_linger, must_end};
use crate::scene::{accepted_by, connected_by};

// lab_lifetimes.rs: the cause is given as `timed_out`.
#[test]
fn a_user_timeout_ends_it() -> Result<()> {
    let story = Story::new(|lab, client, _, _| {
        client.ask("set c user_timeout 300")?;
        lab.cut()?;
        client.ask("send c 100")?;
        must_end(client, "c", Errno::ETIMEDOUT)
    })?;
    let Some(story) = story else { return Ok(()) };
    let pattern =
        json!({ "cause": "user_timeout", "closed_by": "kernel", "reset_by": null, "bytes_sent": 0 });
    story.client(&and(&error(Errno::ETIMEDOUT), &pattern))?;
    story.server(&local_linger())
}

// lab_identity.rs: `connect_ns` of the second holds the time before its SYN.
#[test]
fn the_clock_of_a_fast_open_starts_at_its_syn() -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    for ns in [&lab.net.client, &lab.net.server] {
        lab.tune(ns, "tcp_fastopen", 3)?;
    }
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    server.ask("socket l 4")?;
    server.ask(&format!("bind l {}", lab.net.server_at(0)))?;
    server.ask("set l fastopen 16")?;
    let at = server.ask("listen l 16")?.local();
    let mut made = Vec::new();
    for bytes in [11u64, 22] {
        client.ask("socket c 4")?;
        client.ask("set c fastopen_connect 1")?;
        client.ask(&format!("connect c {at}"))?;
        // The second has a cookie: its SYN leaves only now, with the data.
        let idle = client.ask("poll c hup 200")?;
        let sent = client.ask(&format!("send c {bytes}"))?;
        server.ask("accept l s")?;
        assert_eq!(server.ask(&format!("recv s {bytes}"))?.n(), bytes);
        client.ask("close c")?;
        server.ask("drain s")?;
        server.ask("close s")?;
        made.push((bytes, idle, sent));
    }
    let ended = |r: &&e2e::records::Record| r.is(&lab.at_client("closed")) || r.is(&lab.at_server("closed"));
    probe.wait_until("four ends", |all| (all.iter().filter(ended).count() == 4).then_some(()))?;
    let ends = lab.stop(probe)?;
    let used = lab.net.client.sh("grep -A1 TcpExt: /proc/net/netstat")?;
    ensure!(counter(&used, "TCPFastOpenActive")? == 1, "no fast open happened:\n{used}");
    for (bytes, idle, _) in made {
        let closed = only(&ends.client, &json!({ "event": "closed", "bytes_sent": bytes }))?;
        closed.must_be(&and(&connected_by(&client), &orderly(bytes, 0, "local")))?;
        let took = closed.number("connect_ns").context("no connect_ns")?;
        ensure!(took < idle.t1() - idle.t0(), "the wait before the SYN is in connect_ns: {}", closed.json);
        let closed = only(&ends.server, &json!({ "event": "closed", "bytes_received": bytes }))?;
        closed.must_be(&and(&accepted_by(&server), &orderly(0, bytes, "remote")))?;
    }
    Ok(())
}

// lab_lifetimes.rs: `ss`, which is another process, is not named.
#[test]
fn an_administrator_is_the_closer() -> Result<()> {
    let story = Story::new(|lab, client, _, _| {
        lab.net.client.sh("ss -K -t state established")?;
        must_end(client, "c", Errno::ECONNABORTED)
    })?;
    let Some(story) = story else { return Ok(()) };
    let aborted = json!({ "cause": "aborted", "closed_by": "admin", "closer_comm": "ss" });
    let who = and(&connected_by(&story.client), &aborted);
    only(&story.ends.client, &json!({ "event": "closed" }))?.must_be(&who)
}

// lab_attempts.rs: now and then nothing is seen of the port-unreachable but its DESTROY (`other`, `incomplete`).
/// Until SO_ERROR says it: the error queue makes the socket readable (POLLERR) just before the error is set.
fn polling(client: &mut Peer, name: &str, to: SocketAddr) -> Result<(SocketAddr, Option<Errno>)> {
    let truth = begun(client, name, to)?;
    for _ in 0..100 {
        let polled = client.ask(&format!("poll {name} out 20000"))?;
        ensure!(polled.n() == 1, "not ready: {}", polled.0);
        let error = i32::try_from(client.ask(&format!("so_error {name}"))?.n())?;
        if error != 0 {
            client.ask(&format!("close {name}"))?;
            return Ok((truth.local(), Some(Errno::from_raw(error))));
        }
    }
    Ok((truth.local(), None))
}

#[test]
fn the_server_rejects_in_every_way() -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    rejected(&lab, (&lab.net.server, "input"), http(&lab), &KINDS_V4, polling)
}

#[test]
fn the_server_rejects_ipv6_in_every_way() -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    rejected(&lab, (&lab.net.server, "input"), http_v6(&lab), &KINDS_V6, polling)
}
