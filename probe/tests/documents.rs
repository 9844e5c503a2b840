//! The documents in `probe/docs` and the README say what the program is: names in their tables are those of the
//! code, all of them and no others.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use probe::config::{self, Config};
use probe::exit::Code;
use probe::kernel::hooks::{Attach, HOOKS};
use probe::kernel::privilege;
use probe::record::Record;
use probe::vocab::{Cause, ClosedBy, EngineName, EventName, LostWhere, PidSource, Role};

fn page(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The part of a page between a heading and the next one.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    rest.split("\n## ").next().unwrap_or(rest)
}

/// Cells of the rows of the tables in a text, without their header.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

fn first_cells(text: &str) -> Vec<&str> {
    rows(text).into_iter().map(|cells| cells[0].trim_matches('`')).collect()
}

#[test]
fn every_field_is_documented_in_its_order() {
    assert_eq!(
        first_cells(section(&page("docs/records.md"), "Fields")),
        Record::FIELDS
            .iter()
            .map(|field| if *field == "lost_where" { "where" } else { field })
            .collect::<Vec<_>>()
    );
}

#[test]
fn every_value_of_a_closed_list_is_documented_with_its_field() {
    let page = page("docs/records.md");
    let rows = rows(section(&page, "Fields"));
    let check = |field: &str, values: Vec<&str>| {
        let row = rows.iter().find(|row| row[0].trim_matches('`') == field).expect("the field is there");
        for value in values {
            assert!(row[2].contains(&format!("`{value}`")), "{field}: {value}");
        }
    };
    check("where", LostWhere::ALL.iter().map(|value| value.name()).collect());
    check("closed_by", ClosedBy::ALL.iter().map(|value| value.name()).collect());
    check("pid_source", PidSource::ALL.iter().map(|value| value.name()).collect());
    check("engine", EngineName::ALL.iter().map(|value| value.name()).collect());
    check("role", Role::ALL.iter().map(|value| value.name()).collect());
}

#[test]
fn every_event_is_documented_in_its_order() {
    let names: Vec<_> = EventName::ALL.iter().map(|event| event.name()).collect();
    assert_eq!(first_cells(section(&page("docs/records.md"), "Events")), names);
}

#[test]
fn every_cause_is_documented() {
    let page = page("docs/records.md");
    let documented: BTreeSet<_> = first_cells(section(&page, "Causes")).into_iter().collect();
    assert_eq!(documented, Cause::ALL.iter().map(|cause| cause.name()).collect());
}

#[test]
fn every_hook_is_documented_with_its_ways_in_order() {
    let page = page("docs/kernel-support.md");
    let table = rows(section(&page, "Hooks"));
    assert_eq!(table.len(), HOOKS.len());
    for (row, hook) in table.iter().zip(HOOKS) {
        assert_eq!(row[0].trim_matches('`'), hook.name);
        let ways: Vec<_> = row[1].split("; ").collect();
        assert_eq!(ways.len(), hook.ways.len(), "{}", hook.name);
        for (way, text) in hook.ways.iter().zip(ways) {
            let Some((_, Attach::BtfTracepoint(_) | Attach::Tracepoint(..))) = way.programs.first() else {
                let engine = if way.programs.is_empty() { "else" } else { way.engine.name() };
                assert!(text.starts_with(engine), "{}: {text} is not by {engine}", hook.name);
                continue;
            };
            assert!(text.starts_with("tracepoint "), "{}: {text}", hook.name);
            for (_, attach) in way.programs {
                let (Attach::BtfTracepoint(name)
                | Attach::Tracepoint(_, name)
                | Attach::Fentry(name)
                | Attach::Fexit(name)
                | Attach::Kprobe(name)) = attach;
                assert!(text.contains(&format!("`{name}`")), "{}: {text} lacks {name}", hook.name);
            }
        }
        if let Some(lost) = hook.lost {
            let lost = lost.split(" (").next().unwrap_or(lost);
            assert_eq!(row[2].trim_end_matches('.'), lost, "{}", hook.name);
        }
    }
}

