//! The fault lab: attempts that end before ESTABLISHED, exactly one `failed` each, with the errno the program got.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use e2e::net::Ns;
use e2e::peer::{Peer, Truth};
use e2e::probe::Probe;
use e2e::records::{and, listing, only};
use nix::errno::Errno;
use serde_json::{Value, json};

use crate::lab::{Lab, error, from_to, must_be_lifeless};
use crate::scene::{accepted_by, connected_by};

/// A blocking attempt with one retry of the SYN.
fn impatient(client: &mut Peer, name: &str, to: SocketAddr) -> Result<Truth> {
    client.ask(&format!("socket {name} {}", if to.is_ipv4() { 4 } else { 6 }))?;
    client.ask(&format!("set {name} syncnt 1"))?;
    client.try_to(&format!("connect {name} {to}"))
}

/// A non-blocking attempt; it is under way.
pub(crate) fn begun(client: &mut Peer, name: &str, to: SocketAddr) -> Result<Truth> {
    client.ask(&format!("socket {name} {}", if to.is_ipv4() { 4 } else { 6 }))?;
    client.ask(&format!("nonblock {name}"))?;
    let truth = client.try_to(&format!("connect {name} {to}"))?;
    ensure!(truth.errno() == Some(Errno::EINPROGRESS), "connect gave {:?}", truth.errno());
    Ok(truth)
}

/// One blocking attempt to `to`, after `break_it`, that must fail with `errno` and be `pattern`.
fn fails(
    to: fn(&Lab) -> SocketAddr,
    break_it: fn(&Lab) -> Result<()>,
    errno: Errno,
    pattern: &Value,
) -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    break_it(&lab)?;
    let probe = Probe::start(&[])?;
    let (mut client, to) = (lab.client()?, to(&lab));
    let truth = impatient(&mut client, "c", to)?;
    assert_eq!(truth.errno(), Some(errno));
    probe.wait_for(&lab.at_client("failed"))?;
    client.ask("close c")?;
    let ends = lab.stop(probe)?;
    let failed =
        ends.client("failed", &and(&lab.attempt_of(&client, truth.local().port(), to), &error(errno)))?;
    failed.must_be(pattern)?;
    if errno == Errno::ETIMEDOUT {
        failed.must_be(&json!({ "syn_retransmits": lab.counted()? - 1 }))?;
    }
    let lasted = failed.number("duration_ns").unwrap_or(u64::MAX);
    ensure!(lasted <= truth.t1() - truth.t0(), "longer than connect(): {}", failed.json);
    ensure!(lasted + 100_000_000 > truth.t1() - truth.t0(), "shorter than connect(): {}", failed.json);
    ends.client("connect", &connected_by(&client))?;
    must_be_lifeless(&ends.server)
}

pub(crate) fn http(lab: &Lab) -> SocketAddr {
    lab.net.server_at(80)
}

pub(crate) fn http_v6(lab: &Lab) -> SocketAddr {
    (lab.net.server_v6(), 80).into()
}

#[test]
fn unanswered_syns_time_out() -> Result<()> {
    let pattern = json!({ "cause": "timed_out", "reset_by": null, "soft_error": null });
    fails(http, Lab::cut, Errno::ETIMEDOUT, &pattern)
}

#[test]
fn unanswered_ipv6_syns_time_out() -> Result<()> {
    let cut = |lab: &Lab| {
        // A SYN that waits for the neighbour's address is not sent again, but counts as if.
        let to = http_v6(lab);
        let known = lab.net.client.enter(|| std::net::TcpStream::connect(to).map(drop))?;
        ensure!(known.is_err(), "somebody listens at {to}");
        lab.cut()
    };
    let pattern = json!({ "cause": "timed_out", "reset_by": null, "soft_error": null });
    fails(http_v6, cut, Errno::ETIMEDOUT, &pattern)
}

#[test]
fn syns_the_own_filter_drops_time_out() -> Result<()> {
    let own = |lab: &Lab| lab.filter(&lab.net.client, "output", "counter drop");
    fails(http, own, Errno::ETIMEDOUT, &json!({ "cause": "timed_out", "reset_by": null, "soft_error": null }))
}

