//! One plain, validated [`Config`] out of four layers: flag > environment > file > default.
//!
//! One name everywhere: the flag `--local-port`, the variable `CONNPROBE_LOCAL_PORT` and the key `local_port`
//! are the same setting, and all three go through the same parser ([`Value`]).

mod file;
mod print;
mod value;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::filter::{Container, Events, Filter, List, Netns, Networks, Pattern, Ports, User};
use crate::record::{Family, Role};
pub use print::{effective, sample};
pub use value::{Bytes, ColorChoice, FormatName, LogLevel, Switch, Value, duration};

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The config file cannot be read.
    #[error("failed to read config file `{}`: {source}; check --config", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The config file makes no sense: syntax, an unknown key or a bad value.
    #[error("bad config file `{}`, line {line}{}: {message}", path.display(), key_part(.key.as_deref()))]
    File {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The key, where the line has one.
        key: Option<String>,
        /// What is wrong, and what to write instead.
        message: String,
    },
    /// An environment variable has a bad value.
    #[error("bad environment variable {name}: {message}")]
    Environment {
        /// The variable.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// Two settings, or a setting and its limits, do not fit.
    #[error("bad setting {key} ({origin}): {message}")]
    Invalid {
        /// The key.
        key: &'static str,
        /// Where the value comes from.
        origin: Origin,
        /// What is wrong.
        message: String,
    },
}

fn key_part(key: Option<&str>) -> String {
    key.map(|key| format!(", key `{key}`")).unwrap_or_default()
}

/// Where a value comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    #[default]
    Default,
    /// A config file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A flag.
    Flag(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "from {}", path.display()),
            Self::Environment(name) => write!(f, "from {name}"),
            Self::Flag(name) => write!(f, "from {name}"),
        }
    }
}

macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $key:ident: $type:ty = $default:expr),* $(,)?) => {
        /// Every setting, validated.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Config { $($(#[doc = $doc])+ pub $key: $type,)* }

        impl Default for Config {
            fn default() -> Self {
                Self { $($key: $default,)* }
            }
        }

        /// What one layer says; `None` where it says nothing.
        #[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Layer {
            $($(#[doc = $doc])+ #[serde(default, deserialize_with = "value::from_toml")] pub $key: Option<$type>,)*
        }

        /// Where each value of a [`Config`] comes from.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Origins { $($(#[doc = $doc])+ pub $key: Origin,)* }

        impl Layer {
            /// The layer of the environment, read through `get`.
            pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
                let mut layer = Self::default();
                $(if let Some(text) = get(&variable(stringify!($key))).filter(|text| !text.is_empty()) {
                    let value = <$type as Value>::parse(&text).map_err(|message| {
                        Error::Environment { name: variable(stringify!($key)), message }
                    })?;
                    layer.$key = Some(value);
                })*
                Ok(layer)
            }
        }

        impl Config {
            /// Names of all settings, as in a config file.
            pub const KEYS: &'static [&'static str] = &[$(stringify!($key)),*];

            fn overlay(&mut self, origins: &mut Origins, layer: Layer, origin: impl Fn(&str) -> Origin) {
                $(if let Some(value) = layer.$key {
                    self.$key = value;
                    origins.$key = origin(stringify!($key));
                })*
            }

            fn settings<'a>(&self, origins: &'a Origins) -> Vec<print::Setting<'a>> {
                vec![$(print::Setting {
                    key: stringify!($key),
                    doc: &[$($doc),+],
                    toml: Value::toml(&self.$key),
                    example: <$type as Value>::EXAMPLE,
                    origin: &origins.$key,
                }),*]
            }
        }
    };
}

