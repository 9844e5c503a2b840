//! The fault lab: whose connection it is, by whatever way it came about.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use e2e::need::unavailable;
use e2e::probe::Probe;
use e2e::records::{and, only};
use nix::errno::Errno;
use serde_json::{Value, json};

use crate::lab::{Lab, from_to};
use crate::scene::{accepted_by, connected_by, peer_program};

pub(crate) fn orderly(sent: u64, received: u64, by: &str) -> Value {
    json!({
        "cause": "orderly", "bytes_sent": sent, "bytes_received": received, "closed_by": by, "error": null,
        "reset_by": null, "incomplete": null,
    })
}

/// One connection made and taken by the commands `connect` and `accept`, with 33 bytes one way and 44 the other.
fn through_the_ring(how: &str) -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    let at = server.listen("l", lab.net.server_at(0), 16)?;
    server.begin(&format!("uring accept l s {how}"))?;
    client.ask("socket c 4")?;
    let truth = client.try_to(&format!("uring connect c {at} {how}"))?;
    if truth.errno() == Some(Errno::ENOSYS) || truth.errno() == Some(Errno::EPERM) {
        unavailable("io_uring is off");
        return Ok(());
    }
    ensure!(truth.errno().is_none(), "connect gave {:?}", truth.errno());
    ensure!(server.finish()?.errno().is_none(), "accept failed");
    client.ask("send c 33")?;
    server.ask("recv s 33")?;
    server.ask("send s 44")?;
    client.ask("recv c 44")?;
    client.ask("close c")?;
    server.ask("drain s")?;
    server.ask("close s")?;
    probe.wait_for(&lab.at_client("closed"))?;
    probe.wait_for(&lab.at_server("closed"))?;
    let ends = lab.stop(probe)?;
    let here = and(&connected_by(&client), &from_to(truth.local(), at));
    let there = and(&accepted_by(&server), &from_to(at, truth.local()));
    ends.client("connect", &connected_by(&client))?;
    ends.client("established", &here)?;
    ends.client("closed", &and(&here, &orderly(33, 44, "local")))?;
    ends.server("accept", &there)?;
    ends.server("closed", &and(&there, &and(&orderly(44, 33, "remote"), &json!({ "accepted": true }))))?;
    Ok(())
}

#[test]
fn io_uring_connects_and_accepts() -> Result<()> {
    through_the_ring("")
}

#[test]
fn io_uring_connects_and_accepts_by_the_kernels_thread() -> Result<()> {
    through_the_ring("polled")
}

#[test]
fn a_refused_connect_through_io_uring_is_refused_once() -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let mut client = lab.client()?;
    let to = lab.net.server_at(9);
    for how in ["", "polled"] {
        client.ask("socket c 4")?;
        let truth = client.try_to(&format!("uring connect c {to} {how}"))?;
        assert_eq!(truth.errno(), Some(Errno::ECONNREFUSED));
        client.ask("close c")?;
    }
    let failed = |r: &&e2e::records::Record| r.is(&lab.at_client("failed"));
    probe.wait_until("two ends", |all| (all.iter().filter(failed).count() == 2).then_some(()))?;
    let ends = lab.stop(probe)?;
    let failed: Vec<_> = ends.client.iter().filter(|r| r.event() == "failed").collect();
    assert_eq!(failed.len(), 2);
    for record in failed {
        let pattern =
            json!({ "cause": "refused", "error": "ECONNREFUSED", "remote_port": 9, "reset_by": "remote" });
        record.must_be(&and(&connected_by(&client), &pattern))?;
    }
    Ok(())
}

