//! The fault lab: lifetimes that end with an error, a timer or an administrator.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use e2e::need::has_reset_reasons;
use e2e::peer::{Peer, Truth};
use e2e::probe::Probe;
use e2e::records::{and, listing, only};
use nix::errno::Errno;
use serde_json::{Value, json};

use crate::lab::{Lab, error, from_to};
use crate::scene::{Ends, accepted_by, connected_by};

/// The server's error after a RST.
fn by_peer() -> Value {
    and(
        &error(Errno::ECONNRESET),
        &json!({ "cause": "reset_by_peer", "reset_by": "remote", "closed_by": "remote" }),
    )
}

/// One lifetime `c`, accepted as `s`, with the end that is `make`'s doing; both ends closed afterwards.
pub(crate) struct Story {
    lab: Lab,
    pub(crate) client: Peer,
    server: Peer,
    connect: Truth,
    at: SocketAddr,
    pub(crate) ends: Ends,
}

impl Story {
    pub(crate) fn new(
        make: impl FnOnce(&Lab, &mut Peer, &mut Peer, &Probe) -> Result<()>,
    ) -> Result<Option<Self>> {
        let Some(lab) = Lab::new()? else { return Ok(None) };
        let probe = Probe::start(&[])?;
        let (mut client, mut server) = (lab.client()?, lab.server()?);
        let at = server.listen("l", lab.net.server_at(0), 16)?;
        server.begin("accept l s")?;
        let connect = client.connect("c", at)?;
        ensure!(connect.errno().is_none(), "failed to connect");
        server.finish()?;
        make(&lab, &mut client, &mut server, &probe)?;
        // What is still open ends without a word.
        for (peer, name) in [(&mut client, "c"), (&mut server, "s")] {
            if peer.try_to(&format!("linger0 {name}"))?.errno().is_none() {
                peer.ask(&format!("close {name}"))?;
            }
        }
        probe.wait_for(&lab.at_client("closed"))?;
        probe.wait_for(&lab.at_server("closed"))?;
        let ends = lab.stop(probe)?;
        Ok(Some(Self { lab, client, server, connect, at, ends }))
    }

    /// How the lifetime ended at the client.
    pub(crate) fn client(&self, pattern: &Value) -> Result<()> {
        let who = and(&connected_by(&self.client), &from_to(self.connect.local(), self.at));
        self.ends.client(
            "closed",
            &and(&and(&who, &json!({ "incomplete": null, "closer_pid": null })), pattern),
        )?;
        Ok(())
    }

    /// How the lifetime ended at the server.
    pub(crate) fn server(&self, pattern: &Value) -> Result<()> {
        let mut who = and(&accepted_by(&self.server), &from_to(self.at, self.connect.local()));
        who = and(&who, &json!({ "accepted": true, "incomplete": null, "closer_pid": null }));
        self.ends.server("closed", &and(&who, pattern))?;
        Ok(())
    }
}

/// The program learns of the end by itself.
pub(crate) fn must_end(peer: &mut Peer, name: &str, errno: Errno) -> Result<()> {
    assert_eq!(peer.ask(&format!("poll {name} hup 20000"))?.n(), 1);
    assert_eq!(peer.ask(&format!("so_error {name}"))?.n(), errno as u64);
    peer.ask(&format!("close {name}"))?;
    Ok(())
}

pub(crate) fn local_linger() -> Value {
    json!({ "cause": "reset_linger", "reset_by": "local", "closed_by": "local", "error": null })
}

#[test]
fn keepalive_finds_the_path_cut() -> Result<()> {
    let story = Story::new(|lab, client, server, _| {
        client.ask("send c 10")?;
        assert_eq!(server.ask("recv s 10")?.n(), 10);
        for option in ["keepidle", "keepintvl", "keepcnt", "keepalive"] {
            client.ask(&format!("set c {option} 1"))?;
        }
        lab.cut()?;
        must_end(client, "c", Errno::ETIMEDOUT)
    })?;
    let Some(story) = story else { return Ok(()) };
    let pattern = json!({
        "cause": "keepalive_timeout", "closed_by": "kernel", "bytes_sent": 10, "bytes_received": 0,
        "retransmits": 0, "soft_error": null,
    });
    story.client(&and(&error(Errno::ETIMEDOUT), &pattern))?;
    if has_reset_reasons() {
        story.client(&json!({ "reset_by": "local", "reset_reason": "tcp_keepalive_timeout" }))?;
    }
    story.server(&and(&local_linger(), &json!({ "bytes_received": 10, "bytes_sent": 0 })))
}