#[test]
fn an_address_nobody_has_is_unreachable() -> Result<()> {
    let soon =
        |lab: &Lab| lab.net.client.sh("echo 100 > /proc/sys/net/ipv4/neigh/veth/retrans_time_ms").map(drop);
    let nobody = |lab: &Lab| (lab.net.nobody_v4(), 80).into();
    fails(nobody, soon, Errno::EHOSTUNREACH, &json!({ "cause": "unreachable", "reset_by": null }))
}

#[test]
fn an_ipv6_address_nobody_has_is_unreachable() -> Result<()> {
    let soon =
        |lab: &Lab| lab.net.client.sh("echo 100 > /proc/sys/net/ipv6/neigh/veth/retrans_time_ms").map(drop);
    let nobody = |lab: &Lab| (lab.net.nobody_v6(), 80).into();
    fails(nobody, soon, Errno::EHOSTUNREACH, &json!({ "cause": "unreachable", "reset_by": null }))
}

#[test]
fn a_router_without_a_neighbour_makes_it_unreachable() -> Result<()> {
    let gone = |lab: &Lab| {
        lab.net.server.ip(&["link", "set", "veth", "arp", "off"])?;
        lab.router()?
            .sh("echo 100 > /proc/sys/net/ipv4/neigh/far/retrans_time_ms; ip neighbour flush dev far")
            .map(drop)
    };
    fails(http, gone, Errno::EHOSTUNREACH, &json!({ "cause": "unreachable", "reset_by": null }))
}

#[test]
fn a_route_the_router_lacks_makes_it_unreachable() -> Result<()> {
    let gone = |lab: &Lab| {
        let net = format!("{}/32", lab.net.server_v4());
        lab.router()?.ip(&["route", "add", "unreachable", &net]).map(drop)
    };
    fails(http, gone, Errno::EHOSTUNREACH, &json!({ "cause": "unreachable", "reset_by": null }))
}

/// Makes an attempt of that name; its local address and the errno the program got.
type Attempt = fn(&mut Peer, &str, SocketAddr) -> Result<(SocketAddr, Option<Errno>)>;

/// Attempts against one verdict of a filter after another: (verdict, errno, cause).
pub(crate) fn rejected(
    lab: &Lab,
    (ns, hook): (&Ns, &str),
    to: SocketAddr,
    kinds: &[(&str, Errno, &str)],
    attempt: Attempt,
) -> Result<()> {
    let probe = Probe::start(&[])?;
    let mut client = lab.client()?;
    let mut made = Vec::new();
    for (n, &(kind, errno, cause)) in kinds.iter().enumerate() {
        lab.filter(ns, hook, &format!("reject with {kind}"))?;
        let (local, got) = attempt(&mut client, &format!("c{n}"), to)?;
        if got != Some(errno) {
            probe.wait_for(&json!({ "event": "failed", "local_port": local.port() }))?;
            let run = probe.stop()?;
            anyhow::bail!("{kind} gives the program {got:?}:\n{}", listing(&run.records));
        }
        made.push((kind, local, errno, cause));
    }
    probe.wait_until("every attempt failed", |all| {
        (all.iter().filter(|r| r.is(&lab.at_client("failed"))).count() >= made.len()).then_some(())
    })?;
    let ends = lab.stop(probe)?;
    for (kind, local, errno, cause) in made {
        let by = (cause == "refused").then_some("remote");
        let pattern = and(&error(errno), &json!({ "cause": cause, "reset_by": by }));
        ends.client_from("failed", local.port(), &and(&lab.attempt_of(&client, local.port(), to), &pattern))
            .map_err(|e| e.context(kind.to_owned()))?;
    }
    assert_eq!(ends.client.iter().filter(|r| r.event() == "failed").count(), kinds.len());
    must_be_lifeless(&ends.server)
}

fn blocking(client: &mut Peer, name: &str, to: SocketAddr) -> Result<(SocketAddr, Option<Errno>)> {
    let truth = impatient(client, name, to)?;
    Ok((truth.local(), truth.errno()))
}

