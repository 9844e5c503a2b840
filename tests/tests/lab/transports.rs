//! By whatever way a connection comes about: IPv6, io_uring, MPTCP, Fast Open, a simultaneous open.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use e2e::peer::{accepted_by, connected_by};
use e2e::records::and;
use nix::errno::Errno;
use serde_json::json;

use crate::attempt::Attempt;
use crate::lab::{Lab, error, from_to, nothing_else};
use crate::life::{Life, bytes, orderly};
use crate::stage::{Unavailable, scenarios};

scenarios![
    ipv6_is_ipv6,
    v4_mapped_ipv6_is_shown_as_ipv4,
    io_uring_connects_and_accepts,
    io_uring_connects_and_accepts_by_the_kernels_thread,
    a_refused_connect_through_io_uring_is_refused,
    a_refused_connect_by_the_kernels_thread_is_refused,
    multipath_at_both_ends_is_counted_once,
    multipath_to_a_plain_server_is_counted_once,
    a_fast_open_with_a_cookie_is_one_lifetime,
    a_simultaneous_open_is_a_client_at_both_ends,
    a_socket_connected_to_itself_is_one_lifetime,
];

/// 33 bytes one way and 44 the other, and what both ends are told to be.
fn is_whole(mut life: Life<'_>) -> Result<()> {
    life.upload(33)?;
    life.download(44)?;
    let end = life.close()?;
    life.client_closed(end, &and(&orderly("local"), &bytes(33, 44)))?;
    life.server_closed(end, &and(&orderly("remote"), &bytes(44, 33))).map(drop)
}

fn ipv6_is_ipv6(lab: &Lab) -> Result<()> {
    is_whole(Life::between(lab, lab.client()?, lab.server()?, (lab.net().server_v6(), 0).into())?)
}

fn v4_mapped_ipv6_is_shown_as_ipv4(lab: &Lab) -> Result<()> {
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    // The server too: an AF_INET6 listener that takes IPv4.
    let port = server.listen("l", "[::]:0".parse::<SocketAddr>()?, 16)?.port();
    server.begin("accept l s")?;
    client.ask("socket c 6")?;
    let mut connect = client.ask(&format!("connect c [::ffff:{}]:{port}", lab.net().server_v4()))?;
    let accept = server.finish()?;
    connect.0["local"] = json!(SocketAddr::from((lab.net().client_v4(), connect.local().port())));
    is_whole(Life::made(lab, (client, connect), (server, accept), lab.net().server_at(port)))
}

/// One connection, connected and accepted through io_uring.
fn through_the_ring(lab: &Lab, how: &str) -> Result<()> {
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    let at = server.listen("l", lab.net().server_at(0), 16)?;
    server.begin(&format!("uring accept l s {how}"))?;
    client.ask("socket c 4")?;
    let connect = client.try_to(&format!("uring connect c {at} {how}"))?;
    if matches!(connect.errno(), Some(Errno::ENOSYS | Errno::EPERM)) {
        return Err(Unavailable("io_uring is off").into());
    }
    ensure!(connect.errno().is_none(), "connect gave {:?}", connect.errno());
    let accept = server.finish()?;
    ensure!(accept.errno().is_none(), "accept gave {:?}", accept.errno());
    is_whole(Life::made(lab, (client, connect), (server, accept), at))
}

fn io_uring_connects_and_accepts(lab: &Lab) -> Result<()> {
    through_the_ring(lab, "")
}

fn io_uring_connects_and_accepts_by_the_kernels_thread(lab: &Lab) -> Result<()> {
    through_the_ring(lab, "polled")
}

