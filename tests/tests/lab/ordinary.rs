//! Nothing fails among ordinary connections, whatever else happens on the host meanwhile.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::ordinary::{KINDS, Kind};
use e2e::peer::{Peer, Truth, accepted_by, connected_by};
use e2e::records::{Record, and};
use serde_json::json;

use crate::lab::{Lab, from_to, nothing_else};
use crate::life::{bytes, orderly};
use crate::stage::{peer_program, scenarios};

scenarios![ten_thousand_ordinary_connections_are_orderly];

const CONNECTIONS: u64 = 10_000;
/// Beside the rest of the lab it takes some tens of seconds.
const PATIENCE: Duration = Duration::from_secs(150);

fn ten_thousand_ordinary_connections_are_orderly(lab: &Lab) -> Result<()> {
    let ip = lab.net().server_v4();
    let serve = ["ordinary-server", &ip.to_string()];
    let mut server = Peer::spawn(peer_program(), &serve, &lab.net().server, false)?;
    let ats = addresses(&server.finish()?, ip)?;
    let mut connect = vec!["ordinary-client".to_owned(), CONNECTIONS.to_string()];
    connect.extend(ats.iter().map(SocketAddr::to_string));
    let connect: Vec<_> = connect.iter().map(String::as_str).collect();
    let mut client = Peer::spawn(peer_program(), &connect, &lab.net().client, false)?;
    ensure!(client.finish_within(PATIENCE)?.n() == CONNECTIONS, "not all were made");
    server.ask("hurry")?;
    ensure!(client.finish_within(PATIENCE)?.n() == CONNECTIONS, "not all went as they should");
    ensure!(client.wait()?.success(), "the client failed");
    server.let_go();
    ensure!(server.finish_within(PATIENCE)?.n() == CONNECTIONS, "not all were served");
    server.wait()?;

    all_have_ended(lab)?;
    let mut seen = BTreeMap::<(&str, String), u64>::new();
    for record in lab.records() {
        let (side, here) = if record.number("netns") == Some(lab.net().client.inode().into()) {
            ("client", true)
        } else {
            ("server", false)
        };
        let of_a_connection = record.event() == "reset" && record.text("conn").is_some();
        let event = if of_a_connection { "reset of a connection" } else { record.event() };
        *seen.entry((side, event.into())).or_default() += 1;
        if record.event() == "closed" {
            lab.asked("closed orderly", &record);
            let (kind, local, remote) = ends(&record, here, &ats)?;
            let (up, down) = kind.bytes(if here { local.port() } else { remote.port() });
            let by = if kind.ends_at_client() == here { "local" } else { "remote" };
            let (who, moved) = if here {
                (connected_by(&client), bytes(up, down))
            } else {
                (and(&accepted_by(&server), &json!({ "accepted": true })), bytes(down, up))
            };
            let whole = and(&and(&who, &nothing_else()), &and(&from_to(local, remote), &orderly(by)));
            record.must_be(&and(&whole, &moved)).with_context(|| format!("{kind:?}"))?;
        }
    }
    let count = |side, event: &str| seen.get(&(side, event.to_owned())).copied().unwrap_or(0);
    for (side, event) in [
        ("client", "connect"),
        ("client", "established"),
        ("client", "closed"),
        ("server", "accept"),
        ("server", "closed"),
    ] {
        ensure!(count(side, event) == CONNECTIONS, "{} `{event}` at the {side}", count(side, event));
    }
    // A `reset` without a connection may be there: a late ACK of a connection that is gone meets the listener, and
    // the kernel answers it with a RST.
    for event in ["failed", "reset of a connection", "refused_inbound", "outage", "listen_overflow"] {
        let n = count("client", event) + count("server", event);
        ensure!(n == 0, "{n} `{event}` among ordinary connections");
    }
    Ok(())
}

fn addresses(told: &Truth, ip: std::net::IpAddr) -> Result<Vec<SocketAddr>> {
    let ports = told.0["ports"].as_array().context("no ports")?;
    let port = |port: &serde_json::Value| Some(SocketAddr::from((ip, u16::try_from(port.as_u64()?).ok()?)));
    ports.iter().map(|p| port(p).context("not a port")).collect()
}

/// Waits until both sides have told of every end. Each record is looked at once.
fn all_have_ended(lab: &Lab) -> Result<()> {
    let (seen, ended) = (Cell::new(0), Cell::new(0));
    lab.wait_until("every connection closed", |all| {
        let new = all[seen.get()..].iter().filter(|r| matches!(r.event(), "closed" | "failed")).count();
        ended.set(ended.get() + new as u64);
        seen.set(all.len());
        (ended.get() >= 2 * CONNECTIONS).then_some(())
    })
}

/// What kind of connection a record is of, and its ends.
fn ends(record: &Record, here: bool, ats: &[SocketAddr]) -> Result<(Kind, SocketAddr, SocketAddr)> {
    let end = |addr: &str, port: &str| -> Result<SocketAddr> {
        let ip = record.text(addr).context("no address")?.parse::<std::net::IpAddr>()?;
        Ok((ip, u16::try_from(record.number(port).context("no port")?)?).into())
    };
    let (local, remote) = (end("local_addr", "local_port")?, end("remote_addr", "remote_port")?);
    let server = if here { remote } else { local };
    let kind = ats.iter().position(|at| *at == server).context("to none of the listeners")?;
    Ok((KINDS[kind], local, remote))
}