#[test]
fn retransmissions_run_out() -> Result<()> {
    let story = Story::new(|lab, client, _, _| {
        lab.tune(&lab.net.client, "tcp_retries2", 1)?;
        lab.cut()?;
        client.ask("send c 100")?;
        must_end(client, "c", Errno::ETIMEDOUT)
    })?;
    let Some(story) = story else { return Ok(()) };
    // The connection's own packets went before the counter.
    let retransmits = story.lab.counted()? - 1;
    let pattern = json!({
        "cause": "timed_out", "closed_by": "kernel", "reset_by": null, "bytes_sent": 0, "bytes_received": 0,
        "retransmits": retransmits, "soft_error": null,
    });
    ensure!(retransmits > 0);
    story.client(&and(&error(Errno::ETIMEDOUT), &pattern))?;
    story.server(&and(&local_linger(), &json!({ "bytes_received": 0 })))
}

#[test]
fn a_router_says_the_path_is_gone_and_retransmissions_run_out() -> Result<()> {
    let story = Story::new(|lab, client, _, _| {
        lab.tune(&lab.net.client, "tcp_retries2", 1)?;
        lab.filter(lab.router()?, "forward", "reject with icmp type host-unreachable")?;
        client.ask("send c 100")?;
        must_end(client, "c", Errno::EHOSTUNREACH)
    })?;
    let Some(story) = story else { return Ok(()) };
    let pattern =
        json!({ "cause": "unreachable", "closed_by": "kernel", "reset_by": null, "soft_error": null });
    story.client(&and(&error(Errno::EHOSTUNREACH), &pattern))?;
    story.server(&local_linger())
}

#[test]
fn an_icmp_error_to_a_connection_is_shown_as_soft() -> Result<()> {
    let story = Story::new(|lab, client, _, _| {
        lab.filter(lab.router()?, "forward", "reject with icmp type host-unreachable")?;
        client.ask("send c 100")?;
        // Long enough for the ICMP error; the connection goes on.
        assert_eq!(client.ask("poll c hup 150")?.n(), 0);
        client.ask("linger0 c")?;
        client.ask("close c").map(drop)
    })?;
    let Some(story) = story else { return Ok(()) };
    story.client(&and(&local_linger(), &json!({ "soft_error": "EHOSTUNREACH", "bytes_sent": 0 })))?;
    story.server(&local_linger())
}

#[test]
fn an_icmp_error_that_was_overcome_is_no_cause() -> Result<()> {
    let story = Story::new(|lab, client, server, _| {
        lab.filter(lab.router()?, "forward", "reject with icmp type host-unreachable")?;
        client.ask("send c 100")?;
        assert_eq!(client.ask("poll c hup 150")?.n(), 0);
        lab.mend(lab.router()?)?;
        assert_eq!(server.ask("recv s 100")?.n(), 100);
        client.ask("close c")?;
        server.ask("drain s")?;
        server.ask("close s").map(drop)
    })?;
    let Some(story) = story else { return Ok(()) };
    let orderly = json!({ "cause": "orderly", "error": null, "reset_by": null });
    story.client(&and(&orderly, &json!({ "closed_by": "local", "bytes_sent": 100 })))?;
    story.server(&and(&orderly, &json!({ "closed_by": "remote", "bytes_received": 100 })))
}

#[test]
fn an_administrator_aborts_it_at_both_ends() -> Result<()> {
    let story = Story::new(|lab, client, server, _| {
        // Each end by itself: the RST of the first must not end the second.
        lab.cut()?;
        lab.net.client.sh("ss -K -t state established")?;
        lab.net.server.sh("ss -K -t state established")?;
        must_end(client, "c", Errno::ECONNABORTED)?;
        must_end(server, "s", Errno::ECONNABORTED)
    })?;
    let Some(story) = story else { return Ok(()) };
    let aborted = json!({ "cause": "aborted", "closed_by": "admin", "reset_by": "local" });
    let aborted = and(&error(Errno::ECONNABORTED), &aborted);
    for (records, who) in
        [(&story.ends.client, connected_by(&story.client)), (&story.ends.server, accepted_by(&story.server))]
    {
        only(records, &json!({ "event": "closed" }))?.must_be(&and(&aborted, &who))?;
    }
    Ok(())
}

