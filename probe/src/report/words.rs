//! The words of a report: names of programs, peers, services and causes.

use std::net::{IpAddr, SocketAddr};

use super::findings::{Peer, Who};
use crate::record::{Cause, LostWhere};

/// Services that people know by name, by port.
const SERVICES: [(u16, &str); 40] = [
    (22, "ssh"),
    (25, "smtp"),
    (53, "dns"),
    (80, "http"),
    (88, "kerberos"),
    (110, "pop3"),
    (143, "imap"),
    (179, "bgp"),
    (389, "ldap"),
    (443, "https"),
    (445, "smb"),
    (465, "smtps"),
    (514, "syslog"),
    (587, "smtp"),
    (636, "ldaps"),
    (853, "dns"),
    (873, "rsync"),
    (993, "imaps"),
    (995, "pop3s"),
    (1433, "mssql"),
    (1521, "oracle"),
    (1883, "mqtt"),
    (2049, "nfs"),
    (2181, "zookeeper"),
    (2379, "etcd"),
    (3306, "mysql"),
    (3389, "rdp"),
    (4222, "nats"),
    (5432, "postgres"),
    (5671, "amqps"),
    (5672, "amqp"),
    (5900, "vnc"),
    (6379, "redis"),
    (6443, "kubernetes"),
    (8883, "mqtts"),
    (9000, "clickhouse"),
    (9042, "cassandra"),
    (9092, "kafka"),
    (9200, "elasticsearch"),
    (27017, "mongodb"),
];

/// Name of the service of a port, where everybody knows it.
pub(super) fn service(port: Option<u16>) -> Option<&'static str> {
    SERVICES.binary_search_by_key(&port?, |(port, _)| *port).ok().map(|at| SERVICES[at].1)
}

/// `10.0.0.5:5432`, IPv6 in brackets.
pub(super) fn endpoint(addr: Option<IpAddr>, port: Option<u16>) -> String {
    match (addr, port) {
        (Some(addr), Some(port)) => SocketAddr::new(addr, port).to_string(),
        (Some(addr), None) => addr.to_string(),
        (None, Some(port)) => format!("port {port}"),
        (None, None) => "an unknown peer".to_owned(),
    }
}

/// An address alone.
pub(super) fn address(addr: Option<IpAddr>) -> String {
    addr.map_or_else(|| "an unknown address".to_owned(), |addr| addr.to_string())
}

/// `3f4e8a0c11d2`: as much of a container's id as tools show.
pub(super) fn container(id: &str) -> &str {
    let is_hex = id.len() > 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex { &id[..12] } else { id }
}

impl Who {
    /// `` `api` (unit api.service)``.
    pub(super) fn sentence(&self) -> String {
        let comm = match self.comm.as_deref() {
            Some(comm) => format!("`{comm}`"),
            None => "an unknown program".to_owned(),
        };
        match (&self.unit, &self.container) {
            (Some(unit), _) => format!("{comm} (unit {unit})"),
            (None, Some(id)) => format!("{comm} (container {})", container(id)),
            (None, None) => comm,
        }
    }

    /// For a cell of a table: `api (api.service)`.
    pub(super) fn cell(&self) -> String {
        let comm = self.comm.as_deref().unwrap_or("-");
        match (&self.unit, &self.container) {
            (Some(unit), _) if unit.strip_suffix(".service") == Some(comm) => comm.to_owned(),
            (Some(unit), _) => format!("{comm} ({unit})"),
            (None, Some(id)) => format!("{comm} ({})", container(id)),
            (None, None) => comm.to_owned(),
        }
    }

    /// The program as a client of what the peer serves.
    pub(super) fn as_client_of(&self, peer: &Peer) -> String {
        match service(peer.port).filter(|_| !peer.is_client) {
            Some(service) => format!("{service} client {}", self.sentence()),
            None => self.sentence(),
        }
    }
}

impl Peer {
    /// In a sentence: `10.0.0.5:5432`, or a client and the port it came to.
    pub(super) fn sentence(&self) -> String {
        match (self.is_client, self.port) {
            (false, _) => endpoint(self.addr, self.port),
            (true, Some(port)) => format!("client {} on port {port}", address(self.addr)),
            (true, None) => format!("client {}", address(self.addr)),
        }
    }

