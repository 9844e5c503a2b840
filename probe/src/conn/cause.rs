//! Why an attempt failed or a lifetime ended: rules over facts, first match wins. The kernel's reasons stand
//! beside them; all of them were made to happen on a real kernel.

use crate::vocab::{Cause, ClosedBy, End, TcpState};

/// Errno numbers the rules know. The same on every architecture Linux has IPv4 on, but for MIPS, Alpha,
/// PA-RISC and SPARC, where connprobe does not run.
pub mod errno {
    #![allow(missing_docs, reason = "names say it")]
    pub const EPERM: u16 = 1;
    pub const EACCES: u16 = 13;
    pub const EINVAL: u16 = 22;
    pub const EPIPE: u16 = 32;
    pub const EAFNOSUPPORT: u16 = 97;
    pub const EADDRINUSE: u16 = 98;
    pub const EADDRNOTAVAIL: u16 = 99;
    pub const ENETDOWN: u16 = 100;
    pub const ENETUNREACH: u16 = 101;
    pub const ECONNABORTED: u16 = 103;
    pub const ECONNRESET: u16 = 104;
    pub const ETIMEDOUT: u16 = 110;
    pub const ECONNREFUSED: u16 = 111;
    pub const EHOSTDOWN: u16 = 112;
    pub const EHOSTUNREACH: u16 = 113;
}

use errno::{
    EACCES, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, ECONNABORTED, ECONNREFUSED, ECONNRESET, EHOSTDOWN,
    EHOSTUNREACH, EINVAL, ENETDOWN, ENETUNREACH, EPERM, EPIPE, ETIMEDOUT,
};

/// A failed connect() that never left a trace in the socket's states.
pub fn of_connect_result(error: u16) -> Cause {
    match error {
        // The routing table: an `unreachable` route gives EHOSTUNREACH, none at all ENETUNREACH.
        ENETUNREACH | EHOSTUNREACH | ENETDOWN | EHOSTDOWN => Cause::NoRoute,
        // __inet_hash_connect went through the whole port range.
        EADDRNOTAVAIL => Cause::NoPort,
        EADDRINUSE => Cause::AddressInUse,
        // A `prohibit` route, an LSM, a cgroup program.
        EACCES | EPERM => Cause::Denied,
        // A `blackhole` route too: the kernel does not tell it from bad arguments.
        EINVAL | EAFNOSUPPORT => Cause::Invalid,
        ECONNABORTED => Cause::Aborted,
        ECONNREFUSED => Cause::Refused,
        ETIMEDOUT => Cause::TimedOut,
        _ => Cause::Other,
    }
}

/// What is known when a socket leaves SYN-SENT for CLOSED.
#[derive(Clone, Copy, Debug, Default)]
pub struct AttemptEnd {
    /// `sk_err` then, 0 none.
    pub err: u16,
    /// An ICMP error seen before, 0 none.
    pub soft: u16,
    /// What connect() returned afterwards, `None` if it was not inside.
    pub result: Option<u16>,
    /// A RST was received for it.
    pub reset_received: bool,
    /// Received resets are seen at all.
    pub sees_resets: bool,
    /// Its own process was exiting.
    pub owner_exiting: bool,
}

/// Cause and errno of a failed attempt.
pub fn of_attempt(end: &AttemptEnd) -> (Cause, Option<u16>) {
    let some = |e: u16| (e != 0).then_some(e);
    match end.err {
        // tcp_reset() says ECONNREFUSED in SYN-SENT; an ICMP port unreachable says the same.
        ECONNREFUSED if end.reset_received || !end.sees_resets => (Cause::Refused, some(end.err)),
        ECONNREFUSED => (Cause::RefusedIcmp, some(end.err)),
        ETIMEDOUT => (Cause::TimedOut, some(end.err)),
        EHOSTUNREACH | ENETUNREACH | EHOSTDOWN | ENETDOWN => (Cause::Unreachable, some(end.err)),
        // tcp_abort(), by `ss -K` or a BPF program.
        ECONNABORTED => (Cause::Aborted, some(end.err)),
        EACCES | EPERM => (Cause::Denied, some(end.err)),
        0 => of_silent_attempt(end),
        _ => (Cause::Other, some(end.err)),
    }
}