settings! {
    /// Form of the output: text, json, csv or ecs.
    output: FormatName = FormatName::Text,
    /// File to append the output to instead of stdout; `-` is stdout. Reopened on SIGHUP.
    output_file: Option<PathBuf> = None,
    /// Colours in text output: auto (on a terminal), always or never.
    color: ColorChoice = ColorChoice::Auto,
    /// Put boot id and host name into every record.
    host_fields: Switch = Switch(false),
    /// Look up the names of remote addresses (DNS).
    resolve: Switch = Switch(false),
    /// Events to show: `default` (every event but retransmit and state), `all`, or names.
    events: Events = Events::default(),
    /// Process ids.
    pid: List<u32> = List::default(),
    /// Command names; `*` and `?` are wildcards.
    comm: List<Pattern> = List::default(),
    /// Users, by number or name.
    uid: List<User> = List::default(),
    /// Ports on either side: 80,443,8000-8100.
    port: Ports = Ports::default(),
    /// Ports on this host.
    local_port: Ports = Ports::default(),
    /// Ports of the peer.
    remote_port: Ports = Ports::default(),
    /// Networks or addresses on either side.
    addr: Networks = Networks::default(),
    /// Address family: ipv4 or ipv6.
    family: Option<Family> = None,
    /// Network namespaces, by inode or path.
    netns: List<Netns> = List::default(),
    /// Systemd units; `.service` may be left out, `*` and `?` are wildcards.
    unit: List<Pattern> = List::default(),
    /// Container ids, or their first characters.
    container: List<Container> = List::default(),
    /// Side of the connection: client, server or unknown.
    role: Option<Role> = None,
    /// Only what went wrong.
    failures: Switch = Switch(false),
    /// Stop after this time.
    duration: Option<Duration> = None,
    /// Stop after this many records.
    count: Option<u64> = None,
    /// File to record the raw events to, for `connprobe replay`; it must not exist yet.
    record: Option<PathBuf> = None,
    /// Size of the kernel's ring buffer; rounded up to a power of two.
    buffer: Bytes = Bytes(64 << 20),
    /// Output waiting for a slow reader or disk before records are lost.
    output_queue: Bytes = Bytes(64 << 20),
    /// Connections followed at the same time; the least recently used one is given up beyond it.
    max_connections: u32 = 1_000_000,
    /// Milliseconds an end waits for the facts that explain it (a reset, the socket's destruction).
    hold_ms: u32 = 20,
    /// Seconds without news after which an outage is no longer followed.
    episode_window_s: u32 = 600,
    /// Seconds after a peer's orderly close within which an attempt is the program's answer to it: if it fails,
    /// the outage began with the close.
    answer_window_s: u32 = 30,
    /// Reconnects to one peer within that time beyond which it is said to be flapping.
    flapping: u32 = 5,
    /// Seconds for which more tries of one peer at one port on which nothing listens are put together.
    refused_window_s: u32 = 10,
    /// Ports on which nothing listens that one peer must try to be called a port scan.
    scan_ports: u32 = 16,
    /// Seconds within which it must, and after which more of the scan is told.
    scan_window_s: u32 = 60,
    /// Messages on stderr: off, error, warn, info, debug or trace. `-v` and `-q` move it.
    log: LogLevel = LogLevel::Warn,
}

/// Smallest ring buffer: one page of events is no buffer.
const BUFFER_MIN: u64 = 64 << 10;
/// Largest ring buffer the kernel takes (`u32` of bytes, a power of two).
const BUFFER_MAX: u64 = 2 << 30;

impl Config {
    /// Reads all layers. `flags` is what the command line says, `path` the `--config` flag (or `CONNPROBE_CONFIG`); without it
    /// `$XDG_CONFIG_HOME/connprobe/config.toml` and `/etc/connprobe/config.toml` are tried, the first one that
    /// exists is the one.
    pub fn load(path: Option<&Path>, flags: Layer) -> Result<(Self, Origins), Error> {
        let get = |name: &str| std::env::var(name).ok();
        let file = match path.map(Path::to_owned) {
            Some(path) => Some(path),
            None => file::search(&get),
        };
        let file = file.map(|path| file::read(&path).map(|layer| (path, layer))).transpose()?;
        Self::from_layers(file, Layer::from_env(get)?, flags)
    }

