//! Bytes to [`Event`]: total and checked. Any bytes are decoded or rejected; an unknown kind is skipped by
//! its length and counted. No kernel byte ever becomes a Rust enum without a look.

pub mod event;

mod text;

pub(crate) use text::comm;

use bytemuck::AnyBitPattern;
use probe_common as wire;
use probe_common::{flag, kind, task_flag};

use crate::vocab::{EngineName, Family, Protocol, TcpState};
use event::{BootNs, Event, Flags, Kind, ProcessId, SockRef, Task, Tuple};

/// Why bytes are no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Shorter than the head, or than the head says.
    #[error("an event of {len} bytes is cut short")]
    Short {
        /// Bytes there are.
        len: usize,
    },
    /// The head says another length than its kind has.
    #[error("an event of kind {kind} cannot have {size} bytes")]
    Size {
        /// [`wire::kind`].
        kind: u8,
        /// Length said.
        size: u16,
    },
    /// A kind this version does not know.
    #[error("unknown event kind {kind}")]
    Kind {
        /// Its number.
        kind: u8,
    },
    /// A field holds a value that it cannot have.
    #[error("an event of kind {kind} with an impossible {field}: {value}")]
    Value {
        /// [`wire::kind`].
        kind: u8,
        /// Which field.
        field: &'static str,
        /// What it holds.
        value: u32,
    },
}

/// Decodes a batch: events one after another.
pub fn events(batch: &[u8]) -> impl Iterator<Item = Result<Event, DecodeError>> {
    frames(batch).map(event)
}

/// Cuts a batch into its events by their lengths. After an event whose length cannot be trusted, the rest of
/// the batch comes as one.
pub fn frames(batch: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = batch;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let size = match head(rest) {
            Ok(head) if usize::from(head.size) >= size_of::<wire::Head>() => usize::from(head.size),
            _ => rest.len(),
        };
        let (frame, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        Some(frame)
    })
}

/// Whether an event describes a process: told without decoding it.
pub fn is_process(frame: &[u8]) -> bool {
    head(frame).is_ok_and(|head| head.kind == kind::PROCESS)
}

fn head(frame: &[u8]) -> Result<wire::Head, DecodeError> {
    let short = DecodeError::Short { len: frame.len() };
    frame.get(..size_of::<wire::Head>()).map(bytemuck::pod_read_unaligned).ok_or(short)
}

/// Decodes one event, which takes the whole frame.
pub fn event(frame: &[u8]) -> Result<Event, DecodeError> {
    let head = head(frame)?;
    if usize::from(head.size) != frame.len() {
        return Err(DecodeError::Short { len: frame.len() });
    }
    let has_totals = head.flags & flag::HAS_TOTALS != 0;
    let kind = match head.kind {
        kind::STATE => {
            let e: wire::StateEvent = whole(frame, head)?;
            Kind::State {
                tuple: tuple(head, &e.tuple)?,
                old: state(head, e.old_state)?,
                new: state(head, e.new_state)?,
                task: task(&e.task),
                totals: has_totals.then_some(e.totals),
                backlog: e.backlog,
            }
        }
        kind::SYN => {
            let e: wire::SocketEvent = whole(frame, head)?;
            Kind::Syn { tuple: tuple(head, &e.tuple)?, task: task(&e.task) }
        }
        kind::CONNECT_RESULT => {
            let e: wire::ConnectEvent = whole(frame, head)?;
            Kind::ConnectResult {
                tuple: tuple(head, &e.tuple)?,
                task: task(&e.task),
                entered: (e.entered != 0).then_some(BootNs(e.entered)),
                errno: errno(head, e.result)?,
            }
        }
        kind::ACCEPT => {
            let e: wire::AcceptEvent = whole(frame, head)?;
            Kind::Accept { tuple: tuple(head, &e.tuple)?, task: task(&e.task) }
        }
        kind::RESET_RECEIVED => {
            let e: wire::ResetEvent = whole(frame, head)?;
            Kind::ResetReceived { tuple: tuple(head, &e.tuple)?, state: TcpState::from_kernel(e.tuple.state) }
        }
        kind::RESET_SENT => {
            let e: wire::ResetEvent = whole(frame, head)?;
            Kind::ResetSent {
                tuple: tuple(head, &e.tuple)?,
                state: TcpState::from_kernel(e.tuple.state),
                task: task(&e.task),
                reason: u32::try_from(e.reason).ok(),
            }
        }
        kind::SOCKET_ERROR => {
            let e: wire::ErrorEvent = whole(frame, head)?;
            Kind::SocketError {
                tuple: tuple(head, &e.tuple)?,
                err: e.err,
                err_soft: e.err_soft,
                err_queued: e.err_queued,
            }
        }
        kind::RETRANSMIT | kind::RETRANSMIT_SYNACK => {
            let e: wire::RetransmitEvent = whole(frame, head)?;
            Kind::Retransmit {
                tuple: tuple(head, &e.tuple)?,
                state: TcpState::from_kernel(e.tuple.state),
                synack: head.kind == kind::RETRANSMIT_SYNACK,
            }
        }
        kind::DESTROY => {
            let _: wire::DestroyEvent = whole(frame, head)?;
            Kind::Destroy
        }
        kind::PROCESS => Kind::Process(Box::new(text::process(&whole(frame, head)?))),
        kind::SNAPSHOT_SOCKET => {
            let e: wire::SocketEvent = whole(frame, head)?;
            Kind::SnapshotSocket {
                tuple: tuple(head, &e.tuple)?,
                state: state(head, e.tuple.state)?,
                totals: has_totals.then_some(e.totals),
                backlog: e.backlog,
            }
        }
        kind::SNAPSHOT_OWNER => {
            let e: wire::OwnerEvent = whole(frame, head)?;
            Kind::SnapshotOwner {
                tuple: tuple(head, &e.tuple)?,
                state: TcpState::from_kernel(e.tuple.state),
                task: task(&e.task),
                totals: has_totals.then_some(e.totals),
                drops: e.drops,
                backlog: e.backlog,
                queued: e.queued,
            }
        }
        kind => return Err(DecodeError::Kind { kind }),
    };
    Ok(Event {
        at: BootNs(head.ts),
        sock: SockRef { addr: head.sock, cookie: head.cookie },
        engine: engine(head)?,
        protocol: if head.flags & flag::MPTCP != 0 { Protocol::Mptcp } else { Protocol::Tcp },
        flags: flags(head.flags),
        kind,
    })
}

