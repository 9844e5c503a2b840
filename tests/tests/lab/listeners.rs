//! Listeners: their beginning and end, and what becomes of connections that wait in their queues.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use e2e::peer::{Peer, accepted_by, connected_by, owned_by};
use e2e::records::{Record, and};
use nix::errno::Errno;
use serde_json::{Value, json};

use crate::attempt::Attempt;
use crate::lab::{Lab, error, from_to, nothing_else};
use crate::life::{by_peer, by_us, bytes, must_end, orderly};
use crate::stage::scenarios;
use crate::transports::counter;

scenarios![
    tries_at_one_closed_port_are_told_together,
    a_remote_that_tries_many_closed_ports_scans,
    a_full_accept_queue_times_the_client_out_and_invents_no_server,
    a_listener_starts_with_its_backlog_and_ends,
    a_listener_ends_with_its_process,
    a_connection_nobody_accepted_says_so,
    a_listener_closed_with_children_resets_each_of_them,
    listeners_that_share_a_port_own_what_each_accepts,
];

fn a_listener_starts_with_its_backlog_and_ends(lab: &Lab) -> Result<()> {
    let mut server = lab.server()?;
    let at = server.listen("l", lab.net().server_at(0), 7)?;
    server.ask("close l")?;
    let whole = json!({
        "family": "ipv4", "local_addr": at.ip(), "local_port": at.port(), "remote_addr": null, "remote_port": null,
    });
    let whole = and(&owned_by(&server), &whole);
    let listen = lab.at_server("listen", &and(&whole, &json!({ "backlog": 7 })))?;
    let end = lab.at_server("listen_end", &whole)?;
    ensure!(listen.text("conn") == end.text("conn"), "two listeners");
    Ok(())
}

fn a_listener_ends_with_its_process(lab: &Lab) -> Result<()> {
    let mut server = lab.server()?;
    let at = server.listen("l", (lab.net().server_v6(), 0), 3)?;
    server.kill()?;
    let whole =
        and(&owned_by(&server), &json!({ "family": "ipv6", "local_addr": at.ip(), "local_port": at.port() }));
    lab.at_server("listen", &and(&whole, &json!({ "backlog": 3 })))?;
    lab.at_server("listen_end", &whole).map(drop)
}

/// Pattern: what the listener's end made of a connection that nobody had taken.
fn never_accepted(server: &Peer) -> Value {
    let who = json!({ "role": "server", "pid_source": "listener", "accepted": false });
    and(&and(&nothing_else(), &owned_by(server)), &and(&who, &by_us("never_accepted", "tcp_state")))
}

fn a_connection_nobody_accepted_says_so(lab: &Lab) -> Result<()> {
    children_are_reset(lab, 1)
}

fn a_listener_closed_with_children_resets_each_of_them(lab: &Lab) -> Result<()> {
    children_are_reset(lab, 3)
}

/// So many connections that nobody accepts, with as many bytes as their number.
fn children_are_reset(lab: &Lab, children: u64) -> Result<()> {
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    let at = server.listen("l", lab.net().server_at(0), 16)?;
    let mut made = Vec::new();
    for n in 1..=children {
        let connect = client.connect(&format!("c{n}"), at)?;
        ensure!(connect.errno().is_none(), "failed to connect: {:?}", connect.errno());
        client.ask(&format!("send c{n} {n}"))?;
        must_be_acknowledged(&mut client, &format!("c{n}"))?;
        made.push((n, connect.local()));
    }
    server.ask("close l")?;
    for (n, from) in made {
        must_end(&mut client, &format!("c{n}"), Errno::ECONNRESET)?;
        let here = and(&and(&and(&connected_by(&client), &nothing_else()), &from_to(from, at)), &by_peer());
        let (mine, its) = (json!({ "local_port": from.port() }), json!({ "remote_port": from.port() }));
        lab.tells(&lab.net().client, "closed", &mine, &and(&here, &bytes(n, 0)))?;
        let there = and(&and(&never_accepted(&server), &from_to(at, from)), &bytes(0, n));
        lab.tells(&lab.net().server, "closed", &its, &there)?;
    }
    Ok(())
}

