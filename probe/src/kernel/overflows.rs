//! Accept queues that overflow: the kernel counts it for each network namespace (`ListenOverflows`) and shows it
//! in no tracepoint. The counter is read through a process that lives in the namespace and owns a listener there;
//! which listener it was shows in the listeners' own counters (`sk_drops`).

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt;

use lru::LruCache;

/// Namespaces looked at in one go; of more, the next ones the next time.
const NAMESPACES: usize = 64;
/// Processes tried for one namespace: a master may be gone while its workers listen.
const TRIES: usize = 8;

/// Namespaces remembered; of one that is forgotten everything since it exists counts again.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");

/// The counters as they were at the last look.
#[derive(Debug)]
pub struct Overflows {
    seen: LruCache<u32, u64>,
    /// The last namespace looked at.
    last: u32,
}

impl Default for Overflows {
    fn default() -> Self {
        Self { seen: LruCache::new(REMEMBERED), last: 0 }
    }
}

impl Overflows {
    /// Namespaces in which accept queues have overflowed since the last look, and how often. `owners` are
    /// namespaces with processes that own listeners there. At the first look at a namespace everything since it
    /// exists counts.
    pub fn growth(&mut self, owners: impl Iterator<Item = (u32, u32)>) -> Vec<(u32, u64)> {
        let namespaces = by_namespace(owners);
        let (before, after): (Vec<_>, Vec<_>) = namespaces.iter().partition(|(ns, _)| **ns <= self.last);
        let mut grown = Vec::new();
        for (&netns, pids) in after.into_iter().chain(before).take(NAMESPACES) {
            self.last = netns;
            grown.extend(self.growth_of(netns, pids).map(|growth| (netns, growth)));
        }
        grown
    }

    /// Looks at the same namespaces again.
    pub fn add_growth(&mut self, grown: &mut [(u32, u64)], owners: impl Iterator<Item = (u32, u32)>) {
        let namespaces = by_namespace(owners);
        for (netns, growth) in grown {
            let pids = namespaces.get(netns).map_or(&[][..], Vec::as_slice);
            *growth = growth.saturating_add(self.growth_of(*netns, pids).unwrap_or(0));
        }
    }

    /// How much more the counter says than at the last look, if more.
    fn growth_of(&mut self, netns: u32, pids: &[u32]) -> Option<u64> {
        // connprobe itself may live there, when a server has left its listener to its children.
        let own = std::process::id();
        let now = pids.iter().chain([&own]).find_map(|pid| listen_overflows(*pid, netns))?;
        let growth = now.saturating_sub(self.seen.put(netns, now).unwrap_or(0));
        (growth > 0).then_some(growth)
    }
}

fn by_namespace(owners: impl Iterator<Item = (u32, u32)>) -> BTreeMap<u32, Vec<u32>> {
    let mut namespaces = BTreeMap::<u32, Vec<u32>>::new();
    for (netns, pid) in owners {
        let pids = namespaces.entry(netns).or_default();
        if pids.len() < TRIES && !pids.contains(&pid) {
            pids.push(pid);
        }
    }
    namespaces
}

/// The counter of the namespace, if the process lives there.
fn listen_overflows(pid: u32, netns: u32) -> Option<u64> {
    let lives_in = fs::metadata(format!("/proc/{pid}/ns/net")).ok()?.ino();
    if lives_in != u64::from(netns) {
        return None;
    }
    counter(&fs::read_to_string(format!("/proc/{pid}/net/netstat")).ok()?, "ListenOverflows")
}

/// A counter of `TcpExt` by name: a line of names, and below it one of numbers.
fn counter(netstat: &str, name: &str) -> Option<u64> {
    let mut lines = netstat.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let at = names.split_whitespace().position(|n| n == name)?;
    numbers.split_whitespace().nth(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_stand_below_their_names() {
        let netstat = "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 1 22 333\n\
            IpExt: InNoRoutes\nIpExt: 4\n";
        assert_eq!(counter(netstat, "ListenOverflows"), Some(22));
        assert_eq!(counter(netstat, "InNoRoutes"), None);
        assert_eq!(counter("TcpExt: ListenOverflows\n", "ListenOverflows"), None);
        assert_eq!(counter("TcpExt: ListenOverflows\nTcpExt: -1\n", "ListenOverflows"), None);
        assert_eq!(counter("", "ListenOverflows"), None);
    }

    #[test]
    fn this_process_is_found_in_its_own_namespace_only() {
        let netns = u32::try_from(fs::metadata("/proc/self/ns/net").unwrap().ino()).unwrap();
        assert!(listen_overflows(std::process::id(), netns).is_some());
        assert_eq!(listen_overflows(std::process::id(), netns + 1), None);
    }

    #[test]
    fn of_many_namespaces_each_gets_its_turn() {
        let mut overflows = Overflows::default();
        let owners = || (1..=100).map(|netns| (netns, u32::MAX));
        overflows.growth(owners());
        assert_eq!(overflows.last, 64);
        overflows.growth(owners());
        assert_eq!(overflows.last, 28);
    }
}
