//! `--since` and `--until`: moments as people write them, and what they mean for a stream.

use std::str::FromStr;
use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;

use crate::record::Timestamp;

/// A moment as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// With its zone: `2026-11-24T22:00:00Z`.
    At(jiff::Timestamp),
    /// In local time: `2026-11-24 22:00`.
    Local(DateTime),
    /// A time of day: `22:00`.
    TimeOfDay(Time),
    /// So long before the end: `10m`.
    BeforeEnd(Duration),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            return Ok(Self::At(at));
        }
        // A date alone would be midnight, which is seldom what is meant: a time is asked for.
        if text.contains(':') {
            if let Ok(at) = text.parse::<DateTime>() {
                return Ok(Self::Local(at));
            }
            // What is not a time alone is one with a date to this parser too, so it comes last.
            if let Ok(time) = text.parse::<Time>() {
                return Ok(Self::TimeOfDay(time));
            }
        }
        crate::config::duration(text).map(Self::BeforeEnd).map_err(|_| {
            format!(
                "bad time `{text}`: write it like 2026-11-24T22:00:00Z, \"2026-11-24 22:00\", 22:00 or 10m \
                 (before the end)"
            )
        })
    }
}

impl Moment {
    /// Whether it means something only once the stream is known.
    pub fn needs_span(&self) -> bool {
        matches!(self, Self::TimeOfDay(_) | Self::BeforeEnd(_))
    }
}

/// A moment that there is not, such as one before the year 1678.
#[derive(Debug, thiserror::Error)]
#[error(
    "failed to find the time of --{flag} in the time zone of this host; write it as 2026-11-24T22:00:00Z"
)]
pub struct Error {
    flag: &'static str,
}

/// From when to when. `span` is the first and the last moment of the stream; for a live report both are now.
///
/// A time of day is the last one before the end for `--since`, and the first one after that (or after the start of
/// the stream) for `--until`.
///
/// # Errors
/// A moment that cannot be expressed.
pub fn resolve(
    since: Option<Moment>,
    until: Option<Moment>,
    span: (Timestamp, Timestamp),
    zone: &TimeZone,
) -> Result<(Timestamp, Timestamp), Error> {
    let since_at = match since {
        None => Timestamp(i64::MIN),
        Some(moment) => {
            let last_before = |time| nearest(time, span.1, zone, false);
            self::at(moment, span.1, zone, last_before).ok_or(Error { flag: "since" })?
        }
    };
    let until_at = match until {
        None => Timestamp(i64::MAX),
        Some(moment) => {
            let after = if since.is_some() { since_at } else { span.0 };
            let first_after = |time| nearest(time, after, zone, true);
            self::at(moment, span.1, zone, first_after).ok_or(Error { flag: "until" })?
        }
    };
    Ok((since_at, until_at))
}

fn at(
    moment: Moment,
    end: Timestamp,
    zone: &TimeZone,
    time_of_day: impl Fn(Time) -> Option<Timestamp>,
) -> Option<Timestamp> {
    match moment {
        Moment::At(at) => i64::try_from(at.as_nanosecond()).ok().map(Timestamp),
        Moment::Local(at) => nanoseconds(at, zone),
        Moment::TimeOfDay(time) => time_of_day(time),
        Moment::BeforeEnd(length) => {
            let length = i64::try_from(length.as_nanos()).ok()?;
            Some(Timestamp(end.0.saturating_sub(length)))
        }
    }
}

/// The last such time of day at or before a moment, or the first one after it.
fn nearest(time: Time, moment: Timestamp, zone: &TimeZone, after: bool) -> Option<Timestamp> {
    let there = jiff::Timestamp::from_nanosecond(moment.0.into()).ok()?.to_zoned(zone.clone());
    let same_day = there.date().to_datetime(time);
    let at = nanoseconds(same_day, zone)?;
    match (after, at > moment) {
        (false, true) => nanoseconds(same_day.checked_sub(1.day()).ok()?, zone),
        (true, false) => nanoseconds(same_day.checked_add(1.day()).ok()?, zone),
        (false, false) | (true, true) => Some(at),
    }
}

fn nanoseconds(at: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let at = zone.to_timestamp(at).ok()?;
    i64::try_from(at.as_nanosecond()).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ts(text: &str) -> Timestamp {
        let at: jiff::Timestamp = text.parse().unwrap();
        Timestamp(i64::try_from(at.as_nanosecond()).unwrap())
    }

    /// A night in a zone one hour ahead: 22:00 to 06:00 there.
    fn night(since: &str, until: &str) -> (String, String) {
        let parse = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        let span = (ts("2026-11-24T21:00:00Z"), ts("2026-11-25T05:00:00Z"));
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let (from, to) = resolve(parse(since), parse(until), span, &zone).unwrap();
        let short = |at: Timestamp| match at.0 {
            i64::MIN | i64::MAX => "-".to_owned(),
            _ => at.to_string()[8..16].to_owned(),
        };
        (short(from), short(to))
    }

    #[test]
    fn times_of_day_are_those_of_the_stream() {
        let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        assert_eq!(night("23:30", "01:00"), pair("24T22:30", "25T00:00"));
        assert_eq!(night("", "01:00:30"), pair("-", "25T00:00"));
        assert_eq!(night("", "23:00"), pair("-", "24T22:00"));
        assert_eq!(night("01:00", ""), pair("25T00:00", "-"));
        assert_eq!(night("10m", "5m"), pair("25T04:50", "25T04:55"));
    }

    #[test]
    fn dates_are_local_unless_they_name_their_zone() {
        assert_eq!(night("2026-11-24 23:00", "2026-11-24T23:00:00Z").0, "24T22:00");
        assert_eq!(night("2026-11-24 23:00", "2026-11-24T23:00:00Z").1, "24T23:00");
        assert_eq!(night("2026-11-20 23:00:30", "2026-11-26T23:00:00+01:00").0, "20T22:00");
        assert_eq!(night("2026-11-20 23:00:30", "2026-11-26T23:00:00+01:00").1, "26T22:00");
    }

    #[test]
    fn what_makes_no_sense_is_told_with_examples() {
        for text in ["", "yesterday", "25:00", "2026-11-24", "-5m", "0"] {
            let error = text.parse::<Moment>().unwrap_err();
            assert!(error.contains("write it like") && error.contains(text), "{error}");
        }
    }

    #[test]
    fn a_moment_beyond_all_times_is_an_error() {
        let far = Some("9999-01-01 00:00".parse().unwrap());
        let error = resolve(far, None, (Timestamp(0), Timestamp(1)), &TimeZone::UTC).unwrap_err();
        assert!(error.to_string().contains("--since"), "{error}");
    }
}