/// The server's socket exists then, and has it all.
fn must_be_acknowledged(client: &mut Peer, name: &str) -> Result<()> {
    for _ in 0..3000 {
        if client.ask(&format!("unacked {name}"))?.n() == 0 {
            return Ok(());
        }
        client.ask(&format!("poll {name} hup 10"))?;
    }
    anyhow::bail!("nobody acknowledged the data")
}

fn a_full_accept_queue_times_the_client_out_and_invents_no_server(lab: &Lab) -> Result<()> {
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    // A backlog of 0 has room for one.
    let at = server.listen("l", lab.net().server_at(0), 0)?;
    let first = client.connect("c", at)?;
    ensure!(first.errno().is_none(), "failed to connect: {:?}", first.errno());
    ensure!(server.ask("poll l in 30000")?.n() == 1, "nothing to accept");
    client.ask("socket d 4")?;
    client.ask("set d syncnt 1")?;
    let late = client.try_to(&format!("connect d {at}"))?;
    ensure!(late.errno() == Some(Errno::ETIMEDOUT), "connect gave {:?}", late.errno());
    let impatient = Attempt::begun(&mut client, "e", at)?;
    client.ask("close e")?;
    server.ask("accept l s")?;
    let end = client.ask("close c")?.t0();
    server.ask("drain s")?;
    server.ask("close s")?;

    let from = |local: std::net::SocketAddr| json!({ "local_port": local.port() });
    let client_v4 = lab.net().client_v4();
    // A program sees the port alone after a failure.
    let whole = |local: SocketAddr| {
        and(&and(&connected_by(&client), &nothing_else()), &from_to((client_v4, local.port()).into(), at))
    };
    let timed_out = and(&error(Errno::ETIMEDOUT), &json!({ "cause": "timed_out" }));
    let client_ns = &lab.net().client;
    let failed =
        lab.tells(client_ns, "failed", &from(late.local()), &and(&whole(late.local()), &timed_out))?;
    Attempt::new(&client, at, late).must_last(&failed, 2_000_000_000)?;
    let local = impatient.connect.local();
    let abandoned = json!({ "cause": "abandoned", "syn_retransmits": 0 });
    let failed = lab.tells(client_ns, "failed", &from(local), &and(&whole(local), &abandoned))?;
    impatient.must_last(&failed, 0)?;
    let local = first.local();
    let closed = lab.tells(client_ns, "closed", &from(local), &and(&whole(local), &orderly("local")))?;
    let lasted = closed.number("duration_ns").context("no duration")?;
    ensure!(lasted >= end - first.t1(), "shorter than it was: {}", closed.json);
    lab.at_server("accept", &accepted_by(&server))?;
    let whole = and(&and(&accepted_by(&server), &nothing_else()), &from_to(at, local));
    lab.at_server("closed", &and(&and(&whole, &orderly("remote")), &json!({ "accepted": true })))?;
    overflows_must_be_told(lab, &server, at, 0)
}

/// As many as the kernel counted itself, with the listener they are of; within half a second, so in one record or two.
fn overflows_must_be_told(lab: &Lab, server: &Peer, at: SocketAddr, backlog: u32) -> Result<()> {
    let counters = lab.net().server.sh("grep TcpExt: /proc/net/netstat")?;
    let counted = counter(&counters, "ListenOverflows")?;
    ensure!(counted >= 2, "the queue overflowed {counted} times");
    let told = lab.wait_until(&format!("{counted} overflows"), |all| {
        let told: Vec<_> = all.iter().filter(|r| r.event() == "listen_overflow").cloned().collect();
        (told.iter().filter_map(|r| r.number("count")).sum::<u64>() >= counted).then_some(told)
    })?;
    let listener = json!({
        "netns": lab.net().server.inode(), "family": "ipv4", "local_addr": at.ip(), "local_port": at.port(),
        "backlog": backlog, "remote_addr": null, "remote_port": null,
    });
    told.iter().try_for_each(|record| record.must_be(&and(&owned_by(server), &listener)))?;
    let sum: u64 = told.iter().filter_map(|r| r.number("count")).sum();
    ensure!(sum == counted, "{sum} are told of {counted}");
    Ok(())
}

