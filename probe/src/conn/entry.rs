//! One socket in the table, and how its facts are put together.

use crate::decode::event::{BootNs, Event, Flags, SockRef, Totals, Tuple};
use crate::vocab::{ClosedBy, EngineName, EventName, PidSource, Protocol, Role, TcpState};

use super::cause::{self, AttemptEnd, LifetimeEnd, SentReason};
use super::fact::{Actor, ConnId, Fact, Origin};

/// How a socket is found again: by its cookie, where the kernel tells it; its address is used again by
/// others within a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Cookie(u64),
    Addr(u64),
}

impl Key {
    pub(super) fn of(sock: SockRef) -> Option<Self> {
        match (sock.cookie, sock.addr) {
            (0, 0) => None,
            (0, addr) => Some(Self::Addr(addr)),
            (cookie, _) => Some(Self::Cookie(cookie)),
        }
    }

    /// Id of the first lifetime of a socket seen first at a time.
    pub(super) fn first_id(self, at: BootNs) -> ConnId {
        let origin = match self {
            Self::Cookie(cookie) => Origin::Cookie(cookie),
            Self::Addr(_) => Origin::Birth(at.0),
        };
        ConnId { origin, generation: 1 }
    }
}

/// Where a socket is in its life. See the diagram in `conn.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Attempt,
    Open,
    Listening,
    Held,
    Ended,
}

/// The move to CLOSED, kept until its cause is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    pub(super) at: BootNs,
    pub(super) from: TcpState,
    pub(super) flags: Flags,
    pub(super) totals: Totals,
    pub(super) engine: EngineName,
    pub(super) owner_exiting: bool,
    /// It never was ESTABLISHED: SYN-SENT, or SYN-RECEIVED when both sides connected to each other.
    pub(super) attempt: bool,
}

/// How the last lifetime of this socket ended, so that a connect() that only reports it is not taken for another
/// attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastEnd {
    pub(super) at: BootNs,
    pub(super) errno: Option<u16>,
    pub(super) reported: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) phase: Phase,
    /// The last state entered, as far as events told.
    pub(super) state: Option<TcpState>,
    pub(super) id: ConnId,
    pub(super) tuple: Tuple,
    pub(super) protocol: Protocol,
    pub(super) role: Role,
    pub(super) owner: Option<Actor>,
    pub(super) pid_source: PidSource,
    /// The first SYN, for a client.
    pub(super) started: Option<BootNs>,
    pub(super) established: Option<BootNs>,
    pub(super) accepted: Option<BootNs>,
    /// A process acted on it, so one holds it, whether or not its accept() was seen.
    pub(super) acted_on: bool,
    pub(super) syn_retransmits: u32,
    /// First SYN to ESTABLISHED, of a client.
    pub(super) handshake_ns: Option<u64>,
    pub(super) first_fin: Option<ClosedBy>,
    pub(super) exit_fin: bool,
    pub(super) closer: Option<Actor>,
    pub(super) reset_received: bool,
    pub(super) reset_sent: Option<(SentReason, Option<u32>)>,
    pub(super) soft: u16,
    pub(super) ending: Option<Ending>,
    pub(super) last_end: Option<LastEnd>,
    /// Its last event.
    pub(super) touched: BootNs,
    /// Address of the socket, if it listens or did.
    pub(super) listener: Option<u64>,
    /// The socket is gone, its end waits for its cause.
    pub(super) destroyed: bool,
    /// In the list of those that may have ended unseen.
    pub(super) doubted: bool,
    /// What a listener has turned away since it exists, as far as it is told; `None` not known yet.
    pub(super) drops: Option<u32>,
    /// When the snapshot found it.
    pub(super) seeded: Option<BootNs>,
    pub(super) pre_existing: bool,
    pub(super) incomplete: bool,
    /// Our own: nothing is said of it.
    pub(super) silent: bool,
}

impl Entry {
    pub(super) fn new(event: &Event, tuple: Tuple, phase: Phase, role: Role, id: ConnId) -> Self {
        Self {
            phase,
            state: None,
            id,
            tuple,
            protocol: event.protocol,
            role,
            owner: None,
            pid_source: PidSource::Unknown,
            started: None,
            established: None,
            accepted: None,
            acted_on: false,
            syn_retransmits: 0,
            handshake_ns: None,
            first_fin: None,
            exit_fin: false,
            closer: None,
            reset_received: false,
            reset_sent: None,
            soft: 0,
            ending: None,
            last_end: None,
            touched: event.at,
            listener: None,
            destroyed: false,
            doubted: false,
            drops: None,
            seeded: None,
            pre_existing: false,
            incomplete: false,
            silent: false,
        }
    }

