//! Any bytes as what a kernel could report, more or less: eight bytes an operation on one of a few sockets.
//! The structure of each event is right; the order is not, events come twice or never, addresses are used
//! again. Shared by the property tests and the fuzz targets, so this file needs nothing but `probe`.
//!
//! What a kernel never does is left out, because no tracker could make sense of it: events of a socket after
//! its destruction (but for the reset that comes late), and two results of one connect().

use bytes::Bytes;
use probe::config::Config;
use probe::decode::event::BootNs;
use probe::pipeline::{Header, Input};
use probe::record::LostWhere;
use probe_common as wire;
use probe_common::{flag, kind};

/// A run: what the pipeline is made with, and its inputs.
pub(crate) struct Run {
    pub(crate) header: Header,
    pub(crate) config: Config,
    pub(crate) inputs: Vec<Input>,
}

/// Bytes of one operation.
pub(crate) const OPERATION: usize = 8;

const SLOTS: usize = 4;
/// Moves that kernels make, oftener than others: old and new state.
const MOVES: [(u8, u8); 20] = [
    (7, 2),
    (2, 1),
    (2, 7),
    (2, 3),
    (3, 1),
    (3, 7),
    (10, 3),
    (7, 10),
    (10, 7),
    (1, 4),
    (4, 5),
    (5, 7),
    (4, 11),
    (11, 7),
    (1, 8),
    (8, 9),
    (9, 7),
    (1, 7),
    (8, 7),
    (4, 7),
];
const ERRORS: [u16; 12] = [0, 0, 0, 13, 22, 32, 99, 101, 103, 104, 110, 111];

/// The run that the bytes describe. The first byte says what kind of kernel it is on; in the end every socket
/// is destroyed and the run stopped.
pub(crate) fn run(bytes: &[u8]) -> Run {
    let (kernel, operations) = bytes.split_first().unwrap_or((&0, &[]));
    let mut machine = Machine { cookies: kernel & 1 == 0, at: 1 << 20, ..Machine::default() };
    for operation in operations.chunks_exact(OPERATION) {
        if let Ok(operation) = operation.try_into() {
            machine.operate(operation);
        }
    }
    for slot in 0..SLOTS {
        machine.tick_over(4);
        machine.destroy(slot);
    }
    machine.flush();
    machine.inputs.push(Input::Stop(BootNs(machine.at)));
    let mut config = Config::default();
    config.max_connections = if kernel & 2 == 0 { 1_000 } else { 2 };
    config.events = if kernel & 4 == 0 { config.events } else { probe::filter::Events::ALL };
    (config.refused_window_s, config.scan_window_s, config.scan_ports) = (1, 1, 4);
    let mut header = Header { hold_ns: 20_000_000, ..Header::default() };
    header.reset_reasons =
        [(16, "tcp_abort_on_close"), (10, "tcp_abort_on_data"), (20, "tcp_keepalive_timeout")]
            .map(|(number, name)| (number, name.to_owned()))
            .to_vec();
    for hook in ["tcp_set_state", "tcp_reset", "inet_csk_accept"] {
        header.tracer.hooks.insert(hook.to_owned(), "tracepoint".to_owned());
    }
    if kernel & 8 != 0 {
        header.tracer.hooks.remove("tcp_reset");
    }
    Run { header, config, inputs: machine.inputs }
}

/// What the sockets are and when.
#[derive(Default)]
struct Machine {
    cookies: bool,
    at: u64,
    /// Sockets that were at the address of each slot before.
    lives: [u64; SLOTS],
    /// The socket at this address has had an event, which gave it its cookie.
    seen: [bool; SLOTS],
    batch: Vec<u8>,
    last: Vec<u8>,
    inputs: Vec<Input>,
}

impl Machine {
    fn operate(&mut self, operation: [u8; OPERATION]) {
        let [what, slot, a, b, c, d, flags, pause] = operation;
        let slot = usize::from(slot) % SLOTS;
        self.tick_over(pause % 28);
        match what % 20 {
            _ if what >= 248 => self.knock(a, b),
            _ if what >= 244 => self.overflow(a, b, c),
            0..=5 => {
                let (old, new) = MOVES[usize::from(a) % MOVES.len()];
                self.state(slot, (old, new), [b, c, d, flags]);
            }
            6 => self.state(slot, (a % 14, b % 14), [b, c, d, flags]),
            7 => self.connect_result(slot, a, b, c),
            8 => self.event(slot, kind::ACCEPT, flags, |head, tuple| wire::AcceptEvent {
                head,
                tuple,
                task: task(a),
            }),
            9 => self.event(slot, kind::RESET_RECEIVED, flags, |head, tuple| reset(head, tuple, a, b)),
            10 => self.reset_sent(slot, a, b, c, flags),
            11 => self.event(slot, kind::SOCKET_ERROR, flags, |head, tuple| wire::ErrorEvent {
                head,
                tuple,
                err: error(a),
                err_soft: error(b),
                err_queued: error(c),
                pad: 0,
            }),
            12 => {
                let kind = if a & 1 == 0 { kind::RETRANSMIT } else { kind::RETRANSMIT_SYNACK };
                self.event(slot, kind, flags, |head, tuple| wire::RetransmitEvent { head, tuple });
            }
            13 => self.destroy(slot),
            14 => self.snapshot(a, b, c, d),
            15 => {
                self.flush();
                self.inputs.push(Input::Tick(BootNs(self.at), i64::from(a)));
            }
            16 => {
                self.flush();
                let place = LostWhere::ALL[usize::from(a) % LostWhere::ALL.len()];
                self.inputs.push(Input::Lost(BootNs(self.at), place, u64::from(b)));
            }
            17 => self.resync(a, b, c),
            18 => self.event(slot, kind::SYN, flags, |head, tuple| wire::SocketEvent {
                head,
                tuple,
                task: task(a),
                ..wire::SocketEvent::default()
            }),
            _ => self.batch.extend_from_slice(&self.last),
        }
        if flags & 0x80 != 0 {
            self.flush();
        }
    }

