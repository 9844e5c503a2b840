//! What a timer ends: attempts that nobody answers, paths that are gone.

use anyhow::{Result, ensure};
use e2e::clock::now_ns;
use e2e::need::has_reset_reasons;
use e2e::records::and;
use nix::errno::Errno;
use serde_json::{Value, json};

use crate::attempt::Attempt;
use crate::lab::{Lab, error};
use crate::life::{Life, by_peer, bytes, lingered, must_end, orderly, reset};
use crate::stage::scenarios;

scenarios![
    unanswered_syns_time_out,
    unanswered_ipv6_syns_time_out,
    syns_the_own_filter_drops_time_out,
    an_attempt_with_a_user_timeout_times_out,
    an_address_nobody_has_is_unreachable,
    an_ipv6_address_nobody_has_is_unreachable,
    a_router_without_a_neighbour_makes_it_unreachable,
    a_route_the_router_lacks_makes_it_unreachable,
    keepalive_finds_the_path_cut,
    retransmissions_run_out,
    a_user_timeout_ends_it,
    a_user_timeout_ends_it_where_a_router_says_why,
    a_user_timeout_ends_an_idle_connection,
    a_router_says_the_path_is_gone_and_retransmissions_run_out,
    an_icmp_error_to_a_connection_is_shown_as_soft,
    an_icmp_error_that_was_overcome_is_no_cause,
    a_half_open_connection_lives_until_it_is_used,
];

/// Two SYNs, and a second of waiting after each.
const TWO_SYNS: u64 = 2_000_000_000;

fn timed_out() -> Value {
    and(&error(Errno::ETIMEDOUT), &json!({ "cause": "timed_out" }))
}

fn unreachable() -> Value {
    and(&error(Errno::EHOSTUNREACH), &json!({ "cause": "unreachable" }))
}

/// One blocking attempt whose SYNs the client's filter counts.
fn times_out(lab: &Lab, to: std::net::SocketAddr) -> Result<()> {
    let mut client = lab.client()?;
    let attempt = Attempt::blocking(&mut client, "c", to, Errno::ETIMEDOUT)?;
    let retries = lab.counted()? - 1;
    ensure!(retries >= 1, "no SYN was sent again");
    attempt.failed(lab, TWO_SYNS, &and(&timed_out(), &json!({ "syn_retransmits": retries })))?;
    client.ask("close c").map(drop)
}

fn unanswered_syns_time_out(lab: &Lab) -> Result<()> {
    lab.cut()?;
    times_out(lab, lab.http())
}

fn unanswered_ipv6_syns_time_out(lab: &Lab) -> Result<()> {
    // A SYN that waits for the neighbour's address is not sent again, but counts as if.
    let mut known = lab.client()?;
    let refused =
        Attempt::blocking(&mut known, "k", (lab.net().server_v6(), 81).into(), Errno::ECONNREFUSED)?;
    let by = and(&error(Errno::ECONNREFUSED), &json!({ "cause": "refused", "reset_by": "remote" }));
    refused.failed(lab, 0, &by)?;
    lab.cut()?;
    let mut client = lab.client()?;
    let attempt = Attempt::blocking(&mut client, "c", lab.http_v6(), Errno::ETIMEDOUT)?;
    let retries = lab.counted()? - 1;
    attempt.failed(lab, TWO_SYNS, &and(&timed_out(), &json!({ "syn_retransmits": retries }))).map(drop)
}

fn syns_the_own_filter_drops_time_out(lab: &Lab) -> Result<()> {
    lab.filter(&lab.net().client, "output", "counter drop")?;
    times_out(lab, lab.http())
}

fn an_attempt_with_a_user_timeout_times_out(lab: &Lab) -> Result<()> {
    lab.cut()?;
    let mut client = lab.client()?;
    client.ask("socket c 4")?;
    client.ask("set c user_timeout 1500")?;
    let connect = client.try_to(&format!("connect c {}", lab.http()))?;
    ensure!(connect.errno() == Some(Errno::ETIMEDOUT), "connect gave {:?}", connect.errno());
    let attempt = Attempt::new(&client, lab.http(), connect);
    attempt.failed(lab, 1_500_000_000, &timed_out()).map(drop)
}