#[test]
fn an_abort_at_one_end_is_a_reset_at_the_other() -> Result<()> {
    let story = Story::new(|lab, client, server, _| {
        lab.net.client.sh("ss -K -t state established")?;
        must_end(server, "s", Errno::ECONNRESET)?;
        must_end(client, "c", Errno::ECONNABORTED)
    })?;
    let Some(story) = story else { return Ok(()) };
    let closed = only(&story.ends.client, &json!({ "event": "closed" }))?;
    let aborted = json!({ "cause": "aborted", "closed_by": "admin", "reset_by": "local" });
    closed.must_be(&and(&and(&error(Errno::ECONNABORTED), &aborted), &connected_by(&story.client)))?;
    story.server(&by_peer())
}

#[test]
fn a_reset_in_close_wait_gives_epipe() -> Result<()> {
    let story = Story::new(|_, client, server, _| {
        client.ask("shutdown c")?;
        assert_eq!(server.ask("drain s")?.n(), 0);
        client.ask("linger0 c")?;
        client.ask("close c")?;
        must_end(server, "s", Errno::EPIPE)
    })?;
    let Some(story) = story else { return Ok(()) };
    let by_peer = json!({ "cause": "reset_by_peer", "reset_by": "remote", "closed_by": "remote", "prev_state": "close_wait" });
    story.server(&and(&error(Errno::EPIPE), &by_peer))
}

#[test]
fn data_after_the_close_is_answered_by_a_reset_of_ours() -> Result<()> {
    let story = Story::new(|lab, client, server, _| {
        // The FIN is lost, so the server's data meets a socket in FIN-WAIT-1 that nobody has.
        lab.filter(&lab.net.client, "output", "tcp flags & fin == fin drop")?;
        client.ask("close c")?;
        server.ask("send s 100")?;
        must_end(server, "s", Errno::ECONNRESET)
    })?;
    let Some(story) = story else { return Ok(()) };
    story.client(&json!({ "cause": "reset_by_kernel", "reset_by": "local", "closed_by": "local", "prev_state": "fin_wait_1" }))?;
    if has_reset_reasons() {
        story.client(&json!({ "reset_reason": "tcp_abort_on_data" }))?;
    }
    story.server(&by_peer())
}

#[test]
fn a_half_open_connection_lives_until_it_is_used() -> Result<()> {
    let story = Story::new(|lab, client, server, probe| {
        lab.cut()?;
        server.ask("linger0 s")?;
        server.ask("close s")?;
        probe.wait_for(&lab.at_server("closed"))?;
        lab.mend(lab.router()?)?;
        assert_eq!(client.ask("poll c in 1000")?.n(), 0);
        let early = probe.wait_until("anything", |all| Some(all.to_vec()))?;
        ensure!(!early.iter().any(|r| r.is(&lab.at_client("closed"))), "ended early:\n{}", listing(&early));
        client.ask("send c 1")?;
        must_end(client, "c", Errno::ECONNRESET)
    })?;
    let Some(story) = story else { return Ok(()) };
    story.server(&local_linger())?;
    story.client(&and(&by_peer(), &json!({ "bytes_sent": 0 })))
}

#[test]
fn a_killed_server_with_unread_data_resets() -> Result<()> {
    let story = Story::new(|_, client, server, _| {
        client.ask("send c 50")?;
        assert_eq!(server.ask("peek s 50")?.n(), 50);
        server.ask("close s")?;
        must_end(client, "c", Errno::ECONNRESET)
    })?;
    let Some(story) = story else { return Ok(()) };
    story.client(&and(&by_peer(), &json!({ "bytes_sent": 50 })))?;
    story.server(&json!({
        "cause": "reset_unread_data", "unread_bytes": 50, "bytes_received": 50, "reset_by": "local", "closed_by": "local",
    }))
}

