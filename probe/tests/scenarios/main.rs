//! The user side without a kernel: events in, records out, in virtual time. What goes in are the wire
//! structures of the kernel side, so that decoding is tested too.

// Shared with the fuzz targets, which look further for what the properties find.
#[path = "../../../tests/fuzz/check.rs"]
mod check;
#[path = "../../../tests/fuzz/operations.rs"]
mod operations;
mod properties;
mod run;
mod scenario;
mod wire;

use std::path::PathBuf;

use scenario::Scenario;

/// The folder of the scenario files.
fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "tests", "scenarios"].iter().collect()
}

/// Each `*.toml` of the folder, by name.
fn scenarios() -> Vec<(String, Scenario)> {
    let files = std::fs::read_dir(folder()).expect("the folder of scenarios is there");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("it can be listed").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    paths.sort();
    paths.iter().flat_map(|path| Scenario::read_all(path)).collect()
}

#[test]
fn every_scenario_gives_its_records() {
    let scenarios = scenarios();
    assert!(scenarios.len() > 40, "only {} scenarios were found", scenarios.len());
    let failures: Vec<String> = scenarios
        .iter()
        .filter_map(|(name, scenario)| run::check(scenario).err().map(|why| format!("{name}: {why}")))
        .collect();
    assert!(failures.is_empty(), "{} scenarios failed\n\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn every_record_of_every_scenario_keeps_the_schema() {
    let schema = jsonschema::validator_for(&probe::sink::schema::document()).expect("the schema is one");
    for (name, scenario) in scenarios() {
        for record in run::records(&scenario.inputs(), &scenario) {
            let told: Vec<String> = schema.iter_errors(&record).map(|error| error.to_string()).collect();
            assert!(told.is_empty(), "{name}: {told:?} in {record}");
        }
    }
}

#[test]
fn batches_of_one_event_give_the_same_records() {
    for (name, scenario) in scenarios() {
        let whole = run::records(&scenario.inputs(), &scenario);
        let single = run::records(&run::split(&scenario.inputs()), &scenario);
        assert_eq!(whole, single, "{name}");
    }
}

#[test]
fn a_replay_gives_the_same_records() {
    for (name, scenario) in scenarios() {
        let live = run::records(&scenario.inputs(), &scenario);
        assert_eq!(run::replayed(&scenario.inputs(), &scenario.header(), &scenario.config()), live, "{name}");
    }
}
