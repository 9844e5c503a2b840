//! Filters that reject in every way nftables has.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, ensure};
use e2e::net::Ns;
use e2e::records::and;
use nix::errno::Errno;
use serde_json::json;

use crate::attempt::{Attempt, must_get};
use crate::lab::{Lab, error};
use crate::stage::scenarios;

scenarios![
    the_router_rejects_in_every_way,
    the_router_rejects_ipv6_in_every_way,
    the_server_rejects_non_blocking_attempts_in_every_way,
    the_server_rejects_non_blocking_ipv6_attempts_in_every_way,
    the_own_filter_rejects,
    an_icmp_error_the_application_took_is_still_the_cause,
];

/// What the filter does, what the program gets, and the cause.
type Kind = (&'static str, Errno, &'static str);

const KINDS_V4: [Kind; 8] = [
    ("tcp reset", Errno::ECONNREFUSED, "refused"),
    ("icmp type port-unreachable", Errno::ECONNREFUSED, "refused_icmp"),
    ("icmp type host-unreachable", Errno::EHOSTUNREACH, "unreachable"),
    ("icmp type net-unreachable", Errno::ENETUNREACH, "unreachable"),
    ("icmp type prot-unreachable", Errno::ENOPROTOOPT, "other"),
    ("icmp type net-prohibited", Errno::ENETUNREACH, "unreachable"),
    ("icmp type host-prohibited", Errno::EHOSTUNREACH, "unreachable"),
    ("icmp type admin-prohibited", Errno::EHOSTUNREACH, "unreachable"),
];

const KINDS_V6: [Kind; 7] = [
    ("tcp reset", Errno::ECONNREFUSED, "refused"),
    ("icmpv6 type port-unreachable", Errno::ECONNREFUSED, "refused_icmp"),
    ("icmpv6 type addr-unreachable", Errno::EHOSTUNREACH, "unreachable"),
    ("icmpv6 type no-route", Errno::ENETUNREACH, "unreachable"),
    ("icmpv6 type admin-prohibited", Errno::EACCES, "denied"),
    ("icmpv6 type policy-fail", Errno::EACCES, "denied"),
    ("icmpv6 type reject-route", Errno::EACCES, "denied"),
];

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Blocking,
    /// SO_ERROR is asked until it says why.
    Polling,
}

/// An attempt for each kind, all at once: each has a port and a process of its own.
fn rejected(lab: &Lab, (ns, hook): (&Ns, &str), to: IpAddr, kinds: &[Kind], way: Way) -> Result<()> {
    let ports = || (8001u16..).zip(kinds);
    let rules: Vec<_> =
        ports().map(|(port, (kind, ..))| format!("tcp dport {port} reject with {kind}")).collect();
    ns.filters(hook, &rules)?;
    let mut made = Vec::new();
    for (port, &(kind, errno, cause)) in ports() {
        let mut client = lab.client()?;
        let to = SocketAddr::from((to, port));
        client.ask(&format!("socket c {}", if to.is_ipv4() { 4 } else { 6 }))?;
        client.ask("set c syncnt 1")?;
        if way == Way::Polling {
            client.ask("nonblock c")?;
        }
        client.begin(&format!("connect c {to}"))?;
        made.push((client, to, kind, errno, cause));
    }
    for (client, to, kind, errno, cause) in &mut made {
        let connect = client.finish()?;
        let wanted = if way == Way::Polling { Errno::EINPROGRESS } else { *errno };
        ensure!(connect.errno() == Some(wanted), "{kind}: connect gave {:?}", connect.errno());
        if way == Way::Polling {
            must_get(client, "c", *errno).with_context(|| (*kind).to_owned())?;
        }
        client.ask("close c")?;
        let by = (*cause == "refused").then_some("remote");
        let pattern = and(&error(*errno), &json!({ "cause": cause, "reset_by": by }));
        Attempt::new(client, *to, connect).failed(lab, 0, &pattern).with_context(|| (*kind).to_owned())?;
    }
    Ok(())
}

fn the_router_rejects_in_every_way(lab: &Lab) -> Result<()> {
    rejected(lab, (lab.router()?, "forward"), lab.net().server_v4(), &KINDS_V4, Way::Blocking)
}

fn the_router_rejects_ipv6_in_every_way(lab: &Lab) -> Result<()> {
    rejected(lab, (lab.router()?, "forward"), lab.net().server_v6(), &KINDS_V6, Way::Blocking)
}

fn the_server_rejects_non_blocking_attempts_in_every_way(lab: &Lab) -> Result<()> {
    rejected(lab, (&lab.net().server, "input"), lab.net().server_v4(), &KINDS_V4, Way::Polling)
}

fn the_server_rejects_non_blocking_ipv6_attempts_in_every_way(lab: &Lab) -> Result<()> {
    rejected(lab, (&lab.net().server, "input"), lab.net().server_v6(), &KINDS_V6, Way::Polling)
}

fn the_own_filter_rejects(lab: &Lab) -> Result<()> {
    rejected(lab, (&lab.net().client, "output"), lab.net().server_v4(), &KINDS_V4, Way::Blocking)
}

/// The ICMP error mostly comes while connect() still has the socket: then it is only a soft error, which
/// SO_ERROR takes away before the close.
fn an_icmp_error_the_application_took_is_still_the_cause(lab: &Lab) -> Result<()> {
    lab.filter(lab.router()?, "forward", "reject with icmp type host-unreachable")?;
    let mut client = lab.client()?;
    for port in 8001..8009 {
        let attempt = Attempt::begun(&mut client, "c", lab.net().server_at(port))?;
        must_get(&mut client, "c", Errno::EHOSTUNREACH)?;
        client.ask("close c")?;
        let pattern = and(&error(Errno::EHOSTUNREACH), &json!({ "cause": "unreachable" }));
        attempt.failed(lab, 0, &pattern)?;
    }
    Ok(())
}
