//! Lifetimes, and what the programs at both ends measured.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use e2e::need::has_reset_reasons;
use e2e::peer::{Peer, Truth, accepted_by, connected_by};
use e2e::records::{Record, and};
use nix::errno::Errno;
use serde_json::{Value, json};

use crate::lab::{Lab, error, from_to, nothing_else};

/// Socket `c` of a client, accepted as `s` by a server that listens with `l`.
pub(crate) struct Life<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) client: Peer,
    pub(crate) server: Peer,
    pub(crate) at: SocketAddr,
    pub(crate) connect: Truth,
    accept: Truth,
}

impl<'a> Life<'a> {
    pub(crate) fn begin(lab: &'a Lab) -> Result<Self> {
        let (client, server) = (lab.client()?, lab.server()?);
        Self::between(lab, client, server, lab.net().server_at(0))
    }

    /// The server listens at `at`; the client connects to the port it got.
    pub(crate) fn between(lab: &'a Lab, mut client: Peer, mut server: Peer, at: SocketAddr) -> Result<Self> {
        let at = server.listen("l", at, 16)?;
        server.begin("accept l s")?;
        let connect = client.connect("c", at)?;
        ensure!(connect.errno().is_none(), "failed to connect: {:?}", connect.errno());
        let accept = server.finish()?;
        Ok(Self { lab, client, server, at, connect, accept })
    }

    /// One that was made by other means.
    pub(crate) fn made(
        lab: &'a Lab,
        (client, connect): (Peer, Truth),
        (server, accept): (Peer, Truth),
        at: SocketAddr,
    ) -> Self {
        Self { lab, client, server, at, connect, accept }
    }

    /// The client sends so many bytes, and the server has received them.
    pub(crate) fn upload(&mut self, bytes: u64) -> Result<()> {
        self.client.begin(&format!("send c {bytes}"))?;
        ensure!(self.server.ask(&format!("recv s {bytes}"))?.n() == bytes);
        ensure!(self.client.finish()?.n() == bytes);
        Ok(())
    }

    /// The server sends so many bytes, and the client has received them.
    pub(crate) fn download(&mut self, bytes: u64) -> Result<()> {
        self.server.begin(&format!("send s {bytes}"))?;
        ensure!(self.client.ask(&format!("recv c {bytes}"))?.n() == bytes);
        ensure!(self.server.finish()?.n() == bytes);
        Ok(())
    }

    /// The client closes, and then the server: in order. When the client began.
    pub(crate) fn close(&mut self) -> Result<u64> {
        let end = self.client.ask("close c")?.t0();
        ensure!(self.server.ask("drain s")?.n() == 0, "more than was known");
        self.server.ask("close s")?;
        Ok(end)
    }

    /// How it ended at the client, not before `after` (ns, `CLOCK_MONOTONIC`).
    pub(crate) fn client_closed(&self, after: u64, pattern: &Value) -> Result<Record> {
        self.client_closed_by_owner(&connected_by(&self.client), after, pattern)
    }

    /// The same where the owner is described otherwise.
    pub(crate) fn client_closed_by_owner(
        &self,
        owner: &Value,
        after: u64,
        pattern: &Value,
    ) -> Result<Record> {
        let who = and(owner, &from_to(self.connect.local(), self.at));
        let always = json!({ "incomplete": null, "pre_existing": null, "error": null });
        self.lab.at_client("connect", &and(owner, &always))?;
        let established = self.lab.at_client("established", &and(&who, &always))?;
        let took = established.number("connect_ns").unwrap_or(0);
        let at_most = self.connect.t1() - self.connect.t0();
        ensure!((1..=at_most).contains(&took), "not within {at_most} ns: {}", established.json);
        let closed =
            self.lab.at_client("closed", &and(&and(&and(&who, &nothing_else()), &no_bytes()), pattern))?;
        ensure!(closed.number("connect_ns").is_none_or(|ns| ns == took), "not {took}: {}", closed.json);
        lasts(&closed, self.connect.t0(), (self.connect.t1(), after))?;
        Ok(closed)
    }

    /// How it ended at the server, not before `after` (ns, `CLOCK_MONOTONIC`).
    pub(crate) fn server_closed(&self, after: u64, pattern: &Value) -> Result<Record> {
        self.server_closed_by_owner(&accepted_by(&self.server), after, pattern)
    }

    /// The same where the owner is described otherwise.
    pub(crate) fn server_closed_by_owner(
        &self,
        owner: &Value,
        after: u64,
        pattern: &Value,
    ) -> Result<Record> {
        let who = and(owner, &from_to(self.at, self.connect.local()));
        let always = json!({ "incomplete": null, "pre_existing": null, "error": null });
        let accept = self.lab.at_server("accept", &and(&who, &always))?;
        let waited = accept.number("accept_wait_ns").unwrap_or(u64::MAX);
        let at_most = self.accept.t1() - self.connect.t0();
        ensure!(waited <= at_most, "not within {at_most} ns: {}", accept.json);
        let whole = and(&and(&who, &nothing_else()), &and(&no_bytes(), &json!({ "accepted": true })));
        let closed = self.lab.at_server("closed", &and(&whole, pattern))?;
        lasts(&closed, self.connect.t0(), (self.connect.t1().max(self.accept.t1()), after))?;
        Ok(closed)
    }
}

/// Longer than what lies surely within it, shorter than what surely holds it.
fn lasts(closed: &Record, earliest: u64, (born, after): (u64, u64)) -> Result<()> {
    let lasted = closed.number("duration_ns").unwrap_or(u64::MAX);
    let (at_least, at_most) = (after.saturating_sub(born), closed.arrived - earliest);
    ensure!((at_least..=at_most).contains(&lasted), "not {at_least} to {at_most} ns: {}", closed.json);
    Ok(())
}

/// The program learns of the end by itself, and closes its socket.
pub(crate) fn must_end(peer: &mut Peer, name: &str, errno: Errno) -> Result<()> {
    ensure!(peer.ask(&format!("poll {name} hup 30000"))?.n() == 1, "it did not end");
    let error = peer.ask(&format!("so_error {name}"))?.n();
    ensure!(error == errno as u64, "SO_ERROR is {error} and not {errno}");
    peer.ask(&format!("close {name}")).map(drop)
}

/// Ends a socket with a RST; when that began.
pub(crate) fn reset(peer: &mut Peer, name: &str) -> Result<u64> {
    peer.ask(&format!("linger0 {name}"))?;
    Ok(peer.ask(&format!("close {name}"))?.t0())
}

fn no_bytes() -> Value {
    bytes(0, 0)
}

/// Pattern: payload of both directions.
pub(crate) fn bytes(sent: u64, received: u64) -> Value {
    json!({ "bytes_sent": sent, "bytes_received": received })
}

/// Pattern: a FIN each way, the first of them from `by`.
pub(crate) fn orderly(by: &str) -> Value {
    json!({ "cause": "orderly", "closed_by": by })
}

/// Pattern: a RST came.
pub(crate) fn by_peer() -> Value {
    and(
        &error(Errno::ECONNRESET),
        &json!({ "cause": "reset_by_peer", "reset_by": "remote", "closed_by": "remote" }),
    )
}

/// Pattern: a RST was sent, for the kernel's reason of that name where the kernel has reasons.
pub(crate) fn by_us(cause: &str, reason: &str) -> Value {
    let reason = has_reset_reasons().then_some(reason);
    json!({ "cause": cause, "reset_by": "local", "closed_by": "local", "reset_reason": reason })
}

/// Pattern: closed with SO_LINGER of 0.
pub(crate) fn lingered() -> Value {
    by_us("reset_linger", "tcp_state")
}
