//! Selecting from what connprobe printed, and what must hold for all of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use serde_json::{Map, Value};

/// One record, and when its line was read.
#[derive(Clone, Debug)]
pub struct Record {
    /// The JSON object, shared by all who look at it.
    pub json: Arc<Value>,
    /// `CLOCK_MONOTONIC` at its arrival, ns.
    pub arrived: u64,
}

impl Record {
    /// What happened.
    pub fn event(&self) -> &str {
        self.text("event").unwrap_or("")
    }

    /// A field that is a string.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.json.get(key)?.as_str()
    }

    /// A field that is a number.
    pub fn number(&self, key: &str) -> Option<u64> {
        self.json.get(key)?.as_u64()
    }

    /// True when every field of `pattern` is the same here; `null` there: absent here.
    pub fn is(&self, pattern: &Value) -> bool {
        differences(&self.json, pattern).is_empty()
    }

    /// Fails with each field that is not as `pattern` says, and the whole record.
    pub fn must_be(&self, pattern: &Value) -> Result<()> {
        let wrong = differences(&self.json, pattern);
        ensure!(wrong.is_empty(), "{}\nin {}", wrong.join("\n"), self.json);
        Ok(())
    }
}

fn differences(json: &Value, pattern: &Value) -> Vec<String> {
    let fields = pattern.as_object().into_iter().flatten();
    let wrong = fields.filter(|&(key, wanted)| json.get(key).unwrap_or(&Value::Null) != wanted);
    wrong.map(|(key, wanted)| format!("{key} is {} and not {wanted}", json[key.as_str()])).collect()
}

/// The fields of both objects; the second wins.
pub fn and(a: &Value, b: &Value) -> Value {
    let mut all: Map<String, Value> = a.as_object().cloned().unwrap_or_default();
    all.extend(b.as_object().cloned().unwrap_or_default());
    Value::Object(all)
}

/// The one record that fits; fails when there is none or another.
pub fn only<'a>(records: &'a [Record], pattern: &Value) -> Result<&'a Record> {
    let found: Vec<_> = records.iter().filter(|r| r.is(pattern)).collect();
    match found.as_slice() {
        [one] => Ok(one),
        _ => bail!("{} records are {pattern}, among:\n{}", found.len(), listing(records)),
    }
}

/// One line per record.
pub fn listing<'a>(records: impl IntoIterator<Item = &'a Record>) -> String {
    records.into_iter().map(|r| r.json.to_string()).collect::<Vec<_>>().join("\n")
}

/// `seq` counts from 1 without a hole, and `stop` is the last and only one of its kind.
pub fn must_be_whole(records: &[Record]) -> Result<()> {
    for (record, wanted) in records.iter().zip(1u64..) {
        ensure!(record.number("seq") == Some(wanted), "seq must be {wanted} in {}", record.json);
    }
    for event in ["start", "stop"] {
        let n = records.iter().filter(|r| r.event() == event).count();
        ensure!(n == 1, "{n} `{event}` records among:\n{}", listing(records));
    }
    let last = records.last().map_or("", Record::event);
    ensure!(last == "stop", "the last record is `{last}`");
    Ok(())
}

/// Per connection: `connect`, `established` and `accept` at most once; at the end exactly one of `failed` and
/// `closed`; a `closed` client that was born under our eyes was `established` once; an accepted server has
/// one `accept`. All connections of `records` must have ended.
pub fn must_be_once(records: &[Record]) -> Result<()> {
    let mut lives = BTreeMap::<&str, Vec<&Record>>::new();
    for record in records {
        if let Some(conn) = record.text("conn") {
            lives.entry(conn).or_default().push(record);
        }
    }
    for (conn, life) in lives {
        if life
            .iter()
            .any(|r| matches!(r.event(), "listen" | "listen_end") || r.text("state") == Some("listen"))
        {
            continue;
        }
        let count = |event: &str| life.iter().filter(|r| r.event() == event).count();
        let story = || format!("connection {conn}:\n{}", listing(life.iter().copied()));
        for event in ["connect", "established", "accept"] {
            ensure!(count(event) <= 1, "`{event}` {} times in {}", count(event), story());
        }
        let ends = count("failed") + count("closed");
        ensure!(ends == 1, "{ends} ends in {}", story());
        let seen = !life.iter().any(|r| r.json["pre_existing"] == true);
        let client = life.iter().any(|r| r.text("role") == Some("client"));
        if seen && client {
            ensure!(count("connect") == 1, "no `connect` in {}", story());
            ensure!(count("established") == count("closed"), "`established` is wrong in {}", story());
        }
        if seen && !client {
            let wanted = usize::from(!life.iter().any(|r| r.json["accepted"] == false));
            ensure!(count("accept") == wanted, "`accept` is wrong in {}", story());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn life(events: &[(&str, &str)]) -> Vec<Record> {
        let record = |&(event, role): &(&str, &str)| Record {
            json: json!({ "event": event, "role": role, "conn": "1" }).into(),
            arrived: 0,
        };
        events.iter().map(record).collect()
    }

    #[test]
    fn null_in_a_pattern_means_absent() {
        let record = Record { json: json!({ "event": "closed", "pid": 1 }).into(), arrived: 0 };
        assert!(record.is(&json!({ "pid": 1, "error": null })));
        assert!(!record.is(&json!({ "pid": null })));
        assert!(!record.is(&json!({ "error": "EPIPE" })));
    }

    #[test]
    fn a_whole_life_is_right() {
        let client = [("connect", "client"), ("established", "client"), ("closed", "client")];
        assert!(must_be_once(&life(&client)).is_ok());
        assert!(must_be_once(&life(&[("connect", "client"), ("failed", "client")])).is_ok());
        assert!(must_be_once(&life(&[("accept", "server"), ("closed", "server")])).is_ok());
    }

    #[test]
    fn two_ends_no_end_and_a_doubled_birth_are_wrong() {
        let wrong: [&[(&str, &str)]; 5] = [
            &[("connect", "client"), ("failed", "client"), ("failed", "client")],
            &[("connect", "client"), ("established", "client")],
            &[("connect", "client"), ("established", "client"), ("failed", "client")],
            &[("connect", "client"), ("connect", "client"), ("failed", "client")],
            &[("closed", "server")],
        ];
        for events in wrong {
            assert!(must_be_once(&life(events)).is_err(), "{events:?}");
        }
    }

    #[test]
    fn a_hole_in_seq_is_wrong() {
        let record =
            |seq: u64, event: &str| Record { json: json!({ "seq": seq, "event": event }).into(), arrived: 0 };
        assert!(must_be_whole(&[record(1, "start"), record(2, "stop")]).is_ok());
        assert!(must_be_whole(&[record(1, "start"), record(3, "stop")]).is_err());
        assert!(must_be_whole(&[record(1, "stop"), record(2, "start")]).is_err());
    }
}
