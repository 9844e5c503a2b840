//! What no event tells and is looked at twice a second: losses, and accept queues that overflow.

use bytes::Bytes;

use super::{Destination, Error, Input, Live, snapshot};
use crate::decode::event::BootNs;
use crate::kernel::clock;
use crate::record::LostWhere;

/// Reading all open files of the host takes one part in so many of the time at most.
const OWNERS_SHARE: u64 = 20;

impl<D: Destination> Live<D> {
    /// Says what was lost since the last look. Events lost to a full ring buffer leave gaps in the table: it is
    /// compared with what processes hold open.
    pub(super) fn look_for_losses(&mut self) -> Result<(), Error> {
        let losses = self.tracer.lost_since();
        let counts = [
            (LostWhere::Ring, losses.ring),
            (LostWhere::Hook, losses.hook),
            (LostWhere::Sink, self.sink.output.dropped()),
        ];
        for (place, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            self.handle(&Input::Lost(clock::boot_now(), place, count))?;
        }
        self.compare_due |= losses.ring > 0;
        if self.compare_due && clock::boot_now() >= self.next_owners {
            self.compare_due = false;
            let from = clock::boot_now();
            match self.owners() {
                Ok(owners) => {
                    let described = self.describer.in_snapshot(&owners);
                    self.describe(described)?;
                    self.handle(&Input::Resync(from, clock::boot_now(), Bytes::from(owners)))?;
                }
                Err(e) => tracing::warn!("no comparison with the kernel's sockets after a loss: {e}"),
            }
        }
        if let Some(capture) = &mut self.capture {
            capture.flush()?;
        }
        Ok(())
    }

    /// Accept queues that have overflowed since the last look. Which ones is read from all open files of the
    /// host, so only when the kernel says that there is something to find.
    pub(super) fn look_for_overflows(&mut self) -> Result<(), Error> {
        if clock::boot_now() < self.next_owners {
            return Ok(());
        }
        let overflows = self.overflows.growth(self.pipeline.tracker().listener_owners());
        if overflows.is_empty() {
            return Ok(());
        }
        match self.owners() {
            Ok(owners) => {
                let listeners = snapshot::listeners(&owners);
                self.handle(&Input::Overflows(clock::boot_now(), overflows, listeners))?;
            }
            Err(e) => tracing::warn!("accept queues have overflowed, and it is not known which: {e}"),
        }
        Ok(())
    }

    /// All sockets that processes hold open, with their owners.
    fn owners(&mut self) -> Result<Vec<u8>, String> {
        let from = clock::boot_now();
        let owners = self.tracer.owners();
        let took = clock::boot_now().0.saturating_sub(from.0);
        self.next_owners = BootNs(clock::boot_now().0.saturating_add(took.saturating_mul(OWNERS_SHARE)));
        owners
    }
}
