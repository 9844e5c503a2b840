//! The lifetime of every socket, from the kernel's events: exactly one `failed` for an attempt and exactly
//! one `closed` for an established connection.
//!
//! ```text
//!                 CLOSED→SYN_SENT            SYN_SENT→ESTABLISHED
//!   (nothing) ──────────────────► Attempt ─────────────────────────► Open ◄── SYN_RECV→ESTABLISHED
//!      │  ▲                          │ →CLOSED                         │ →CLOSED      (a server's child)
//!      │  │ DESTROY                  ▼                                 ▼
//!      │  │                   cause known? ──no──► Held ◄──no── cause known?
//!      │  │                          │yes           │ RST sent, connect() result,    │yes
//!      │  │                          │              │ DESTROY or the hold time       │
//!      │  │                          ▼              ▼                                ▼
//!      │  └─────────────────────── Ended ◄── `failed` or `closed`, once ─────────────┘
//!      │                             │ CLOSED→SYN_SENT: the same socket again, next generation
//!      ▼ →LISTEN                     ▼
//!   Listening ── LISTEN→CLOSED ──► Ended
//! ```
//!
//! The tracker is pure: time comes with the events, what it concludes is taken with [`Tracker::poll`].
//! Its table is bounded: over the limit, the least recently used socket is given up and counted.

pub mod cause;
pub mod fact;

mod birth;
mod end;
mod entry;
mod listeners;
mod seed;
mod table;

use std::collections::VecDeque;

use lru::LruCache;

use crate::decode::event::{BootNs, Event, Kind, ProcessId, Task, Totals, Tuple};
use crate::vocab::{ClosedBy, EngineName, EventName, PidSource, Role, TcpState};
use entry::{Entry, Key, Phase, between};
use fact::{Actor, ConnId, Fact, Origin};
use listeners::Listeners;

/// How the tracker behaves.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Sockets in the table at most.
    pub sockets: usize,
    /// How long an end without a cause waits for more facts, ns.
    pub hold_ns: u64,
    /// Received resets are seen by a hook.
    pub sees_resets: bool,
    /// accept() is seen by a hook.
    pub sees_accepts: bool,
    /// Say every change of state.
    pub states: bool,
    /// Our own process, its start cut to a clock tick: its connections are not reported.
    pub own: ProcessId,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sockets: 1_000_000,
            hold_ns: 20_000_000,
            sees_resets: true,
            sees_accepts: true,
            states: false,
            own: ProcessId { pid: 0, start: 0 },
        }
    }
}

/// What the tracker counts of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sockets given up because the table was full.
    pub evicted: u64,
    /// Events of additional MPTCP subflows, which are no connections of their own.
    pub mptcp_joins: u64,
}

/// All sockets, and what they are up to.
pub struct Tracker {
    limits: Limits,
    sockets: LruCache<Key, Entry>,
    listeners: Listeners,
    /// Ends that wait for their cause, in the order of their deadlines: every hold is equally long.
    holds: VecDeque<(BootNs, Key, ConnId)>,
    facts: VecDeque<Fact>,
    counts: Counts,
    /// Events were lost at some time: what is not in the table may have been missed.
    lossy: bool,
    /// Sockets that may have ended unseen and do not show in a comparison, with the time to give them up.
    doubts: VecDeque<(BootNs, Key)>,
    comparison: Option<seed::Comparison>,
    /// Overflows of accept queues by namespace for which no listener was found at the last look.
    overflows_left: (BootNs, Vec<(u32, u64)>),
    now: BootNs,
    /// What an end is said by that no event showed.
    engine: EngineName,
    /// Names of the kernel's reset reasons, by number.
    reasons: Vec<(u32, String)>,
}

impl Tracker {
    /// An empty table. `reasons` are names and numbers of the traced kernel's `enum sk_rst_reason`.
    pub fn new(limits: Limits, reasons: Vec<(u32, String)>) -> Self {
        Self {
            limits,
            sockets: LruCache::unbounded(),
            listeners: Listeners::default(),
            holds: VecDeque::new(),
            facts: VecDeque::new(),
            counts: Counts::default(),
            lossy: false,
            doubts: VecDeque::new(),
            comparison: None,
            overflows_left: (BootNs(0), Vec::new()),
            now: BootNs(0),
            engine: EngineName::Tracepoint,
            reasons,
        }
    }

    /// The next conclusion, oldest first.
    pub fn poll(&mut self) -> Option<Fact> {
        self.facts.pop_front()
    }