#[test]
fn a_listener_closed_with_children_resets_each_of_them() -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    let at = server.listen("l", lab.net.server_at(0), 16)?;
    let mut ports = Vec::new();
    for n in 0..3 {
        let truth = client.connect(&format!("c{n}"), at)?;
        assert_eq!(truth.errno(), None);
        client.ask(&format!("send c{n} {}", n + 1))?;
        ports.push(truth.local().port());
    }
    let born = |r: &&e2e::records::Record| r.is(&lab.at_client("established"));
    probe.wait_until("three lives", |all| (all.iter().filter(born).count() == 3).then_some(()))?;
    server.ask("close l")?;
    for n in 0..3 {
        must_end(&mut client, &format!("c{n}"), Errno::ECONNRESET)?;
    }
    let ended = |r: &&e2e::records::Record| r.is(&lab.at_client("closed")) || r.is(&lab.at_server("closed"));
    probe.wait_until("six ends", |all| (all.iter().filter(ended).count() == 6).then_some(()))?;
    let ends = lab.stop(probe)?;
    for (n, port) in (0u64..).zip(ports) {
        ends.client_from("closed", port, &and(&connected_by(&client), &by_peer()))?;
        let child = only(&ends.server, &json!({ "event": "closed", "remote_port": port }))?;
        child.must_be(&json!({
            "cause": "never_accepted", "accepted": false, "role": "server", "pid": server.pid(),
            "pid_source": "listener", "reset_by": "local", "closed_by": "local", "bytes_received": n + 1,
        }))?;
    }
    assert!(!ends.server.iter().any(|r| r.event() == "accept"));
    Ok(())
}

#[test]
fn the_same_4_tuple_twice_is_two_lifetimes() -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    let at = server.listen("l", lab.net.server_at(0), 16)?;
    let from = SocketAddr::from((lab.net.client_v4(), 20_000));
    for bytes in [11, 22] {
        client.ask("socket c 4")?;
        client.ask(&format!("bind c {from}"))?;
        server.begin("accept l s")?;
        client.ask(&format!("connect c {at}"))?;
        server.finish()?;
        client.ask(&format!("send c {bytes}"))?;
        server.ask(&format!("recv s {bytes}"))?;
        // The server is left with the TIME-WAIT, which the next SYN takes over.
        server.ask("close s")?;
        assert_eq!(client.ask("drain c")?.n(), 0);
        client.ask("close c")?;
    }
    let ended = |r: &&e2e::records::Record| r.is(&lab.at_client("closed")) || r.is(&lab.at_server("closed"));
    probe.wait_until("four ends", |all| (all.iter().filter(ended).count() == 4).then_some(()))?;
    let ends = lab.stop(probe)?;
    let orderly = json!({ "cause": "orderly", "error": null, "reset_by": null });
    for bytes in [11, 22] {
        let sent = json!({ "event": "closed", "bytes_sent": bytes });
        let here = and(&and(&connected_by(&client), &from_to(from, at)), &json!({ "closed_by": "remote" }));
        only(&ends.client, &sent)?.must_be(&and(&here, &orderly))?;
        let received = json!({ "event": "closed", "bytes_received": bytes });
        let there = and(&and(&accepted_by(&server), &from_to(at, from)), &json!({ "closed_by": "local" }));
        only(&ends.server, &received)?.must_be(&and(&there, &orderly))?;
    }
    Ok(())
}

#[test]
fn a_namespace_deleted_with_live_connections_ends_them() -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    for ns in [&lab.net.client, &lab.net.server] {
        lab.tune(ns, "tcp_orphan_retries", 1)?;
    }
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    lab.join(&mut client, &mut server)?;
    lab.cut()?;
    client.ask("send c 100")?;
    for ns in [&lab.net.client, &lab.net.server] {
        e2e::run::output("ip", &["netns", "del", ns.name()])?;
    }
    client.kill()?;
    server.kill()?;
    probe.wait_for(&lab.at_client("closed"))?;
    probe.wait_for(&lab.at_server("closed"))?;
    let ends = lab.stop(probe)?;
    ends.client("closed", &and(&connected_by(&client), &json!({ "closed_by": "local" })))?;
    ends.server("closed", &and(&accepted_by(&server), &json!({ "closed_by": "local" })))?;
    Ok(())
}
