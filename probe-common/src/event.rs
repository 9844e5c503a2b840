//! The facts a hook can report. Each starts with a [`Head`]; `Head::kind` says which struct it is and
//! `Head::size` how long it is, so that a reader can skip kinds it does not know.

/// Version of all layouts in this crate; raised with every change, stored in record files.
pub const LAYOUT_VERSION: u32 = 2;
/// Bytes of a command name (`TASK_COMM_LEN`).
pub const COMM_LEN: usize = 16;
/// Names kept of the executable's path, leaf first; an empty one stands for a mount point that was crossed.
pub const EXE_NAMES: usize = 16;
/// Bytes of one of them, its NUL counted.
pub const EXE_NAME_LEN: usize = 64;
/// Bytes kept of the command line, arguments separated by NUL.
pub const CMDLINE_LEN: usize = 256;
/// Names kept of the cgroup's path, leaf first.
pub const CGROUP_NAMES: usize = 10;
/// Bytes of one of them, its NUL counted: container ids have 64 digits and some words around them.
pub const CGROUP_NAME_LEN: usize = 96;
/// Slots of the per-CPU drop counters: one per event kind.
pub const DROP_SLOTS: u32 = 32;

/// Values of [`Head::kind`].
pub mod kind {
    /// A TCP socket changed its state: [`super::StateEvent`].
    pub const STATE: u8 = 1;
    /// The first SYN is about to leave: [`super::SocketEvent`] (fentry and kprobe engines only).
    pub const SYN: u8 = 2;
    /// connect() returned an error: [`super::ConnectEvent`].
    pub const CONNECT_RESULT: u8 = 3;
    /// accept() returned a connection: [`super::AcceptEvent`].
    pub const ACCEPT: u8 = 4;
    /// A RST was received: [`super::ResetEvent`].
    pub const RESET_RECEIVED: u8 = 5;
    /// A RST was sent: [`super::ResetEvent`].
    pub const RESET_SENT: u8 = 6;
    /// The kernel reported an error on a socket: [`super::ErrorEvent`]. A hint only.
    pub const SOCKET_ERROR: u8 = 7;
    /// A segment was sent again: [`super::RetransmitEvent`].
    pub const RETRANSMIT: u8 = 8;
    /// A SYN-ACK was sent again: [`super::RetransmitEvent`].
    pub const RETRANSMIT_SYNACK: u8 = 9;
    /// The socket is gone, its address may be reused: [`super::DestroyEvent`].
    pub const DESTROY: u8 = 10;
    /// Who a process is, once per image: [`super::ProcessEvent`].
    pub const PROCESS: u8 = 11;
    /// A socket found by the snapshot: [`super::SocketEvent`].
    pub const SNAPSHOT_SOCKET: u8 = 12;
    /// A process that holds a socket, found by the snapshot: [`super::OwnerEvent`].
    pub const SNAPSHOT_OWNER: u8 = 13;
}

/// Values of [`Head::engine`]: the kind of attachment that saw the fact.
pub mod engine {
    /// fentry or fexit.
    pub const FENTRY: u8 = 1;
    /// BTF-typed, raw or classic tracepoint, and iterators.
    pub const TRACEPOINT: u8 = 2;
    /// kprobe or kretprobe.
    pub const KPROBE: u8 = 3;
    /// No BPF: netlink socket diagnostics.
    pub const SOCK_DIAG: u8 = 4;
}

/// Bits of [`Head::flags`].
pub mod flag {
    /// The peer's FIN was received (`SOCK_DONE`).
    pub const FIN_RECEIVED: u16 = 1 << 0;
    /// The application has let go of the socket (`SOCK_DEAD`).
    pub const ORPHAN: u16 = 1 << 1;
    /// The current task is inside connect() on this very socket: its result will follow.
    pub const IN_CONNECT: u16 = 1 << 2;
    /// The socket is a subflow of an MPTCP connection.
    pub const MPTCP: u16 = 1 << 3;
    /// An additional subflow: not a connection of its own.
    pub const MPTCP_JOIN: u16 = 1 << 4;
    /// The local port was chosen by connect(): the socket is a client's.
    pub const PORT_BY_CONNECT: u16 = 1 << 5;
    /// The reset answers a segment for which there is no socket.
    pub const NO_SOCKET: u16 = 1 << 6;
    /// The segment answered by the reset was a SYN.
    pub const ANSWERS_SYN: u16 = 1 << 7;
    /// The `Task` of the event is the one that did it, not whoever ran on the CPU.
    pub const TASK_IS_ACTOR: u16 = 1 << 8;
    /// The result came from io_uring, not from a system call.
    pub const IO_URING: u16 = 1 << 9;
    /// The stand-in of a program reports: should the program itself have reported it too, this is a repetition.
    pub const STAND_IN: u16 = 1 << 11;
    /// The `Totals` of the event were read (they are zero otherwise).
    pub const HAS_TOTALS: u16 = 1 << 10;
}