#[test]
fn every_setting_is_documented_with_its_variable_and_default() {
    let page = page("docs/configuration.md");
    let table = rows(&page);
    assert_eq!(table.iter().map(|row| row[0].trim_matches('`')).collect::<Vec<_>>(), Config::KEYS);
    let sample = config::sample();
    for row in table {
        let key = row[0].trim_matches('`');
        assert_eq!(row[2], format!("`{}`", config::variable(key)));
        // A default that is a value is written as in the sample file; others are told in words.
        let value = sample.lines().find_map(|line| line.strip_prefix(&format!("{key} = ")));
        match value.map(|value| value.trim_matches('"')).filter(|value| *value != "[]") {
            Some(value) => assert_eq!(row[3], format!("`{value}`"), "{key}"),
            None => assert!(!row[3].contains('`') && !row[3].is_empty(), "{key}: {}", row[3]),
        }
    }
}

#[test]
fn every_flag_of_the_configuration_page_is_one_of_trace() {
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_connprobe"))
        .args(["trace", "--help"])
        .output()
        .expect("it starts");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for row in rows(&page("docs/configuration.md")) {
        for flag in row[1].split('`').filter(|part| part.starts_with('-')) {
            let is_known = help.split([' ', ',', '.', '\n']).any(|word| word == flag);
            assert!(is_known, "there is no {flag}");
        }
    }
}

#[test]
fn every_field_and_kind_of_a_report_is_documented() {
    let night = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/report/night.jsonl");
    let report = std::process::Command::new(env!("CARGO_BIN_EXE_connprobe"))
        .args(["report", "-o", "json", night])
        .output()
        .expect("it starts");
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).expect("JSON");
    let page = page("docs/report.md");
    let table = rows(section(&page, "JSON"));
    let named: Vec<&str> = table.iter().flat_map(|row| row[0].split('`').skip(1).step_by(2)).collect();
    for field in report.as_object().expect("an object").keys() {
        assert!(named.contains(&field.as_str()), "{field}");
    }
    for finding in report["findings"].as_array().expect("a list") {
        let kind = finding["kind"].as_str().expect("a word");
        assert!(named.contains(&kind), "{kind}");
    }
    for part in ["gaps", "totals"] {
        let row = table.iter().find(|row| row[0].contains(part)).expect("the field is there");
        for field in report[part].as_object().expect("an object").keys() {
            assert!(row[1].contains(&format!("`{field}`")), "{part}: {field}");
        }
    }
}

#[test]
fn the_readme_has_the_exit_codes_and_capabilities() {
    let page = page("../README.md");
    for code in Code::ALL {
        // What is in parentheses points to a command; the README says that above its table.
        let meaning = code.meaning().split(" (").next().unwrap_or_default();
        assert!(page.contains(&format!("| {} | {meaning} |", code.code())), "{meaning}");
    }
    for (capability, _) in privilege::NEEDED.iter().chain(privilege::WANTED) {
        assert!(page.contains(&format!("`{capability}`")), "{capability}");
    }
}

#[test]
fn every_map_is_documented_with_its_size() {
    let page = page("docs/bounded.md");
    let table: Vec<_> =
        section(&page, "In the kernel").lines().filter(|line| line.starts_with("| `")).collect();
    let maps = self::page("../probe-ebpf/src/maps.rs");
    let maps: Vec<_> =
        maps.split("pub static ").skip(1).map(|rest| rest.split(';').next().unwrap_or(rest)).collect();
    assert_eq!(maps.len(), table.len());
    for map in maps {
        let (name, definition) = map.split_once(':').expect("a type");
        let row = table.iter().find(|row| row.starts_with(&format!("| `{name}`"))).expect(name);
        if let Some((_, entries)) = definition.split_once("with_max_entries(16_384") {
            assert!(row.contains("16,384"), "{row}: {entries}");
        }
        assert_eq!(definition.contains("LruHashMap"), row.contains("least recently used"), "{row}");
    }
}