    /// In a table: with the service.
    pub(super) fn cell(&self) -> String {
        let port = self.port.map_or_else(|| "*".to_owned(), |port| port.to_string());
        match (self.is_client, service(self.port)) {
            (true, _) => format!("{} → :{port}", address(self.addr)),
            (false, Some(service)) => format!("{} ({service})", endpoint(self.addr, self.port)),
            (false, None) => endpoint(self.addr, self.port),
        }
    }
}

/// A name of the wire in words.
pub(super) fn plain(name: &str) -> String {
    name.replace('_', " ")
}

/// How a peer was lost: `lost … by a reset from the peer`.
pub(super) fn loss(cause: Cause) -> &'static str {
    match cause {
        Cause::ResetByPeer => "by a reset from the peer",
        Cause::ResetByKernel => "by a reset of this kernel",
        Cause::ResetUnreadData | Cause::ResetLinger => "by a reset of its own",
        Cause::TimedOut => "when what it sent was not acknowledged any more",
        Cause::KeepaliveTimeout => "when keepalive probes got no answer",
        Cause::UserTimeout => "when its user timeout ran out",
        Cause::Unreachable => "when it became unreachable",
        Cause::Aborted => "by an administrator who killed the connection",
        Cause::ProcessExit => "after a process had died",
        Cause::NeverAccepted => "after a connection that was never accepted",
        Cause::Orderly => "after a connection that had ended in order",
        Cause::Refused
        | Cause::RefusedIcmp
        | Cause::NoRoute
        | Cause::NoPort
        | Cause::AddressInUse
        | Cause::Denied
        | Cause::Abandoned
        | Cause::Invalid
        | Cause::Other => "for an unknown cause",
    }
}

/// What became of attempts during an outage: `was refused` …
pub(super) fn attempts(cause: Cause) -> &'static str {
    match cause {
        Cause::Refused => "was refused",
        Cause::RefusedIcmp => "was refused by an ICMP message",
        Cause::TimedOut => "got no answer",
        Cause::Unreachable => "found it unreachable",
        Cause::NoRoute => "had no route",
        Cause::NoPort => "had no free local port",
        Cause::AddressInUse => "found its local address in use",
        Cause::Denied => "was denied by a policy",
        Cause::Abandoned => "gave up waiting",
        Cause::Aborted => "was aborted by an administrator",
        Cause::ProcessExit => "died while connecting",
        Cause::Invalid => "was rejected by the kernel",
        Cause::Orderly
        | Cause::ResetByPeer
        | Cause::ResetUnreadData
        | Cause::ResetLinger
        | Cause::ResetByKernel
        | Cause::KeepaliveTimeout
        | Cause::UserTimeout
        | Cause::NeverAccepted
        | Cause::Other => "failed",
    }
}

/// Where something was lost, and what that means.
pub(super) fn lost(place: LostWhere) -> (&'static str, &'static str) {
    match place {
        LostWhere::Ring => ("event", "in the kernel's full ring buffer"),
        LostWhere::Hook => ("event", "where the kernel skipped a program"),
        LostWhere::Tracker => ("connection", "because too many were open at once"),
        LostWhere::Queue => ("event", "in a full queue"),
        LostWhere::Sink => ("record", "because the output was slower than the events"),
    }
}

/// `once`, `twice`, `3 times`.
pub(super) fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        _ => format!("{count} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_in_order() {
        assert!(SERVICES.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!((service(Some(5432)), service(Some(4)), service(None)), (Some("postgres"), None, None));
    }

    #[test]
    fn programs_are_named_with_unit_or_container() {
        let who = |unit: Option<&str>, container: Option<&str>| Who {
            comm: Some("api".into()),
            unit: unit.map(Into::into),
            container: container.map(Into::into),
        };
        assert_eq!(who(Some("web.service"), None).sentence(), "`api` (unit web.service)");
        assert_eq!(who(None, Some("3f4e8a0c11d2aaaa")).sentence(), "`api` (container 3f4e8a0c11d2)");
        assert_eq!(who(None, Some("ünïcödé container")).cell(), "api (ünïcödé container)");
        assert_eq!(who(Some("api.service"), None).cell(), "api");
        assert_eq!(Who::default().sentence(), "an unknown program");
    }
}