/// Bits of [`Task::flags`].
pub mod task_flag {
    /// The task is exiting (`PF_EXITING`).
    pub const EXITING: u32 = 1 << 0;
    /// The task is a kernel thread (`PF_KTHREAD`).
    pub const KERNEL_THREAD: u32 = 1 << 1;
}

/// First bytes of every event.
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default)]
pub struct Head {
    /// When, in ns since boot (suspend counted).
    pub ts: u64,
    /// Kernel address of the socket, 0 if there is none. Never shown to anybody.
    pub sock: u64,
    /// Socket cookie, 0 where the kernel cannot tell.
    pub cookie: u64,
    /// Length of the whole event in bytes.
    pub size: u16,
    /// Bits of [`flag`].
    pub flags: u16,
    /// One of [`kind`].
    pub kind: u8,
    /// One of [`engine`].
    pub engine: u8,
    /// Zero.
    pub pad: u16,
}

/// Addresses and ports of a socket.
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default)]
pub struct Tuple {
    /// Local address; IPv4 in the first four bytes. Network order.
    pub local_addr: [u8; 16],
    /// Remote address; IPv4 in the first four bytes. Network order.
    pub remote_addr: [u8; 16],
    /// Local port, 0 if not known yet.
    pub local_port: u16,
    /// Remote port, 0 if none.
    pub remote_port: u16,
    /// Inode of the network namespace, 0 unknown.
    pub netns: u32,
    /// `AF_INET` (2) or `AF_INET6` (10).
    pub family: u8,
    /// State as in `net/tcp_states.h` at the time of the event.
    pub state: u8,
    /// Zero.
    pub pad: [u8; 6],
}

/// A process, seen from the thread that ran. Only meaningful with [`flag::TASK_IS_ACTOR`].
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default)]
pub struct Task {
    /// Process id (thread group) in the initial PID namespace, 0 unknown.
    pub tgid: u32,
    /// Thread id.
    pub tid: u32,
    /// Effective user id.
    pub uid: u32,
    /// Bits of [`task_flag`].
    pub flags: u32,
    /// Start of the process, ns since boot: with `tgid` the identity of the process.
    pub start: u64,
    /// Name of the thread group leader.
    pub comm: [u8; COMM_LEN],
}

/// Counters of a TCP socket, as `struct tcp_sock` and `struct sock` hold them.
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// `bytes_acked`: counts the SYN of an active open and an acknowledged FIN.
    pub bytes_acked: u64,
    /// `bytes_received`: counts the peer's FIN.
    pub bytes_received: u64,
    /// First unacknowledged sequence number.
    pub snd_una: u32,
    /// Sequence number after the last byte queued, FIN counted.
    pub write_seq: u32,
    /// Next sequence number expected.
    pub rcv_nxt: u32,
    /// First sequence number the application has not read.
    pub copied_seq: u32,
    /// Smoothed round-trip time, 8 × µs.
    pub srtt_us8: u32,
    /// Minimum round-trip time, µs, `u32::MAX` unknown.
    pub min_rtt_us: u32,
    /// Segments sent again in this lifetime.
    pub total_retrans: u32,
    /// `sk_err`.
    pub err: u16,
    /// `sk_err_soft`.
    pub err_soft: u16,
    /// Retransmissions of the segment now waiting (at SYN-SENT: of the SYN).
    pub retransmits: u8,
    /// Probes sent without an answer (keepalive, zero window).
    pub probes: u8,
    /// `sk_shutdown`: 1 receive, 2 send.
    pub shutdown: u8,
    /// Zero.
    pub pad: u8,
    /// `icsk_user_timeout` (`TCP_USER_TIMEOUT`), ms, 0 none.
    pub user_timeout: u32,
}

/// [`kind::STATE`].
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default)]
pub struct StateEvent {
    /// First bytes.
    pub head: Head,
    /// Addresses.
    pub tuple: Tuple,
    /// The current task; see [`flag::TASK_IS_ACTOR`].
    pub task: Task,
    /// Counters; read when the new state is CLOSE or ESTABLISHED.
    pub totals: Totals,
    /// State left, as in `net/tcp_states.h`.
    pub old_state: u8,
    /// State entered.
    pub new_state: u8,
    /// Zero.
    pub pad: u16,
    /// Maximum length of the accept queue when the new state is LISTEN.
    pub backlog: u32,
}

/// [`kind::SYN`] and [`kind::SNAPSHOT_SOCKET`].
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default)]
pub struct SocketEvent {
    /// First bytes.
    pub head: Head,
    /// Addresses.
    pub tuple: Tuple,
    /// The current task (not for a snapshot).
    pub task: Task,
    /// Counters.
    pub totals: Totals,
    /// Owner of the socket as the socket knows it.
    pub uid: u32,
    /// Maximum length of the accept queue of a listener.
    pub backlog: u32,
}