/// An MPTCP client, and a server that speaks MPTCP or not.
fn multipath(server_protocol: &str) -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    if lab.net.client.sh("cat /proc/sys/net/mptcp/enabled").is_ok_and(|on| on.trim() != "1") {
        unavailable("MPTCP is off");
        return Ok(());
    }
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    server.ask(&format!("socket l 4 {server_protocol}"))?;
    server.ask(&format!("bind l {}", lab.net.server_at(0)))?;
    let at = server.ask("listen l 16")?.local();
    server.begin("accept l s")?;
    client.ask("socket c 4 mptcp")?;
    let truth = client.ask(&format!("connect c {at}"))?;
    server.finish()?;
    client.ask("send c 33")?;
    server.ask("recv s 33")?;
    server.ask("send s 44")?;
    client.ask("recv c 44")?;
    client.ask("close c")?;
    server.ask("drain s")?;
    server.ask("close s")?;
    probe.wait_for(&lab.at_client("closed"))?;
    probe.wait_for(&lab.at_server("closed"))?;
    let ends = lab.stop(probe)?;
    let protocol = |name: &str| json!({ "protocol": if name.is_empty() { "tcp" } else { name } });
    let here = and(&connected_by(&client), &from_to(truth.local(), at));
    let there = and(&accepted_by(&server), &from_to(at, truth.local()));
    ends.client("established", &here)?;
    ends.client("closed", &and(&and(&here, &orderly(33, 44, "local")), &protocol("mptcp")))?;
    ends.server("accept", &there)?;
    ends.server("closed", &and(&and(&there, &orderly(44, 33, "remote")), &protocol(server_protocol)))?;
    Ok(())
}

#[test]
fn multipath_at_both_ends_is_counted_once() -> Result<()> {
    multipath("mptcp")
}

#[test]
fn multipath_to_a_plain_server_is_counted_once() -> Result<()> {
    multipath("")
}

#[test]
fn a_fast_open_with_a_cookie_is_one_lifetime() -> Result<()> {
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
        client.ask("poll c hup 200")?;
        client.ask(&format!("send c {bytes}"))?;
        server.ask("accept l s")?;
        assert_eq!(server.ask(&format!("recv s {bytes}"))?.n(), bytes);
        client.ask("close c")?;
        server.ask("drain s")?;
        server.ask("close s")?;
        made.push(bytes);
    }
    let ended = |r: &&e2e::records::Record| r.is(&lab.at_client("closed")) || r.is(&lab.at_server("closed"));
    probe.wait_until("four ends", |all| (all.iter().filter(ended).count() == 4).then_some(()))?;
    let ends = lab.stop(probe)?;
    let used = lab.net.client.sh("grep -A1 TcpExt: /proc/net/netstat")?;
    ensure!(counter(&used, "TCPFastOpenActive")? == 1, "no fast open happened:\n{used}");
    for bytes in made {
        let closed = only(&ends.client, &json!({ "event": "closed", "bytes_sent": bytes }))?;
        closed.must_be(&and(&connected_by(&client), &orderly(bytes, 0, "local")))?;
        let closed = only(&ends.server, &json!({ "event": "closed", "bytes_received": bytes }))?;
        closed.must_be(&and(&accepted_by(&server), &orderly(0, bytes, "remote")))?;
    }
    Ok(())
}

/// A counter of `/proc/net/netstat`, whose names and numbers are on lines of their own.
pub(crate) fn counter(netstat: &str, name: &str) -> Result<u64> {
    let mut lines = netstat.lines().map(str::split_whitespace);
    let (names, numbers) = (lines.next().context("no names")?, lines.next().context("no numbers")?);
    let (_, number) = names.zip(numbers).find(|(n, _)| *n == name).context("no such counter")?;
    Ok(number.parse()?)
}

#[test]
fn a_connection_passed_on_keeps_its_owner_and_names_its_closer() -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    let worker = client.ask("fork w")?.n();
    client.ask("in w name taker")?;
    lab.join(&mut client, &mut server)?;
    client.ask("give w c")?;
    client.ask("in w take t")?;
    client.ask("close c")?;
    client.ask("in w send t 5")?;
    assert_eq!(server.ask("recv s 5")?.n(), 5);
    client.ask("in w close t")?;
    server.ask("drain s")?;
    server.ask("close s")?;
    probe.wait_for(&lab.at_client("closed"))?;
    probe.wait_for(&lab.at_server("closed"))?;
    let ends = lab.stop(probe)?;
    let closer = json!({ "closer_pid": worker, "closer_comm": "taker" });
    ends.client("closed", &and(&and(&connected_by(&client), &closer), &orderly(5, 0, "local")))?;
    ends.server("closed", &and(&accepted_by(&server), &json!({ "closer_pid": null })))?;
    Ok(())
}

