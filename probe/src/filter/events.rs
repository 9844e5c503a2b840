//! Which events are shown: the value of `--events`.

use std::fmt;
use std::str::FromStr;

use super::value::{Error, items, join};
use crate::record::EventName;

/// A set of events. The default is every event but `retransmit` and `state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Events(u32);

impl Events {
    /// Every event.
    pub const ALL: Self = Self((1 << EventName::ALL.len()) - 1);
    /// No event.
    pub const NONE: Self = Self(0);

    /// Whether an event is in the set.
    pub const fn contains(self, event: EventName) -> bool {
        self.0 & (1 << event as u32) != 0
    }

    /// The set and one more.
    #[must_use]
    pub const fn with(self, event: EventName) -> Self {
        Self(self.0 | (1 << event as u32))
    }

    /// What is in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Default for Events {
    fn default() -> Self {
        Self(Self::ALL.0 & !(1 << EventName::Retransmit as u32) & !(1 << EventName::State as u32))
    }
}

impl FromStr for Events {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut set = Self::NONE;
        for item in items(text) {
            set = match item? {
                "all" => Self::ALL,
                "default" => set.union(Self::default()),
                name => match EventName::from_name(name) {
                    Some(event) => set.with(event),
                    None => return Err(Error::Event { text: name.to_owned() }),
                },
            };
        }
        if set == Self::NONE { Err(Error::Event { text: text.to_owned() }) } else { Ok(set) }
    }
}

impl fmt::Display for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ALL => f.write_str("all"),
            set if set == Self::default() => f.write_str("default"),
            set => join(f, EventName::ALL.iter().filter(|event| set.contains(**event))),
        }
    }
}
