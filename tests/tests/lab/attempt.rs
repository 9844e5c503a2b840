//! Attempts, and what the programs that made them measured.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use e2e::peer::{Peer, Truth, connected_by};
use e2e::records::{Record, and};
use nix::errno::Errno;
use serde_json::{Value, json};

use crate::lab::{Lab, from_to, nothing_else};

/// No SYN is sent again earlier: a second, and a tick of the kernel's clock less.
const RETRY: u64 = 990_000_000;

/// One call of connect() that did not establish a connection.
pub(crate) struct Attempt {
    who: Value,
    to: SocketAddr,
    pub(crate) connect: Truth,
}

/// Makes a socket, with one retry of the SYN.
fn impatient(client: &mut Peer, name: &str, to: SocketAddr) -> Result<()> {
    client.ask(&format!("socket {name} {}", if to.is_ipv4() { 4 } else { 6 }))?;
    client.ask(&format!("set {name} syncnt 1")).map(drop)
}

impl Attempt {
    pub(crate) fn new(client: &Peer, to: SocketAddr, connect: Truth) -> Self {
        Self { who: connected_by(client), to, connect }
    }

    /// A blocking connect() that must give `errno`. The socket is left to the program.
    pub(crate) fn blocking(client: &mut Peer, name: &str, to: SocketAddr, errno: Errno) -> Result<Self> {
        impatient(client, name, to)?;
        let connect = client.try_to(&format!("connect {name} {to}"))?;
        ensure!(connect.errno() == Some(errno), "connect gave {:?} and not {errno}", connect.errno());
        Ok(Self::new(client, to, connect))
    }

    /// A non-blocking connect(), under way.
    pub(crate) fn begun(client: &mut Peer, name: &str, to: SocketAddr) -> Result<Self> {
        impatient(client, name, to)?;
        client.ask(&format!("nonblock {name}"))?;
        let connect = client.try_to(&format!("connect {name} {to}"))?;
        ensure!(connect.errno() == Some(Errno::EINPROGRESS), "connect gave {:?}", connect.errno());
        Ok(Self::new(client, to, connect))
    }

    /// Pattern: its record, where it is only the source port that distinguishes it.
    fn which(&self) -> Value {
        json!({ "remote_addr": self.to.ip(), "remote_port": self.to.port() })
    }

    /// It is told as begun, and as failed after at least so many ns.
    pub(crate) fn failed(&self, lab: &Lab, at_least: u64, pattern: &Value) -> Result<Record> {
        // The program sees the port alone: the failure took the address from the socket.
        let net = lab.net();
        let from = if self.to.is_ipv4() { net.client_v4() } else { net.client_v6() };
        let from = SocketAddr::from((from, self.connect.local().port()));
        self.is_told(lab, at_least, &and(&from_to(from, self.to), pattern))
    }

    /// The same for one that the kernel refused before it chose a source and sent a packet.
    pub(crate) fn failed_at_once(&self, lab: &Lab, pattern: &Value) -> Result<Record> {
        let ends = json!({ "family": "ipv4", "local_port": null, "syn_retransmits": null });
        self.is_told(lab, 0, &and(&ends, pattern))
    }

    fn is_told(&self, lab: &Lab, at_least: u64, pattern: &Value) -> Result<Record> {
        let client = &lab.net().client;
        lab.tells(client, "connect", &self.which(), &and(&self.who, &nothing_else()))?;
        let whole = and(&and(&self.who, &nothing_else()), pattern);
        let failed = lab.tells(client, "failed", &self.which(), &whole)?;
        self.must_last(&failed, at_least)?;
        Ok(failed)
    }

    /// It began in connect(), and ended between so many ns later and the record's arrival.
    pub(crate) fn must_last(&self, failed: &Record, at_least: u64) -> Result<()> {
        let blocked = !matches!(self.connect.errno(), Some(Errno::EINPROGRESS));
        let end = if blocked { self.connect.t1() } else { failed.arrived };
        let lasted = failed.number("duration_ns").unwrap_or(u64::MAX);
        let at_most = end - self.connect.t0();
        ensure!((at_least..=at_most).contains(&lasted), "not {at_least} to {at_most} ns: {}", failed.json);
        let retries = failed.number("syn_retransmits").unwrap_or(0);
        ensure!(retries * RETRY <= lasted, "too many retries for its time: {}", failed.json);
        Ok(())
    }
}

/// Waits until SO_ERROR says it. The error queue makes the socket readable just before the error is set, and a
/// soft error does not even wake.
pub(crate) fn must_get(client: &mut Peer, name: &str, errno: Errno) -> Result<()> {
    for _ in 0..1000 {
        client.ask(&format!("poll {name} out 100"))?;
        match client.ask(&format!("so_error {name}"))?.n() {
            0 => {}
            error => {
                ensure!(
                    error == errno as u64,
                    "SO_ERROR is {} and not {errno}",
                    Errno::from_raw(error as i32)
                );
                return Ok(());
            }
        }
    }
    anyhow::bail!("SO_ERROR never was {errno}")
}
