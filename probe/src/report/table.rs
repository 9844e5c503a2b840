//! Counts by key in bounded room, with totals that stay exact.
//!
//! When the room is used up, the quarter of the keys with the smallest counts (of equal ones, those not seen for
//! longest) is given up and its counts go to `others`. A key that comes back starts anew: its row then says too
//! little, never too much, and the sum of all rows and `others` is always what was added.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;

use super::findings::Ranked;

/// See the module.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    rows: HashMap<K, Row<V>>,
    room: usize,
    /// Numbers the calls of `add`: what is older, and a total order of the rows.
    clock: u64,
    total: u64,
    given_up: u64,
}

#[derive(Debug)]
struct Row<V> {
    count: u64,
    first: u64,
    last: u64,
    value: V,
}

impl<K: Clone + Eq + Hash, V: Default> Table<K, V> {
    /// Room for so many keys.
    pub(super) fn new(room: usize) -> Self {
        Self { rows: HashMap::new(), room: room.max(4), clock: 0, total: 0, given_up: 0 }
    }

    /// Adds to a key; what is kept of it besides the count.
    pub(super) fn add(&mut self, key: K, count: u64) -> &mut V {
        if self.rows.len() >= self.room && !self.rows.contains_key(&key) {
            self.make_room();
        }
        self.clock += 1;
        self.total = self.total.saturating_add(count);
        let clock = self.clock;
        let row = self.rows.entry(key).or_insert_with(|| Row {
            count: 0,
            first: clock,
            last: clock,
            value: V::default(),
        });
        row.count = row.count.saturating_add(count);
        row.last = clock;
        &mut row.value
    }

    /// How many keys there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    fn make_room(&mut self) {
        let mut by_worth: Vec<_> = self.rows.iter().map(|(key, row)| (row.count, row.last, key)).collect();
        by_worth.sort_unstable_by_key(|(count, last, _)| (*count, *last));
        by_worth.truncate(self.room / 4);
        let keys: Vec<K> = by_worth.into_iter().map(|(_, _, key)| key.clone()).collect();
        for key in keys {
            self.rows.remove(&key);
            self.given_up += 1;
        }
    }

    /// The `top` rows with the largest counts, of equal ones those that came first; the rest is `others`.
    pub(super) fn ranked<T>(self, top: usize, mut make: impl FnMut(K, u64, V) -> T) -> Ranked<T> {
        let mut rows: Vec<_> = self.rows.into_iter().collect();
        rows.sort_unstable_by_key(|(_, row)| (Reverse(row.count), row.first));
        let hidden = rows.len().saturating_sub(top) as u64;
        rows.truncate(top);
        let shown = rows.iter().fold(0_u64, |sum, (_, row)| sum.saturating_add(row.count));
        Ranked {
            total: self.total,
            others: self.total.saturating_sub(shown),
            other_rows: hidden + self.given_up,
            is_exact: self.given_up == 0,
            rows: rows.into_iter().map(|(key, row)| make(key, row.count, row.value)).collect(),
        }
    }
}

/// The largest of many, in bounded room; of equal ones those that came first.
#[derive(Debug)]
pub(super) struct Largest<T> {
    kept: Vec<(u64, T)>,
    room: usize,
    offered: u64,
}

impl<T> Largest<T> {
    /// Room for so many.
    pub(super) fn new(room: usize) -> Self {
        Self { kept: Vec::new(), room, offered: 0 }
    }

    /// Offers one of this size; it is made only if it is kept.
    pub(super) fn offer(&mut self, size: u64, make: impl FnOnce() -> T) {
        self.offered += 1;
        let is_full = self.kept.len() >= self.room;
        if is_full && self.kept.last().is_none_or(|(smallest, _)| size <= *smallest) {
            return;
        }
        let at = self.kept.partition_point(|(kept, _)| *kept >= size);
        self.kept.insert(at, (size, make()));
        self.kept.truncate(self.room);
    }

    /// How many were offered.
    pub(super) fn offered(&self) -> u64 {
        self.offered
    }

    /// The largest first.
    pub(super) fn into_sorted(self) -> impl Iterator<Item = T> {
        self.kept.into_iter().map(|(_, item)| item)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frequent_keys_survive_a_flood_of_rare_ones() {
        let mut table: Table<u32, u32> = Table::new(16);
        for rare in 0..10_000 {
            table.add(rare + 10, 1);
            *table.add(1, 1) += 1;
        }
        let ranked = table.ranked(1, |key, count, value| (key, count, value));
        assert_eq!(ranked.rows, [(1, 10_000, 10_000)]);
        assert_eq!((ranked.total, ranked.others, ranked.is_exact), (20_000, 10_000, false));
    }

    #[test]
    fn the_largest_are_kept_in_order() {
        let mut largest = Largest::new(3);
        for size in [5, 9, 1, 9, 7, 2] {
            largest.offer(size, || size);
        }
        assert_eq!(largest.offered(), 6);
        assert_eq!(largest.into_sorted().collect::<Vec<_>>(), [9, 9, 7]);
    }

    proptest! {
        #[test]
        fn rows_and_others_are_the_total(
            adds in proptest::collection::vec((0_u8..60, 0_u64..9), 0..400), room in 0_usize..40, top in 0_usize..50,
        ) {
            let mut table: Table<u8, ()> = Table::new(room);
            for (key, count) in &adds {
                table.add(*key, *count);
                prop_assert!(table.len() <= room.max(4));
            }
            let ranked = table.ranked(top, |_, count, ()| count);
            prop_assert_eq!(ranked.total, adds.iter().map(|(_, count)| count).sum::<u64>());
            prop_assert_eq!(ranked.rows.iter().sum::<u64>() + ranked.others, ranked.total);
            prop_assert!(ranked.rows.len() <= top && ranked.rows.is_sorted_by(|a, b| a >= b));
        }
    }
}
