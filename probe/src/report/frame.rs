//! The frame of a report: where and when its records were made, and what is missing in them.

use super::findings::{Gaps, Origin};
use super::subject::clipped;
use crate::record::{EventName, LostWhere, Record};

/// What has come so far.
#[derive(Debug, Default)]
pub(super) struct Frame {
    origin: Origin,
    pub(super) gaps: Gaps,
}

impl Frame {
    /// The tracer tells of itself.
    pub(super) fn start(&mut self, r: &Record) {
        self.origin.host = r.host.as_ref().map(clipped);
        self.origin.boot_id = r.boot_id.as_ref().map(clipped);
        let Some(tracer) = &r.tracer else { return };
        self.origin.kernel = Some(tracer.kernel.clone());
        self.origin.version = Some(tracer.version.clone());
        self.origin.filters.clone_from(&tracer.filters);
        self.origin.missing.clone_from(&tracer.missing);
    }

    /// A record of the period.
    pub(super) fn take(&mut self, r: &Record) {
        // The snapshot is taken before the stream starts.
        if r.event != EventName::Snapshot {
            let (from, to) = self.origin.period.unwrap_or((r.ts, r.ts));
            self.origin.period = Some((from.min(r.ts), to.max(r.ts)));
        }
        self.gaps.incomplete += u64::from(r.incomplete == Some(true));
        if r.event == EventName::Lost {
            let place = r.lost_where.unwrap_or(LostWhere::Queue);
            let lost = self.gaps.lost.entry(place).or_default();
            *lost = lost.saturating_add(r.count.unwrap_or(1));
        }
    }

    /// A line that is no record.
    pub(super) fn bad_line(&mut self, line: u64, why: String) {
        self.gaps.bad_lines += 1;
        self.gaps.first_bad_line.get_or_insert((line, why));
    }

    /// What is known in the end.
    pub(super) fn finish(self) -> (Origin, Gaps) {
        (self.origin, self.gaps)
    }
}
