//! Moments as a person reads them, in one time zone.

use jiff::tz::TimeZone;

use super::findings::Origin;
use super::subject::between;
use crate::record::Timestamp;

/// A day, ns.
const DAY: u64 = 86_400_000_000_000;

/// How moments are written.
#[derive(Clone, Debug)]
pub struct Clock {
    zone: TimeZone,
    dated: bool,
}

impl Clock {
    /// In this zone; with the date where the period has a time of day twice.
    pub fn new(zone: TimeZone, origin: &Origin) -> Self {
        Self { zone, dated: origin.period.is_some_and(|(from, to)| between(from, to) >= DAY) }
    }

    /// `11:02:03.1`, or with the date.
    pub fn moment(&self, ts: Timestamp) -> String {
        self.write(ts, if self.dated { "%b %d %H:%M:%S%.1f" } else { "%H:%M:%S%.1f" })
    }

    /// For the axis of a chart, whose marks are `step` ns apart.
    pub fn mark(&self, ts: Timestamp, step: u64) -> String {
        let format = match step {
            0..1_000_000_000 => "%H:%M:%S%.1f",
            1_000_000_000..60_000_000_000 => "%H:%M:%S",
            60_000_000_000..86_400_000_000_000 if self.dated => "%b %d %H:%M",
            60_000_000_000..86_400_000_000_000 => "%H:%M",
            _ => "%F",
        };
        self.write(ts, format)
    }

    /// The period: date, both times, zone.
    pub fn period(&self, (from, to): (Timestamp, Timestamp)) -> String {
        let is_one_day = self.write(from, "%F") == self.write(to, "%F");
        let end = if is_one_day { "%H:%M:%S %Z" } else { "%F %H:%M:%S %Z" };
        format!("{} to {}", self.write(from, "%F %H:%M:%S"), self.write(to, end))
    }

    /// Local time minus UTC, ns.
    pub(super) fn offset(&self, ts: Timestamp) -> i64 {
        let ts = jiff::Timestamp::from_nanosecond(i128::from(ts.0)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        i64::from(self.zone.to_offset(ts).seconds()) * 1_000_000_000
    }

    fn write(&self, ts: Timestamp, format: &str) -> String {
        let ts = jiff::Timestamp::from_nanosecond(i128::from(ts.0)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        ts.to_zoned(self.zone.clone()).strftime(format).to_string()
    }
}
