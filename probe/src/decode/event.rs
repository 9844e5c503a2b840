//! What the kernel reported, checked: the domain's view of `probe_common`'s wire types.

use std::net::IpAddr;
use std::sync::Arc;

use crate::vocab::{EngineName, Family, Protocol, TcpState};

/// Nanoseconds since boot, suspend counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootNs(pub u64);

/// Which socket: its address in the kernel, which is reused, and its cookie, which is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SockRef {
    /// Address of `struct sock`, 0 if there is none. Never shown.
    pub addr: u64,
    /// Socket cookie, 0 unknown.
    pub cookie: u64,
}

/// Addresses and ports, v4-mapped IPv6 already shown as IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// Local address.
    pub local_addr: IpAddr,
    /// Local port, 0 not known.
    pub local_port: u16,
    /// Remote address.
    pub remote_addr: IpAddr,
    /// Remote port, 0 none.
    pub remote_port: u16,
    /// Inode of the network namespace, 0 unknown.
    pub netns: u32,
    /// As shown.
    pub family: Family,
}

/// Identity of a process: pids are reused, start times tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct ProcessId {
    /// Process id in the initial PID namespace.
    pub pid: u32,
    /// Start, ns since boot.
    pub start: u64,
}

/// The task that ran when the event was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its process.
    pub process: ProcessId,
    /// Thread id.
    pub tid: u32,
    /// Effective user.
    pub uid: u32,
    /// The task is exiting.
    pub exiting: bool,
    /// The task is a kernel thread.
    pub kernel_thread: bool,
    /// Name of the thread group leader, NUL-padded.
    pub comm: [u8; probe_common::COMM_LEN],
}

/// Counters of a socket, as `probe_common::Totals` has them.
pub type Totals = probe_common::Totals;

/// Facts about the socket that come with every event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// The peer's FIN was received.
    pub fin_received: bool,
    /// The application has let go of the socket.
    pub orphan: bool,
    /// The current task is inside connect() on this socket: its result will follow.
    pub in_connect: bool,
    /// An additional MPTCP subflow.
    pub mptcp_join: bool,
    /// The local port was chosen by connect().
    pub port_by_connect: bool,
    /// The reset answers a segment for which there is no socket.
    pub no_socket: bool,
    /// The segment answered by the reset was a SYN.
    pub answers_syn: bool,
    /// The event's task did it, and is not just whoever ran on the CPU.
    pub task_is_actor: bool,
    /// The result came from io_uring.
    pub io_uring: bool,
    /// A stand-in reports: the same may have been reported already.
    pub stand_in: bool,
}

/// One fact from the kernel.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub at: BootNs,
    /// Which socket.
    pub sock: SockRef,
    /// What saw it.
    pub engine: EngineName,
    /// TCP, or the TCP subflow of an MPTCP connection.
    pub protocol: Protocol,
    /// Facts about the socket.
    pub flags: Flags,
    /// What happened.
    pub kind: Kind,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Kind {
    /// The socket changed its state.
    State {
        /// Addresses.
        tuple: Tuple,
        /// State left.
        old: TcpState,
        /// State entered.
        new: TcpState,
        /// Current task.
        task: Task,
        /// Counters, when the new state is CLOSED or ESTABLISHED.
        totals: Option<Totals>,
        /// Accept queue asked for, when the new state is LISTEN.
        backlog: u32,
    },
    /// The first SYN is about to leave.
    Syn {
        /// Addresses, complete.
        tuple: Tuple,
        /// Who connects.
        task: Task,
    },
    /// connect() failed.
    ConnectResult {
        /// Addresses asked for.
        tuple: Tuple,
        /// Who called.
        task: Task,
        /// Start of the call.
        entered: Option<BootNs>,
        /// Errno, positive.
        errno: u16,
    },
    /// accept() returned the connection.
    Accept {
        /// Addresses.
        tuple: Tuple,
        /// Who called.
        task: Task,
    },
    /// A RST was received.
    ResetReceived {
        /// Addresses.
        tuple: Tuple,
        /// State when it came.
        state: Option<TcpState>,
    },
    /// A RST was sent.
    ResetSent {
        /// Addresses.
        tuple: Tuple,
        /// State when it left.
        state: Option<TcpState>,
        /// Current task.
        task: Task,
        /// Number in `enum sk_rst_reason` of the kernel the event was taken on.
        reason: Option<u32>,
    },
    /// The kernel reported an error (a hint).
    SocketError {
        /// Addresses.
        tuple: Tuple,
        /// `sk_err`, 0 none.
        err: u16,
        /// `sk_err_soft`, 0 none.
        err_soft: u16,
        /// Newest errno of the error queue, 0 none.
        err_queued: u16,
    },
    /// A segment was sent again.
    Retransmit {
        /// Addresses.
        tuple: Tuple,
        /// State.
        state: Option<TcpState>,
        /// It was a SYN-ACK.
        synack: bool,
    },
    /// The socket is gone.
    Destroy,
    /// Who a process is.
    Process(Box<ProcessImage>),
    /// A socket found by the snapshot.
    SnapshotSocket {
        /// Addresses.
        tuple: Tuple,
        /// State.
        state: TcpState,
        /// Counters, if it has any.
        totals: Option<Totals>,
        /// Accept queue of a listener.
        backlog: u32,
    },
    /// A process that holds a socket.
    SnapshotOwner {
        /// Addresses.
        tuple: Tuple,
        /// State.
        state: Option<TcpState>,
        /// The process.
        task: Task,
        /// Counters of the socket.
        totals: Option<Totals>,
        /// `sk_drops`: of a listener, what it turned away since it exists.
        drops: u32,
        /// Accept queue of a listener.
        backlog: u32,
        /// Connections in it.
        queued: u32,
    },
}

/// Who a process is, as its kernel structures said when it first did something. Kept in record files, because
/// user space may complete it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ProcessImage {
    /// Which process.
    pub process: ProcessId,
    /// Effective user.
    pub uid: u32,
    /// Command name.
    pub comm: Arc<str>,
    /// Path of the executable, `None` if it could not be read whole.
    pub exe: Option<Arc<str>>,
    /// Arguments separated by spaces, `None` if they could not be read.
    pub cmdline: Option<Arc<str>>,
    /// Path of the cgroup in the unified hierarchy, `None` if it could not be read whole.
    pub cgroup: Option<Arc<str>>,
}
