//! The rows of the tables in JSON. What is not known is absent.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use super::Proof;
use crate::record::{Cause, End, TcpState, Timestamp};
use crate::report::findings::{self, OutageEnd, Peer, Who};

#[derive(Serialize)]
struct Program<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    comm: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<&'a str>,
}

impl<'a> From<&'a Who> for Program<'a> {
    fn from(who: &'a Who) -> Self {
        Self { comm: who.comm.as_deref(), unit: who.unit.as_deref(), container: who.container.as_deref() }
    }
}

/// The other end: `remote_port` where this host is the client, `local_port` where it is the server.
#[derive(Serialize)]
struct Ends {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_addr: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_port: Option<u16>,
}

impl From<&Peer> for Ends {
    fn from(peer: &Peer) -> Self {
        Self {
            role: if peer.is_client { "server" } else { "client" },
            remote_addr: peer.addr,
            remote_port: peer.port.filter(|_| !peer.is_client),
            local_port: peer.port.filter(|_| peer.is_client),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Outage<'a> {
    #[serde(flatten)]
    program: Program<'a>,
    #[serde(flatten)]
    peer: Ends,
    since: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    end: &'static str,
    downtime_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_cause: Option<Cause>,
    failures: &'a BTreeMap<Cause, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    longest_gap_ns: Option<u64>,
    evidence: Proof<'a>,
}

impl<'a> From<&'a findings::Outage> for Outage<'a> {
    fn from(x: &'a findings::Outage) -> Self {
        let (end, until) = match x.end {
            OutageEnd::Back(at) => ("back", Some(at)),
            OutageEnd::GoesOn => ("goes_on", None),
            OutageEnd::TraceEnded(_) | OutageEnd::Unknown => ("unknown", None),
        };
        Self {
            program: (&x.who).into(),
            peer: (&x.peer).into(),
            since: x.since,
            until,
            end,
            downtime_ns: x.downtime_ns,
            previous_cause: x.previous_cause,
            failures: &x.failures,
            attempts: x.attempts,
            longest_gap_ns: x.longest_gap_ns,
            evidence: (&x.evidence).into(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Flap<'a> {
    #[serde(flatten)]
    program: Program<'a>,
    #[serde(flatten)]
    peer: Ends,
    count: u64,
    reconnects: u64,
    evidence: Proof<'a>,
}

impl<'a> From<&'a findings::Flap> for Flap<'a> {
    fn from(x: &'a findings::Flap) -> Self {
        Self {
            program: (&x.who).into(),
            peer: (&x.peer).into(),
            count: x.count,
            reconnects: x.reconnects,
            evidence: (&x.evidence).into(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Failure<'a> {
    #[serde(flatten)]
    program: Program<'a>,
    #[serde(flatten)]
    peer: Ends,
    event: &'static str,
    cause: Cause,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    soft_error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reset_reason: Option<&'a str>,
    count: u64,
    in_outage: bool,
    evidence: Proof<'a>,
}

impl<'a> From<&'a findings::Failure> for Failure<'a> {
    fn from(x: &'a findings::Failure) -> Self {
        Self {
            program: (&x.who).into(),
            peer: (&x.peer).into(),
            event: if x.was_established { "closed" } else { "failed" },
            cause: x.cause,
            error: x.error,
            soft_error: x.soft_error,
            reset_reason: x.reset_reason.as_deref(),
            count: x.count,
            in_outage: x.in_outage,
            evidence: (&x.evidence).into(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct FailingPeer<'a> {
    #[serde(flatten)]
    peer: Ends,
    count: u64,
    causes: &'a BTreeMap<Cause, u64>,
    evidence: Proof<'a>,
}

impl<'a> From<&'a findings::ByCause<Peer>> for FailingPeer<'a> {
    fn from(x: &'a findings::ByCause<Peer>) -> Self {
        Self { peer: (&x.subject).into(), count: x.count, causes: &x.causes, evidence: (&x.evidence).into() }
    }
}

#[derive(Serialize)]
pub(super) struct FailingProgram<'a> {
    #[serde(flatten)]
    program: Program<'a>,
    count: u64,
    causes: &'a BTreeMap<Cause, u64>,
    evidence: Proof<'a>,
}

impl<'a> From<&'a findings::ByCause<Who>> for FailingProgram<'a> {
    fn from(x: &'a findings::ByCause<Who>) -> Self {
        Self {
            program: (&x.subject).into(),
            count: x.count,
            causes: &x.causes,
            evidence: (&x.evidence).into(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Handshake<'a> {
    #[serde(flatten)]
    program: Program<'a>,
    #[serde(flatten)]
    peer: Ends,
    connect_ns: u64,
    syn_retransmits: u32,
    evidence: Proof<'a>,
}

impl<'a> From<&'a findings::Handshake> for Handshake<'a> {
    fn from(x: &'a findings::Handshake) -> Self {
        Self {
            program: (&x.who).into(),
            peer: (&x.peer).into(),
            connect_ns: x.connect_ns,
            syn_retransmits: x.syn_retransmits,
            evidence: (&x.evidence).into(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Resets<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    reset_by: Option<End>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reset_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<TcpState>,
    count: u64,
    evidence: Proof<'a>,
}

impl<'a> From<&'a findings::Resets> for Resets<'a> {
    fn from(x: &'a findings::Resets) -> Self {
        Self {
            reset_by: x.by,
            reset_reason: x.reason.as_deref(),
            state: x.state,
            count: x.count,
            evidence: (&x.evidence).into(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Retransmitting<'a> {
    #[serde(flatten)]
    program: Program<'a>,
    #[serde(flatten)]
    peer: Ends,
    retransmits: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_sent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt_us: Option<u32>,
    evidence: Proof<'a>,
}

impl<'a> From<&'a findings::Retransmitting> for Retransmitting<'a> {
    fn from(x: &'a findings::Retransmitting) -> Self {
        Self {
            program: (&x.who).into(),
            peer: (&x.peer).into(),
            retransmits: x.retransmits,
            bytes_sent: x.bytes_sent,
            duration_ns: x.duration_ns,
            rtt_us: x.rtt_us,
            evidence: (&x.evidence).into(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Knocks<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_addr: Option<IpAddr>,
    count: u64,
    ports: &'a BTreeMap<u16, u64>,
    more_ports: bool,
    evidence: Proof<'a>,
}

impl<'a> From<&'a findings::Knocks> for Knocks<'a> {
    fn from(x: &'a findings::Knocks) -> Self {
        Self {
            remote_addr: x.addr,
            count: x.count,
            ports: &x.ports,
            more_ports: x.more_ports,
            evidence: (&x.evidence).into(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Scan<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_addr: Option<IpAddr>,
    count: u64,
    ports: u32,
    evidence: Proof<'a>,
}

impl<'a> From<&'a findings::Scan> for Scan<'a> {
    fn from(x: &'a findings::Scan) -> Self {
        Self { remote_addr: x.addr, count: x.count, ports: x.ports, evidence: (&x.evidence).into() }
    }
}

#[derive(Serialize)]
pub(super) struct AtListener<'a> {
    #[serde(flatten)]
    program: Program<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_addr: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backlog: Option<u32>,
    count: u64,
    evidence: Proof<'a>,
}

impl<'a> From<&'a findings::AtListener> for AtListener<'a> {
    fn from(x: &'a findings::AtListener) -> Self {
        Self {
            program: (&x.who).into(),
            local_addr: x.addr,
            local_port: x.port,
            backlog: x.backlog,
            count: x.count,
            evidence: (&x.evidence).into(),
        }
    }
}