    /// Times of events are multiples of 16: those between belong to what snapshots find.
    fn tick_over(&mut self, exponent: u8) {
        self.at += 1 << exponent.max(4);
    }

    fn flush(&mut self) {
        if !self.batch.is_empty() {
            self.inputs.push(Input::Events(std::mem::take(&mut self.batch).into()));
        }
    }

    fn head(&self, slot: usize, life: u64, flags: u16) -> wire::Head {
        let cookie = life * SLOTS as u64 + slot as u64 + 1;
        wire::Head {
            ts: self.at,
            sock: (slot as u64 + 1) << 12,
            cookie: if self.cookies { cookie } else { 0 },
            flags,
            engine: wire::engine::TRACEPOINT,
            ..wire::Head::default()
        }
    }

    fn event<T: bytemuck::NoUninit>(
        &mut self,
        slot: usize,
        kind: u8,
        flags: u8,
        make: impl Fn(wire::Head, wire::Tuple) -> T,
    ) {
        // The bits that say something of the socket; a subflow that joins is no socket of this machine.
        let flags = u16::from(flags & 0x7f) & !flag::MPTCP_JOIN | flag::TASK_IS_ACTOR | flag::HAS_TOTALS;
        let flags = flags & !flag::NO_SOCKET;
        let head = self.head(slot, self.lives[slot], flags);
        self.seen[slot] = true;
        self.last = bytes(kind, |of| make(of(head), tuple(slot)));
        self.batch.extend_from_slice(&self.last);
    }

    fn state(&mut self, slot: usize, (old_state, new_state): (u8, u8), [a, b, c, flags]: [u8; 4]) {
        self.event(slot, kind::STATE, flags, |head, tuple| wire::StateEvent {
            head,
            tuple,
            task: task(a),
            totals: totals(b, c),
            old_state,
            new_state,
            ..wire::StateEvent::default()
        });
    }

    fn connect_result(&mut self, slot: usize, a: u8, b: u8, c: u8) {
        let (at, seen) = (self.at, self.seen[slot]);
        let make = |head: wire::Head, tuple| wire::ConnectEvent {
            // A socket that never had an event has no cookie.
            head: wire::Head { cookie: if seen { head.cookie } else { 0 }, ..head },
            tuple,
            task: task(a),
            entered: at.saturating_sub(u64::from(b) << 12),
            result: -i32::from(error(c)),
            pad: 0,
        };
        self.event(slot, kind::CONNECT_RESULT, 0, make);
        self.seen[slot] = seen;
        self.last.clear();
    }

    fn reset_sent(&mut self, slot: usize, a: u8, b: u8, c: u8, flags: u8) {
        if c & 1 == 0 || self.lives[slot] == 0 {
            return self.event(slot, kind::RESET_SENT, flags, |head, tuple| reset(head, tuple, a, b));
        }
        let head = self.head(slot, self.lives[slot] - 1, 0);
        self.batch.extend(bytes(kind::RESET_SENT, |of| reset(of(head), tuple(slot), a, b)));
    }

    /// A remote tries a port where nothing listens.
    fn knock(&mut self, a: u8, b: u8) {
        let mut tuple = tuple(usize::from(a % 3));
        tuple.local_port = 1000 + u16::from(b % 8);
        let flags = flag::NO_SOCKET | flag::ANSWERS_SYN;
        let head =
            wire::Head { ts: self.at, flags, engine: wire::engine::TRACEPOINT, ..wire::Head::default() };
        self.batch.extend(bytes(kind::RESET_SENT, |of| reset(of(head), tuple, a, b)));
        self.last.clear();
    }