    pub(super) fn own(&mut self, owner: Actor, source: PidSource) {
        (self.owner, self.pid_source) = (Some(owner), source);
    }

    pub(super) fn is_owned_by(&self, actor: &Actor) -> bool {
        self.owner.is_some_and(|owner| owner.process == actor.process)
    }

    /// Ports that were not chosen yet are filled in by a later event; nothing that is known is overwritten.
    pub(super) fn learn(&mut self, tuple: &Tuple) {
        if self.phase == Phase::Listening {
            return;
        }
        if self.tuple.local_port == 0 {
            self.tuple.local_port = tuple.local_port;
        }
        if self.tuple.local_addr.is_unspecified() {
            self.tuple.local_addr = tuple.local_addr;
        }
        if self.tuple.remote_port == 0 {
            (self.tuple.remote_addr, self.tuple.remote_port) = (tuple.remote_addr, tuple.remote_port);
        }
    }

    /// A fact about this connection with everything that is always said.
    pub(super) fn fact(&self, at: BootNs, event: EventName, engine: EngineName) -> Fact {
        let mut fact = Fact::new(at, event, engine, self.protocol, self.tuple);
        fact.conn = Some(self.id);
        fact.role = (self.phase != Phase::Listening).then_some(self.role);
        fact.owner = self.owner;
        fact.pid_source = Some(if self.owner.is_some() { self.pid_source } else { PidSource::Unknown });
        fact.pre_existing = self.pre_existing;
        fact.incomplete = self.incomplete;
        fact
    }

    pub(super) fn established_fact(&self, at: BootNs, engine: EngineName, totals: Option<Totals>) -> Fact {
        let mut fact = self.fact(at, EventName::Established, engine);
        fact.connect_ns = self.handshake_ns;
        if let Some(totals) = totals {
            fact.syn_retransmits = Some(totals.total_retrans);
            (fact.rtt_us, fact.min_rtt_us) = rtt(&totals);
        }
        fact
    }

    pub(super) fn failed_fact(&self, ending: &Ending, result: Option<u16>, sees_resets: bool) -> Fact {
        let end = AttemptEnd {
            err: ending.totals.err,
            soft: self.soft,
            result,
            reset_received: self.reset_received,
            sees_resets,
            owner_exiting: ending.owner_exiting,
        };
        let (cause, errno) = cause::of_attempt(&end);
        let mut fact = self.fact(ending.at, EventName::Failed, ending.engine);
        fact.prev_state = Some(ending.from);
        fact.state = Some(TcpState::Closed);
        (fact.cause, fact.errno) = (Some(cause), errno);
        let soft = if self.soft != 0 { self.soft } else { ending.totals.err_soft };
        fact.soft_errno = (soft != 0 && Some(soft) != errno).then_some(soft);
        fact.syn_retransmits = Some(u32::from(ending.totals.retransmits));
        fact.duration_ns = between(self.started, ending.at);
        fact.closer = self.closer;
        if self.reset_received {
            fact.reset_by = Some(crate::vocab::End::Remote);
        }
        fact
    }

