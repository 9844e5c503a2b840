//! Failures over time in a bounded number of buckets, which double in width when the period grows. Buckets stand
//! at multiples of their width, so the order in which records come makes no difference.

use std::collections::BTreeMap;

use super::findings::OverTime;
use crate::record::{Cause, Timestamp};

/// Width at the start, ns.
const FINEST: u64 = 10_000_000;
/// Buckets at most, from the first to the last one that is not empty.
pub(super) const BUCKETS: i64 = 240;

/// Counts by time and cause.
#[derive(Debug)]
pub(super) struct Buckets {
    width: i64,
    by_index: BTreeMap<i64, BTreeMap<Cause, u64>>,
}

impl Default for Buckets {
    fn default() -> Self {
        Self { width: i64::try_from(FINEST).unwrap_or(i64::MAX), by_index: BTreeMap::new() }
    }
}

impl Buckets {
    /// One failure.
    pub(super) fn add(&mut self, at: Timestamp, cause: Cause) {
        let index = at.0.div_euclid(self.width);
        *self.by_index.entry(index).or_default().entry(cause).or_default() += 1;
        while self.span() > BUCKETS && self.double() {}
    }

    /// As a row of buckets over the period, empty ones included.
    pub(super) fn finish(mut self, period: (Timestamp, Timestamp)) -> OverTime {
        if self.by_index.is_empty() {
            return OverTime::default();
        }
        let index = |at: Timestamp, width: i64| at.0.div_euclid(width);
        loop {
            let first = self.by_index.keys().next().copied().unwrap_or_default();
            let last = self.by_index.keys().next_back().copied().unwrap_or_default();
            let first = first.min(index(period.0, self.width));
            let last = last.max(index(period.1, self.width));
            if last.saturating_sub(first) < BUCKETS || !self.double() {
                let buckets = (first..=last).map(|i| self.by_index.remove(&i).unwrap_or_default()).collect();
                return OverTime {
                    from: Timestamp(first.saturating_mul(self.width)),
                    width_ns: self.width.unsigned_abs(),
                    buckets,
                };
            }
        }
    }

    fn span(&self) -> i64 {
        let first = self.by_index.keys().next().copied().unwrap_or_default();
        let last = self.by_index.keys().next_back().copied().unwrap_or_default();
        last.saturating_sub(first).saturating_add(1)
    }

    /// Joins each two buckets; false when they cannot become wider.
    fn double(&mut self) -> bool {
        let Some(width) = self.width.checked_mul(2) else { return false };
        self.width = width;
        for (index, causes) in std::mem::take(&mut self.by_index) {
            let wider = self.by_index.entry(index.div_euclid(2)).or_default();
            for (cause, count) in causes {
                *wider.entry(cause).or_default() += count;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_long_period_has_wide_buckets() {
        let mut buckets = Buckets::default();
        for second in 0..3_600 {
            buckets.add(Timestamp(second * 1_000_000_000), Cause::Refused);
        }
        let over = buckets.finish((Timestamp(0), Timestamp(3_599_000_000_000)));
        assert_eq!(over.width_ns, 20_480_000_000);
        assert_eq!(over.buckets.len(), 176);
        assert_eq!(over.buckets[3][&Cause::Refused], 20);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_at_any_time(times in proptest::collection::vec(any::<i64>(), 1..40)) {
            let mut buckets = Buckets::default();
            for at in &times {
                buckets.add(Timestamp(*at), Cause::Other);
            }
            let (first, last) = (times.iter().min().copied(), times.iter().max().copied());
            let over = buckets.finish((Timestamp(first.unwrap_or(0)), Timestamp(last.unwrap_or(0))));
            let sum: u64 = over.buckets.iter().flat_map(|causes| causes.values()).sum();
            prop_assert_eq!(sum, times.len() as u64);
            prop_assert!(over.buckets.len() <= usize::try_from(BUCKETS).unwrap_or(0) + 1);
        }
    }
}