/// One attempt at a port where nobody listens.
fn knock(lab: &Lab, client: &mut Peer, port: u16) -> Result<Attempt> {
    let attempt = Attempt::blocking(client, "c", lab.net().server_at(port), Errno::ECONNREFUSED)?;
    client.ask("close c")?;
    Ok(attempt)
}

fn refused() -> Value {
    and(&error(Errno::ECONNREFUSED), &json!({ "cause": "refused", "reset_by": "remote" }))
}

fn tries_at_one_closed_port_are_told_together(lab: &Lab) -> Result<()> {
    let mut client = lab.client()?;
    for _ in 0..3 {
        let from = knock(lab, &mut client, 81)?.connect.local().port();
        lab.tells(&lab.net().client, "failed", &json!({ "local_port": from }), &refused())?;
    }
    let door = json!({ "local_addr": lab.net().server_v4(), "local_port": 81, "remote_addr": lab.net().client_v4() });
    // The first at once, the others when the window is over.
    for count in [None, Some(2)] {
        lab.tells(&lab.net().server, "refused_inbound", &json!({ "count": count }), &door)?;
    }
    Ok(())
}

fn a_remote_that_tries_many_closed_ports_scans(lab: &Lab) -> Result<()> {
    let mut client = lab.client()?;
    for port in 8001..8017 {
        knock(lab, &mut client, port)?.failed(lab, 1, &refused())?;
    }
    let scan = json!({
        "local_addr": lab.net().server_v4(), "remote_addr": lab.net().client_v4(), "ports": 16, "pid": null,
    });
    let scan = lab.at_server("port_scan", &scan)?;
    ensure!(scan.number("count").is_some_and(|count| count >= 1), "no count in {}", scan.json);
    Ok(())
}

fn listeners_that_share_a_port_own_what_each_accepts(lab: &Lab) -> Result<()> {
    let (mut client, mut servers) = (lab.client()?, [lab.server()?, lab.server()?]);
    let mut at = lab.net().server_at(0);
    for server in &mut servers {
        server.ask("socket l 4")?;
        server.ask("set l reuseport 1")?;
        server.ask(&format!("bind l {at}"))?;
        at = server.ask("listen l 16")?.local();
    }
    for n in 0..16 {
        let connect = client.connect("c", at)?;
        ensure!(connect.errno().is_none(), "failed to connect: {:?}", connect.errno());
        let server = taker(&mut servers)?;
        server.ask("accept l s")?;
        client.ask("close c")?;
        ensure!(server.ask("drain s")?.n() == 0, "more than was known");
        server.ask("close s")?;
        let from = connect.local();
        let (mine, its) = (json!({ "local_port": from.port() }), json!({ "remote_port": from.port() }));
        let whole = and(&and(&connected_by(&client), &nothing_else()), &from_to(from, at));
        lab.tells(&lab.net().client, "closed", &mine, &and(&whole, &orderly("local")))?;
        let whole = and(&and(&accepted_by(server), &nothing_else()), &from_to(at, from));
        lab.tells(&lab.net().server, "closed", &its, &and(&whole, &orderly("remote")))
            .with_context(|| format!("number {n}"))?;
    }
    let listens = |r: &&Record| r.event() == "listen";
    ensure!(lab.records().iter().filter(listens).count() == 2, "not two listeners");
    Ok(())
}

/// The one whose listener the kernel chose.
fn taker(servers: &mut [Peer; 2]) -> Result<&mut Peer> {
    for _ in 0..1000 {
        for n in [0, 1] {
            if servers[n].ask("poll l in 10")?.n() == 1 {
                return Ok(&mut servers[n]);
            }
        }
    }
    anyhow::bail!("no listener got it")
}
