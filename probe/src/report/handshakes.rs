//! How long handshakes took: a histogram with fixed bounds, and the slowest ones.

use super::findings::{Evidence, Handshake, Handshakes, Peer, Who};
use super::table::Largest;
use crate::record::Record;

/// Upper bounds, ns: 1, 2 and 5 of each decade from 10 µs to 50 s.
pub(super) const BOUNDS: [u64; 21] = {
    let mut bounds = [0; 21];
    let (mut decade, mut at) = (10_000, 0);
    while at < bounds.len() {
        bounds[at] = decade;
        bounds[at + 1] = 2 * decade;
        bounds[at + 2] = 5 * decade;
        decade *= 10;
        at += 3;
    }
    bounds
};

/// What has come so far.
#[derive(Debug)]
pub(super) struct Tally {
    counts: [u64; BOUNDS.len() + 1],
    slowest: Largest<Handshake>,
}

impl Tally {
    /// Keeps so many of the slowest.
    pub(super) fn new(top: usize) -> Self {
        Self { counts: [0; BOUNDS.len() + 1], slowest: Largest::new(top) }
    }

    /// An established connection.
    pub(super) fn take(&mut self, r: &Record) {
        let Some(connect_ns) = r.connect_ns else { return };
        self.counts[BOUNDS.partition_point(|bound| *bound < connect_ns)] += 1;
        self.slowest.offer(connect_ns, || Handshake {
            who: Who::of(r),
            peer: Peer::of(r),
            connect_ns,
            syn_retransmits: r.syn_retransmits.unwrap_or(0),
            evidence: Evidence::of(r),
        });
    }

    /// The buckets from the first to the last that is not empty.
    pub(super) fn finish(self) -> Handshakes {
        let bounds = BOUNDS.iter().copied().map(Some).chain([None]);
        let mut histogram: Vec<_> = bounds.zip(self.counts).collect();
        let is_empty = |bucket: &(Option<u64>, u64)| bucket.1 == 0;
        let first = histogram.iter().take_while(|bucket| is_empty(bucket)).count();
        histogram.drain(..first);
        while histogram.last().is_some_and(is_empty) {
            histogram.pop();
        }
        Handshakes { count: self.slowest.offered(), histogram, slowest: self.slowest.into_sorted().collect() }
    }
}

impl Handshakes {
    /// The bound below which this part of all handshakes is; `None` when it is above all bounds, or there are none.
    pub fn quantile(&self, part: f64) -> Option<u64> {
        let mut left = self.count as f64 * part;
        self.histogram.iter().find_map(|(bound, count)| {
            left -= *count as f64;
            (left <= 0.0 && self.count > 0).then_some(*bound)
        })?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{EventName, Timestamp};

    #[test]
    fn bounds_are_1_2_5() {
        assert_eq!(BOUNDS[..4], [10_000, 20_000, 50_000, 100_000]);
        assert_eq!(BOUNDS[20], 50_000_000_000);
    }

    #[test]
    fn a_handshake_is_at_most_the_bound_of_its_bucket() {
        let mut tally = Tally::new(2);
        for ns in [100_000, 100_001, 3_000_000_000, 60_000_000_000] {
            let mut record = Record::new(Timestamp(0), EventName::Established);
            record.connect_ns = Some(ns);
            tally.take(&record);
        }
        let done = tally.finish();
        let filled: Vec<_> = done.histogram.iter().filter(|(_, count)| *count > 0).copied().collect();
        assert_eq!(filled, [(Some(100_000), 1), (Some(200_000), 1), (Some(5_000_000_000), 1), (None, 1)]);
        assert_eq!(
            done.slowest.iter().map(|h| h.connect_ns).collect::<Vec<_>>(),
            [60_000_000_000, 3_000_000_000]
        );
        assert_eq!((done.quantile(0.5), done.quantile(1.0)), (Some(200_000), None));
    }
}