pub(crate) const KINDS_V4: [(&str, Errno, &str); 8] = [
    ("tcp reset", Errno::ECONNREFUSED, "refused"),
    ("icmp type port-unreachable", Errno::ECONNREFUSED, "refused_icmp"),
    ("icmp type host-unreachable", Errno::EHOSTUNREACH, "unreachable"),
    ("icmp type net-unreachable", Errno::ENETUNREACH, "unreachable"),
    ("icmp type prot-unreachable", Errno::ENOPROTOOPT, "other"),
    ("icmp type net-prohibited", Errno::ENETUNREACH, "unreachable"),
    ("icmp type host-prohibited", Errno::EHOSTUNREACH, "unreachable"),
    ("icmp type admin-prohibited", Errno::EHOSTUNREACH, "unreachable"),
];

pub(crate) const KINDS_V6: [(&str, Errno, &str); 7] = [
    ("tcp reset", Errno::ECONNREFUSED, "refused"),
    ("icmpv6 type port-unreachable", Errno::ECONNREFUSED, "refused_icmp"),
    ("icmpv6 type addr-unreachable", Errno::EHOSTUNREACH, "unreachable"),
    ("icmpv6 type no-route", Errno::ENETUNREACH, "unreachable"),
    ("icmpv6 type admin-prohibited", Errno::EACCES, "denied"),
    ("icmpv6 type policy-fail", Errno::EACCES, "denied"),
    ("icmpv6 type reject-route", Errno::EACCES, "denied"),
];

#[test]
fn the_router_rejects_in_every_way() -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    rejected(&lab, (lab.router()?, "forward"), http(&lab), &KINDS_V4, blocking)
}

#[test]
fn the_router_rejects_ipv6_in_every_way() -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    rejected(&lab, (lab.router()?, "forward"), http_v6(&lab), &KINDS_V6, blocking)
}

#[test]
fn the_own_filter_rejects() -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    // Its RST comes from the loopback device with a foreign source address, and is dropped.
    let silent = [("tcp reset", Errno::ETIMEDOUT, "timed_out")];
    rejected(&lab, (&lab.net.client, "output"), http(&lab), &[&silent, &KINDS_V4[1..3]].concat(), blocking)
}

/// The ICMP error mostly comes while connect() still has the socket: then it is only a soft error, which
/// SO_ERROR takes away before the close.
#[test]
fn an_icmp_error_the_application_took_is_still_the_cause() -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    lab.filter(lab.router()?, "forward", "reject with icmp type host-unreachable")?;
    let probe = Probe::start(&[])?;
    let mut client = lab.client()?;
    let mut ports = Vec::new();
    for n in 0..8 {
        let truth = begun(&mut client, &format!("c{n}"), http(&lab))?;
        client.ask(&format!("poll c{n} out 100"))?;
        // POLLERR comes just before the error itself.
        let mut error = 0;
        for _ in 0..100 {
            error = error.max(client.ask(&format!("so_error c{n}"))?.n());
            if error != 0 {
                break;
            }
        }
        assert_eq!(error, Errno::EHOSTUNREACH as u64);
        client.ask(&format!("close c{n}"))?;
        ports.push(truth.local());
    }
    probe.wait_until("every attempt failed", |all| {
        (all.iter().filter(|r| r.is(&lab.at_client("failed"))).count() >= ports.len()).then_some(())
    })?;
    let ends = lab.stop(probe)?;
    let pattern = and(&error(Errno::EHOSTUNREACH), &json!({ "cause": "unreachable", "reset_by": null }));
    for local in ports {
        let pattern = and(&lab.attempt_of(&client, local.port(), http(&lab)), &pattern);
        ends.client_from("failed", local.port(), &pattern)?;
    }
    Ok(())
}

/// An attempt under way that nothing answers, ended by `end`; the only `failed` then.
fn unanswered(end: fn(&Lab, &mut Peer) -> Result<()>, pattern: &Value) -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    lab.cut()?;
    let probe = Probe::start(&[])?;
    let mut client = lab.client()?;
    let truth = begun(&mut client, "c", http(&lab))?;
    end(&lab, &mut client)?;
    probe.wait_for(&lab.at_client("failed"))?;
    let ends = lab.stop(probe)?;
    let always = json!({ "reset_by": null, "soft_error": null, "syn_retransmits": 0 });
    let pattern = and(&and(&lab.attempt_of(&client, truth.local().port(), http(&lab)), &always), pattern);
    ends.client("failed", &pattern)?;
    ends.client("connect", &connected_by(&client))?;
    must_be_lifeless(&ends.server)
}

