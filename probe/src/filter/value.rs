//! The values of filter flags, as people type them. All are lists separated by commas, all parse with
//! `FromStr` and print (`Display`) what parses back to the same.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt;
use std::str::FromStr;

use ipnet::IpNet;

use crate::record::EventName;

/// A value that makes no sense as the filter it was given for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a number.
    #[error("bad number `{0}`: write a whole number such as 1234")]
    Number(String),
    /// Not a port or a range of ports.
    #[error("bad port `{text}`: {why}; write it like 443 or 8000-8100")]
    Port {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Not an address or network.
    #[error("bad CIDR `{text}`: {why}; write it like 10.0.0.0/8 or 2001:db8::/32")]
    Cidr {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// Not an event.
    #[error("unknown event `{text}`: write `all`, `default` or some of {}", names())]
    Event {
        /// What was given.
        text: String,
    },
    /// Not a container id.
    #[error("bad container id `{0}`: write the id or its first characters, such as 3f4e8a")]
    Container(String),
    /// Not a network namespace.
    #[error(
        "bad network namespace `{text}`: {why}; write its inode (4026531840, as `lsns -t net` shows it) \
         or a path such as /run/netns/blue"
    )]
    Netns {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing between two commas.
    #[error("empty value in the list `{0}`")]
    Empty(String),
}

fn names() -> String {
    EventName::ALL.iter().map(|event| event.name()).collect::<Vec<_>>().join(", ")
}

pub(super) fn items(text: &str) -> impl Iterator<Item = Result<&str, Error>> {
    let parts = if text.trim().is_empty() { None } else { Some(text.split(',')) };
    parts.into_iter().flatten().map(move |part| match part.trim() {
        "" => Err(Error::Empty(text.to_owned())),
        part => Ok(part),
    })
}

pub(super) fn join<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    items: impl IntoIterator<Item = T>,
) -> fmt::Result {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            f.write_str(",")?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

/// One element of a [`List`].
pub trait Element: Sized + fmt::Display {
    /// From what a person typed.
    fn parse(text: &str) -> Result<Self, Error>;
}

impl Element for u32 {
    fn parse(text: &str) -> Result<Self, Error> {
        text.parse().map_err(|_| Error::Number(text.to_owned()))
    }
}

/// Alternatives: an empty list lets everything pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> List<T> {
    /// Whether the list is empty or one of its values matches.
    pub fn allows(&self, matches: impl Fn(&T) -> bool) -> bool {
        self.0.is_empty() || self.0.iter().any(matches)
    }
}

impl<T: Element> FromStr for List<T> {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        items(text).map(|item| T::parse(item?)).collect::<Result<_, _>>().map(Self)
    }
}

impl<T: fmt::Display> fmt::Display for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        join(f, &self.0)
    }
}

/// A name, or a pattern with `*` (anything) and `?` (one character). Case-sensitive, the whole name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(pub String);

impl Pattern {
    /// Whether the whole name matches.
    pub fn matches(&self, name: &str) -> bool {
        glob(self.0.as_bytes(), name.as_bytes())
    }

    /// The same for a systemd unit, whose `.service` may be left out.
    pub fn matches_unit(&self, unit: &str) -> bool {
        self.matches(unit) || unit.strip_suffix(".service").is_some_and(|name| self.matches(name))
    }
}

/// Greedy with one step back to the last `*`: linear in practice, never exponential.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(b'?') => {
                p += 1;
                n += char_len(name[n]);
            }
            Some(byte) if *byte == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((at, taken)) = star else { return false };
                let next = taken + char_len(name[taken]);
                star = Some((at, next));
                (p, n) = (at + 1, next);
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Length of the UTF-8 character a byte starts.
fn char_len(first: u8) -> usize {
    match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    }
}

impl Element for Pattern {
    fn parse(text: &str) -> Result<Self, Error> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A user, by number or by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    /// User id.
    Id(u32),
    /// User name, as the records have it.
    Name(String),
}

impl User {
    /// Whether it is the user of a record.
    pub fn matches(&self, uid: Option<u32>, name: Option<&str>) -> bool {
        match self {
            Self::Id(id) => uid == Some(*id),
            Self::Name(wanted) => name == Some(wanted),
        }
    }
}

