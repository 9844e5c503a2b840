//! The queue between the pipeline and the writer thread, bounded in bytes, and the loop of that thread.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::target::Target;
use super::{Error, Status};

/// How often an idle writer looks whether the reader of its pipe is still there.
const IDLE: Duration = Duration::from_millis(500);

enum Item {
    Chunk(Vec<u8>),
    Reopen,
}

struct State {
    items: VecDeque<Item>,
    /// Bytes queued, with those being written.
    bytes: u64,
    /// No more items will come.
    closing: bool,
    /// The writer thread has ended.
    done: bool,
    status: Status,
    error: Option<Error>,
}

/// Shared by both ends.
#[derive(Clone)]
pub(super) struct Queue {
    state: Arc<Mutex<State>>,
    /// Signals both ways: something was queued, written, or has ended.
    changed: Arc<Condvar>,
    cap: u64,
}

impl Queue {
    pub(super) fn new(cap: u64) -> Self {
        let state = State {
            items: VecDeque::new(),
            bytes: 0,
            closing: false,
            done: false,
            status: Status::Open,
            error: None,
        };
        Self { state: Arc::new(Mutex::new(state)), changed: Arc::new(Condvar::new()), cap }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Whether `waiting` more bytes would fill the queue; `slack` is extra room.
    pub(super) fn is_full(&self, waiting: usize, slack: usize) -> bool {
        let state = self.lock();
        state.status == Status::Open && state.bytes + waiting as u64 >= self.cap + slack as u64
    }

    /// Queues a chunk; waits for room where told to. Does nothing once the output has ended.
    pub(super) fn push(&self, chunk: Vec<u8>, block: bool) {
        let mut state = self.lock();
        while block && state.status == Status::Open && state.bytes >= self.cap {
            state = self.wait(state, IDLE);
        }
        if state.status == Status::Open {
            state.bytes += chunk.len() as u64;
            state.items.push_back(Item::Chunk(chunk));
            self.changed.notify_all();
        }
    }

    pub(super) fn reopen(&self) {
        self.lock().items.push_back(Item::Reopen);
        self.changed.notify_all();
    }

    pub(super) fn status(&self) -> Status {
        self.lock().status
    }

    pub(super) fn take_error(&self) -> Option<Error> {
        self.lock().error.take()
    }

    /// Waits until all is written; the bytes left when patience ends.
    pub(super) fn finish(&self, patience: Option<Duration>) -> Result<(), u64> {
        let end = patience.map(|patience| Instant::now() + patience);
        let mut state = self.lock();
        state.closing = true;
        self.changed.notify_all();
        while !state.done {
            let left = end.map_or(IDLE, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Err(state.bytes);
            }
            state = self.wait(state, left.min(IDLE));
        }
        Ok(())
    }

    /// The next item; `None` when there will be none. Calls `idle` from time to time while there is none.
    fn next(&self, mut gone: impl FnMut() -> bool) -> Option<Item> {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.items.pop_front() {
                return Some(item);
            }
            if state.closing {
                return None;
            }
            state = self.wait(state, IDLE);
            if state.items.is_empty() && gone() {
                state.status = Status::Closed;
                return None;
            }
        }
    }

    fn written(&self, bytes: usize) {
        self.lock().bytes -= bytes as u64;
        self.changed.notify_all();
    }

    fn end(&self, status: Option<Status>, error: Option<Error>) {
        let mut state = self.lock();
        if let Some(status) = status {
            state.status = status;
        }
        state.error = error;
        state.items.clear();
        state.done = true;
        self.changed.notify_all();
    }
}

/// The writer thread: writes until the queue is closed or a write fails.
pub(super) fn write_all(queue: &Queue, mut target: Target, header: &[u8]) {
    while let Some(item) = queue.next(|| target.reader_gone()) {
        let (result, bytes) = match item {
            Item::Chunk(chunk) => (target.write_lines(&chunk), chunk.len()),
            Item::Reopen => (reopen(&mut target, header), 0),
        };
        match result {
            Ok(()) => queue.written(bytes),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return queue.end(Some(Status::Closed), None);
            }
            Err(source) => {
                return queue.end(Some(Status::Failed), Some(Error::Write { name: target.name(), source }));
            }
        }
    }
    queue.end(None, None);
}

fn reopen(target: &mut Target, header: &[u8]) -> io::Result<()> {
    match target.reopen() {
        Ok(true) => target.write_lines(header),
        Ok(false) => Ok(()),
        Err(error) => {
            tracing::warn!(%error, "failed to reopen the output file, still writing to the old one");
            Ok(())
        }
    }
}
