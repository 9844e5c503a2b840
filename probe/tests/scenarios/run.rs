//! Runs inputs through the pipeline and compares what comes out.

use std::collections::BTreeMap;

use probe::capture::Writer;
use probe::config::Config;
use probe::decode;
use probe::pipeline::{Header, Input, Pipeline, frames, replay};
use serde_json::Value;

use super::scenario::{Scenario, ns};

/// All records of a scenario.
pub(crate) fn records(inputs: &[Input], scenario: &Scenario) -> Vec<Value> {
    let mut records = Vec::new();
    let mut pipeline = Pipeline::new(scenario.header(), &scenario.config());
    for input in inputs {
        pipeline.handle(input, &mut |record| {
            records.push(serde_json::to_value(&record).expect("a record is JSON"));
        });
    }
    records
}

/// The same inputs with one event in each batch.
pub(crate) fn split(inputs: &[Input]) -> Vec<Input> {
    let mut split = Vec::new();
    for input in inputs {
        match input {
            Input::Events(batch) => {
                split.extend(decode::frames(batch).map(|frame| Input::Events(frame.to_vec().into())));
            }
            other => split.push(other.clone()),
        }
    }
    split
}

/// All records of a record file with these inputs.
pub(crate) fn replayed(inputs: &[Input], header: &Header, config: &Config) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("there is room for a file");
    let path = folder.path().join("run");
    let mut file = Writer::create(&path).expect("it can be created");
    frames::begin(&mut file, header).expect("it can be written");
    for input in inputs {
        frames::append(&mut file, input).expect("it can be written");
    }
    file.finish().expect("it can be finished");
    let mut records = Vec::new();
    let all = |record| {
        records.push(serde_json::to_value(&record).expect("a record is JSON"));
        true
    };
    replay::run(&path, config, all).expect("it can be read");
    records
}

/// Compares the records of a scenario with those it expects.
pub(crate) fn check(scenario: &Scenario) -> Result<(), String> {
    let records = records(&scenario.inputs(), scenario);
    let shown = || records.iter().map(|record| format!("  {record}\n")).collect::<String>();
    let mut ids = Ids::default();
    for (at, record) in records.iter().enumerate() {
        if record["seq"] != at + 1 {
            return Err(format!("the numbers have a hole at {at}\n{}", shown()));
        }
        let Some(expected) = scenario.expect.get(at) else {
            return Err(format!("record {} was not expected\n{}", at + 1, shown()));
        };
        for (key, value) in expected {
            same(key, value, record, &mut ids)
                .map_err(|why| format!("record {}: {why}\n{}", at + 1, shown()))?;
        }
    }
    match scenario.expect.get(records.len()) {
        Some(missing) => Err(format!("did not come: {missing}\n{}", shown())),
        None => Ok(()),
    }
}

/// Names of connections in the file, and their ids in the records.
#[derive(Default)]
struct Ids {
    by_name: BTreeMap<String, String>,
}

impl Ids {
    /// Different names are different ids.
    fn agree(&mut self, name: &str, id: &str) -> bool {
        match self.by_name.get(name) {
            Some(known) => known == id,
            None if self.by_name.values().any(|known| known == id) => false,
            None => self.by_name.insert(name.to_owned(), id.to_owned()).is_none(),
        }
    }
}

fn same(key: &str, expected: &toml::Value, record: &Value, ids: &mut Ids) -> Result<(), String> {
    let actual = record.get(key).cloned().unwrap_or(Value::Null);
    let is_same = match (key, expected) {
        ("absent", toml::Value::Array(keys)) => {
            let present = keys.iter().filter_map(toml::Value::as_str).find(|key| record.get(key).is_some());
            return present.map_or(Ok(()), |key| Err(format!("{key} is {}, not absent", record[key])));
        }
        ("conn", toml::Value::String(name)) => ids.agree(name, actual.as_str().unwrap_or_default()),
        ("at", toml::Value::String(at)) => {
            let moment = jiff::Timestamp::from_nanosecond(ns(at).into()).expect("not long after 1970");
            return match record["ts"].as_str() {
                Some(ts) if ts == format!("{moment:.9}") => Ok(()),
                _ => Err(format!("ts is {}, not {at}", record["ts"])),
            };
        }
        (key, toml::Value::String(text)) if key.ends_with("_ns") => actual == ns(text),
        (_, expected) => serde_json::to_value(expected).is_ok_and(|expected| covers(&expected, &actual)),
    };
    if is_same { Ok(()) } else { Err(format!("{key} is {actual}, not {expected}")) }
}

/// Of an object only what is named, of anything else everything.
fn covers(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            expected.iter().all(|(key, value)| actual.get(key).is_some_and(|actual| covers(value, actual)))
        }
        (expected, actual) => expected == actual,
    }
}
