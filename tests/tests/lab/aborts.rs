//! Lifetimes that end with a RST, an administrator, a death or their namespace.

use anyhow::{Result, ensure};
use e2e::clock::now_ns;
use e2e::net::Ns;
use e2e::records::and;
use nix::errno::Errno;
use serde_json::{Value, json};

use crate::lab::{Lab, error};
use crate::life::{Life, by_peer, by_us, bytes, lingered, must_end, orderly, reset};
use crate::stage::scenarios;

scenarios![
    a_close_with_linger_0_is_a_reset_of_ours,
    a_close_with_unread_data_says_how_much_was_unread,
    a_server_with_unread_data_resets,
    a_disconnect_by_af_unspec_is_a_reset_of_ours,
    a_reset_in_close_wait_is_the_peers_with_epipe,
    data_after_the_close_is_answered_by_a_reset_of_ours,
    an_administrator_aborts_it_at_both_ends,
    an_abort_at_one_end_is_a_reset_at_the_other,
    a_killed_client_owns_its_end,
    a_killed_server_owns_its_end,
    a_namespace_deleted_with_live_connections_ends_them,
];

fn a_close_with_linger_0_is_a_reset_of_ours(lab: &Lab) -> Result<()> {
    let mut life = Life::begin(lab)?;
    let end = reset(&mut life.client, "c")?;
    must_end(&mut life.server, "s", Errno::ECONNRESET)?;
    life.client_closed(end, &lingered())?;
    life.server_closed(end, &by_peer()).map(drop)
}

fn a_close_with_unread_data_says_how_much_was_unread(lab: &Lab) -> Result<()> {
    let mut life = Life::begin(lab)?;
    life.server.ask("send s 1000")?;
    life.client.ask("recv c 223")?;
    life.client.ask("peek c 777")?;
    let end = life.client.ask("close c")?.t0();
    must_end(&mut life.server, "s", Errno::ECONNRESET)?;
    let unread = and(&json!({ "unread_bytes": 777 }), &bytes(0, 1000));
    life.client_closed(end, &and(&by_us("reset_unread_data", "tcp_abort_on_close"), &unread))?;
    life.server_closed(end, &and(&by_peer(), &bytes(1000, 0))).map(drop)
}

fn a_server_with_unread_data_resets(lab: &Lab) -> Result<()> {
    let mut life = Life::begin(lab)?;
    life.client.ask("send c 50")?;
    ensure!(life.server.ask("peek s 50")?.n() == 50);
    let end = life.server.ask("close s")?.t0();
    must_end(&mut life.client, "c", Errno::ECONNRESET)?;
    life.client_closed(end, &and(&by_peer(), &bytes(50, 0)))?;
    let unread = and(&json!({ "unread_bytes": 50 }), &bytes(0, 50));
    life.server_closed(end, &and(&by_us("reset_unread_data", "tcp_abort_on_close"), &unread)).map(drop)
}

fn a_disconnect_by_af_unspec_is_a_reset_of_ours(lab: &Lab) -> Result<()> {
    let mut life = Life::begin(lab)?;
    let end = life.client.ask("disconnect c")?.t0();
    must_end(&mut life.server, "s", Errno::ECONNRESET)?;
    life.client.ask("close c")?;
    life.client_closed(end, &lingered())?;
    life.server_closed(end, &by_peer()).map(drop)
}

fn a_reset_in_close_wait_is_the_peers_with_epipe(lab: &Lab) -> Result<()> {
    let mut life = Life::begin(lab)?;
    life.client.ask("shutdown c")?;
    ensure!(life.server.ask("drain s")?.n() == 0);
    let end = reset(&mut life.client, "c")?;
    must_end(&mut life.server, "s", Errno::EPIPE)?;
    life.client_closed(end, &lingered())?;
    let by_peer = json!({
        "cause": "reset_by_peer", "reset_by": "remote", "closed_by": "remote", "prev_state": "close_wait",
    });
    life.server_closed(end, &and(&error(Errno::EPIPE), &by_peer)).map(drop)
}

