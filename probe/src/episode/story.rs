//! One program and one peer: up, down, and up again.

use std::collections::VecDeque;

use super::{Limits, News, Observation, Recovery};
use crate::decode::event::BootNs;
use crate::vocab::Cause;

#[derive(Debug, Default)]
pub(super) struct Story {
    /// The last observation.
    pub(super) heard: BootNs,
    /// Connections open now.
    pub(super) open: u32,
    /// When and how the last connection ended.
    last: Option<(BootNs, Cause)>,
    trouble: Option<Trouble>,
    /// When it came back, within the window.
    reconnects: VecDeque<BootNs>,
    /// Said, until it has been quiet again.
    flapping: bool,
}

/// What goes on since a loss, or since a first failure that may become one.
#[derive(Debug)]
struct Trouble {
    since: BootNs,
    said: bool,
    /// The last end or failure: the next gap is counted from here.
    pause: BootNs,
    recovery: Recovery,
}

impl Story {
    pub(super) fn observe(
        &mut self,
        at: BootNs,
        what: Observation,
        server: bool,
        limits: &Limits,
        news: &mut Vec<News>,
    ) -> Option<u32> {
        match what {
            Observation::Attempt => self.attempt(at, limits, news),
            Observation::Failed(errno) => Some(self.failed(at, errno, news)),
            Observation::Established => self.established(at, server, limits, news),
            Observation::Closed(cause) => {
                self.closed(at, cause, server, news);
                None
            }
        }
    }

    fn attempt(&mut self, at: BootNs, limits: &Limits, news: &mut Vec<News>) -> Option<u32> {
        let trouble = self.trouble.as_mut()?;
        // A first failure that is tried again is an outage since then.
        if !trouble.said {
            trouble.said = true;
            news.push(News::Outage { since: trouble.since, previous: trouble.recovery.previous });
        }
        trouble.recovery.attempts += 1;
        if trouble.recovery.gaps.len() < limits.gaps {
            trouble.recovery.gaps.push(at.0.saturating_sub(trouble.pause.0));
        }
        Some(trouble.recovery.attempts)
    }

    /// Returns the number of the attempt.
    fn failed(&mut self, at: BootNs, errno: Option<u16>, news: &mut Vec<News>) -> u32 {
        let worked = self.last.is_some();
        let previous = self.last.map(|(_, cause)| cause);
        let open = self.open;
        let trouble = self.trouble.get_or_insert_with(|| Trouble {
            since: at,
            said: false,
            pause: at,
            recovery: Recovery { attempts: 1, previous, ..Recovery::default() },
        });
        trouble.pause = at;
        *trouble.recovery.errors.entry(errno).or_default() += 1;
        let number = trouble.recovery.attempts.max(1);
        // It worked before, and no other connection says that it still does.
        if worked && open == 0 && !trouble.said {
            trouble.said = true;
            news.push(News::Outage { since: trouble.since, previous });
        }
        number
    }

    fn established(
        &mut self,
        at: BootNs,
        server: bool,
        limits: &Limits,
        news: &mut Vec<News>,
    ) -> Option<u32> {
        self.open += 1;
        let mut trouble = self.trouble.take().filter(|t| t.said)?;
        // A server sees no attempts: the connection is one.
        if server {
            trouble.recovery.attempts = 1;
            trouble.recovery.gaps.push(at.0.saturating_sub(trouble.pause.0));
        }
        trouble.recovery.downtime_ns = at.0.saturating_sub(trouble.since.0);
        let attempts = trouble.recovery.attempts;
        news.push(News::Reconnected(trouble.recovery));
        self.reconnects.push_back(at);
        let oldest = at.0.saturating_sub(limits.window_ns);
        while self.reconnects.front().is_some_and(|r| r.0 < oldest)
            || self.reconnects.len() > limits.flapping + 1
        {
            self.reconnects.pop_front();
        }
        let often = self.reconnects.len() > limits.flapping;
        if often && !self.flapping {
            news.push(News::Flapping(self.reconnects.len()));
        }
        self.flapping = often;
        Some(attempts)
    }

    fn closed(&mut self, at: BootNs, cause: Cause, server: bool, news: &mut Vec<News>) {
        self.open = self.open.saturating_sub(1);
        self.last = Some((at, cause));
        if !is_loss(cause) || self.open > 0 || self.trouble.is_some() {
            return;
        }
        let recovery = Recovery { previous: Some(cause), ..Recovery::default() };
        self.trouble = Some(Trouble { since: at, said: true, pause: at, recovery });
        // To a server a client that goes away is no outage of its own; that it comes back is news.
        if !server {
            news.push(News::Outage { since: at, previous: Some(cause) });
        }
    }
}

/// Ends that the program did not want: not its own doing, and not the peer's orderly one.
fn is_loss(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::ResetByPeer
            | Cause::ResetByKernel
            | Cause::TimedOut
            | Cause::KeepaliveTimeout
            | Cause::UserTimeout
            | Cause::Unreachable
            | Cause::Aborted
    )
}
