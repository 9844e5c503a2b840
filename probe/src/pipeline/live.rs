//! The driver of a live trace: load, attach, snapshot, drop privileges, then run until told to stop.

mod looks;

use std::time::Duration;

use bytes::Bytes;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Header, Input, Pipeline, Process, frames, snapshot};
use crate::capture::{self, Writer};
use crate::config::Config;
use crate::decode::event::BootNs;
use crate::enrich::describe::{Described, Describer};
use crate::enrich::resolve::Resolver;
use crate::kernel::loader::{LoadError, Request, Tracer};
use crate::kernel::overflows::Overflows;
use crate::kernel::{clock, privilege};
use crate::record::{EventName, Record};
use crate::ring::Reader;
use crate::sink::output::{self, Output, Status};

/// Losses and the wall clock are looked at this often.
const TICK: Duration = Duration::from_millis(500);
/// How long a reader that does not read is waited for when the user wants to go.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a live trace ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The programs cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The output failed.
    #[error(transparent)]
    Output(#[from] output::Error),
    /// The record file failed.
    #[error(transparent)]
    Capture(#[from] capture::Error),
    /// Capabilities cannot be dropped.
    #[error("{0}")]
    Privilege(String),
    /// The event loop failed.
    #[error("failed to run the event loop: {0}")]
    Loop(#[from] std::io::Error),
    /// Names cannot be looked up.
    #[error("failed to start looking up names: {0}")]
    Resolve(#[from] crate::enrich::resolve::ResolveError),
}

/// Why the loop ends.
enum End {
    /// Asked to by a signal: do not wait for a reader for ever.
    Signal,
    /// The duration or the count is reached, or nobody reads any more.
    Done,
}

/// Who takes the records of a live trace.
pub trait Destination {
    /// Takes one record.
    fn send(&mut self, record: &Record);

    /// A batch is over.
    fn flush_batch(&mut self) {}

    /// Records dropped since the last call.
    fn dropped(&mut self) -> u64 {
        0
    }

    /// Whether it wants more.
    fn status(&self) -> Status {
        Status::Open
    }

    /// SIGHUP has come.
    fn reopen(&mut self) {}

    /// The end; `patience` bounds how long it may take.
    fn finish(self, _patience: Option<Duration>) -> Result<(), output::Error>
    where
        Self: Sized,
    {
        Ok(())
    }
}

impl Destination for Output {
    fn send(&mut self, record: &Record) {
        Output::send(self, record);
    }

    fn flush_batch(&mut self) {
        Output::flush_batch(self);
    }

    fn dropped(&mut self) -> u64 {
        Output::dropped(self)
    }

    fn status(&self) -> Status {
        Output::status(self)
    }

    fn reopen(&mut self) {
        Output::reopen(self);
    }

    fn finish(self, patience: Option<Duration>) -> Result<(), output::Error> {
        Output::finish(self, patience)
    }
}

/// Traces this host as `config` says, to the output it names.
pub fn run(config: &Config) -> Result<(), Error> {
    // What the user can get wrong comes before anything is loaded into the kernel.
    run_into(config, Output::open(config, output::Policy::Drop)?)
}

/// Traces this host as `config` says.
pub fn run_into(config: &Config, output: impl Destination) -> Result<(), Error> {
    let capture = config.record.as_deref().map(Writer::create).transpose()?;
    let mut tracer = Tracer::load(&request(config))?;
    let snapshot = tracer.snapshot().unwrap_or_else(|e| {
        tracing::warn!("no snapshot of existing sockets: {e}");
        Vec::new()
    });
    privilege::hurry();
    privilege::drop_rest().map_err(Error::Privilege)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut live = Live::new(config, tracer, output, capture)?;
        live.take_snapshot(&Bytes::from(snapshot))?;
        let end = live.run().await?;
        live.finish(&end)
    })
}

/// What the kernel side is asked for.
fn request(config: &Config) -> Request {
    let filter = config.filter();
    Request {
        settings: filter.in_kernel(),
        buffer: u32::try_from(config.buffer.0).unwrap_or(u32::MAX),
        retransmits: filter.events.contains(EventName::Retransmit),
    }
}

struct Live<D> {
    pipeline: Pipeline,
    tracer: Tracer,
    ring: Reader,
    describer: Describer,
    sink: Sink<D>,
    capture: Option<Writer>,
    duration: Option<Duration>,
    /// Events were lost since the last comparison.
    compare_due: bool,
    overflows: Overflows,
    /// When all open files may be read again.
    next_owners: BootNs,
    signals: [Signal; 3],
}

/// Where records go, and how many are still wanted.
struct Sink<D> {
    output: D,
    resolver: Option<Resolver>,
    left: Option<u64>,
}

impl<D: Destination> Sink<D> {
    fn take(&mut self, mut record: Record) {
        let counts = !matches!(record.event, EventName::Start | EventName::Stop | EventName::Lost);
        if let Some(left) = &mut self.left
            && counts
        {
            if *left == 0 {
                return;
            }
            *left -= 1;
        }
        if let (Some(resolver), Some(addr)) = (&self.resolver, record.remote_addr) {
            record.remote_name = resolver.name(addr);
        }
        self.output.send(&record);
    }
}

impl<D: Destination> Live<D> {
    fn new(
        config: &Config,
        mut tracer: Tracer,
        output: D,
        mut capture: Option<Writer>,
    ) -> Result<Self, Error> {
        let ring = Reader::new(tracer.take_ring()?)?;
        let header = Header::of(&tracer, config);
        if let Some(capture) = &mut capture {
            frames::begin(capture, &header)?;
        }
        let resolver = config.resolve.0.then(Resolver::new).transpose()?;
        let signals = [
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ];
        Ok(Self {
            pipeline: Pipeline::new(header, config),
            tracer,
            ring,
            describer: Describer::default(),
            sink: Sink { output, resolver, left: config.count },
            capture,
            duration: config.duration,
            compare_due: false,
            overflows: Overflows::default(),
            next_owners: BootNs(0),
            signals,
        })
    }

    fn take_snapshot(&mut self, snapshot: &Bytes) -> Result<(), Error> {
        // Born while the snapshot was taken: their events tell more than it does.
        let meanwhile: Vec<Bytes> =
            std::iter::from_fn(|| Some(self.ring.poll()).filter(|batch| !batch.is_empty()))
                .take(1024)
                .collect();
        let snapshot = snapshot::without(snapshot, &snapshot::born_in(&meanwhile));
        let owners = self.describer.in_snapshot(&snapshot);
        self.describe(owners)?;
        for part in snapshot::parts(&snapshot) {
            self.handle(&Input::Snapshot(part))?;
        }
        for batch in meanwhile {
            self.batch(batch)?;
        }
        self.handle(&Input::Ready(clock::boot_now()))?;
        self.sink.output.flush_batch();
        Ok(())
    }

    async fn run(&mut self) -> Result<End, Error> {
        let mut log = self.tracer.take_log();
        let deadline = self.duration.map(|d| tokio::time::Instant::now() + d);
        let mut next_look = tokio::time::Instant::now() + TICK;
        loop {
            if self.is_done() {
                return Ok(End::Done);
            }
            let hold = self.pipeline.poll_timeout().map(from_now);
            let wake = hold.map_or(next_look, |hold| hold.min(next_look));
            let wake = deadline.map_or(wake, |deadline| deadline.min(wake));
            let [interrupt, terminate, hangup] = &mut self.signals;
            tokio::select! {
                batch = self.ring.next() => self.batch(batch?)?,
                () = tokio::time::sleep_until(wake) => {
                    self.tick()?;
                    if tokio::time::Instant::now() >= next_look {
                        self.look()?;
                        next_look = tokio::time::Instant::now() + TICK;
                        if let Some(log) = &mut log { log(); }
                    }
                    if deadline.is_some_and(|d| tokio::time::Instant::now() >= d) {
                        return Ok(End::Done);
                    }
                }
                _ = interrupt.recv() => return Ok(End::Signal),
                _ = terminate.recv() => return Ok(End::Signal),
                _ = hangup.recv() => self.sink.output.reopen(),
            }
            self.sink.output.flush_batch();
        }
    }

    /// The count is reached, or the output takes no more.
    fn is_done(&self) -> bool {
        self.sink.left == Some(0) || self.sink.output.status() != Status::Open
    }

    fn batch(&mut self, batch: Bytes) -> Result<(), Error> {
        let processes = self.describer.in_batch(&batch);
        self.describe(processes)?;
        self.handle(&Input::Events(batch))
    }

    fn describe(&mut self, described: Vec<Described>) -> Result<(), Error> {
        if described.is_empty() {
            return Ok(());
        }
        let processes = described.into_iter().map(|(at, image, user)| Process { at, image, user });
        self.handle(&Input::Processes(processes.collect()))
    }

    /// Time passes for the pipeline only up to what it has seen of the kernel.
    fn tick(&mut self) -> Result<(), Error> {
        self.drain()?;
        self.handle(&Input::Tick(clock::boot_now(), clock::wall_offset()))
    }

    /// Everything that is in the ring buffer now, within reason: the events of a busy host never end.
    fn drain(&mut self) -> Result<(), Error> {
        for _ in 0..1024 {
            let batch = self.ring.poll();
            if batch.is_empty() {
                break;
            }
            self.batch(batch)?;
        }
        Ok(())
    }

    fn handle(&mut self, input: &Input) -> Result<(), Error> {
        if let Some(capture) = &mut self.capture {
            frames::append(capture, input)?;
        }
        let sink = &mut self.sink;
        self.pipeline.handle(input, &mut |record| sink.take(record));
        Ok(())
    }

    /// Last events, last losses, totals.
    fn finish(mut self, end: &End) -> Result<(), Error> {
        self.look_once_more()?;
        self.handle(&Input::Stop(clock::boot_now()))?;
        if let Some(capture) = self.capture {
            capture.finish()?;
        }
        let patience = matches!(end, End::Signal).then_some(PATIENCE);
        Ok(self.sink.output.finish(patience)?)
    }
}

/// A moment of the kernel's clock on tokio's, not before a millisecond from now.
fn from_now(at: BootNs) -> tokio::time::Instant {
    let left = at.0.saturating_sub(clock::boot_now().0).max(1_000_000);
    tokio::time::Instant::now() + Duration::from_nanos(left)
}
