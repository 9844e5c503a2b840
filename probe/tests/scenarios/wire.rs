//! From a step to the bytes the kernel side would have written.

use std::net::{IpAddr, SocketAddr};

use probe_common as wire;
use probe_common::{flag, kind, task_flag};

use super::operations::bytes;
use super::scenario::{REASONS, Sock, Step, Task, ns};

/// The bytes of the event that `step` is.
pub(crate) fn event(
    step: &Step,
    sock: &Sock,
    address: u64,
    cookie: u64,
    task: Option<(&str, &Task)>,
) -> Vec<u8> {
    let tuple = tuple(step, sock);
    let mut flags = step.flags.iter().fold(0, |bits, name| bits | flag_bit(name));
    if step.by.is_some() {
        flags |= flag::TASK_IS_ACTOR;
    }
    if sock.mptcp {
        flags |= flag::MPTCP;
    }
    let with_totals = matches!(step.kind.as_str(), "socket" | "owner")
        || step.to.as_deref() == Some("closed")
        || (step.from.as_deref(), step.to.as_deref()) == (Some("syn_sent"), Some("established"));
    if with_totals {
        flags |= flag::HAS_TOTALS;
    }
    // A segment without a socket has neither address nor cookie.
    let without_socket = flags & flag::NO_SOCKET != 0;
    let head = wire::Head {
        ts: ns(&step.at),
        sock: if without_socket { 0 } else { 0xffff_8880_0000_0000 + address * 0x1000 },
        cookie: if without_socket { 0 } else { cookie },
        engine: wire::engine::TRACEPOINT,
        flags,
        ..wire::Head::default()
    };
    let task = task.map_or_else(wire::Task::default, |(name, task)| self::task(name, task, step.exiting));
    let totals = totals(step, flags);
    match step.kind.as_str() {
        "state" => bytes(kind::STATE, |head_of| wire::StateEvent {
            head: head_of(head),
            tuple,
            task,
            totals,
            old_state: state(step.from.as_deref().expect("from which state?")),
            new_state: state(step.to.as_deref().expect("to which state?")),
            backlog: step.backlog,
            ..wire::StateEvent::default()
        }),
        "syn" => bytes(kind::SYN, |head_of| socket(head_of(head), tuple, task, totals, step)),
        "socket" => bytes(kind::SNAPSHOT_SOCKET, |head_of| socket(head_of(head), tuple, task, totals, step)),
        "owner" => bytes(kind::SNAPSHOT_OWNER, |head_of| wire::OwnerEvent {
            head: head_of(head),
            tuple,
            task,
            totals,
            fd: 3,
            drops: step.drops,
            backlog: step.backlog,
            queued: step.queued,
        }),
        "connect_result" => bytes(kind::CONNECT_RESULT, |head_of| wire::ConnectEvent {
            head: head_of(head),
            tuple,
            task,
            entered: step.entered.as_deref().map_or(0, ns),
            result: -step.result.expect("which result?"),
            pad: 0,
        }),
        "accept" => bytes(kind::ACCEPT, |head_of| wire::AcceptEvent { head: head_of(head), tuple, task }),
        "reset_received" => bytes(kind::RESET_RECEIVED, |head_of| reset(head_of(head), tuple, task, step)),
        "reset_sent" => bytes(kind::RESET_SENT, |head_of| reset(head_of(head), tuple, task, step)),
        "socket_error" => bytes(kind::SOCKET_ERROR, |head_of| wire::ErrorEvent {
            head: head_of(head),
            tuple,
            err: step.err,
            err_soft: step.err_soft,
            err_queued: step.err_queued,
            pad: 0,
        }),
        "retransmit" => {
            bytes(kind::RETRANSMIT, |head_of| wire::RetransmitEvent { head: head_of(head), tuple })
        }
        "destroy" => bytes(kind::DESTROY, |head_of| wire::DestroyEvent { head: head_of(head) }),
        other => panic!("there is no input `{other}`"),
    }
}

fn socket(
    head: wire::Head,
    tuple: wire::Tuple,
    task: wire::Task,
    totals: wire::Totals,
    step: &Step,
) -> wire::SocketEvent {
    wire::SocketEvent { head, tuple, task, totals, uid: task.uid, backlog: step.backlog }
}

