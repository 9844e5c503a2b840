//! Attempts that end before ESTABLISHED by a RST, by the kernel at once, or by whoever made them.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use e2e::cgroup::Denied;
use e2e::clock::now_ns;
use e2e::peer::{Peer, connected_by};
use e2e::records::and;
use nix::errno::Errno;
use serde_json::{Value, json};

use crate::attempt::{Attempt, must_get};
use crate::lab::{Lab, error, from_to};
use crate::life::{Life, bytes, orderly};
use crate::stage::{Unavailable, scenarios};

scenarios![
    a_refused_blocking_connect_is_refused,
    a_refused_non_blocking_connect_is_refused,
    a_refused_ipv6_connect_is_refused,
    without_a_route_it_fails_as_no_route,
    an_unreachable_route_fails_as_no_route,
    a_prohibited_route_fails_as_denied,
    a_blackhole_route_fails_as_invalid,
    a_cgroup_that_denies_connect_fails_it_as_denied,
    without_a_free_port_it_fails_as_no_port,
    a_4_tuple_in_use_fails_as_no_port,
    an_attempt_the_application_gives_up_is_abandoned,
    a_send_timeout_leaves_the_attempt_alone_until_the_close,
    connecting_while_connecting_is_no_attempt,
    connecting_while_connected_is_no_attempt,
    each_attempt_on_one_socket_is_its_own,
    af_unspec_while_connecting_abandons,
    an_administrator_aborts_an_attempt,
    a_process_that_exits_while_connecting_says_so,
    a_process_killed_while_connecting_says_so,
    a_process_killed_in_a_blocking_connect_says_so,
];

fn refused() -> Value {
    let by = json!({ "cause": "refused", "reset_by": "remote" });
    and(&error(Errno::ECONNREFUSED), &by)
}

/// The server's side of an attempt at a closed port.
fn must_be_told_at_server(lab: &Lab, to: SocketAddr) -> Result<()> {
    let tried = json!({
        "pid": null, "local_addr": to.ip(), "local_port": to.port(), "remote_addr": if to.is_ipv4() { lab.net().client_v4() } else { lab.net().client_v6() },
    });
    lab.at_server("refused_inbound", &tried).map(drop)
}

fn is_refused(lab: &Lab, to: SocketAddr) -> Result<()> {
    let mut client = lab.client()?;
    let attempt = Attempt::blocking(&mut client, "c", to, Errno::ECONNREFUSED)?;
    attempt.failed(lab, 1, &refused())?;
    must_be_told_at_server(lab, to)
}

fn a_refused_blocking_connect_is_refused(lab: &Lab) -> Result<()> {
    is_refused(lab, lab.http())
}

fn a_refused_ipv6_connect_is_refused(lab: &Lab) -> Result<()> {
    is_refused(lab, lab.http_v6())
}

fn a_refused_non_blocking_connect_is_refused(lab: &Lab) -> Result<()> {
    let mut client = lab.client()?;
    let attempt = Attempt::begun(&mut client, "c", lab.http())?;
    must_get(&mut client, "c", Errno::ECONNREFUSED)?;
    client.ask("close c")?;
    attempt.failed(lab, 1, &refused())?;
    must_be_told_at_server(lab, lab.http())
}

/// One blocking attempt that the kernel ends without a SYN.
fn at_once(lab: &Lab, errno: Errno, cause: &str) -> Result<()> {
    let mut client = lab.client()?;
    let attempt = Attempt::blocking(&mut client, "c", "198.51.100.1:80".parse()?, errno)?;
    attempt.failed_at_once(lab, &and(&error(errno), &json!({ "cause": cause })))?;
    client.ask("close c").map(drop)
}

fn without_a_route_it_fails_as_no_route(lab: &Lab) -> Result<()> {
    at_once(lab, Errno::ENETUNREACH, "no_route")
}

fn an_unreachable_route_fails_as_no_route(lab: &Lab) -> Result<()> {
    lab.net().client.ip(&["route", "add", "unreachable", "198.51.100.1"])?;
    at_once(lab, Errno::EHOSTUNREACH, "no_route")
}

fn a_prohibited_route_fails_as_denied(lab: &Lab) -> Result<()> {
    lab.net().client.ip(&["route", "add", "prohibit", "198.51.100.1"])?;
    at_once(lab, Errno::EACCES, "denied")
}

fn a_blackhole_route_fails_as_invalid(lab: &Lab) -> Result<()> {
    lab.net().client.ip(&["route", "add", "blackhole", "198.51.100.1"])?;
    at_once(lab, Errno::EINVAL, "invalid")
}

fn a_cgroup_that_denies_connect_fails_it_as_denied(lab: &Lab) -> Result<()> {
    let mut client = lab.client()?;
    let Ok(_denied) = Denied::new(client.pid()) else {
        return Err(Unavailable("no cgroup2 here that takes a program").into());
    };
    let attempt = Attempt::blocking(&mut client, "c", lab.http(), Errno::EPERM)?;
    attempt.failed_at_once(lab, &and(&error(Errno::EPERM), &json!({ "cause": "denied" })))?;
    client.ask("close c").map(drop)
}