/// No error in the socket: something on this host ended it.
fn of_silent_attempt(end: &AttemptEnd) -> (Cause, Option<u16>) {
    // tcp_reset() says ECONNREFUSED before tcp_done() closes the socket. In between, a program that polls on another CPU
    // can take the error by SO_ERROR, which needs no lock and clears it.
    if end.reset_received {
        return (Cause::Refused, Some(ECONNREFUSED));
    }
    if let Some(result) = end.result {
        return (of_connect_result(result), Some(result));
    }
    if end.owner_exiting {
        return (Cause::ProcessExit, None);
    }
    // The application took an ICMP error by SO_ERROR, which clears it, and closed.
    match end.soft {
        EHOSTUNREACH | ENETUNREACH | EHOSTDOWN | ENETDOWN => (Cause::Unreachable, Some(end.soft)),
        ECONNREFUSED => (Cause::RefusedIcmp, Some(end.soft)),
        _ => (Cause::Abandoned, None),
    }
}

/// The kernel's reason for a RST we sent, as far as the rules tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentReason {
    /// `TCP_ABORT_ON_CLOSE`: close() with unread data.
    AbortOnClose,
    /// `TCP_ABORT_ON_DATA`: data came after close().
    AbortOnData,
    /// `TCP_ABORT_ON_LINGER`: close() with a negative FIN-WAIT-2 time, `TCP_STATE`, `TCP_DISCONNECT_WITH_DATA`:
    /// close() with a linger time of 0, disconnecting, a listener closed with connections nobody accepted.
    Disconnect,
    /// `TCP_KEEPALIVE_TIMEOUT`.
    Keepalive,
    /// Any other.
    Other,
    /// This kernel does not say (before 6.10).
    Untold,
}

/// What is known when an established connection ends.
#[derive(Clone, Copy, Debug)]
pub struct LifetimeEnd {
    /// State it left.
    pub from: TcpState,
    /// `sk_err` then, 0 none.
    pub err: u16,
    /// The RST we sent, if we did.
    pub reset_sent: Option<SentReason>,
    /// Who sent the first FIN.
    pub first_fin: Option<ClosedBy>,
    /// The first FIN was ours and its sender was exiting.
    pub exit_fin: bool,
    /// The peer's FIN was received.
    pub fin_received: bool,
    /// Bytes nobody read.
    pub unread: u64,
    /// A connection that came in and was never accepted.
    pub never_accepted: bool,
    /// Keepalive or window probes are unanswered.
    pub probes: u8,
    /// Everything we sent was acknowledged.
    pub all_acked: bool,
    /// `TCP_USER_TIMEOUT` was set.
    pub user_timeout: bool,
}

/// What is concluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Why.
    pub cause: Cause,
    /// Who ended it first.
    pub closed_by: ClosedBy,
    /// Who sent the RST, if there was one.
    pub reset_by: Option<End>,
}

