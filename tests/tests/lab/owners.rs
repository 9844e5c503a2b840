//! Whose connection it is, and who ended it.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use e2e::peer::{Peer, accepted_by, connected_by, owned_by};
use e2e::records::and;
use serde_json::json;

use crate::lab::{Lab, from_to, nothing_else};
use crate::life::{Life, bytes, orderly};
use crate::stage::{peer_program, scenarios};

scenarios![
    a_forked_worker_that_accepts_is_the_owner,
    a_process_gone_before_the_end_is_still_named,
    a_connection_passed_on_keeps_its_owner_and_names_its_closer,
    a_connection_whose_giver_is_gone_keeps_its_owner,
    a_child_that_closes_last_is_the_closer,
    a_process_that_becomes_another_program_stays_what_it_was,
];

fn a_forked_worker_that_accepts_is_the_owner(lab: &Lab) -> Result<()> {
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    let at = server.listen("l", lab.net().server_at(0), 16)?;
    let worker = server.ask("fork w")?.n();
    server.ask("in w name worker")?;
    server.ask("in w setuid 65534")?;
    server.begin("in w accept l s")?;
    let connect = client.connect("c", at)?;
    ensure!(connect.errno().is_none(), "failed to connect: {:?}", connect.errno());
    let accept = server.finish()?;
    ensure!(accept.pid() == worker, "another accepted");
    let end = client.ask("close c")?.t0();
    server.ask("in w drain s")?;
    server.ask("in w close s")?;
    let owner = json!({
        "pid": worker, "pid_source": "accept", "comm": "worker", "exe": peer_program(), "cmdline": server.cmdline(),
        "uid": 65534, "user": "nobody", "role": "server",
    });
    let listener = owned_by(&server);
    let life = Life::made(lab, (client, connect), (server, accept), at);
    life.client_closed(end, &orderly("local"))?;
    life.server_closed_by_owner(&owner, end, &orderly("remote"))?;
    lab.at_server("listen", &listener).map(drop)
}

fn a_process_gone_before_the_end_is_still_named(lab: &Lab) -> Result<()> {
    let mut server = lab.server()?;
    let at = server.listen("l", lab.net().server_at(0), 16)?;
    let mut client = Peer::spawn(peer_program(), &["once", &at.to_string()], &lab.net().client, true)?;
    let from = client.finish()?.local();
    ensure!(client.wait()?.success(), "the client failed");
    // Only now, with the client reaped, does the connection end.
    server.ask("accept l s")?;
    ensure!(server.ask("drain s")?.n() == 1, "not one byte");
    server.ask("close s")?;
    let whole = and(&and(&connected_by(&client), &nothing_else()), &from_to(from, at));
    lab.at_client("closed", &and(&whole, &and(&orderly("local"), &bytes(1, 0))))?;
    let whole = and(&and(&accepted_by(&server), &nothing_else()), &from_to(at, from));
    lab.at_server("closed", &and(&whole, &and(&orderly("remote"), &bytes(0, 1)))).map(drop)
}

fn a_connection_passed_on_keeps_its_owner_and_names_its_closer(lab: &Lab) -> Result<()> {
    let (mut client, server) = (lab.client()?, lab.server()?);
    let worker = client.ask("fork w")?.n();
    client.ask("in w name taker")?;
    let mut life = Life::between(lab, client, server, lab.net().server_at(0))?;
    life.client.ask("give w c")?;
    life.client.ask("in w take t")?;
    life.client.ask("close c")?;
    life.client.ask("in w send t 5")?;
    ensure!(life.server.ask("recv s 5")?.n() == 5, "not everything came");
    let end = life.client.ask("in w close t")?.t0();
    life.server.ask("drain s")?;
    life.server.ask("close s")?;
    let closer = json!({ "closer_pid": worker, "closer_comm": "taker" });
    life.client_closed(end, &and(&and(&orderly("local"), &closer), &bytes(5, 0)))?;
    life.server_closed(end, &and(&orderly("remote"), &bytes(0, 5))).map(drop)
}

fn a_connection_whose_giver_is_gone_keeps_its_owner(lab: &Lab) -> Result<()> {
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    let at = server.listen("l", lab.net().server_at(0), 16)?;
    let giver = client.ask("fork w")?.n();
    client.ask("in w name giver")?;
    client.ask("in w socket c 4")?;
    server.begin("accept l s")?;
    let connect = client.ask(&format!("in w connect c {at}"))?;
    let accept = server.finish()?;
    client.ask("in w hand c")?;
    client.ask("receive w t")?;
    client.ask("leave w")?;
    client.ask("send t 5")?;
    ensure!(server.ask("recv s 5")?.n() == 5, "not everything came");
    let end = client.ask("close t")?.t0();
    server.ask("drain s")?;
    server.ask("close s")?;
    let owner = and(&connected_by(&client), &json!({ "pid": giver, "comm": "giver" }));
    let closer = json!({ "closer_pid": client.pid(), "closer_comm": "peer" });
    let life = Life::made(lab, (client, connect), (server, accept), at);
    life.client_closed_by_owner(&owner, end, &and(&and(&orderly("local"), &closer), &bytes(5, 0)))?;
    life.server_closed(end, &and(&orderly("remote"), &bytes(0, 5))).map(drop)
}

fn a_child_that_closes_last_is_the_closer(lab: &Lab) -> Result<()> {
    let mut life = Life::begin(lab)?;
    let child = life.client.ask("fork w")?.n();
    life.client.ask("in w name child")?;
    life.client.ask("close c")?;
    ensure!(life.server.ask("poll s in 200")?.n() == 0, "it ended with the first close");
    let end = life.client.ask("in w close c")?.t0();
    life.server.ask("drain s")?;
    life.server.ask("close s")?;
    let closer = json!({ "closer_pid": child, "closer_comm": "child" });
    life.client_closed(end, &and(&orderly("local"), &closer))?;
    life.server_closed(end, &orderly("remote")).map(drop)
}

fn a_process_that_becomes_another_program_stays_what_it_was(lab: &Lab) -> Result<()> {
    let folder = tempfile::tempdir_in(peer_program().parent().context("a program without a folder")?)?;
    let other: PathBuf = folder.path().join("other");
    std::fs::hard_link(peer_program(), &other)?;
    let mut life = Life::begin(lab)?;
    let pid = life.client.pid();
    ensure!(life.client.ask(&format!("exec {} c", other.display()))?.pid() == pid, "another process");
    ensure!(std::fs::read_link(format!("/proc/{pid}/exe"))? == other, "the same program");
    life.client.ask("send c 5")?;
    let end = life.client.ask("close c")?.t0();
    ensure!(life.server.ask("drain s")?.n() == 5, "not everything came");
    life.server.ask("close s")?;
    life.client_closed(end, &and(&orderly("local"), &bytes(5, 0)))?;
    life.server_closed(end, &and(&orderly("remote"), &bytes(0, 5))).map(drop)
}
