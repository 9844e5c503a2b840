//! Outages and reconnects: failures and retries of one program against one peer, told as one story.
//!
//! ```text
//!            established                      abnormal end or failure, nothing else open to that peer
//!   Quiet ───────────────► Up ─────────────────────────────────────────────► Down ── says `outage`
//!     │                    ▲                                                  │ attempt fails: counted
//!     │ attempt fails      │ established: says `reconnected`                  │
//!     ▼                    └──────────────────────────────────────────────────┘
//!   Failed once ── another attempt ──► Down ── says `outage`, since the first began
//! ```
//!
//! The loss is the abnormal end or the beginning of the first attempt that fails. Where the peer closed the
//! connection in an orderly way, as a server does that is stopped, and the attempt with which the program answers
//! fails, the loss is that close.
//!
//! Pure: time comes with what is observed. The table is bounded; over its limit the peer that nothing has
//! been heard of for the longest is forgotten, and so is one that is silent for longer than the window.

mod story;

use std::collections::BTreeMap;
use std::hash::Hash;
use std::net::IpAddr;

use lru::LruCache;

use crate::conn::fact::ConnId;
use crate::decode::event::BootNs;
use crate::vocab::Cause;
use story::Story;

/// Which story: what is the same program, on which side, and which peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key<P> {
    /// The program: executable, unit and container, so that a restarted process goes on with it.
    pub program: P,
    /// Network namespace.
    pub netns: u32,
    /// Address of the peer.
    pub peer: IpAddr,
    /// For a client the peer's port, for a server its own.
    pub port: u16,
    /// The program is the server, the peer comes back to it.
    pub server: bool,
}

/// What was observed of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// An attempt starts.
    Attempt,
    /// An attempt failed, with the errno if there was one.
    Failed(Option<u16>),
    /// A connection is there.
    Established,
    /// A connection ended.
    Closed {
        /// Why.
        cause: Cause,
        /// The peer closed it first.
        by_peer: bool,
    },
}

/// How stories are told.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Stories at most.
    pub peers: usize,
    /// A story without news for this long is over, ns.
    pub window_ns: u64,
    /// After the peer has closed a connection in an orderly way, an attempt within this time is the program's
    /// answer to that, ns.
    pub answer_ns: u64,
    /// More reconnects than this within the window are flapping.
    pub flapping: usize,
    /// Gaps kept of one outage.
    pub gaps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { peers: 65_536, window_ns: 600_000_000_000, answer_ns: 30_000_000_000, flapping: 5, gaps: 32 }
    }
}

/// What is concluded from an observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The peer is lost, since this moment.
    Outage {
        /// The loss: the abnormal end, or the beginning of the first attempt that failed.
        since: BootNs,
        /// How the last connection ended, if there was one.
        previous: Option<Cause>,
    },
    /// The peer is back.
    Reconnected(Recovery),
    /// It comes and goes: reconnects in the window.
    Flapping(usize),
}

/// The end of an outage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Attempts since the loss, the successful one counted.
    pub attempts: u32,
    /// Loss to ESTABLISHED, ns.
    pub downtime_ns: u64,
    /// Failed attempts by errno, `None` for those without.
    pub errors: BTreeMap<Option<u16>, u32>,
    /// From each end or failure to the next attempt, ns, the first ones.
    pub gaps: Vec<u64>,
    /// How the last connection before the loss ended.
    pub previous: Option<Cause>,
}

impl Recovery {
    /// Attempts that failed.
    fn failed(&self) -> u32 {
        self.errors.values().fold(0, |sum, n| sum.saturating_add(*n))
    }
}

/// All stories.
#[derive(Debug)]
pub struct Episodes<P: Hash + Eq> {
    limits: Limits,
    stories: LruCache<Key<P>, Story>,
    forgotten: u64,
}

impl<P: Hash + Eq + Clone> Episodes<P> {
    /// No story yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, stories: LruCache::unbounded(), forgotten: 0 }
    }

    /// Stories forgotten because there were too many.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Takes an observation of a connection. Returns the number of the attempt in its story, where it is part of
    /// one, and what is news.
    pub fn observe(
        &mut self,
        key: &Key<P>,
        at: BootNs,
        conn: Option<ConnId>,
        what: Observation,
    ) -> (Option<u32>, Vec<News>) {
        let limits = self.limits;
        if self.stories.get(key).is_none() {
            if matches!(what, Observation::Closed { .. }) {
                return (None, Vec::new());
            }
            if self.stories.len() >= limits.peers && self.stories.pop_lru().is_some() {
                self.forgotten += 1;
            }
            self.stories.put(key.clone(), Story::default());
        }
        let Some(story) = self.stories.get_mut(key) else { return (None, Vec::new()) };
        if at.0.saturating_sub(story.heard.0) > limits.window_ns && story.open == 0 {
            *story = Story::default();
        }
        story.heard = at;
        let mut news = Vec::new();
        let attempt = story.observe(at, conn, what, key.server, &limits, &mut news);
        (attempt, news)
    }
}

#[cfg(test)]
mod tests;
