//! What the tracker says: one fact becomes one record.

use std::fmt;

use crate::decode::event::{BootNs, ProcessId, Task, Tuple};
use crate::vocab::{Cause, ClosedBy, End, EngineName, EventName, PidSource, Protocol, Role, TcpState};

/// Which lifetime: the socket, and which of its lifetimes. A socket can be connected again after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnId {
    /// What the id is made of.
    pub origin: Origin,
    /// Lifetimes of this socket so far, this one counted.
    pub generation: u32,
}

impl ConnId {
    /// The next lifetime of the same socket.
    pub(super) fn next(self) -> Self {
        Self { generation: self.generation + 1, ..self }
    }
}

/// Where an id comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The socket's cookie, unique since boot.
    Cookie(u64),
    /// No cookie: the time of its first event, ns since boot.
    Birth(u64),
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            Origin::Cookie(cookie) => write!(f, "{cookie:x}")?,
            Origin::Birth(ns) => write!(f, "t{ns:x}")?,
        }
        if self.generation > 1 { write!(f, ".{}", self.generation) } else { Ok(()) }
    }
}

/// A process that did something, as it was then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Which process.
    pub process: ProcessId,
    /// When it acted: a process can become another program by exec.
    pub at: BootNs,
    /// Effective user.
    pub uid: u32,
    /// Name of the thread group leader, NUL-padded.
    pub comm: [u8; probe_common::COMM_LEN],
}

impl Actor {
    /// The task that did something at a time.
    pub fn new(task: &Task, at: BootNs) -> Self {
        Self { process: task.process, at, uid: task.uid, comm: task.comm }
    }
}

/// One thing that happened. Fields as in [`crate::record::Record`]; `None` where they do not apply or are
/// not known.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are those of the record, documented there")]
pub struct Fact {
    pub at: BootNs,
    pub event: EventName,
    pub engine: EngineName,
    pub conn: Option<ConnId>,
    pub role: Option<Role>,
    pub protocol: Protocol,
    pub tuple: Tuple,
    pub owner: Option<Actor>,
    pub pid_source: Option<PidSource>,
    pub closer: Option<Actor>,
    pub state: Option<TcpState>,
    pub prev_state: Option<TcpState>,
    pub backlog: Option<u32>,
    pub errno: Option<u16>,
    pub soft_errno: Option<u16>,
    pub cause: Option<Cause>,
    pub reset_by: Option<End>,
    /// Number in the traced kernel's `enum sk_rst_reason`.
    pub reset_reason: Option<u32>,
    pub closed_by: Option<ClosedBy>,
    pub connect_ns: Option<u64>,
    pub accept_wait_ns: Option<u64>,
    pub duration_ns: Option<u64>,
    pub bytes_sent: Option<u64>,
    pub bytes_received: Option<u64>,
    pub retransmits: Option<u32>,
    pub syn_retransmits: Option<u32>,
    pub rtt_us: Option<u32>,
    pub min_rtt_us: Option<u32>,
    pub unread_bytes: Option<u64>,
    pub pre_existing: bool,
    pub accepted: Option<bool>,
    pub incomplete: bool,
    pub count: Option<u64>,
    pub ports: Option<u32>,
}

impl Fact {
    /// A fact with nothing but its addresses.
    pub fn new(at: BootNs, event: EventName, engine: EngineName, protocol: Protocol, tuple: Tuple) -> Self {
        Self {
            at,
            event,
            engine,
            conn: None,
            role: None,
            protocol,
            tuple,
            owner: None,
            pid_source: None,
            closer: None,
            state: None,
            prev_state: None,
            backlog: None,
            errno: None,
            soft_errno: None,
            cause: None,
            reset_by: None,
            reset_reason: None,
            closed_by: None,
            connect_ns: None,
            accept_wait_ns: None,
            duration_ns: None,
            bytes_sent: None,
            bytes_received: None,
            retransmits: None,
            syn_retransmits: None,
            rtt_us: None,
            min_rtt_us: None,
            unread_bytes: None,
            pre_existing: false,
            accepted: None,
            incomplete: false,
            count: None,
            ports: None,
        }
    }
}