/// [`kind::CONNECT_RESULT`].
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default)]
pub struct ConnectEvent {
    /// First bytes.
    pub head: Head,
    /// Addresses: the remote ones are those asked for, the local ones those of the socket.
    pub tuple: Tuple,
    /// The task that called connect().
    pub task: Task,
    /// Start of connect(), ns since boot, 0 unknown.
    pub entered: u64,
    /// What connect() returned: 0 or a negative errno.
    pub result: i32,
    /// Zero.
    pub pad: u32,
}

/// [`kind::ACCEPT`].
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default)]
pub struct AcceptEvent {
    /// First bytes.
    pub head: Head,
    /// Addresses.
    pub tuple: Tuple,
    /// The task that called accept().
    pub task: Task,
}

/// [`kind::RESET_RECEIVED`] and [`kind::RESET_SENT`].
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default)]
pub struct ResetEvent {
    /// First bytes.
    pub head: Head,
    /// Addresses, from the socket or from the segment that is answered.
    pub tuple: Tuple,
    /// The current task; see [`flag::TASK_IS_ACTOR`].
    pub task: Task,
    /// `enum sk_rst_reason` of this kernel, -1 where the kernel gives none.
    pub reason: i32,
    /// Zero.
    pub pad: u32,
}

/// [`kind::SOCKET_ERROR`].
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default)]
pub struct ErrorEvent {
    /// First bytes.
    pub head: Head,
    /// Addresses.
    pub tuple: Tuple,
    /// `sk_err`, 0 when the application took it first.
    pub err: u16,
    /// `sk_err_soft`.
    pub err_soft: u16,
    /// Errno of the newest message of the error queue (ICMP), 0 if empty.
    pub err_queued: u16,
    /// Zero.
    pub pad: u16,
}

/// [`kind::RETRANSMIT`] and [`kind::RETRANSMIT_SYNACK`].
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default)]
pub struct RetransmitEvent {
    /// First bytes.
    pub head: Head,
    /// Addresses.
    pub tuple: Tuple,
}

/// [`kind::DESTROY`].
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default)]
pub struct DestroyEvent {
    /// First bytes.
    pub head: Head,
}

/// [`kind::PROCESS`]: sent before the first event of a process, and again when it has changed its image
/// (exec) or its cgroup.
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy)]
pub struct ProcessEvent {
    /// First bytes; `sock` is 0.
    pub head: Head,
    /// The process.
    pub task: Task,
    /// Id of the cgroup in the unified hierarchy.
    pub cgroup_id: u64,
    /// Parent process.
    pub parent_tgid: u32,
    /// Bytes used in `cmdline`, `u16::MAX` when unreadable. Equal to `CMDLINE_LEN` when it may be cut.
    pub cmdline_len: u16,
    /// 1 when `exe` is whole.
    pub has_exe: u8,
    /// 1 when `cgroup` is whole.
    pub has_cgroup: u8,
    /// Path of the executable, leaf first.
    pub exe: [[u8; EXE_NAME_LEN]; EXE_NAMES],
    /// Path of the cgroup, leaf first.
    pub cgroup: [[u8; CGROUP_NAME_LEN]; CGROUP_NAMES],
    /// Arguments.
    pub cmdline: [u8; CMDLINE_LEN],
}

/// [`kind::SNAPSHOT_OWNER`].
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnerEvent {
    /// First bytes.
    pub head: Head,
    /// Addresses and state of the socket the process holds.
    pub tuple: Tuple,
    /// The process.
    pub task: Task,
    /// Counters of the socket.
    pub totals: Totals,
    /// File descriptor.
    pub fd: u32,
    /// `sk_drops`: of a listener, what it turned away since it exists.
    pub drops: u32,
    /// Maximum length of the accept queue of a listener.
    pub backlog: u32,
    /// `sk_ack_backlog`: connections in the accept queue of a listener.
    pub queued: u32,
}

macro_rules! layout {
    ($($name:ident = $size:literal),* $(,)?) => {$(
        const _: () = assert!(core::mem::size_of::<$name>() == $size && $size % 8 == 0);
        const _: () = assert!(core::mem::align_of::<$name>() == 8);
    )*};
}
layout!(
    Head = 32,
    StateEvent = 184,
    SocketEvent = 184,
    ConnectEvent = 136,
    AcceptEvent = 120,
    ResetEvent = 128,
    ErrorEvent = 88,
    RetransmitEvent = 80,
    DestroyEvent = 32,
    OwnerEvent = 192,
    ProcessEvent = 2328,
);
const _: () = assert!(core::mem::size_of::<Tuple>() == 48);
const _: () = assert!(core::mem::size_of::<Task>() == 40);
const _: () = assert!(core::mem::size_of::<Totals>() == 56);