/// One blocking attempt that ends as unreachable; the kernel looks for neighbours sooner than usual.
fn is_unreachable(lab: &Lab, to: std::net::SocketAddr) -> Result<()> {
    for family in ["ipv4", "ipv6"] {
        let soon = format!("echo 100 > /proc/sys/net/{family}/neigh/veth/retrans_time_ms");
        lab.net().client.sh(&soon)?;
    }
    let mut client = lab.client()?;
    let attempt = Attempt::blocking(&mut client, "c", to, Errno::EHOSTUNREACH)?;
    attempt.failed(lab, 0, &unreachable())?;
    client.ask("close c").map(drop)
}

fn an_address_nobody_has_is_unreachable(lab: &Lab) -> Result<()> {
    is_unreachable(lab, (lab.net().nobody_v4(), 80).into())
}

fn an_ipv6_address_nobody_has_is_unreachable(lab: &Lab) -> Result<()> {
    is_unreachable(lab, (lab.net().nobody_v6(), 80).into())
}

fn a_router_without_a_neighbour_makes_it_unreachable(lab: &Lab) -> Result<()> {
    lab.net().server.ip(&["link", "set", "veth", "arp", "off"])?;
    lab.router()?
        .sh("echo 100 > /proc/sys/net/ipv4/neigh/far/retrans_time_ms; ip neighbour flush dev far")?;
    is_unreachable(lab, lab.http())
}

fn a_route_the_router_lacks_makes_it_unreachable(lab: &Lab) -> Result<()> {
    lab.router()?.ip(&["route", "add", "unreachable", &format!("{}/32", lab.net().server_v4())])?;
    is_unreachable(lab, lab.http())
}

fn keepalive_finds_the_path_cut(lab: &Lab) -> Result<()> {
    let mut life = Life::begin(lab)?;
    life.upload(10)?;
    for option in ["keepidle", "keepintvl", "keepcnt", "keepalive"] {
        life.client.ask(&format!("set c {option} 1"))?;
    }
    let cut = now_ns();
    lab.cut()?;
    must_end(&mut life.client, "c", Errno::ETIMEDOUT)?;
    let by =
        json!({ "cause": "keepalive_timeout", "closed_by": "kernel", "bytes_sent": 10, "retransmits": 0 });
    let mut by = and(&error(Errno::ETIMEDOUT), &by);
    if has_reset_reasons() {
        by = and(&by, &json!({ "reset_by": "local", "reset_reason": "tcp_keepalive_timeout" }));
    }
    life.client_closed(cut, &by)?;
    let end = reset(&mut life.server, "s")?;
    life.server_closed(end, &and(&lingered(), &bytes(0, 10))).map(drop)
}

fn retransmissions_run_out(lab: &Lab) -> Result<()> {
    let mut life = Life::begin(lab)?;
    lab.tune(&lab.net().client, "tcp_retries2", "1")?;
    let cut = now_ns();
    lab.cut()?;
    life.client.ask("send c 100")?;
    must_end(&mut life.client, "c", Errno::ETIMEDOUT)?;
    // The connection's own packets went before the counter.
    let retransmits = lab.counted()? - 1;
    ensure!(retransmits > 0, "nothing was sent again");
    let by = json!({ "cause": "timed_out", "closed_by": "kernel", "retransmits": retransmits });
    life.client_closed(cut, &and(&error(Errno::ETIMEDOUT), &by))?;
    let end = reset(&mut life.server, "s")?;
    life.server_closed(end, &lingered()).map(drop)
}

/// The end of a client that has data or probes unanswered.
fn user_timeout(errno: Errno) -> Value {
    and(&error(errno), &json!({ "cause": "user_timeout", "closed_by": "kernel" }))
}

fn a_user_timeout_ends_it(lab: &Lab) -> Result<()> {
    let mut life = Life::begin(lab)?;
    life.client.ask("set c user_timeout 300")?;
    let cut = now_ns();
    lab.cut()?;
    life.client.ask("send c 100")?;
    must_end(&mut life.client, "c", Errno::ETIMEDOUT)?;
    let retransmits = lab.counted()? - 1;
    let closed = and(&user_timeout(Errno::ETIMEDOUT), &json!({ "retransmits": retransmits }));
    life.client_closed(cut, &closed)?;
    let end = reset(&mut life.server, "s")?;
    life.server_closed(end, &lingered()).map(drop)
}

