//! The ring buffer on tokio: batches of raw events. The buffer in the kernel is the queue in front of the
//! pipeline; when it is full, the kernel side counts what finds no room.

use std::io;
use std::time::Duration;

use aya::maps::{MapData, RingBuf};
use bytes::{Bytes, BytesMut};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

/// A batch is handed on when it is this long, so that time and output get their turn.
const BATCH: usize = 256 * 1024;

/// On a busy host events are gathered for this long: a wake-up for each of them would cost more than the
/// events. The first event after a pause is taken at once.
const GATHER: Duration = Duration::from_millis(5);

/// Reads the events of the kernel side.
pub struct Reader {
    ring: AsyncFd<RingBuf<MapData>>,
    batch: BytesMut,
    /// Not to be read before.
    rest: Instant,
}

impl Reader {
    /// To be called inside a tokio runtime.
    pub fn new(ring: RingBuf<MapData>) -> io::Result<Self> {
        #[allow(unsafe_code, reason = "registering a file descriptor has a contract")]
        // SAFETY: `RingBuf` owns its map's file descriptor, and the AsyncFd owns the RingBuf until it is
        // dropped; neither replaces or closes it before.
        let ring = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) }?;
        Ok(Self { ring, batch: BytesMut::new(), rest: Instant::now() })
    }

    /// Waits for events and takes a batch of them. Cancelling it loses nothing.
    pub async fn next(&mut self) -> io::Result<Bytes> {
        tokio::time::sleep_until(self.rest).await;
        loop {
            let mut ready = self.ring.readable_mut().await?;
            let more = take(ready.get_inner_mut(), &mut self.batch);
            if !more {
                ready.clear_ready();
                self.rest = Instant::now() + GATHER;
            }
            if !self.batch.is_empty() {
                return Ok(self.batch.split().freeze());
            }
        }
    }

    /// What is there now, without waiting; empty if there is nothing.
    pub fn poll(&mut self) -> Bytes {
        take(self.ring.get_mut(), &mut self.batch);
        self.batch.split().freeze()
    }
}

/// Moves events to the batch until it is long enough; whether there may be more.
fn take(ring: &mut RingBuf<MapData>, batch: &mut BytesMut) -> bool {
    while batch.len() < BATCH {
        match ring.next() {
            Some(event) => batch.extend_from_slice(&event),
            None => return false,
        }
    }
    true
}