#[test]
fn a_child_that_closes_last_is_the_closer() -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    lab.join(&mut client, &mut server)?;
    let child = client.ask("fork w")?.n();
    client.ask("in w name child")?;
    client.ask("close c")?;
    assert_eq!(server.ask("poll s in 200")?.n(), 0);
    client.ask("in w close c")?;
    server.ask("drain s")?;
    server.ask("close s")?;
    probe.wait_for(&lab.at_client("closed"))?;
    probe.wait_for(&lab.at_server("closed"))?;
    let ends = lab.stop(probe)?;
    let closer = json!({ "closer_pid": child, "closer_comm": "child" });
    ends.client("closed", &and(&and(&connected_by(&client), &closer), &orderly(0, 0, "local")))?;
    ends.server("closed", &and(&accepted_by(&server), &orderly(0, 0, "remote")))?;
    Ok(())
}

#[test]
fn a_process_that_becomes_another_program_stays_what_it_was() -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    let folder = tempfile::tempdir_in(peer_program().parent().context("a program without a folder")?)?;
    let other: PathBuf = folder.path().join("other");
    std::fs::hard_link(peer_program(), &other)?;
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    lab.join(&mut client, &mut server)?;
    let pid = client.pid();
    assert_eq!(client.ask(&format!("exec {} c", other.display()))?.pid(), pid);
    assert_eq!(std::fs::read_link(format!("/proc/{pid}/exe"))?, other);
    client.ask("send c 5")?;
    client.ask("close c")?;
    assert_eq!(server.ask("drain s")?.n(), 5);
    server.ask("close s")?;
    probe.wait_for(&lab.at_client("closed"))?;
    probe.wait_for(&lab.at_server("closed"))?;
    let ends = lab.stop(probe)?;
    let same = json!({ "closer_pid": null, "closer_comm": null });
    ends.client("closed", &and(&and(&connected_by(&client), &same), &orderly(5, 0, "local")))?;
    ends.server("closed", &accepted_by(&server))?;
    Ok(())
}

#[test]
fn a_simultaneous_open_is_a_client_at_both_ends() -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    let (here, there) = (SocketAddr::from((lab.net.client_v4(), 20_001)), lab.net.server_at(20_002));
    // The first SYN of the server is lost, so the client's meets a socket in SYN-SENT.
    lab.cut()?;
    server.ask("socket s 4")?;
    server.ask(&format!("bind s {there}"))?;
    server.ask("nonblock s")?;
    assert_eq!(server.try_to(&format!("connect s {here}"))?.errno(), Some(Errno::EINPROGRESS));
    lab.mend(lab.router()?)?;
    client.ask("socket c 4")?;
    client.ask(&format!("bind c {here}"))?;
    client.ask(&format!("connect c {there}"))?;
    assert_eq!(server.ask("poll s out 20000")?.n(), 1);
    client.ask("send c 9")?;
    assert_eq!(server.ask("poll s in 20000")?.n(), 1);
    assert_eq!(server.ask("recv s 9")?.n(), 9);
    client.ask("close c")?;
    assert_eq!(server.ask("poll s in 20000")?.n(), 1);
    server.ask("close s")?;
    probe.wait_for(&lab.at_client("closed"))?;
    probe.wait_for(&lab.at_server("closed"))?;
    let ends = lab.stop(probe)?;
    let client = and(&connected_by(&client), &from_to(here, there));
    let server = and(&connected_by(&server), &from_to(there, here));
    ends.client("established", &client)?;
    ends.server("established", &server)?;
    ends.client("closed", &and(&client, &orderly(9, 0, "local")))?;
    ends.server("closed", &and(&server, &orderly(0, 9, "remote")))?;
    assert!(!ends.server.iter().any(|r| r.event() == "accept"));
    Ok(())
}

#[test]
fn a_socket_connected_to_itself_is_one_lifetime() -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let mut client = lab.client()?;
    let own = SocketAddr::from((lab.net.client_v4(), 20_003));
    client.ask("socket c 4")?;
    client.ask(&format!("bind c {own}"))?;
    client.ask(&format!("connect c {own}"))?;
    client.ask("send c 9")?;
    assert_eq!(client.ask("recv c 9")?.n(), 9);
    client.ask("close c")?;
    probe.wait_for(&lab.at_client("closed"))?;
    let ends = lab.stop(probe)?;
    let who = and(&connected_by(&client), &from_to(own, own));
    ends.client("connect", &connected_by(&client))?;
    ends.client("established", &who)?;
    let end = json!({ "cause": "orderly", "bytes_sent": 9, "bytes_received": 9, "error": null });
    ends.client("closed", &and(&who, &end))?;
    Ok(())
}