#[test]
fn a_process_that_dies_while_connecting_says_so() -> Result<()> {
    unanswered(|_, client| client.kill(), &json!({ "cause": "process_exit", "error": null }))
}

#[test]
fn a_process_that_dies_in_a_blocking_connect_says_so() -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    lab.cut()?;
    let probe = Probe::start(&[])?;
    let mut client = lab.client()?;
    client.ask("socket c 4")?;
    client.begin(&format!("connect c {}", http(&lab)))?;
    probe.wait_for(&lab.at_client("connect"))?;
    client.kill()?;
    probe.wait_for(&lab.at_client("failed"))?;
    let ends = lab.stop(probe)?;
    let pattern = json!({ "cause": "process_exit", "error": null, "remote_port": 80, "syn_retransmits": 0 });
    ends.client("failed", &and(&connected_by(&client), &pattern))?;
    Ok(())
}

#[test]
fn an_administrator_aborts_an_attempt() -> Result<()> {
    let kill = |lab: &Lab, client: &mut Peer| {
        lab.net.client.sh("ss -K -t state syn-sent")?;
        client.ask("poll c out 20000")?;
        assert_eq!(client.ask("so_error c")?.n(), Errno::ECONNABORTED as u64);
        client.ask("close c").map(drop)
    };
    unanswered(kill, &and(&error(Errno::ECONNABORTED), &json!({ "cause": "aborted" })))
}

#[test]
fn connecting_while_connecting_is_no_attempt() -> Result<()> {
    let again = |lab: &Lab, client: &mut Peer| {
        assert_eq!(client.try_to(&format!("connect c {}", http(lab)))?.errno(), Some(Errno::EALREADY));
        client.ask("close c").map(drop)
    };
    unanswered(again, &json!({ "cause": "abandoned", "error": null }))
}

#[test]
fn af_unspec_while_connecting_abandons() -> Result<()> {
    let disconnect = |_: &Lab, client: &mut Peer| {
        client.ask("disconnect c")?;
        client.ask("close c").map(drop)
    };
    unanswered(disconnect, &json!({ "cause": "abandoned" }))
}

#[test]
fn a_send_timeout_leaves_the_attempt_alone_until_the_close() -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    lab.cut()?;
    let probe = Probe::start(&[])?;
    let mut client = lab.client()?;
    client.ask("socket c 4")?;
    client.ask("set c sndtimeo 200")?;
    let truth = client.try_to(&format!("connect c {}", http(&lab)))?;
    assert_eq!(truth.errno(), Some(Errno::EINPROGRESS));
    let idle = client.ask("poll c out 200")?;
    assert_eq!(idle.n(), 0);
    let closed = client.ask("close c")?;
    probe.wait_for(&lab.at_client("failed"))?;
    let ends = lab.stop(probe)?;
    let pattern = and(
        &lab.attempt_of(&client, truth.local().port(), http(&lab)),
        &json!({ "cause": "abandoned", "error": null, "syn_retransmits": 0 }),
    );
    let failed = ends.client("failed", &pattern)?;
    let lasted = failed.number("duration_ns").unwrap_or(0);
    ensure!((idle.t1() - truth.t1()..=closed.t1() - truth.t0()).contains(&lasted), "in {}", failed.json);
    Ok(())
}