fn data_after_the_close_is_answered_by_a_reset_of_ours(lab: &Lab) -> Result<()> {
    let mut life = Life::begin(lab)?;
    // The FIN is lost, so the server's data meets a socket in FIN-WAIT-1 that nobody has.
    lab.filter(&lab.net().client, "output", "tcp flags & fin == fin drop")?;
    let end = life.client.ask("close c")?.t0();
    life.server.ask("send s 100")?;
    must_end(&mut life.server, "s", Errno::ECONNRESET)?;
    let ours = and(&by_us("reset_by_kernel", "tcp_abort_on_data"), &json!({ "prev_state": "fin_wait_1" }));
    life.client_closed(end, &and(&error(Errno::ECONNRESET), &ours))?;
    life.server_closed(end, &by_peer()).map(drop)
}

/// Pattern: `ss` of that process id ended it.
fn aborted_by(ss: u64) -> Value {
    let by = json!({ "closed_by": "admin", "closer_pid": ss, "closer_comm": "ss" });
    and(&error(Errno::ECONNABORTED), &and(&by_us("aborted", "tcp_state"), &by))
}

/// Ends everything that is established in a namespace; who did.
fn kill_established(ns: &Ns) -> Result<u64> {
    let said = ns.sh("echo $$; exec ss -K -t state established")?;
    Ok(said.lines().next().unwrap_or_default().parse()?)
}

fn an_administrator_aborts_it_at_both_ends(lab: &Lab) -> Result<()> {
    let mut life = Life::begin(lab)?;
    // Each end by itself: the RST of the first must not end the second.
    lab.cut()?;
    let end = now_ns();
    let (here, there) = (kill_established(&lab.net().client)?, kill_established(&lab.net().server)?);
    must_end(&mut life.client, "c", Errno::ECONNABORTED)?;
    must_end(&mut life.server, "s", Errno::ECONNABORTED)?;
    life.client_closed(end, &aborted_by(here))?;
    life.server_closed(end, &aborted_by(there)).map(drop)
}

fn an_abort_at_one_end_is_a_reset_at_the_other(lab: &Lab) -> Result<()> {
    let mut life = Life::begin(lab)?;
    let end = now_ns();
    let ss = kill_established(&lab.net().client)?;
    must_end(&mut life.server, "s", Errno::ECONNRESET)?;
    must_end(&mut life.client, "c", Errno::ECONNABORTED)?;
    life.client_closed(end, &aborted_by(ss))?;
    life.server_closed(end, &by_peer()).map(drop)
}

fn a_killed_client_owns_its_end(lab: &Lab) -> Result<()> {
    let mut life = Life::begin(lab)?;
    let end = now_ns();
    life.client.kill()?;
    ensure!(life.server.ask("drain s")?.n() == 0);
    life.server.ask("close s")?;
    life.client_closed(end, &json!({ "cause": "process_exit", "closed_by": "local" }))?;
    life.server_closed(end, &orderly("remote")).map(drop)
}

fn a_killed_server_owns_its_end(lab: &Lab) -> Result<()> {
    let mut life = Life::begin(lab)?;
    let end = now_ns();
    life.server.kill()?;
    ensure!(life.client.ask("drain c")?.n() == 0);
    life.client.ask("close c")?;
    life.client_closed(end, &orderly("remote"))?;
    life.server_closed(end, &json!({ "cause": "process_exit", "closed_by": "local" })).map(drop)
}

fn a_namespace_deleted_with_live_connections_ends_them(lab: &Lab) -> Result<()> {
    for ns in [&lab.net().client, &lab.net().server] {
        lab.tune(ns, "tcp_orphan_retries", "1")?;
    }
    let mut life = Life::begin(lab)?;
    lab.cut()?;
    life.client.ask("send c 100")?;
    let end = now_ns();
    for ns in [&lab.net().client, &lab.net().server] {
        ns.delete()?;
    }
    life.client.kill()?;
    life.server.kill()?;
    // Both FINs are sent again, in vain.
    let gone = and(&error(Errno::ETIMEDOUT), &json!({ "cause": "timed_out", "closed_by": "local" }));
    life.client_closed(end, &gone)?;
    life.server_closed(end, &gone).map(drop)
}