fn without_a_free_port_it_fails_as_no_port(lab: &Lab) -> Result<()> {
    lab.tune(&lab.net().client, "ip_local_port_range", "20000 20001")?;
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    let at = server.listen("l", lab.net().server_at(0), 16)?;
    let mut made = Vec::new();
    let none_left = loop {
        let n = made.len();
        let connect = client.connect(&format!("c{n}"), at)?;
        match connect.errno() {
            None => made.push(connect.local()),
            Some(Errno::EADDRNOTAVAIL) => break connect,
            Some(other) => anyhow::bail!("connect gave {other}"),
        }
        server.ask(&format!("accept l s{n}"))?;
        ensure!(made.len() <= 2, "more connections than ports");
    };
    client.ask(&format!("close c{}", made.len()))?;
    let no_port = json!({ "cause": "no_port", "remote_addr": at.ip(), "remote_port": at.port() });
    let failed =
        lab.at_client("failed", &and(&and(&connected_by(&client), &error(Errno::EADDRNOTAVAIL)), &no_port))?;
    Attempt::new(&client, at, none_left).must_last(&failed, 0)?;
    for (n, from) in made.into_iter().enumerate() {
        client.ask(&format!("close c{n}"))?;
        server.ask(&format!("drain s{n}"))?;
        server.ask(&format!("close s{n}"))?;
        let (here, there) = (json!({ "local_port": from.port() }), json!({ "remote_port": from.port() }));
        let whole = and(&from_to(from, at), &orderly("local"));
        lab.tells(&lab.net().client, "closed", &here, &whole)?;
        let whole = and(&from_to(at, from), &orderly("remote"));
        lab.tells(&lab.net().server, "closed", &there, &whole)?;
    }
    Ok(())
}

fn a_4_tuple_in_use_fails_as_no_port(lab: &Lab) -> Result<()> {
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    let at = server.listen("l", lab.net().server_at(0), 16)?;
    let from = SocketAddr::from((lab.net().client_v4(), 20_000));
    for name in ["c", "d"] {
        client.ask(&format!("socket {name} 4"))?;
        client.ask(&format!("bind {name} {from}"))?;
    }
    client.ask(&format!("connect c {at}"))?;
    let used = client.try_to(&format!("connect d {at}"))?;
    ensure!(used.errno() == Some(Errno::EADDRNOTAVAIL), "connect gave {:?}", used.errno());
    client.ask("close d")?;
    server.ask("accept l s")?;
    client.ask("close c")?;
    server.ask("drain s")?;
    server.ask("close s")?;
    let no_port = and(&error(Errno::EADDRNOTAVAIL), &json!({ "cause": "no_port", "remote_port": at.port() }));
    let failed = lab.at_client("failed", &and(&connected_by(&client), &no_port))?;
    Attempt::new(&client, at, used).must_last(&failed, 0)?;
    let whole = and(&from_to(from, at), &orderly("local"));
    lab.at_client("closed", &and(&connected_by(&client), &whole))?;
    lab.at_server("closed", &and(&from_to(at, from), &orderly("remote"))).map(drop)
}

/// An attempt under way that nothing answers, ended by `end` so many ns later.
fn unanswered(lab: &Lab, end: fn(&Lab, &mut Peer) -> Result<u64>, pattern: &Value) -> Result<()> {
    lab.cut()?;
    let mut client = lab.client()?;
    let attempt = Attempt::begun(&mut client, "c", lab.http())?;
    let ended = end(lab, &mut client)?;
    let pattern = and(&json!({ "syn_retransmits": lab.counted()? - 1 }), pattern);
    attempt.failed(lab, ended.saturating_sub(attempt.connect.t1()), &pattern).map(drop)
}

fn close(client: &mut Peer) -> Result<u64> {
    Ok(client.ask("close c")?.t0())
}

fn an_attempt_the_application_gives_up_is_abandoned(lab: &Lab) -> Result<()> {
    let give_up = |_: &Lab, client: &mut Peer| {
        ensure!(client.ask("poll c out 300")?.n() == 0, "somebody answered");
        close(client)
    };
    unanswered(lab, give_up, &json!({ "cause": "abandoned" }))
}

fn a_send_timeout_leaves_the_attempt_alone_until_the_close(lab: &Lab) -> Result<()> {
    lab.cut()?;
    let mut client = lab.client()?;
    client.ask("socket c 4")?;
    client.ask("set c sndtimeo 200")?;
    let connect = client.try_to(&format!("connect c {}", lab.http()))?;
    ensure!(connect.errno() == Some(Errno::EINPROGRESS), "connect gave {:?}", connect.errno());
    let attempt = Attempt::new(&client, lab.http(), connect);
    ensure!(client.ask("poll c out 200")?.n() == 0, "somebody answered");
    let end = close(&mut client)?;
    let pattern = json!({ "cause": "abandoned", "syn_retransmits": lab.counted()? - 1 });
    attempt.failed(lab, end - attempt.connect.t1(), &pattern).map(drop)
}