    /// When [`Tracker::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<BootNs> {
        self.holds.front().map(|(deadline, ..)| *deadline)
    }

    /// Counts since the start.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Time of the last event or timeout.
    pub fn now(&self) -> BootNs {
        self.now
    }

    /// Sockets in the table, ended ones that wait for their destruction included. Never more than the limit.
    pub fn sockets(&self) -> usize {
        self.sockets.len()
    }

    /// Listeners known by their port. Never more than sockets.
    pub fn listening(&self) -> usize {
        self.listeners.len()
    }

    /// Connections and attempts that have not ended.
    pub fn open(&self) -> usize {
        let live = |e: &&Entry| matches!(e.phase, Phase::Attempt | Phase::Open | Phase::Held) && !e.silent;
        self.sockets.iter().map(|(_, e)| e).filter(live).count()
    }

    /// Time has passed: ends that waited long enough are decided with what is known.
    pub fn handle_timeout(&mut self, now: BootNs) {
        self.now = self.now.max(now);
        while let Some((deadline, key, id)) = self.holds.front().copied()
            && deadline <= now
        {
            self.holds.pop_front();
            self.release(key, Some(id), None);
        }
        self.compare_at(now);
        self.give_up_doubtful(now);
    }

    /// The run is over: nothing more will come, so every hold is decided.
    pub fn finish(&mut self) {
        let now = self.now;
        self.compare();
        self.doubts.clear();
        self.handle_timeout(BootNs(u64::MAX));
        self.now = now;
    }

    /// One fact from the kernel.
    pub fn handle_event(&mut self, event: &Event) {
        self.handle_timeout(event.at);
        self.engine = event.engine;
        if event.flags.mptcp_join {
            self.counts.mptcp_joins += 1;
            return;
        }
        if let Some(entry) = self.find(event) {
            entry.touched = event.at;
        }
        match &event.kind {
            Kind::State { tuple, old, new, task, totals, backlog } => {
                self.state_changed(event, *tuple, (*old, *new), task, *totals, *backlog);
            }
            Kind::Syn { tuple, .. } => self.syn(event, tuple),
            Kind::ConnectResult { tuple, task, entered, errno } => {
                self.connect_failed(event, *tuple, task, *entered, *errno);
            }
            Kind::Accept { tuple, task } => self.accepted(event, *tuple, task),
            Kind::ResetReceived { tuple, state } => self.reset_received(event, *tuple, *state),
            Kind::ResetSent { tuple, state, task: _, reason } => {
                self.reset_sent(event, *tuple, *state, *reason);
            }
            Kind::SocketError { err_soft, err_queued, .. } => {
                let soft = if *err_queued != 0 { *err_queued } else { *err_soft };
                if soft != 0
                    && let Some(entry) = self.find(event)
                {
                    entry.soft = soft;
                }
            }
            Kind::Retransmit { tuple, state, synack } => self.retransmit(event, *tuple, *state, *synack),
            Kind::Destroy => self.destroyed(event),
            // Processes belong to enrichment; snapshots come through `seed`.
            Kind::Process(_) | Kind::SnapshotSocket { .. } | Kind::SnapshotOwner { .. } => {}
        }
    }

    fn say(&mut self, silent: bool, fact: Fact) {
        if !silent {
            self.facts.push_back(fact);
        }
    }

    fn actor(&self, event: &Event, task: &Task) -> Option<Actor> {
        (event.flags.task_is_actor && task.process.pid != 0).then(|| Actor::new(task, event.at))
    }

    fn is_own(&self, actor: Option<Actor>) -> bool {
        actor.is_some_and(|a| self.is_own_process(a.process))
    }

    fn is_own_process(&self, process: ProcessId) -> bool {
        /// Clock ticks are 10 ms on every architecture there is.
        const TICK_NS: u64 = 10_000_000;
        let own = self.limits.own;
        process.pid == own.pid && process.start.abs_diff(own.start) < TICK_NS
    }

    fn state_changed(
        &mut self,
        event: &Event,
        tuple: Tuple,
        (old, new): (TcpState, TcpState),
        task: &Task,
        totals: Option<Totals>,
        backlog: u32,
    ) {
        let Some(key) = self.key(event) else { return };
        if event.flags.stand_in && self.sockets.peek(&key).is_some_and(|e| e.state == Some(new)) {
            return;
        }
        let actor = self.actor(event, task);
        match (old, new) {
            (_, TcpState::SynSent) => self.attempt_starts(event, key, tuple, actor),
            (_, TcpState::Listen) => self.listen_starts(event, key, tuple, actor, backlog),
            (TcpState::Listen, TcpState::Closed) => self.listen_ends(event, key),
            // The clone of a listener; its addresses are not complete before 6.13.
            (TcpState::Listen, TcpState::SynReceived) => {}
            (_, TcpState::Established) => self.handshake_done(event, key, tuple, old, totals),
            // A child that the kernel gave up while it made it: nobody ever had this connection.
            (TcpState::SynReceived, TcpState::Closed) if !self.sockets.contains(&key) => {}
            (_, TcpState::Closed) => self.ends(event, key, tuple, old, task, totals.unwrap_or_default()),
            _ => self.closing(key, new, actor.filter(|_| !task.kernel_thread), task.exiting),
        }
        if let Some(entry) = self.sockets.peek_mut(&key) {
            entry.state = Some(new);
        }
        if self.limits.states {
            self.state_fact(event, key, tuple, old, new);
        }
    }

    fn state_fact(&mut self, event: &Event, key: Key, tuple: Tuple, old: TcpState, new: TcpState) {
        let entry = self.sockets.peek(&key);
        let mut fact = match entry {
            Some(entry) => entry.fact(event.at, EventName::State, event.engine),
            None => Fact::new(event.at, EventName::State, event.engine, event.protocol, tuple),
        };
        (fact.prev_state, fact.state) = (Some(old), Some(new));
        let silent = entry.is_some_and(|e| e.silent);
        self.say(silent, fact);
    }

    /// A FIN was sent or received.
    fn closing(&mut self, key: Key, new: TcpState, actor: Option<Actor>, exiting: bool) {
        let Some(entry) = self.sockets.get_mut(&key) else { return };
        match new {
            TcpState::FinWait1 | TcpState::LastAck => {
                if new == TcpState::FinWait1 && entry.first_fin.is_none() {
                    entry.first_fin = Some(ClosedBy::Local);
                    entry.exit_fin = exiting && actor.is_some_and(|a| entry.is_owned_by(&a));
                }
                entry.acted_on |= actor.is_some();
                // The last close() may run in a kernel thread, which is nobody's doing.
                entry.closer = actor.filter(|a| !entry.is_owned_by(a));
            }
            TcpState::CloseWait if entry.first_fin.is_none() => entry.first_fin = Some(ClosedBy::Remote),
            TcpState::Closing => entry.first_fin = Some(ClosedBy::Both),
            _ => {}
        }
    }

    fn listen_starts(&mut self, event: &Event, key: Key, tuple: Tuple, actor: Option<Actor>, backlog: u32) {
        let id = self.next_id(event, key, Phase::Listening);
        let mut entry = Entry::new(event, tuple, Phase::Listening, Role::Server, id);
        entry.listener = Some(event.sock.addr);
        (entry.started, entry.drops) = (Some(event.at), Some(0));
        entry.silent = self.is_own(actor);
        if let Some(actor) = actor {
            entry.own(actor, PidSource::Listener);
        }
        let mut fact = entry.fact(event.at, EventName::Listen, event.engine);
        fact.backlog = Some(backlog);
        fact.state = Some(TcpState::Listen);
        self.say(entry.silent, fact);
        self.listeners.insert(key, &entry);
        self.insert(key, entry);
    }

    fn listen_ends(&mut self, event: &Event, key: Key) {
        let Some(entry) = self.sockets.get_mut(&key).filter(|e| e.phase == Phase::Listening) else { return };
        let mut fact = entry.fact(event.at, EventName::ListenEnd, event.engine);
        fact.duration_ns = between(entry.started, event.at);
        entry.phase = Phase::Ended;
        let (silent, tuple) = (entry.silent, entry.tuple);
        self.listeners.remove(key, &tuple);
        self.say(silent, fact);
    }

    fn retransmit(&mut self, event: &Event, tuple: Tuple, state: Option<TcpState>, synack: bool) {
        let known =
            self.find(event).map(|e| (e.silent, e.fact(event.at, EventName::Retransmit, event.engine)));
        let (silent, mut fact) = known.unwrap_or_else(|| {
            (false, Fact::new(event.at, EventName::Retransmit, event.engine, event.protocol, tuple))
        });
        fact.state = state;
        if synack {
            fact.role = Some(Role::Server);
        }
        self.say(silent, fact);
    }

    /// A fact about a socket that is not in the table; its cookie is still its name.
    fn stranger(&self, event: &Event, name: EventName, engine: EngineName, tuple: Tuple) -> Fact {
        let mut fact = Fact::new(event.at, name, engine, event.protocol, tuple);
        if event.sock.cookie != 0 {
            fact.conn = Some(ConnId { origin: Origin::Cookie(event.sock.cookie), generation: 1 });
        }
        fact
    }
}

#[cfg(test)]
mod tests;
