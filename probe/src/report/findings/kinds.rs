//! Findings on handshakes, resets, retransmissions and what came from outside.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::{Evidence, Peer, Who};
use crate::record::{End, TcpState};

/// How long handshakes took.
#[derive(Clone, Debug, Default)]
pub struct Handshakes {
    /// How many.
    pub count: u64,
    /// Upper bound of each bucket, ns (`None`: longer than all), and how many.
    pub histogram: Vec<(Option<u64>, u64)>,
    /// The slowest first.
    pub slowest: Vec<Handshake>,
}

/// A slow handshake.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// Who connected.
    pub who: Who,
    /// To whom.
    pub peer: Peer,
    /// How long, ns.
    pub connect_ns: u64,
    /// SYNs sent again.
    pub syn_retransmits: u32,
    /// Record and connection.
    pub evidence: Evidence,
}

/// RSTs of one kind.
#[derive(Clone, Debug)]
pub struct Resets {
    /// Who sent them.
    pub by: Option<End>,
    /// The kernel's own reason.
    pub reason: Option<Arc<str>>,
    /// State of the socket.
    pub state: Option<TcpState>,
    /// How many.
    pub count: u64,
    /// Records and connections.
    pub evidence: Evidence,
}

/// A connection that sent much again.
#[derive(Clone, Debug)]
pub struct Retransmitting {
    /// Whose.
    pub who: Who,
    /// With whom.
    pub peer: Peer,
    /// Segments sent again.
    pub retransmits: u32,
    /// Payload sent, bytes.
    pub bytes_sent: Option<u64>,
    /// Lifetime, ns.
    pub duration_ns: Option<u64>,
    /// Smoothed round-trip time, µs.
    pub rtt_us: Option<u32>,
    /// Record and connection.
    pub evidence: Evidence,
}

/// Tries of closed ports by one address.
#[derive(Clone, Debug)]
pub struct Knocks {
    /// Whose.
    pub addr: Option<IpAddr>,
    /// How often.
    pub count: u64,
    /// Tries by port, the first ports.
    pub ports: BTreeMap<u16, u64>,
    /// There were more ports.
    pub more_ports: bool,
    /// Records.
    pub evidence: Evidence,
}

/// A port scan.
#[derive(Clone, Debug)]
pub struct Scan {
    /// By whom.
    pub addr: Option<IpAddr>,
    /// Tries.
    pub count: u64,
    /// Most distinct ports in one record.
    pub ports: u32,
    /// Records.
    pub evidence: Evidence,
}

/// What a listener did not take.
#[derive(Clone, Debug)]
pub struct AtListener {
    /// Its owner.
    pub who: Who,
    /// Where it listens.
    pub addr: Option<IpAddr>,
    /// Its port.
    pub port: Option<u16>,
    /// Length of the accept queue asked for.
    pub backlog: Option<u32>,
    /// How many connections.
    pub count: u64,
    /// Records and connections.
    pub evidence: Evidence,
}