fn whole<T: AnyBitPattern>(frame: &[u8], head: wire::Head) -> Result<T, DecodeError> {
    let size = DecodeError::Size { kind: head.kind, size: head.size };
    bytemuck::try_pod_read_unaligned(frame).map_err(|_| size)
}

fn tuple(head: wire::Head, t: &wire::Tuple) -> Result<Tuple, DecodeError> {
    let (local_addr, remote_addr) = match t.family {
        2 => (text::ipv4(&t.local_addr), text::ipv4(&t.remote_addr)),
        10 => text::ipv6_pair(&t.local_addr, &t.remote_addr),
        other => {
            return Err(DecodeError::Value { kind: head.kind, field: "family", value: other.into() });
        }
    };
    Ok(Tuple {
        local_addr,
        local_port: t.local_port,
        remote_addr,
        remote_port: t.remote_port,
        netns: t.netns,
        family: if remote_addr.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 },
    })
}

fn state(head: wire::Head, number: u8) -> Result<TcpState, DecodeError> {
    let impossible = DecodeError::Value { kind: head.kind, field: "state", value: number.into() };
    TcpState::from_kernel(number).ok_or(impossible)
}

fn errno(head: wire::Head, result: i32) -> Result<u16, DecodeError> {
    let impossible = DecodeError::Value { kind: head.kind, field: "result", value: result.unsigned_abs() };
    match u16::try_from(result.unsigned_abs()) {
        Ok(errno) if result < 0 => Ok(errno),
        _ => Err(impossible),
    }
}

fn engine(head: wire::Head) -> Result<EngineName, DecodeError> {
    match head.engine {
        wire::engine::FENTRY => Ok(EngineName::Fentry),
        wire::engine::TRACEPOINT => Ok(EngineName::Tracepoint),
        wire::engine::KPROBE => Ok(EngineName::Kprobe),
        wire::engine::SOCK_DIAG => Ok(EngineName::SockDiag),
        other => Err(DecodeError::Value { kind: head.kind, field: "engine", value: other.into() }),
    }
}

fn task(t: &wire::Task) -> Task {
    Task {
        process: ProcessId { pid: t.tgid, start: t.start },
        tid: t.tid,
        uid: t.uid,
        exiting: t.flags & task_flag::EXITING != 0,
        kernel_thread: t.flags & task_flag::KERNEL_THREAD != 0,
        comm: t.comm,
    }
}

fn flags(bits: u16) -> Flags {
    let has = |bit: u16| bits & bit != 0;
    Flags {
        fin_received: has(flag::FIN_RECEIVED),
        orphan: has(flag::ORPHAN),
        in_connect: has(flag::IN_CONNECT),
        mptcp_join: has(flag::MPTCP_JOIN),
        port_by_connect: has(flag::PORT_BY_CONNECT),
        no_socket: has(flag::NO_SOCKET),
        answers_syn: has(flag::ANSWERS_SYN),
        task_is_actor: has(flag::TASK_IS_ACTOR),
        io_uring: has(flag::IO_URING),
        stand_in: has(flag::STAND_IN),
    }
}

#[cfg(test)]
mod tests;
