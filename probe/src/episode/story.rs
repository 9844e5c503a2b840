//! One program and one peer: up, down, and up again.

use std::collections::VecDeque;

use super::{Limits, News, Observation, Recovery};
use crate::conn::fact::ConnId;
use crate::decode::event::BootNs;
use crate::vocab::Cause;

#[derive(Debug, Default)]
pub(super) struct Story {
    /// The last observation.
    pub(super) heard: BootNs,
    /// Connections open now.
    pub(super) open: u32,
    /// How the last connection ended.
    last: Option<Last>,
    /// The attempt that is under way, when nothing else is wrong.
    answer: Option<BootNs>,
    /// Attempts under way beside each other, with their numbers, the last ones.
    numbered: VecDeque<(ConnId, u32)>,
    trouble: Option<Trouble>,
    /// When it came back, within the window.
    reconnects: VecDeque<BootNs>,
    /// Said, until it has been quiet again.
    flapping: bool,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    at: BootNs,
    cause: Cause,
    by_peer: bool,
}

/// What goes on since a loss, or since a first failure that may become one.
#[derive(Debug)]
struct Trouble {
    since: BootNs,
    said: bool,
    /// The last end or failure, until an attempt follows it: attempts beside each other have one gap.
    pause: Option<BootNs>,
    recovery: Recovery,
}

impl Story {
    pub(super) fn observe(
        &mut self,
        at: BootNs,
        conn: Option<ConnId>,
        what: Observation,
        server: bool,
        limits: &Limits,
        news: &mut Vec<News>,
    ) -> Option<u32> {
        match what {
            Observation::Attempt => {
                let number = self.attempt(at, limits, news)?;
                self.number(conn, number);
                Some(number)
            }
            Observation::Failed(errno) => {
                let number = self.failed(at, errno, limits, news);
                Some(self.number_of(conn).unwrap_or(number))
            }
            Observation::Established => {
                let number = self.established(at, server, limits, news);
                let own = self.number_of(conn);
                number.map(|number| own.unwrap_or(number))
            }
            Observation::Closed { cause, by_peer } => {
                self.closed(Last { at, cause, by_peer }, server, news);
                None
            }
        }
    }

    fn number(&mut self, conn: Option<ConnId>, number: u32) {
        /// More attempts of one program beside each other have the number of the last one.
        const BESIDE: usize = 32;
        let Some(conn) = conn else { return };
        if self.numbered.len() == BESIDE {
            self.numbered.pop_front();
        }
        self.numbered.push_back((conn, number));
    }

    /// The number that an attempt had at its beginning.
    fn number_of(&mut self, conn: Option<ConnId>) -> Option<u32> {
        let at = self.numbered.iter().position(|(known, _)| Some(*known) == conn)?;
        self.numbered.remove(at).map(|(_, number)| number)
    }

    fn attempt(&mut self, at: BootNs, limits: &Limits, news: &mut Vec<News>) -> Option<u32> {
        let Some(trouble) = self.trouble.as_mut() else {
            self.answer = Some(at);
            return None;
        };
        // A first failure that is tried again is an outage since it began.
        if !trouble.said {
            trouble.said = true;
            news.push(News::Outage { since: trouble.since, previous: trouble.recovery.previous });
        }
        trouble.recovery.attempts += 1;
        if let Some(pause) = trouble.pause.take()
            && trouble.recovery.gaps.len() < limits.gaps
        {
            trouble.recovery.gaps.push(at.0.saturating_sub(pause.0));
        }
        Some(trouble.recovery.attempts)
    }

    /// Returns the number of the attempt.
    fn failed(&mut self, at: BootNs, errno: Option<u16>, limits: &Limits, news: &mut Vec<News>) -> u32 {
        // It worked before, and no other connection says that it still does.
        let lost = self.last.is_some() && self.open == 0;
        let trouble = match &mut self.trouble {
            Some(trouble) => trouble,
            none => none.insert(Trouble::begun(at, self.last, self.answer, self.open == 0, limits)),
        };
        trouble.pause = Some(at);
        *trouble.recovery.errors.entry(errno).or_default() += 1;
        // Of attempts beside each other only the first began it.
        trouble.recovery.attempts = trouble.recovery.attempts.max(trouble.recovery.failed());
        if lost && !trouble.said {
            trouble.said = true;
            news.push(News::Outage { since: trouble.since, previous: trouble.recovery.previous });
        }
        trouble.recovery.attempts.max(1)
    }

    fn established(
        &mut self,
        at: BootNs,
        server: bool,
        limits: &Limits,
        news: &mut Vec<News>,
    ) -> Option<u32> {
        self.open += 1;
        self.answer = None;
        // A connection that waited in the queue since before the loss is none that came back.
        let mut trouble = self.trouble.take().filter(|t| t.said && !(server && at < t.since))?;
        // A server sees no attempts, and a client's may have begun before the loss: the connection is one.
        trouble.recovery.attempts =
            trouble.recovery.attempts.max(trouble.recovery.failed().saturating_add(1));
        if server && let Some(pause) = trouble.pause {
            trouble.recovery.gaps.push(at.0.saturating_sub(pause.0));
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

    fn closed(&mut self, last: Last, server: bool, news: &mut Vec<News>) {
        self.open = self.open.saturating_sub(1);
        self.last = Some(last);
        self.answer = None;
        if !is_loss(last.cause) || self.open > 0 || self.trouble.is_some() {
            return;
        }
        let (since, previous) = (last.at, Some(last.cause));
        let recovery = Recovery { previous, ..Recovery::default() };
        self.trouble = Some(Trouble { since, said: true, pause: Some(since), recovery });
        // To a server a client that goes away is no outage of its own; that it comes back is news.
        if !server {
            news.push(News::Outage { since, previous });
        }
    }
}

impl Trouble {
    /// An attempt failed while nothing was wrong. The loss is its beginning, as far as it is known, or the peer's
    /// close if the attempt was the answer to it.
    fn begun(at: BootNs, last: Option<Last>, answer: Option<BootNs>, alone: bool, limits: &Limits) -> Self {
        let previous = last.map(|last| last.cause);
        let mut recovery = Recovery { attempts: 1, previous, ..Recovery::default() };
        let closed = last.filter(|last| last.by_peer && alone).zip(answer);
        let closed = closed.filter(|(last, answer)| answer.0.saturating_sub(last.at.0) <= limits.answer_ns);
        let since = closed.map_or(answer.unwrap_or(at), |(last, answer)| {
            recovery.gaps.push(answer.0.saturating_sub(last.at.0));
            last.at
        });
        Self { since, said: false, pause: None, recovery }
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