fn a_user_timeout_ends_it_where_a_router_says_why(lab: &Lab) -> Result<()> {
    let mut life = Life::begin(lab)?;
    life.client.ask("set c user_timeout 300")?;
    let cut = now_ns();
    lab.filter(lab.router()?, "forward", "reject with icmp type net-unreachable")?;
    life.client.ask("send c 100")?;
    must_end(&mut life.client, "c", Errno::ENETUNREACH)?;
    life.client_closed(cut, &user_timeout(Errno::ENETUNREACH))?;
    let end = reset(&mut life.server, "s")?;
    life.server_closed(end, &lingered()).map(drop)
}

fn a_user_timeout_ends_an_idle_connection(lab: &Lab) -> Result<()> {
    let mut life = Life::begin(lab)?;
    for (option, value) in [("keepidle", 1), ("keepintvl", 1), ("user_timeout", 1500), ("keepalive", 1)] {
        life.client.ask(&format!("set c {option} {value}"))?;
    }
    let cut = now_ns();
    lab.cut()?;
    must_end(&mut life.client, "c", Errno::ETIMEDOUT)?;
    let mut by = user_timeout(Errno::ETIMEDOUT);
    if has_reset_reasons() {
        by = and(&by, &json!({ "reset_by": "local", "reset_reason": "tcp_keepalive_timeout" }));
    }
    life.client_closed(cut, &by)?;
    let end = reset(&mut life.server, "s")?;
    life.server_closed(end, &lingered()).map(drop)
}

fn a_router_says_the_path_is_gone_and_retransmissions_run_out(lab: &Lab) -> Result<()> {
    let mut life = Life::begin(lab)?;
    lab.tune(&lab.net().client, "tcp_retries2", "1")?;
    let cut = now_ns();
    lab.filter(lab.router()?, "forward", "reject with icmp type host-unreachable")?;
    life.client.ask("send c 100")?;
    must_end(&mut life.client, "c", Errno::EHOSTUNREACH)?;
    life.client_closed(cut, &and(&unreachable(), &json!({ "closed_by": "kernel" })))?;
    let end = reset(&mut life.server, "s")?;
    life.server_closed(end, &lingered()).map(drop)
}

fn an_icmp_error_to_a_connection_is_shown_as_soft(lab: &Lab) -> Result<()> {
    let mut life = Life::begin(lab)?;
    lab.filter(lab.router()?, "forward", "reject with icmp type host-unreachable")?;
    life.client.ask("send c 100")?;
    // Long enough for the ICMP error; the connection goes on.
    ensure!(life.client.ask("poll c hup 300")?.n() == 0, "it ended");
    let end = reset(&mut life.client, "c")?;
    life.client_closed(end, &and(&lingered(), &json!({ "soft_error": "EHOSTUNREACH" })))?;
    let end = reset(&mut life.server, "s")?;
    life.server_closed(end, &lingered()).map(drop)
}

fn an_icmp_error_that_was_overcome_is_no_cause(lab: &Lab) -> Result<()> {
    let mut life = Life::begin(lab)?;
    lab.filter(lab.router()?, "forward", "reject with icmp type host-unreachable")?;
    life.client.ask("send c 100")?;
    ensure!(life.client.ask("poll c hup 300")?.n() == 0, "it ended");
    lab.router()?.mend()?;
    ensure!(life.server.ask("recv s 100")?.n() == 100, "not everything came");
    let end = life.close()?;
    life.client_closed(end, &and(&orderly("local"), &bytes(100, 0)))?;
    life.server_closed(end, &and(&orderly("remote"), &bytes(0, 100))).map(drop)
}

fn a_half_open_connection_lives_until_it_is_used(lab: &Lab) -> Result<()> {
    let mut life = Life::begin(lab)?;
    lab.cut()?;
    let end = reset(&mut life.server, "s")?;
    life.server_closed(end, &lingered())?;
    lab.router()?.mend()?;
    ensure!(life.client.ask("poll c in 1000")?.n() == 0, "the client learned of it");
    let early = lab.records().into_iter().any(|r| r.event() == "closed" && r.text("role") == Some("client"));
    ensure!(!early, "the client's end was told before it was one");
    let used = life.client.ask("send c 1")?.t0();
    must_end(&mut life.client, "c", Errno::ECONNRESET)?;
    life.client_closed(used, &by_peer()).map(drop)
}
