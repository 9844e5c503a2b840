//! The only loop: inputs in, records out. Everything that happens comes as an [`Input`], in one order, so a
//! record file is the list of inputs and a replay gives the same records.

pub mod frames;
mod header;
pub mod live;
pub mod replay;
mod snapshot;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::conn::{Limits, Tracker, fact::Fact};
use crate::decode::{self, DecodeError, event::BootNs, event::Event, event::ProcessId, event::ProcessImage};
use crate::enrich::process::ProcessTable;
use crate::episode::{self, Episodes, News};
use crate::filter::Filter;
use crate::knock::{self, Knocks};
use crate::record::build::Context;
use crate::record::{EventName, LostWhere, Record, RunTotals, story};
pub use header::Header;

/// Processes remembered, to name the owners of connections.
const PROCESSES: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");

/// What can happen to the pipeline.
#[derive(Clone, Debug)]
pub enum Input {
    /// A batch of events, one after another as they came from the ring buffer.
    Events(Bytes),
    /// Sockets and owners found at the start, or a part of them.
    Snapshot(Bytes),
    /// Owners found after a loss, looked for between these two moments.
    Resync(BootNs, BootNs, Bytes),
    /// Accept queues have overflowed: network namespaces with how often since the last such input, and their
    /// listeners.
    Overflows(BootNs, Vec<(u32, u64)>, Bytes),
    /// Who processes are, completed with what only the running system knows.
    Processes(Vec<Process>),
    /// Every hook is attached and the snapshot is done.
    Ready(BootNs),
    /// Time has passed; wall-clock time minus time since boot is now this, ns.
    Tick(BootNs, i64),
    /// Something was lost.
    Lost(BootNs, LostWhere, u64),
    /// The end.
    Stop(BootNs),
}

/// A process, when it was looked at, and the name of its user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// When, ns since boot.
    pub at: u64,
    /// Who it is.
    #[serde(flatten)]
    pub image: ProcessImage,
    /// Name of its user, if it has one.
    pub user: Option<Arc<str>>,
}

/// Tracker, processes, clock and filter of one run.
pub struct Pipeline {
    header: Header,
    context: Context,
    tracker: Tracker,
    processes: ProcessTable,
    episodes: Episodes<story::Program>,
    knocks: Knocks,
    filter: Filter,
    /// The snapshot, until it is whole.
    found: Vec<Event>,
    totals: RunTotals,
    records: BTreeMap<EventName, u64>,
    evicted: u64,
    started: Option<BootNs>,
    seq: u64,
}

impl Pipeline {
    /// A pipeline for a run described by `header`, shown as `config` says.
    pub fn new(header: Header, config: &Config) -> Self {
        let filter = config.filter();
        let limits = Limits {
            sockets: usize::try_from(config.max_connections).unwrap_or(usize::MAX),
            hold_ns: header.hold_ns,
            sees_resets: header.sees("tcp_reset"),
            sees_accepts: header.sees("inet_csk_accept"),
            states: filter.events.contains(EventName::State),
            own: ProcessId { pid: header.own_pid, start: header.own_start },
        };
        let episodes = episode::Limits {
            window_ns: u64::from(config.episode_window_s) * 1_000_000_000,
            answer_ns: u64::from(config.answer_window_s) * 1_000_000_000,
            flapping: usize::try_from(config.flapping).unwrap_or(usize::MAX),
            ..episode::Limits::default()
        };
        // A scan takes in the tries at its ports: where it would not be shown itself, they are told one by one.
        let shows_scans = filter.events.contains(EventName::PortScan)
            && [&filter.port, &filter.local_port, &filter.remote_port].iter().all(|ports| ports.is_empty());
        let knocks = knock::Limits {
            window_ns: u64::from(config.refused_window_s) * 1_000_000_000,
            scan_ports: usize::try_from(config.scan_ports).unwrap_or(usize::MAX),
            scan_window_ns: u64::from(config.scan_window_s) * 1_000_000_000,
            visitors: if shows_scans { knock::Limits::default().visitors } else { 0 },
            ..knock::Limits::default()
        };
        Self {
            context: header.context(config.host_fields.0),
            tracker: Tracker::new(limits, header.reset_reasons.clone()),
            processes: ProcessTable::new(PROCESSES),
            episodes: Episodes::new(episodes),
            knocks: Knocks::new(knocks),
            filter,
            found: Vec::new(),
            totals: RunTotals::default(),
            records: BTreeMap::new(),
            evicted: 0,
            started: None,
            seq: 0,
            header,
        }
    }