fn refused_through_the_ring(lab: &Lab, how: &str) -> Result<()> {
    let mut client = lab.client()?;
    client.ask("socket c 4")?;
    let connect = client.try_to(&format!("uring connect c {} {how}", lab.http()))?;
    if matches!(connect.errno(), Some(Errno::ENOSYS | Errno::EPERM)) {
        return Err(Unavailable("io_uring is off").into());
    }
    ensure!(connect.errno() == Some(Errno::ECONNREFUSED), "connect gave {:?}", connect.errno());
    // Nobody bound it: its address is only known to the kernel.
    let to = lab.http();
    let whole = json!({
        "local_addr": lab.net().client_v4(), "remote_addr": to.ip(), "remote_port": to.port(), "cause": "refused",
        "reset_by": "remote", "syn_retransmits": 0,
    });
    let whole = and(&and(&connected_by(&client), &nothing_else()), &and(&error(Errno::ECONNREFUSED), &whole));
    let failed = lab.at_client("failed", &whole)?;
    Attempt::new(&client, to, connect).must_last(&failed, 1)?;
    client.ask("close c").map(drop)
}

fn a_refused_connect_through_io_uring_is_refused(lab: &Lab) -> Result<()> {
    refused_through_the_ring(lab, "")
}

fn a_refused_connect_by_the_kernels_thread_is_refused(lab: &Lab) -> Result<()> {
    refused_through_the_ring(lab, "polled")
}

/// An MPTCP client, and a server that speaks MPTCP or not.
fn multipath(lab: &Lab, server_protocol: &str) -> Result<()> {
    let enabled = lab.net().client.sh("cat /proc/sys/net/mptcp/enabled");
    if enabled.map_or(true, |on| on.trim() != "1") {
        return Err(Unavailable("MPTCP is off").into());
    }
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    server.ask(&format!("socket l 4 {server_protocol}"))?;
    server.ask(&format!("bind l {}", lab.net().server_at(0)))?;
    let at = server.ask("listen l 16")?.local();
    server.begin("accept l s")?;
    client.ask("socket c 4 mptcp")?;
    let connect = client.ask(&format!("connect c {at}"))?;
    let accept = server.finish()?;
    let mut life = Life::made(lab, (client, connect), (server, accept), at);
    life.upload(33)?;
    life.download(44)?;
    let end = life.close()?;
    let protocol = |name: &str| json!({ "protocol": if name.is_empty() { "tcp" } else { name } });
    life.client_closed(end, &and(&and(&orderly("local"), &bytes(33, 44)), &protocol("mptcp")))?;
    life.server_closed(end, &and(&and(&orderly("remote"), &bytes(44, 33)), &protocol(server_protocol)))
        .map(drop)
}

fn multipath_at_both_ends_is_counted_once(lab: &Lab) -> Result<()> {
    multipath(lab, "mptcp")
}

fn multipath_to_a_plain_server_is_counted_once(lab: &Lab) -> Result<()> {
    multipath(lab, "")
}

fn a_fast_open_with_a_cookie_is_one_lifetime(lab: &Lab) -> Result<()> {
    for ns in [&lab.net().client, &lab.net().server] {
        lab.tune(ns, "tcp_fastopen", "3")?;
    }
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    server.ask("socket l 4")?;
    server.ask(&format!("bind l {}", lab.net().server_at(0)))?;
    server.ask("set l fastopen 16")?;
    let at = server.ask("listen l 16")?.local();
    for n in [11u64, 22] {
        client.ask("socket c 4")?;
        client.ask("set c fastopen_connect 1")?;
        let connect = client.ask(&format!("connect c {at}"))?;
        // The second has a cookie: its SYN leaves only now, with the data, and only now its time begins.
        client.ask("poll c hup 300")?;
        let syn = client.ask(&format!("send c {n}"))?.t0();
        server.ask("accept l s")?;
        ensure!(server.ask(&format!("recv s {n}"))?.n() == n, "not everything came");
        client.ask("close c")?;
        server.ask("drain s")?;
        server.ask("close s")?;
        let at_port = json!({ "remote_addr": at.ip(), "remote_port": at.port() });
        let here = and(&and(&connected_by(&client), &nothing_else()), &and(&at_port, &orderly("local")));
        let closed = lab.tells(&lab.net().client, "closed", &bytes(n, 0), &here)?;
        let took = closed.number("connect_ns").context("no connect_ns")?;
        let retries = closed.number("syn_retransmits").unwrap_or(0);
        let at_most = if n == 11 { connect.t1() - connect.t0() } else { closed.arrived - syn };
        // A SYN that was sent again leaves the kernel nothing to measure.
        ensure!(retries > 0 || (1..=at_most).contains(&took), "not within {at_most} ns: {}", closed.json);
        let at_port = json!({ "local_addr": at.ip(), "local_port": at.port() });
        let there = and(&and(&accepted_by(&server), &nothing_else()), &and(&at_port, &orderly("remote")));
        lab.tells(&lab.net().server, "closed", &bytes(0, n), &there)?;
    }
    let used = lab.net().client.sh("grep -A1 TcpExt: /proc/net/netstat")?;
    ensure!(counter(&used, "TCPFastOpenActive")? == 1, "no fast open happened:\n{used}");
    Ok(())
}