    /// Puts layers on top of each other and validates the result.
    pub fn from_layers(
        file: Option<(PathBuf, Layer)>,
        environment: Layer,
        flags: Layer,
    ) -> Result<(Self, Origins), Error> {
        let (mut config, mut origins) = (Self::default(), Origins::default());
        if let Some((path, layer)) = file {
            config.overlay(&mut origins, layer, |_| Origin::File(path.clone()));
        }
        config.overlay(&mut origins, environment, |key| Origin::Environment(variable(key)));
        config.overlay(&mut origins, flags, |key| Origin::Flag(flag(key)));
        config.validate(&origins)?;
        Ok((config, origins))
    }

    /// What to show.
    pub fn filter(&self) -> Filter {
        Filter {
            events: self.events,
            pid: self.pid.clone(),
            comm: self.comm.clone(),
            uid: self.uid.clone(),
            port: self.port.clone(),
            local_port: self.local_port.clone(),
            remote_port: self.remote_port.clone(),
            addr: self.addr.clone(),
            family: self.family,
            netns: self.netns.clone(),
            unit: self.unit.clone(),
            container: self.container.clone(),
            role: self.role,
            failures: self.failures.0,
        }
    }

    /// The filters in force, as flags: what the `start` record says of them.
    pub fn filter_flags(&self) -> Vec<String> {
        const FILTERS: [&str; 14] = [
            "events",
            "pid",
            "comm",
            "uid",
            "port",
            "local_port",
            "remote_port",
            "addr",
            "family",
            "netns",
            "unit",
            "container",
            "role",
            "failures",
        ];
        let origins = Origins::default();
        let defaults = Self::default().settings(&origins);
        let differs = |(now, default): &(print::Setting<'_>, print::Setting<'_>)| now.toml != default.toml;
        (self.settings(&origins).into_iter().zip(defaults))
            .filter(|pair| FILTERS.contains(&pair.0.key) && differs(pair))
            .map(|(setting, _)| setting.as_flag())
            .collect()
    }

    fn validate(&mut self, origins: &Origins) -> Result<(), Error> {
        let invalid = |key, origin: &Origin, message: String| {
            Err(Error::Invalid { key, origin: origin.clone(), message })
        };
        if !(BUFFER_MIN..=BUFFER_MAX).contains(&self.buffer.0) {
            return invalid("buffer", &origins.buffer, format!("{} is not between 64K and 2G", self.buffer));
        }
        self.buffer.0 = self.buffer.0.next_power_of_two();
        if self.output_queue.0 < BUFFER_MIN {
            return invalid("output_queue", &origins.output_queue, "it must be at least 64K".to_owned());
        }
        if self.max_connections == 0 {
            return invalid("max_connections", &origins.max_connections, "it must be at least 1".to_owned());
        }
        if self.hold_ms > 10_000 {
            return invalid("hold_ms", &origins.hold_ms, "it must be at most 10000".to_owned());
        }
        if !(1..=1024).contains(&self.scan_ports) {
            return invalid("scan_ports", &origins.scan_ports, "it must be 1 to 1024".to_owned());
        }
        if self.count == Some(0) {
            return invalid("count", &origins.count, "it must be at least 1".to_owned());
        }
        if self.output_file.as_deref() == Some(Path::new("-")) {
            self.output_file = None;
        }
        Ok(())
    }
}

/// The environment variable of a setting.
pub fn variable(key: &str) -> String {
    format!("CONNPROBE_{}", key.to_ascii_uppercase())
}

/// The flag of a setting.
pub fn flag(key: &str) -> String {
    match key {
        "color" => "--no-color".to_owned(),
        "log" => "-v/-q".to_owned(),
        key => format!("--{}", key.replace('_', "-")),
    }
}

#[cfg(test)]
mod tests;