    /// Takes one input and gives every record that comes of it to `emit`.
    pub fn handle(&mut self, input: &Input, emit: &mut impl FnMut(Record)) {
        // A large snapshot comes in parts, and listeners may be in the last one.
        if !self.found.is_empty() && !matches!(input, Input::Snapshot(_) | Input::Processes(_)) {
            let found = std::mem::take(&mut self.found);
            self.tracker.seed(&found);
            self.drain(emit);
        }
        match input {
            Input::Events(batch) => self.events(batch, emit),
            Input::Snapshot(bytes) => {
                let events = self.decode_all(bytes);
                self.found.extend(events);
            }
            Input::Resync(from, to, bytes) => {
                let events = self.decode_all(bytes);
                self.tracker.resync(*from, *to, events);
            }
            Input::Overflows(now, overflows, bytes) => {
                let listeners = self.decode_all(bytes);
                self.tracker.overflowed(*now, overflows, &listeners);
            }
            Input::Processes(processes) => {
                for p in processes {
                    self.processes.insert(BootNs(p.at), p.image.clone(), p.user.clone());
                }
            }
            Input::Ready(now) => self.start(*now, emit),
            Input::Tick(now, wall_offset) => {
                self.context.wall_offset = *wall_offset;
                self.tracker.handle_timeout(*now);
            }
            Input::Lost(now, place, count) => {
                if *place == LostWhere::Ring {
                    self.tracker.lost();
                }
                self.lost(*now, *place, *count, emit);
            }
            Input::Stop(now) => {
                self.tracker.finish();
                self.drain(emit);
                self.knocks.finish();
                self.drain(emit);
                self.stop(*now, emit);
            }
        }
        self.drain(emit);
    }

    /// When the next [`Input::Tick`] has something to do, beyond keeping the clock right.
    pub fn poll_timeout(&self) -> Option<BootNs> {
        self.tracker.poll_timeout().into_iter().chain(self.knocks.poll_timeout()).min()
    }

    /// The table of connections.
    pub fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    fn events(&mut self, batch: &[u8], emit: &mut impl FnMut(Record)) {
        for event in decode::events(batch) {
            if let Some(event) = self.known(event) {
                self.tracker.handle_event(&event);
                self.drain(emit);
            }
        }
    }

    fn decode_all(&mut self, bytes: &[u8]) -> Vec<Event> {
        decode::events(bytes).filter_map(|event| self.known(event)).collect()
    }

    fn known(&mut self, event: Result<Event, DecodeError>) -> Option<Event> {
        self.totals.events += 1;
        match event {
            Ok(event) => Some(event),
            Err(e) => {
                if self.totals.unknown == 0 {
                    tracing::warn!("an event cannot be read, as perhaps others: {e}");
                }
                self.totals.unknown += 1;
                None
            }
        }
    }

    fn drain(&mut self, emit: &mut impl FnMut(Record)) {
        self.knocks.handle_timeout(self.tracker.now());
        while let Some(fact) = self.next_fact() {
            let mut record = self.context.record(&fact, &mut self.processes);
            let mut told = Vec::new();
            if let Some((key, what)) = story::observation(&record) {
                let at = story::moment(&record, fact.at);
                let (attempt, news) = self.episodes.observe(&key, at, fact.conn, what);
                record.attempt = attempt;
                told.extend(news.iter().map(|news| {
                    let mut told = story::record(&record, news);
                    told.ts = self.context.timestamp(match news {
                        News::Outage { since, .. } => *since,
                        News::Reconnected(_) | News::Flapping(_) => at,
                    });
                    told
                }));
            }
            self.emit(record, emit);
            for record in told {
                self.emit(record, emit);
            }
        }
        let evicted = self.tracker.counts().evicted;
        if evicted > self.evicted {
            let count = evicted - std::mem::replace(&mut self.evicted, evicted);
            let now = self.tracker.now();
            self.lost(now, LostWhere::Tracker, count, emit);
        }
    }

    /// What the tracker concluded, tries at ports where nothing listens put together.
    fn next_fact(&mut self) -> Option<Fact> {
        loop {
            if let Some(fact) = self.knocks.poll() {
                return Some(fact);
            }
            let fact = self.tracker.poll()?;
            if fact.event != EventName::RefusedInbound {
                return Some(fact);
            }
            self.knocks.observe(fact);
        }
    }

    fn start(&mut self, now: BootNs, emit: &mut impl FnMut(Record)) {
        self.started = Some(now);
        let mut record = Record::new(self.context.timestamp(now), EventName::Start);
        self.context.name_host(&mut record);
        record.engine = Some(self.header.engine());
        record.tracer = Some(Box::new(self.header.tracer.clone()));
        self.emit(record, emit);
    }

    fn lost(&mut self, now: BootNs, place: LostWhere, count: u64, emit: &mut impl FnMut(Record)) {
        let lost = self.totals.lost.entry(place.name().to_owned()).or_default();
        *lost = lost.saturating_add(count);
        let mut record = Record::new(self.context.timestamp(now), EventName::Lost);
        (record.lost_where, record.count) = (Some(place), Some(count));
        self.emit(record, emit);
    }

    fn stop(&mut self, now: BootNs, emit: &mut impl FnMut(Record)) {
        let mut record = Record::new(self.context.timestamp(now), EventName::Stop);
        let mut totals = self.totals.clone();
        totals.records = self.records.iter().map(|(event, n)| (event.name().to_owned(), *n)).collect();
        totals.mptcp_subflows = self.tracker.counts().mptcp_joins;
        totals.open = self.tracker.open() as u64;
        totals.duration_ns = self.started.map_or(0, |started| now.0.saturating_sub(started.0));
        record.totals = Some(Box::new(totals));
        self.emit(record, emit);
    }

    /// Counts a record, and numbers it if it is shown.
    fn emit(&mut self, mut record: Record, emit: &mut impl FnMut(Record)) {
        *self.records.entry(record.event).or_default() += 1;
        if self.filter.matches(&record) {
            self.seq += 1;
            record.seq = self.seq;
            emit(record);
        }
    }
}
