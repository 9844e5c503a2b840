//! What no event tells and is looked at twice a second: losses, and accept queues that overflow.

use bytes::Bytes;

use super::{Destination, Error, Input, Live, snapshot};
use crate::decode::event::BootNs;
use crate::kernel::clock;
use crate::record::LostWhere;

/// Reading all open files of the host takes one part in so many of the time at most.
const OWNERS_SHARE: u64 = 20;

impl<D: Destination> Live<D> {
    /// Says what was lost and what overflowed since the last look. Events lost to a full ring buffer leave gaps in
    /// the table: it is compared with what processes hold open.
    pub(super) fn look(&mut self) -> Result<(), Error> {
        self.say_losses()?;
        if clock::boot_now() >= self.next_owners {
            self.look_at_owners()?;
        }
        if let Some(capture) = &mut self.capture {
            capture.flush()?;
        }
        Ok(())
    }

    /// The last look, whatever it costs.
    pub(super) fn look_once_more(&mut self) -> Result<(), Error> {
        self.say_losses()?;
        self.tick()?;
        self.look_at_owners()
    }

    fn say_losses(&mut self) -> Result<(), Error> {
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
        Ok(())
    }

    /// Reads all sockets that processes hold open, if there is something to find: what was missed in a loss, and
    /// which accept queues the kernel has counted as overflowed.
    fn look_at_owners(&mut self) -> Result<(), Error> {
        let mut overflows = self.overflows.growth(self.pipeline.tracker().listener_owners());
        if !self.compare_due && overflows.is_empty() {
            return Ok(());
        }
        let from = clock::boot_now();
        let owners = match self.tracer.owners() {
            Ok(owners) => owners,
            Err(e) => {
                tracing::warn!("what was missed or has overflowed is not known: {e}");
                Vec::new()
            }
        };
        let to = clock::boot_now();
        let took = to.0.saturating_sub(from.0);
        self.next_owners = BootNs(to.0.saturating_add(took.saturating_mul(OWNERS_SHARE)));
        if owners.is_empty() {
            return Ok(());
        }
        if !overflows.is_empty() {
            // The listeners went on counting meanwhile.
            self.overflows.add_growth(&mut overflows, self.pipeline.tracker().listener_owners());
            self.handle(&Input::Overflows(to, overflows, snapshot::listeners(&owners)))?;
        }
        if std::mem::take(&mut self.compare_due) {
            let described = self.describer.in_snapshot(&owners);
            self.describe(described)?;
            self.handle(&Input::Resync(from, to, Bytes::from(owners)))?;
        }
        Ok(())
    }
}