    /// Accept queues have overflowed, says the kernel, and that listeners have turned so many away.
    fn overflow(&mut self, which: u8, a: u8, b: u8) {
        self.flush();
        let mut found = Vec::new();
        for slot in (0..SLOTS).filter(|slot| which & 1 << slot != 0) {
            let head = self.head(slot, self.lives[slot], flag::HAS_TOTALS);
            let cookie = if self.seen[slot] { head.cookie } else { 0 };
            let (head, drops) = (wire::Head { cookie, ..head }, u32::from(a));
            let tuple = wire::Tuple { state: if b & 1 << slot == 0 { 10 } else { 1 }, ..tuple(slot) };
            found.extend(bytes(kind::SNAPSHOT_OWNER, |of| wire::OwnerEvent {
                drops,
                ..owner(of(head), tuple, a)
            }));
        }
        self.inputs.push(Input::Overflows(BootNs(self.at), vec![(0, u64::from(b))], found.into()));
    }

    fn destroy(&mut self, slot: usize) {
        self.event(slot, kind::DESTROY, 0, |head, _| wire::DestroyEvent { head });
        self.lives[slot] += 1;
        self.seen[slot] = false;
    }

    /// A look at the sockets from a little later on: what comes next may be older than it.
    fn snapshot(&mut self, which: u8, state: u8, a: u8, b: u8) {
        self.flush();
        let mut found = Vec::new();
        for slot in (0..SLOTS).filter(|slot| which & 1 << slot != 0) {
            let ts = self.at + (u64::from(a) << 12) + slot as u64 + 1;
            let head = wire::Head {
                ts,
                ..self.head(slot, self.lives[slot], flag::HAS_TOTALS | u16::from(a & 0x20))
            };
            let state = (state >> slot) % 13;
            let tuple = wire::Tuple { state, ..tuple(slot) };
            self.seen[slot] = true;
            found.extend(bytes(kind::SNAPSHOT_SOCKET, |of| wire::SocketEvent {
                head: of(head),
                tuple,
                totals: totals(a, b),
                ..wire::SocketEvent::default()
            }));
            if b & 1 << slot != 0 {
                found.extend(bytes(kind::SNAPSHOT_OWNER, |of| owner(of(head), tuple, a)));
            }
        }
        self.inputs.push(Input::Snapshot(found.into()));
    }

    fn resync(&mut self, which: u8, state: u8, a: u8) {
        self.flush();
        let began = BootNs(self.at.saturating_sub(u64::from(a) << 10));
        let mut found = Vec::new();
        for slot in (0..SLOTS).filter(|slot| which & 1 << slot != 0) {
            let head = self.head(slot, self.lives[slot], flag::HAS_TOTALS);
            let cookie = if self.seen[slot] { head.cookie } else { 0 };
            let head = wire::Head { ts: self.at + slot as u64 + 5, cookie, ..head };
            let tuple = wire::Tuple { state: (state >> slot) % 13, ..tuple(slot) };
            found.extend(bytes(kind::SNAPSHOT_OWNER, |of| owner(of(head), tuple, a)));
        }
        self.inputs.push(Input::Resync(began, began, Bytes::from(found)));
    }
}

/// An event with its kind and length in its head.
pub(crate) fn bytes<T: bytemuck::NoUninit>(
    kind: u8,
    make: impl Fn(&dyn Fn(wire::Head) -> wire::Head) -> T,
) -> Vec<u8> {
    let size = u16::try_from(size_of::<T>()).expect("events are short");
    bytemuck::bytes_of(&make(&|head| wire::Head { kind, size, ..head })).to_vec()
}

fn tuple(slot: usize) -> wire::Tuple {
    let number = slot as u8;
    let mut tuple =
        wire::Tuple { family: 2, local_port: 80 + u16::from(number & 1), state: 1, ..wire::Tuple::default() };
    tuple.local_addr[3] = number >> 1;
    tuple.remote_addr[..4].copy_from_slice(&[10, 0, 0, number]);
    tuple.remote_port = if slot == 3 { 0 } else { 4000 };
    tuple
}

fn task(a: u8) -> wire::Task {
    let pid = 100 + u32::from(a & 3);
    wire::Task {
        tgid: pid,
        tid: pid,
        flags: u32::from(a >> 2 & 3),
        start: pid.into(),
        ..wire::Task::default()
    }
}

fn owner(head: wire::Head, tuple: wire::Tuple, a: u8) -> wire::OwnerEvent {
    wire::OwnerEvent { head, tuple, task: task(a), totals: totals(a, a), ..wire::OwnerEvent::default() }
}

fn totals(a: u8, b: u8) -> wire::Totals {
    wire::Totals {
        bytes_acked: u64::from(a & 3),
        bytes_received: u64::from(a >> 2 & 3),
        rcv_nxt: u32::from(a >> 4),
        copied_seq: u32::from(b >> 6),
        err: error(b),
        probes: a & 1,
        user_timeout: u32::from(a >> 1 & 1),
        ..wire::Totals::default()
    }
}

fn reset(head: wire::Head, tuple: wire::Tuple, a: u8, b: u8) -> wire::ResetEvent {
    let reason = [-1, 0, 10, 16, 20, 99][usize::from(a) % 6];
    wire::ResetEvent {
        head,
        tuple: wire::Tuple { state: b % 14, ..tuple },
        reason,
        ..wire::ResetEvent::default()
    }
}

fn error(a: u8) -> u16 {
    ERRORS[usize::from(a) % ERRORS.len()]
}