impl Element for User {
    fn parse(text: &str) -> Result<Self, Error> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return u32::parse(text).map(Self::Id);
        }
        Ok(Self::Name(text.to_owned()))
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// First characters of a container id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container(pub String);

impl Container {
    /// Whether a full id starts with it.
    pub fn matches(&self, id: &str) -> bool {
        id.starts_with(&self.0)
    }
}

impl Element for Container {
    fn parse(text: &str) -> Result<Self, Error> {
        let good = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if good { Ok(Self(text.to_owned())) } else { Err(Error::Container(text.to_owned())) }
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Inode of a network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Netns(pub u32);

impl Element for Netns {
    /// A number, `net:[number]` as links in `/proc/PID/ns` show it, or the path of a namespace file.
    fn parse(text: &str) -> Result<Self, Error> {
        let bad = |why: String| Error::Netns { text: text.to_owned(), why };
        if text.contains('/') {
            let file = std::fs::metadata(text).map_err(|error| bad(error.to_string()))?;
            return file.ino().try_into().map(Self).map_err(|_| bad("it is not a namespace file".to_owned()));
        }
        let number = text.strip_prefix("net:[").and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        number.parse().map(Self).map_err(|_| bad("it is neither a number nor a path".to_owned()))
    }
}

impl fmt::Display for Netns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Ports and ranges of ports, both ends included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports(pub Vec<RangeInclusive<u16>>);

impl Ports {
    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a port is one of them.
    pub fn has(&self, port: Option<u16>) -> bool {
        port.is_some_and(|port| self.0.iter().any(|range| range.contains(&port)))
    }
}

impl FromStr for Ports {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        items(text).map(|item| port_range(item?)).collect::<Result<_, _>>().map(Self)
    }
}

fn port_range(text: &str) -> Result<RangeInclusive<u16>, Error> {
    let bad = |why| Error::Port { text: text.to_owned(), why };
    let port = |part: &str| part.trim().parse::<u16>().map_err(|_| bad("ports are numbers from 0 to 65535"));
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (port(first)?, port(last)?),
        None => (port(text)?, port(text)?),
    };
    if first > last { Err(bad("the range ends before it starts")) } else { Ok(first..=last) }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        join(
            f,
            self.0.iter().map(|range| match (range.start(), range.end()) {
                (first, last) if first == last => first.to_string(),
                (first, last) => format!("{first}-{last}"),
            }),
        )
    }
}

/// Networks; an address alone is a network of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(pub Vec<IpNet>);

impl Networks {
    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an address is in one of them.
    pub fn has(&self, addr: Option<IpAddr>) -> bool {
        addr.is_some_and(|addr| self.0.iter().any(|net| net.contains(&addr.to_canonical())))
    }
}

impl FromStr for Networks {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        items(text).map(|item| network(item?)).collect::<Result<_, _>>().map(Self)
    }
}

fn network(text: &str) -> Result<IpNet, Error> {
    let bad = |why: String| Error::Cidr { text: text.to_owned(), why };
    let (addr, prefix) = match text.split_once('/') {
        Some((addr, prefix)) => (addr, Some(prefix)),
        None => (text, None),
    };
    let addr: IpAddr = addr.parse().map_err(|_| bad(format!("`{addr}` is not an IP address")))?;
    let longest = if addr.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        Some(prefix) => prefix
            .parse()
            .ok()
            .filter(|bits| *bits <= longest)
            .ok_or_else(|| bad(format!("the prefix length must be a number from 0 to {longest}")))?,
        None => longest,
    };
    // Records show v4-mapped addresses as IPv4, so the filter must mean them as IPv4 too.
    let (addr, prefix) = match addr.to_canonical() {
        v4 @ IpAddr::V4(_) if addr.is_ipv6() && prefix >= 96 => (v4, prefix - 96),
        _ => (addr, prefix),
    };
    IpNet::new(addr, prefix).map(|net| net.trunc()).map_err(|error| bad(error.to_string()))
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        join(f, &self.0)
    }
}