/// A counter of `/proc/net/netstat`, whose names and numbers are on lines of their own.
pub(crate) fn counter(netstat: &str, name: &str) -> Result<u64> {
    let mut lines = netstat.lines().map(str::split_whitespace);
    let (names, numbers) = (lines.next().context("no names")?, lines.next().context("no numbers")?);
    let (_, number) = names.zip(numbers).find(|(n, _)| *n == name).context("no such counter")?;
    Ok(number.parse()?)
}

fn a_simultaneous_open_is_a_client_at_both_ends(lab: &Lab) -> Result<()> {
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    let (here, there) = (SocketAddr::from((lab.net().client_v4(), 20_001)), lab.net().server_at(20_002));
    // The first SYN of the server is lost, so the client's meets a socket in SYN-SENT.
    lab.cut()?;
    server.ask("socket s 4")?;
    server.ask(&format!("bind s {there}"))?;
    server.ask("nonblock s")?;
    ensure!(server.try_to(&format!("connect s {here}"))?.errno() == Some(Errno::EINPROGRESS));
    lab.router()?.mend()?;
    client.ask("socket c 4")?;
    client.ask(&format!("bind c {here}"))?;
    client.ask(&format!("connect c {there}"))?;
    ensure!(server.ask("poll s out 30000")?.n() == 1, "not connected");
    client.ask("send c 9")?;
    ensure!(server.ask("poll s in 30000")?.n() == 1, "nothing came");
    ensure!(server.ask("recv s 9")?.n() == 9, "not everything came");
    client.ask("close c")?;
    ensure!(server.ask("poll s in 30000")?.n() == 1, "no FIN came");
    server.ask("close s")?;
    let client = and(&and(&connected_by(&client), &nothing_else()), &from_to(here, there));
    let server = and(&and(&connected_by(&server), &nothing_else()), &from_to(there, here));
    lab.at_client("established", &client)?;
    lab.at_server("established", &server)?;
    lab.at_client("closed", &and(&client, &and(&orderly("local"), &bytes(9, 0))))?;
    lab.at_server("closed", &and(&server, &and(&orderly("remote"), &bytes(0, 9))))?;
    ensure!(!lab.records().iter().any(|r| r.event() == "accept"), "something was accepted");
    Ok(())
}

fn a_socket_connected_to_itself_is_one_lifetime(lab: &Lab) -> Result<()> {
    let mut client = lab.client()?;
    let own = SocketAddr::from((lab.net().client_v4(), 20_003));
    client.ask("socket c 4")?;
    client.ask(&format!("bind c {own}"))?;
    client.ask(&format!("connect c {own}"))?;
    client.ask("send c 9")?;
    ensure!(client.ask("recv c 9")?.n() == 9, "not everything came");
    client.ask("close c")?;
    let who = and(&and(&connected_by(&client), &nothing_else()), &from_to(own, own));
    lab.at_client("connect", &connected_by(&client))?;
    lab.at_client("established", &who)?;
    lab.at_client("closed", &and(&who, &and(&json!({ "cause": "orderly" }), &bytes(9, 9)))).map(drop)
}
