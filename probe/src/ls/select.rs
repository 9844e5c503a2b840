//! Which sockets to show.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Row;
use crate::record::{Protocol, Record, TcpState};

/// States as people name them: those of RFC 9293 and of `ss`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateSet {
    /// One state.
    One(TcpState),
    /// Every state but LISTEN and CLOSED; connected UDP sockets too.
    Connected,
    /// UDP sockets without a peer.
    Unconnected,
}

impl StateSet {
    fn has(self, record: &Record) -> bool {
        match (self, record.state) {
            (Self::One(wanted), state) => state == Some(wanted),
            (Self::Connected, state) => {
                state.is_some_and(|state| !matches!(state, TcpState::Listen | TcpState::Closed))
            }
            (Self::Unconnected, state) => state.is_none(),
        }
    }
}

/// Reads a state: `close_wait`, `CLOSE-WAIT`, `estab`, `syn-recv`, `connected`, `unconn` …
///
/// # Errors
/// The names there are.
pub fn parse_state(text: &str) -> Result<StateSet, String> {
    let name = text.to_ascii_lowercase().replace('-', "_");
    let name = match name.as_str() {
        "estab" => "established",
        "syn_recv" | "syn_rcvd" => "syn_received",
        "fin_wait1" => "fin_wait_1",
        "fin_wait2" => "fin_wait_2",
        "listening" => "listen",
        "close" => "closed",
        "connected" => return Ok(StateSet::Connected),
        "unconn" | "unconnected" => return Ok(StateSet::Unconnected),
        name => name,
    };
    TcpState::from_name(name).map(StateSet::One).ok_or_else(|| {
        let names: Vec<_> = TcpState::ALL.iter().map(|state| state.name()).collect();
        format!("there is no such state; take one of {}, connected, unconn", names.join(", "))
    })
}

/// Reads a network (`10.0.0.0/8`) or a single address.
///
/// # Errors
/// What is wrong with it.
pub fn parse_network(text: &str) -> Result<IpNet, String> {
    let network = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address.to_canonical()),
        Err(_) => text.parse::<IpNet>().map_err(|_| {
            "not an address (192.0.2.1, 2001:db8::1) or network (192.0.2.0/24, 2001:db8::/32)".to_owned()
        })?,
    };
    Ok(network.trunc())
}

/// What is asked for: everything in it has to hold, of a list any one; an empty list asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only listening TCP and unconnected UDP sockets.
    pub listening: bool,
    /// States.
    pub states: Vec<StateSet>,
    /// Local or remote ports.
    pub ports: Vec<u16>,
    /// Networks of the local or remote address.
    pub networks: Vec<IpNet>,
    /// Holders by process id.
    pub pids: Vec<u32>,
    /// Holders by command name.
    pub comms: Vec<String>,
}

impl Selection {
    /// The answer depends on who holds the sockets.
    pub fn asks_for_owner(&self) -> bool {
        !(self.pids.is_empty() && self.comms.is_empty())
    }

    /// Whether to keep a row. Where holders are asked for, leaves it only those, so that one of them is shown.
    pub(super) fn keep(&self, row: &mut Row) -> bool {
        if !self.matches(&row.record) {
            return false;
        }
        if self.asks_for_owner() {
            row.holders.retain(|holder| {
                any(&self.pids, |&pid| pid == holder.pid()) && any(&self.comms, |comm| **comm == *holder.comm)
            });
            return !row.holders.is_empty();
        }
        true
    }

    fn matches(&self, r: &Record) -> bool {
        let udp = r.protocol == Some(Protocol::Udp);
        let listens = if udp { r.state.is_none() } else { r.state == Some(TcpState::Listen) };
        let port = |port: &u16| [r.local_port, r.remote_port].contains(&Some(*port));
        let network = |network: &IpNet| {
            [r.local_addr, r.remote_addr].iter().flatten().any(|address| network.contains(address))
        };
        (!self.listening || listens)
            && any(&self.states, |set| set.has(r))
            && any(&self.ports, port)
            && any(&self.networks, network)
    }
}

fn any<T>(asked: &[T], test: impl FnMut(&T) -> bool) -> bool {
    asked.is_empty() || asked.iter().any(test)
}
