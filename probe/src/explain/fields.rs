//! Values of two fields that need a word more than their name: `closed_by` and `pid_source`.

use super::Text;
use crate::vocab::{ClosedBy, PidSource};

/// The text of a value of `closed_by`.
pub(super) const fn closed_by(by: ClosedBy) -> &'static Text {
    const NEXT: &[(&str, &str)] =
        &[("connprobe trace --events closed --port PORT", "who ends the connections of that port?")];
    match by {
        ClosedBy::Local => &Text {
            summary: "a program of this host ended it first",
            meaning: &[
                "The first FIN or RST was ours, and a program caused it: close(), shutdown(), or its exit.",
            ],
            reasons: &["the program was done", "a timeout or an error of the program"],
            next: NEXT,
            see_also: &["orderly", "process_exit", "remote"],
        },
        ClosedBy::Remote => &Text {
            summary: "the peer ended it first",
            meaning: &["The first FIN, or the RST, came from the peer."],
            reasons: &[
                "the peer was done",
                "an idle timeout of a server or proxy",
                "the peer ended or crashed",
            ],
            next: NEXT,
            see_also: &["orderly", "reset_by_peer", "local"],
        },
        ClosedBy::Both => &Text {
            summary: "both ended it at once",
            meaning: &[
                "The FINs crossed on the way: both sides sent theirs before they had that of the other.",
            ],
            reasons: &["a protocol in which both sides know when it is over"],
            next: NEXT,
            see_also: &["orderly"],
        },
        ClosedBy::Kernel => &Text {
            summary: "the kernel ended it",
            meaning: &["No program and no peer: a timer ran out, or an ICMP error was final."],
            reasons: &[
                "retransmissions or keepalive probes without an answer",
                "the peer became unreachable",
            ],
            next: NEXT,
            see_also: &["timed_out", "keepalive_timeout", "unreachable"],
        },
        ClosedBy::Admin => &Text {
            summary: "an administrator ended it",
            meaning: &[
                "Somebody on this host destroyed the socket from outside of its program (tcp_abort()).",
            ],
            reasons: &["`ss -K`, a network manager, a BPF program"],
            next: NEXT,
            see_also: &["aborted", "ECONNABORTED"],
        },
    }
}

/// The text of a value of `pid_source`.
pub(super) const fn pid_source(source: PidSource) -> &'static Text {
    const NEXT: &[(&str, &str)] = &[("connprobe ls --port PORT", "who holds sockets with that port now?")];
    match source {
        PidSource::Connect => &Text {
            summary: "the owner is the process that called connect()",
            meaning: &["It was read inside of that call, so it is certain."],
            reasons: &["a connection opened here"],
            next: NEXT,
            see_also: &["accept", "listener"],
        },
        PidSource::Accept => &Text {
            summary: "the owner is the process that called accept()",
            meaning: &["It was read inside of that call, so it is certain."],
            reasons: &["a connection that came in"],
            next: NEXT,
            see_also: &["connect", "listener"],
        },
        PidSource::Listener => &Text {
            summary: "the owner is the process that owns the listener",
            meaning: &[
                "The connection came in and nobody has accepted it so far, or the accept was not seen.",
            ],
            reasons: &["a connection that waits for accept()", "a server with several processes"],
            next: NEXT,
            see_also: &["accept", "never_accepted"],
        },
        PidSource::Snapshot => &Text {
            summary: "the owner held the socket when the trace started",
            meaning: &[
                "Found by the open files of the processes. Of several that share a socket, one is named.",
            ],
            reasons: &["a socket that is older than the trace"],
            next: NEXT,
            see_also: &["start", "unknown"],
        },
        PidSource::Unknown => &Text {
            summary: "nobody knows the owner",
            meaning: &["Neither a call nor the open files of a process tell. connprobe does not guess."],
            reasons: &[
                "the process was gone before anybody could look",
                "a socket of the kernel itself, such as those of NFS",
                "a capability is missing",
            ],
            next: &[("connprobe doctor", "is a capability or a hook missing?")],
            see_also: &["snapshot", "listener"],
        },
    }
}