fn connecting_while_connecting_is_no_attempt(lab: &Lab) -> Result<()> {
    let again = |lab: &Lab, client: &mut Peer| {
        let again = client.try_to(&format!("connect c {}", lab.http()))?;
        ensure!(again.errno() == Some(Errno::EALREADY), "connect gave {:?}", again.errno());
        close(client)
    };
    unanswered(lab, again, &json!({ "cause": "abandoned" }))
}

fn connecting_while_connected_is_no_attempt(lab: &Lab) -> Result<()> {
    let mut life = Life::begin(lab)?;
    let again = life.client.try_to(&format!("connect c {}", life.at))?;
    ensure!(again.errno() == Some(Errno::EISCONN), "connect gave {:?}", again.errno());
    let end = life.close()?;
    life.client_closed(end, &orderly("local"))?;
    life.server_closed(end, &orderly("remote")).map(drop)
}

fn each_attempt_on_one_socket_is_its_own(lab: &Lab) -> Result<()> {
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    let mut conns = std::collections::BTreeSet::new();
    client.ask("socket c 4")?;
    for port in [81, 82] {
        let to = lab.net().server_at(port);
        let connect = client.try_to(&format!("connect c {to}"))?;
        ensure!(connect.errno() == Some(Errno::ECONNREFUSED), "connect gave {:?}", connect.errno());
        let failed = Attempt::new(&client, to, connect).failed(lab, 1, &refused())?;
        conns.insert(failed.text("conn").map(str::to_owned));
    }
    let at = server.listen("l", lab.net().server_at(0), 16)?;
    let connect = client.ask(&format!("connect c {at}"))?;
    server.ask("accept l s")?;
    client.ask("send c 7")?;
    close(&mut client)?;
    ensure!(server.ask("drain s")?.n() == 7, "not everything came");
    server.ask("close s")?;
    let whole = and(&and(&orderly("local"), &bytes(7, 0)), &from_to(connect.local(), at));
    let closed = lab.at_client("closed", &and(&connected_by(&client), &whole))?;
    conns.insert(closed.text("conn").map(str::to_owned));
    lab.at_server("closed", &and(&and(&orderly("remote"), &bytes(0, 7)), &from_to(at, connect.local())))?;
    ensure!(conns.len() == 3, "three connections have the ids {conns:?}");
    Ok(())
}

fn af_unspec_while_connecting_abandons(lab: &Lab) -> Result<()> {
    let disconnect = |_: &Lab, client: &mut Peer| {
        let end = client.ask("disconnect c")?.t0();
        close(client)?;
        Ok(end)
    };
    unanswered(lab, disconnect, &json!({ "cause": "abandoned" }))
}

fn an_administrator_aborts_an_attempt(lab: &Lab) -> Result<()> {
    lab.cut()?;
    let mut client = lab.client()?;
    let attempt = Attempt::begun(&mut client, "c", lab.http())?;
    let end = now_ns();
    let said = lab.net().client.sh("echo $$; exec ss -K -t state syn-sent")?;
    let ss: u64 = said.lines().next().unwrap_or_default().parse()?;
    must_get(&mut client, "c", Errno::ECONNABORTED)?;
    close(&mut client)?;
    let by = json!({ "cause": "aborted", "closer_pid": ss, "closer_comm": "ss" });
    attempt.failed(lab, end - attempt.connect.t1(), &and(&error(Errno::ECONNABORTED), &by)).map(drop)
}

fn a_process_that_exits_while_connecting_says_so(lab: &Lab) -> Result<()> {
    let exit = |_: &Lab, client: &mut Peer| {
        let end = now_ns();
        client.begin("exit")?;
        ensure!(client.wait()?.success(), "the client failed");
        Ok(end)
    };
    unanswered(lab, exit, &json!({ "cause": "process_exit" }))
}

fn a_process_killed_while_connecting_says_so(lab: &Lab) -> Result<()> {
    let kill = |_: &Lab, client: &mut Peer| {
        let end = now_ns();
        client.kill()?;
        Ok(end)
    };
    unanswered(lab, kill, &json!({ "cause": "process_exit" }))
}

fn a_process_killed_in_a_blocking_connect_says_so(lab: &Lab) -> Result<()> {
    lab.cut()?;
    let mut client = lab.client()?;
    client.ask("socket c 4")?;
    client.begin(&format!("connect c {}", lab.http()))?;
    lab.at_client("connect", &connected_by(&client))?;
    client.kill()?;
    let to = json!({
        "local_addr": lab.net().client_v4(), "remote_addr": lab.net().server_v4(), "remote_port": 80,
        "cause": "process_exit", "error": null, "reset_by": null,
    });
    lab.at_client("failed", &and(&connected_by(&client), &to)).map(drop)
}
