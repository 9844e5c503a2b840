//! One parser and one printer per type of setting, used by flags, environment and file alike.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};

use crate::filter::{Events, List, Networks, Ports, value::Element};
use crate::record::{Family, Role};

/// A type a setting can have.
pub trait Value: Sized {
    /// What a sample file shows where there is no value.
    const EXAMPLE: &'static str = "";

    /// From text; the error says what is wrong and what to write.
    fn parse(text: &str) -> Result<Self, String>;

    /// As a TOML value, `None` when not set.
    fn toml(&self) -> Option<String>;
}

/// Deserialises a setting from a string, number, boolean or list of these.
pub(super) fn from_toml<'de, T: Value, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = deserializer.deserialize_any(Text)?;
    T::parse(&text).map(Some).map_err(D::Error::custom)
}

struct Text;

impl<'de> Visitor<'de> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number, true or false, or a list of these")
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_i64<E>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_bool<E>(self, value: bool) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<String, A::Error> {
        let mut parts = Vec::new();
        while let Some(Item(part)) = list.next_element()? {
            parts.push(part);
        }
        Ok(parts.join(","))
    }
}

struct Item(String);

impl<'de> serde::Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text).map(Self)
    }
}

/// Text as a TOML string.
pub(super) fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

macro_rules! quoted {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn parse(text: &str) -> Result<Self, String> {
                text.trim().parse().map_err(|error| format!("{error}"))
            }

            fn toml(&self) -> Option<String> {
                Some(if self.to_string().is_empty() { "[]".to_owned() } else { quote(&self.to_string()) })
            }
        }
    )*};
}
quoted!(Events, Ports, Networks, FormatName, ColorChoice, LogLevel, Bytes);

impl<T: Element> Value for List<T> {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error| format!("{error}"))
    }

    fn toml(&self) -> Option<String> {
        Some(if self.0.is_empty() { "[]".to_owned() } else { quote(&self.to_string()) })
    }
}

macro_rules! number {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn parse(text: &str) -> Result<Self, String> {
                text.trim().parse().map_err(|_| format!("bad number `{text}`: write a whole number from 0 to {}", <$type>::MAX))
            }

            fn toml(&self) -> Option<String> {
                Some(self.to_string())
            }
        }
    )*};
}
number!(u32, u64);

impl Value for Switch {
    fn parse(text: &str) -> Result<Self, String> {
        match text.trim() {
            "1" | "true" | "yes" | "on" => Ok(Self(true)),
            "0" | "false" | "no" | "off" => Ok(Self(false)),
            other => Err(format!("bad switch `{other}`: write true or false")),
        }
    }

    fn toml(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

impl Value for Option<PathBuf> {
    const EXAMPLE: &'static str = "\"/var/lib/connprobe/FILE\"";

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("empty path".to_owned()) } else { Ok(Some(text.into())) }
    }

    fn toml(&self) -> Option<String> {
        self.as_ref().map(|path| quote(&path.to_string_lossy()))
    }
}

impl Value for Option<Duration> {
    const EXAMPLE: &'static str = "\"1h 30m\"";

    fn parse(text: &str) -> Result<Self, String> {
        duration(text).map(Some)
    }

    fn toml(&self) -> Option<String> {
        self.map(|time| quote(&humantime::format_duration(time).to_string()))
    }
}

/// A duration as people write it: `5s`, `1h 30m`, or a number of seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let parsed = match text.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => humantime::parse_duration(text).ok(),
    };
    parsed
        .filter(|time| !time.is_zero())
        .ok_or_else(|| format!("bad duration `{text}`: write it like 500ms, 5s, 10m or 1h30m"))
}

impl Value for Option<u64> {
    const EXAMPLE: &'static str = "1000";

    fn parse(text: &str) -> Result<Self, String> {
        u64::parse(text).map(Some)
    }

    fn toml(&self) -> Option<String> {
        self.map(|number| number.to_string())
    }
}

macro_rules! named {
    ($($type:ty, $what:literal, $example:literal);* $(;)?) => {$(
        impl Value for Option<$type> {
            const EXAMPLE: &'static str = $example;

            fn parse(text: &str) -> Result<Self, String> {
                let names = || <$type>::ALL.iter().map(|value| value.name()).collect::<Vec<_>>().join(", ");
                let value = <$type>::from_name(text.trim());
                value.map(Some).ok_or_else(|| format!("unknown {} `{text}`: write one of {}", $what, names()))
            }

            fn toml(&self) -> Option<String> {
                self.map(|value| quote(value.name()))
            }
        }
    )*};
}
named! {
    Family, "family", "\"ipv6\"";
    Role, "role", "\"client\"";
}

/// Yes or no.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switch(pub bool);

/// A number of bytes, written `64M`, `1G` or `4096`; K, M and G are powers of 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("bad size `{text}`: write it like 4096, 64K, 64M or 1G");
        let lower = text.trim().to_ascii_lowercase();
        let digits = lower.trim_end_matches(|c: char| !c.is_ascii_digit());
        let shift = match lower[digits.len()..].trim() {
            "" | "b" => 0,
            "k" | "kb" | "kib" => 10,
            "m" | "mb" | "mib" => 20,
            "g" | "gb" | "gib" => 30,
            _ => return Err(bad()),
        };
        let number: u64 = digits.parse().map_err(|_| bad())?;
        number.checked_mul(1 << shift).map(Self).ok_or_else(bad)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, unit) in [(30, "G"), (20, "M"), (10, "K")] {
            if self.0 != 0 && self.0.trailing_zeros() >= shift {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        write!(f, "{}", self.0)
    }
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(format!("unknown {} `{text}`: write one of {}", $what, [$($text),*].join(", "))),
                }
            }
        }

        impl $name {
            /// As people write it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl clap::ValueEnum for $name {
            fn value_variants<'a>() -> &'a [Self] {
                &[$(Self::$variant),*]
            }

            fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
                Some(clap::builder::PossibleValue::new(self.name()))
            }
        }
    };
}

choice! {
    /// Form of the output.
    FormatName, "output format" {
        /// One aligned line for people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
        /// Comma-separated values with a header line.
        Csv = "csv",
        /// Elastic Common Schema, one JSON object a line.
        Ecs = "ecs",
    }
}

choice! {
    /// When to colour.
    ColorChoice, "colour choice" {
        /// On a terminal, unless `NO_COLOR` is set.
        Auto = "auto",
        /// Always.
        Always = "always",
        /// Never.
        Never = "never",
    }
}

choice! {
    /// How much is said on stderr.
    LogLevel, "log level" {
        /// Nothing.
        Off = "off",
        /// What fails.
        Error = "error",
        /// What is not as it should be.
        Warn = "warn",
        /// What is going on.
        Info = "info",
        /// Much.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}

impl LogLevel {
    /// The level `steps` louder (or quieter, below zero).
    #[must_use]
    pub fn louder(self, steps: i32) -> Self {
        const LEVELS: [LogLevel; 6] = [
            LogLevel::Off,
            LogLevel::Error,
            LogLevel::Warn,
            LogLevel::Info,
            LogLevel::Debug,
            LogLevel::Trace,
        ];
        let now = LEVELS.iter().position(|level| *level == self).unwrap_or_default();
        let wanted = i64::try_from(now).unwrap_or_default() + i64::from(steps);
        LEVELS[usize::try_from(wanted.max(0)).unwrap_or_default().min(LEVELS.len() - 1)]
    }
}