fn reset(head: wire::Head, tuple: wire::Tuple, task: wire::Task, step: &Step) -> wire::ResetEvent {
    let number = |name: &str| REASONS.iter().find(|(_, known)| *known == name).map(|(number, _)| *number);
    let reason = step.reason.as_deref().map_or(-1, |name| {
        i32::try_from(number(name).unwrap_or_else(|| panic!("there is no reason {name}"))).expect("small")
    });
    wire::ResetEvent { head, tuple, task, reason, pad: 0 }
}

/// The start of a process follows from its id.
pub(crate) fn start(task: &Task) -> u64 {
    1_000 + u64::from(task.pid)
}

fn task(name: &str, task: &Task, exiting: bool) -> wire::Task {
    let mut comm = [0; wire::COMM_LEN];
    comm[..name.len()].copy_from_slice(name.as_bytes());
    let flags =
        u32::from(exiting) * task_flag::EXITING + u32::from(task.kernel_thread) * task_flag::KERNEL_THREAD;
    wire::Task { tgid: task.pid, tid: task.pid, uid: task.uid, flags, start: start(task), comm }
}

fn tuple(step: &Step, sock: &Sock) -> wire::Tuple {
    let local = step.local.unwrap_or(sock.local);
    let unspecified = SocketAddr::new(if local.is_ipv4() { [0_u8; 4].into() } else { [0_u8; 16].into() }, 0);
    let remote = step.remote.or(sock.remote).unwrap_or(unspecified);
    wire::Tuple {
        local_addr: octets(local.ip()),
        remote_addr: octets(remote.ip()),
        local_port: local.port(),
        remote_port: remote.port(),
        netns: sock.netns.unwrap_or(4_026_531_840),
        family: if local.is_ipv4() { 2 } else { 10 },
        state: step.state.as_deref().or(step.from.as_deref()).map_or(7, state),
        ..wire::Tuple::default()
    }
}

fn octets(addr: IpAddr) -> [u8; 16] {
    match addr {
        IpAddr::V6(addr) => addr.octets(),
        IpAddr::V4(addr) => {
            let mut octets = [0; 16];
            octets[..4].copy_from_slice(&addr.octets());
            octets
        }
    }
}

fn totals(step: &Step, flags: u16) -> wire::Totals {
    // The peer's FIN has a sequence number, which the application does not read.
    let fin = u32::from(flags & flag::FIN_RECEIVED != 0);
    wire::Totals {
        bytes_acked: step.bytes_acked,
        bytes_received: step.bytes_received,
        snd_una: u32::MAX - 10,
        write_seq: (u32::MAX - 10).wrapping_add(step.unacked),
        rcv_nxt: (u32::MAX - 10).wrapping_add(step.unread + fin),
        copied_seq: u32::MAX - 10,
        srtt_us8: step.rtt_us * 8,
        min_rtt_us: if step.rtt_us == 0 { u32::MAX } else { step.rtt_us },
        total_retrans: step.total_retrans,
        err: step.err,
        err_soft: step.err_soft,
        retransmits: step.retransmits,
        probes: step.probes,
        user_timeout: step.user_timeout,
        ..wire::Totals::default()
    }
}

fn state(name: &str) -> u8 {
    match name {
        "established" => 1,
        "syn_sent" => 2,
        "syn_received" => 3,
        "fin_wait_1" => 4,
        "fin_wait_2" => 5,
        "time_wait" => 6,
        "closed" => 7,
        "close_wait" => 8,
        "last_ack" => 9,
        "listen" => 10,
        "closing" => 11,
        other => panic!("there is no state {other}"),
    }
}

fn flag_bit(name: &str) -> u16 {
    match name {
        "fin_received" => flag::FIN_RECEIVED,
        "orphan" => flag::ORPHAN,
        "in_connect" => flag::IN_CONNECT,
        "mptcp_join" => flag::MPTCP_JOIN,
        "port_by_connect" => flag::PORT_BY_CONNECT,
        "no_socket" => flag::NO_SOCKET,
        "answers_syn" => flag::ANSWERS_SYN,
        "io_uring" => flag::IO_URING,
        other => panic!("there is no flag {other}"),
    }
}