/// Cause of the end of an established connection.
pub fn of_lifetime(end: &LifetimeEnd) -> Verdict {
    let first = |otherwise| end.first_fin.unwrap_or(otherwise);
    let verdict = |cause, closed_by, reset_by| Verdict { cause, closed_by, reset_by };
    match end.err {
        // The owner died and the kernel sent its FIN: whatever answered it came too late to be the end.
        ECONNRESET | EPIPE if end.exit_fin => {
            let by_us = end.reset_sent == Some(SentReason::AbortOnData);
            let reset_by = if by_us { End::Local } else { End::Remote };
            verdict(Cause::ProcessExit, first(ClosedBy::Local), Some(reset_by))
        }
        // Data after our close(): tcp_reset() runs although the peer sent no RST, and then we send one.
        ECONNRESET if end.reset_sent == Some(SentReason::AbortOnData) => {
            verdict(Cause::ResetByKernel, first(ClosedBy::Local), Some(End::Local))
        }
        // tcp_reset(): EPIPE in CLOSE-WAIT, ECONNRESET elsewhere.
        ECONNRESET | EPIPE => verdict(Cause::ResetByPeer, first(ClosedBy::Remote), Some(End::Remote)),
        ECONNABORTED => verdict(Cause::Aborted, ClosedBy::Admin, Some(End::Local)),
        ETIMEDOUT => of_timeout(end),
        0 => of_silent_end(end),
        // ICMP errors are soft for an established connection, so a timer gave up; see of_timeout().
        EHOSTUNREACH | ENETUNREACH | EHOSTDOWN | ENETDOWN if end.user_timeout => {
            verdict(Cause::UserTimeout, first(ClosedBy::Kernel), None)
        }
        // tcp_write_err() prefers an ICMP error to ETIMEDOUT.
        EHOSTUNREACH | ENETUNREACH | EHOSTDOWN | ENETDOWN => {
            verdict(Cause::Unreachable, first(ClosedBy::Kernel), None)
        }
        _ => verdict(Cause::Other, first(ClosedBy::Kernel), None),
    }
}

fn of_timeout(end: &LifetimeEnd) -> Verdict {
    // tcp_keepalive_timer() sends a RST first and says why since 6.10; before, unanswered probes with
    // nothing else outstanding tell.
    let keepalive = match end.reset_sent {
        Some(SentReason::Keepalive) => true,
        Some(SentReason::Untold) => end.probes > 0 && end.all_acked,
        _ => false,
    };
    let cause = match keepalive {
        // With TCP_USER_TIMEOUT, retransmits_timed_out() and tcp_keepalive_timer() look at nothing else.
        _ if end.user_timeout => Cause::UserTimeout,
        true => Cause::KeepaliveTimeout,
        false => Cause::TimedOut,
    };
    let reset_by = end.reset_sent.map(|_| End::Local);
    Verdict { cause, closed_by: end.first_fin.unwrap_or(ClosedBy::Kernel), reset_by }
}

/// FINs went both ways.
pub fn finished(from: TcpState, fin_received: bool) -> bool {
    matches!(from, TcpState::Closing | TcpState::TimeWait | TcpState::LastAck)
        || (from == TcpState::FinWait2 && fin_received)
}

/// No error in the socket: FINs, or something on this host ended it.
fn of_silent_end(end: &LifetimeEnd) -> Verdict {
    let local_reset = |cause| Verdict {
        cause,
        closed_by: end.first_fin.unwrap_or(ClosedBy::Local),
        reset_by: Some(End::Local),
    };
    // With a FIN from either side a RST comes too late to be the end. With ours alone the peer's is still to
    // come, to the TIME-WAIT socket that takes over, unless this one is reset instead.
    let handed_over = end.from == TcpState::FinWait2 && end.reset_sent.is_none();
    match end.reset_sent {
        _ if finished(end.from, end.fin_received) || handed_over => Verdict {
            cause: if end.exit_fin { Cause::ProcessExit } else { Cause::Orderly },
            closed_by: end.first_fin.unwrap_or(ClosedBy::Local),
            reset_by: None,
        },
        Some(SentReason::AbortOnClose) => local_reset(Cause::ResetUnreadData),
        // inet_csk_listen_stop() disconnects the children that nobody took.
        _ if end.never_accepted => local_reset(Cause::NeverAccepted),
        Some(SentReason::Disconnect) => local_reset(Cause::ResetLinger),
        Some(SentReason::AbortOnData | SentReason::Keepalive | SentReason::Other) => {
            local_reset(Cause::ResetByKernel)
        }
        // No reason given: unread data makes the difference in tcp_close().
        Some(SentReason::Untold) | None if end.unread > 0 => local_reset(Cause::ResetUnreadData),
        Some(SentReason::Untold) => local_reset(Cause::ResetLinger),
        // Closed without a FIN and without a RST: out of memory, or the reset was not seen.
        None => Verdict {
            cause: Cause::Other,
            closed_by: end.first_fin.unwrap_or(ClosedBy::Kernel),
            reset_by: None,
        },
    }
}
