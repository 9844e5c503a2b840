//! The closed lists of words that records are written with: events, causes, states and the like. The words
//! are part of the contract: add, never rename.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! names {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// Every value, in the order of the documents.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The value of a name, `None` if there is no such value.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

names! {
    /// What happened.
    EventName {
        /// A socket starts to listen.
        Listen = "listen",
        /// A socket stops listening.
        ListenEnd = "listen_end",
        /// A connection attempt starts.
        Connect = "connect",
        /// The client's handshake is done.
        Established = "established",
        /// accept() returned a connection.
        Accept = "accept",
        /// An attempt ended before ESTABLISHED.
        Failed = "failed",
        /// The lifetime of an established connection ended.
        Closed = "closed",
        /// A RST was sent or received.
        Reset = "reset",
        /// Somebody tried a local port on which nothing listens.
        RefusedInbound = "refused_inbound",
        /// A remote tried many local ports on which nothing listens.
        PortScan = "port_scan",
        /// Connections were dropped at a full accept queue.
        ListenOverflow = "listen_overflow",
        /// A segment was sent again.
        Retransmit = "retransmit",
        /// A socket changed its state.
        State = "state",
        /// A peer is lost to a process.
        Outage = "outage",
        /// An outage ended.
        Reconnected = "reconnected",
        /// A peer reconnects again and again.
        Flapping = "flapping",
        /// A socket that existed before the start.
        Snapshot = "snapshot",
        /// Something was lost on the way.
        Lost = "lost",
        /// Every hook is attached and the snapshot is done.
        Start = "start",
        /// The end of the stream, with totals.
        Stop = "stop",
    }
}

names! {
    /// What saw it.
    EngineName {
        /// fentry or fexit programs.
        Fentry = "fentry",
        /// Tracepoints and BPF iterators.
        Tracepoint = "tracepoint",
        /// kprobes and kretprobes.
        Kprobe = "kprobe",
        /// Netlink socket diagnostics, no BPF.
        SockDiag = "sock_diag",
    }
}

names! {
    /// Which side of the connection this host is.
    Role {
        /// The side that connected.
        Client = "client",
        /// The side that accepted.
        Server = "server",
        /// Not known: the birth was not seen and nothing tells.
        Unknown = "unknown",
    }
}

names! {
    /// Address family; v4-mapped IPv6 is shown as IPv4.
    Family {
        /// IPv4.
        Ipv4 = "ipv4",
        /// IPv6.
        Ipv6 = "ipv6",
    }
}

names! {
    /// Transport.
    Protocol {
        /// TCP.
        Tcp = "tcp",
        /// The first subflow of a Multipath TCP connection.
        Mptcp = "mptcp",
        /// UDP (`ls` only).
        Udp = "udp",
    }
}

names! {
    /// How the owner is known.
    PidSource {
        /// It called connect().
        Connect = "connect",
        /// It called accept().
        Accept = "accept",
        /// It owns the listener the connection came in by.
        Listener = "listener",
        /// It held the socket when the tracer started.
        Snapshot = "snapshot",
        /// Nobody knows.
        Unknown = "unknown",
    }
}

names! {
    /// State of RFC 9293, section 3.3.2.
    TcpState {
        /// ESTABLISHED.
        Established = "established",
        /// SYN-SENT.
        SynSent = "syn_sent",
        /// SYN-RECEIVED.
        SynReceived = "syn_received",
        /// FIN-WAIT-1.
        FinWait1 = "fin_wait_1",
        /// FIN-WAIT-2.
        FinWait2 = "fin_wait_2",
        /// TIME-WAIT.
        TimeWait = "time_wait",
        /// CLOSED.
        Closed = "closed",
        /// CLOSE-WAIT.
        CloseWait = "close_wait",
        /// LAST-ACK.
        LastAck = "last_ack",
        /// LISTEN.
        Listen = "listen",
        /// CLOSING.
        Closing = "closing",
    }
}

impl TcpState {
    /// From the number in `net/tcp_states.h`; `TCP_NEW_SYN_RECV` (12) is SYN-RECEIVED.
    pub const fn from_kernel(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Established,
            2 => Self::SynSent,
            3 | 12 => Self::SynReceived,
            4 => Self::FinWait1,
            5 => Self::FinWait2,
            6 => Self::TimeWait,
            7 => Self::Closed,
            8 => Self::CloseWait,
            9 => Self::LastAck,
            10 => Self::Listen,
            11 => Self::Closing,
            _ => return None,
        })
    }
}

names! {
    /// One of the two ends.
    End {
        /// This host.
        Local = "local",
        /// The peer.
        Remote = "remote",
    }
}

names! {
    /// Who ended a connection first.
    ClosedBy {
        /// This host's application.
        Local = "local",
        /// The peer.
        Remote = "remote",
        /// Both at once (FINs crossed).
        Both = "both",
        /// The kernel: a timer or an ICMP error.
        Kernel = "kernel",
        /// An administrator (`ss -K`, a BPF program, a policy).
        Admin = "admin",
    }
}

names! {
    /// Why an attempt failed or a lifetime ended.
    Cause {
        /// RST to our SYN.
        Refused = "refused",
        /// ICMP port unreachable to our SYN.
        RefusedIcmp = "refused_icmp",
        /// SYNs, or retransmissions, went unanswered.
        TimedOut = "timed_out",
        /// ICMP host unreachable, or no neighbour.
        Unreachable = "unreachable",
        /// No route: the routing table said no at once.
        NoRoute = "no_route",
        /// No free local port.
        NoPort = "no_port",
        /// The local address is in use.
        AddressInUse = "address_in_use",
        /// A policy forbade it.
        Denied = "denied",
        /// The application closed it while SYN-SENT.
        Abandoned = "abandoned",
        /// Killed by an administrator.
        Aborted = "aborted",
        /// The owner died.
        ProcessExit = "process_exit",
        /// The arguments made no sense to the kernel.
        Invalid = "invalid",
        /// FIN both ways.
        Orderly = "orderly",
        /// The peer sent a RST.
        ResetByPeer = "reset_by_peer",
        /// Closed here with unread data: a RST instead of a FIN.
        ResetUnreadData = "reset_unread_data",
        /// Closed here with a linger time of 0, or disconnected: a RST instead of a FIN.
        ResetLinger = "reset_linger",
        /// This kernel sent a RST for another reason, see `reset_reason`.
        ResetByKernel = "reset_by_kernel",
        /// Keepalive probes went unanswered.
        KeepaliveTimeout = "keepalive_timeout",
        /// `TCP_USER_TIMEOUT` ran out.
        UserTimeout = "user_timeout",
        /// The listener went away before anybody accepted it.
        NeverAccepted = "never_accepted",
        /// None of these.
        Other = "other",
    }
}

names! {
    /// Where something was lost.
    LostWhere {
        /// The kernel's ring buffer was full: the table was compared with the kernel's sockets afterwards.
        Ring = "ring",
        /// The kernel skipped a program because it was running on that CPU already.
        Hook = "hook",
        /// The connection table was full: the least recently used entry was given up.
        Tracker = "tracker",
        /// A queue inside connprobe was full.
        Queue = "queue",
        /// The output was slower than the events.
        Sink = "sink",
    }
}