#[test]
fn each_attempt_on_one_socket_is_its_own() -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    assert_eq!(client.connect("c", http(&lab))?.errno(), Some(Errno::ECONNREFUSED));
    assert_eq!(client.try_to(&format!("connect c {}", http(&lab)))?.errno(), Some(Errno::ECONNREFUSED));
    let at = server.listen("l", lab.net.server_at(0), 16)?;
    let truth = client.ask(&format!("connect c {at}"))?;
    assert_eq!(client.try_to(&format!("connect c {at}"))?.errno(), Some(Errno::EISCONN));
    server.ask("accept l s")?;
    client.ask("send c 7")?;
    client.ask("close c")?;
    assert_eq!(server.ask("drain s")?.n(), 7);
    server.ask("close s")?;
    probe.wait_for(&lab.at_client("closed"))?;
    probe.wait_for(&lab.at_server("closed"))?;
    let ends = lab.stop(probe)?;
    let refused =
        and(&connected_by(&client), &and(&error(Errno::ECONNREFUSED), &json!({ "cause": "refused" })));
    let failed: Vec<_> = ends.client.iter().filter(|r| r.event() == "failed").collect();
    ensure!(failed.len() == 2, "not two attempts:\n{}", listing(failed));
    for record in &failed {
        record.must_be(&refused)?;
    }
    let orderly = json!({ "cause": "orderly", "bytes_sent": 7, "bytes_received": 0, "closed_by": "local" });
    let closed =
        ends.client("closed", &and(&and(&connected_by(&client), &from_to(truth.local(), at)), &orderly))?;
    let conns: std::collections::BTreeSet<_> =
        failed.iter().copied().chain([closed]).map(|r| r.text("conn")).collect();
    assert_eq!(conns.len(), 3);
    ends.server("closed", &and(&accepted_by(&server), &json!({ "cause": "orderly", "bytes_received": 7 })))?;
    Ok(())
}

#[test]
fn a_4_tuple_in_use_fails_as_no_port() -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    let at = server.listen("l", lab.net.server_at(0), 16)?;
    let from = SocketAddr::from((lab.net.client_v4(), 20_000));
    for name in ["c", "d"] {
        client.ask(&format!("socket {name} 4"))?;
        client.ask(&format!("bind {name} {from}"))?;
    }
    client.ask(&format!("connect c {at}"))?;
    assert_eq!(client.try_to(&format!("connect d {at}"))?.errno(), Some(Errno::EADDRNOTAVAIL));
    client.ask("close d")?;
    server.ask("accept l s")?;
    client.ask("close c")?;
    server.ask("drain s")?;
    server.ask("close s")?;
    probe.wait_for(&lab.at_client("closed"))?;
    probe.wait_for(&lab.at_server("closed"))?;
    let ends = lab.stop(probe)?;
    let no_port = and(&error(Errno::EADDRNOTAVAIL), &json!({ "cause": "no_port", "remote_port": at.port() }));
    ends.client("failed", &and(&connected_by(&client), &no_port))?;
    ends.client("closed", &and(&connected_by(&client), &from_to(from, at)))?;
    Ok(())
}

#[test]
fn a_full_accept_queue_times_the_client_out_and_invents_no_server() -> Result<()> {
    let Some(lab) = Lab::new()? else { return Ok(()) };
    let probe = Probe::start(&[])?;
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    // A backlog of 0 has room for one.
    let at = server.listen("l", lab.net.server_at(0), 0)?;
    assert_eq!(client.connect("c", at)?.errno(), None);
    assert_eq!(server.ask("poll l in 20000")?.n(), 1);
    let truth = impatient(&mut client, "d", at)?;
    assert_eq!(truth.errno(), Some(Errno::ETIMEDOUT));
    begun(&mut client, "e", at)?;
    client.ask("close e")?;
    server.ask("accept l s")?;
    client.ask("close c")?;
    server.ask("drain s")?;
    server.ask("close s")?;
    probe.wait_for(&lab.at_client("closed"))?;
    probe.wait_for(&lab.at_server("closed"))?;
    let ends = lab.stop(probe)?;
    let timed_out = and(&error(Errno::ETIMEDOUT), &json!({ "cause": "timed_out", "reset_by": null }));
    ends.client_from(
        "failed",
        truth.local().port(),
        &and(&lab.attempt_of(&client, truth.local().port(), at), &timed_out),
    )?;
    let abandoned = json!({ "event": "failed", "cause": "abandoned", "remote_port": at.port() });
    only(&ends.client, &abandoned)?.must_be(&connected_by(&client))?;
    ends.server("accept", &accepted_by(&server))?;
    ends.server("closed", &json!({ "cause": "orderly", "accepted": true }))?;
    assert!(!ends.server.iter().any(|r| r.event() == "failed"));
    Ok(())
}