    pub(super) fn closed_fact(&self, ending: &Ending, sees_accepts: bool) -> Fact {
        let totals = &ending.totals;
        let fin_sent = matches!(
            ending.from,
            TcpState::FinWait1
                | TcpState::FinWait2
                | TcpState::Closing
                | TcpState::TimeWait
                | TcpState::LastAck
        );
        let all_acked = totals.snd_una == totals.write_seq;
        let unread = unread(ending);
        let accepted = self.accepted();
        let verdict = cause::of_lifetime(&LifetimeEnd {
            from: ending.from,
            err: totals.err,
            reset_sent: self.reset_sent.map(|(reason, _)| reason),
            first_fin: self.first_fin,
            exit_fin: self.exit_fin,
            fin_received: ending.flags.fin_received,
            unread,
            never_accepted: sees_accepts && accepted == Some(false),
            probes: totals.probes,
            all_acked,
            user_timeout: totals.user_timeout != 0,
        });
        let mut fact = self.fact(ending.at, EventName::Closed, ending.engine);
        fact.prev_state = Some(ending.from);
        fact.state = Some(TcpState::Closed);
        fact.errno = (totals.err != 0).then_some(totals.err);
        let soft = if self.soft != 0 { self.soft } else { totals.err_soft };
        fact.soft_errno = (soft != 0 && soft != totals.err).then_some(soft);
        fact.cause = Some(verdict.cause);
        fact.closed_by = Some(verdict.closed_by);
        fact.reset_by = verdict.reset_by;
        fact.reset_reason =
            self.reset_sent.and_then(|(_, number)| number).filter(|_| verdict.reset_by.is_some());
        fact.closer = self.closer;
        fact.connect_ns = self.handshake_ns;
        fact.accept_wait_ns = self.accepted.and_then(|a| between(self.established, a));
        fact.duration_ns = between(self.established, ending.at);
        fact.bytes_sent = self.payload_sent(totals, fin_sent && all_acked);
        fact.bytes_received = Some(payload_received(totals, ending.flags.fin_received));
        fact.retransmits = Some(totals.total_retrans.saturating_sub(self.syn_retransmits));
        fact.syn_retransmits =
            (self.role == Role::Client && !self.pre_existing).then_some(self.syn_retransmits);
        (fact.rtt_us, fact.min_rtt_us) = rtt(totals);
        fact.unread_bytes = (verdict.cause == crate::vocab::Cause::ResetUnreadData).then_some(unread);
        fact.accepted = accepted.filter(|_| sees_accepts);
        fact
    }

    /// Whether accept() took it: known for servers whose birth was seen.
    fn accepted(&self) -> Option<bool> {
        let birth_seen = self.role == Role::Server && !self.pre_existing && !self.incomplete;
        // io_uring can accept in ways that no hook shows.
        let told = self.accepted.is_some() || !self.acted_on;
        (birth_seen && told).then_some(self.accepted.is_some())
    }

    /// `bytes_acked` counts the SYN of an active open and an acknowledged FIN. Without the role it would be a
    /// guess.
    pub(super) fn payload_sent(&self, totals: &Totals, fin_acked: bool) -> Option<u64> {
        let syn = match self.role {
            Role::Client => 1,
            Role::Server => 0,
            Role::Unknown => return None,
        };
        Some(totals.bytes_acked.saturating_sub(syn + u64::from(fin_acked)))
    }
}

/// `bytes_received` counts the peer's FIN.
pub(super) fn payload_received(totals: &Totals, fin_received: bool) -> u64 {
    totals.bytes_received.saturating_sub(u64::from(fin_received))
}

/// Bytes received and not read; the peer's FIN has a sequence number too.
fn unread(ending: &Ending) -> u64 {
    let ahead = ending.totals.rcv_nxt.wrapping_sub(ending.totals.copied_seq);
    u64::from(ahead).saturating_sub(u64::from(ending.flags.fin_received))
}

/// Smoothed and minimum round-trip time, µs.
pub(super) fn rtt(totals: &Totals) -> (Option<u32>, Option<u32>) {
    let smoothed = totals.srtt_us8 >> 3;
    (
        (smoothed != 0).then_some(smoothed),
        (totals.min_rtt_us != u32::MAX && smoothed != 0).then_some(totals.min_rtt_us),
    )
}

/// Length of a client's handshake. With TCP Fast Open the SYN leaves at the first send, which may be long
/// after connect() and shows in no state; then the kernel's own measurement of the SYN (its first round-trip
/// time, µs) is what there is, unless the SYN was sent again, which leaves nothing to measure.
pub(super) fn handshake(
    started: Option<BootNs>,
    established: BootNs,
    totals: Option<&Totals>,
) -> Option<u64> {
    /// Route and source port are looked up between the state and the SYN.
    const LOOKUP_NS: u64 = 1_000_000;
    let elapsed = between(started, established)?;
    let round_trip = totals.filter(|t| t.total_retrans == 0).and_then(|t| rtt(t).0);
    let measured = round_trip.map(|us| u64::from(us) * 1_000);
    Some(measured.filter(|ns| ns.saturating_add(LOOKUP_NS) < elapsed).unwrap_or(elapsed))
}

/// Nanoseconds from one moment to another; clocks of two CPUs may differ by a little.
pub(super) fn between(from: Option<BootNs>, to: BootNs) -> Option<u64> {
    from.map(|from| to.0.saturating_sub(from.0))
}
