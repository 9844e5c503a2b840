//! `connprobe report` as a user meets it: what it takes, what it prints, what it refuses.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use probe::capture::Writer;
use probe::decode::event::BootNs;
use probe::pipeline::{Header, Input, frames};
use probe::record::LostWhere;

use crate::{connprobe, run};

/// Four hours of a host with every kind of trouble, as JSON lines.
const NIGHT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/report/night.jsonl");

/// stdout of a report that works and says nothing else.
fn report(args: &[&str]) -> String {
    let (code, stdout, stderr) = run(&[&["report"], args].concat());
    assert_eq!((code, stderr.as_str()), (0, ""), "{args:?}");
    stdout
}

fn json(args: &[&str]) -> serde_json::Value {
    serde_json::from_str(&report(&[&["-o", "json"], args].concat())).expect("JSON")
}

#[test]
fn every_form_tells_of_the_outage() {
    let outage = "lost 10.0.0.5:5432 at 23:02:03.1 by a reset from the peer";
    assert!(report(&[NIGHT]).replace("\n    ", " ").contains(outage));
    assert!(report(&[NIGHT, "--output", "html"]).contains(outage));
    assert!(report(&[NIGHT, "--output", "json"]).contains(outage));
}

#[test]
fn stdin_is_read_through_a_pipe_and_from_a_file() {
    let lines = std::fs::read(NIGHT).expect("it is there");
    let piped = connprobe(&["report", "-", "-o", "json"]).write_stdin(lines).output().expect("it starts");
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("connprobe"));
    let file = std::fs::File::open(NIGHT).expect("it is there");
    let command = command.args(["report", "-", "-o", "json", "--since", "1h"]).env("TZ", "UTC");
    let redirected = command.stdin(file).output().expect("it starts");
    assert_eq!((piped.status.code(), redirected.status.code()), (Some(0), Some(0)));
    assert_eq!(String::from_utf8_lossy(&piped.stdout), report(&[NIGHT, "-o", "json"]));
    assert!(String::from_utf8_lossy(&redirected.stdout).contains("\"from\": \"2026-11-25T01:"));
}

#[test]
fn filters_are_those_of_trace() {
    let curl = json(&[NIGHT, "--comm", "curl"]);
    assert_eq!((&curl["totals"]["failed"], &curl["totals"]["outages"]), (&4.into(), &0.into()));
    let postgres = json(&[NIGHT, "--remote-port", "5432"]);
    assert_eq!((&postgres["totals"]["failed"], &postgres["totals"]["outages"]), (&13.into(), &1.into()));
}

#[test]
fn failures_only_still_know_how_outages_ended() {
    let whole = json(&[NIGHT]);
    let failures = json(&[NIGHT, "--failures"]);
    assert_eq!(failures["outages"]["total"], whole["outages"]["total"]);
    assert_eq!(failures["totals"]["outages_going_on"], 1);
    assert_eq!(failures["totals"]["established"], 0);
}

#[test]
fn without_the_events_that_end_outages_nothing_is_made_up() {
    let document = json(&[NIGHT, "--events", "failed,outage"]);
    assert_eq!(document["gaps"]["without_recoveries"], true);
    assert_eq!(document["totals"]["outages_going_on"], 0);
}

#[test]
fn since_and_until_cut_the_period() {
    let document = json(&[NIGHT, "--since", "2026-11-24T23:02:00Z", "--until", "2026-11-24T23:02:10Z"]);
    assert_eq!(document["outages"]["rows"][0]["end"], "goes_on");
    assert_eq!(document["totals"]["abnormal"], 1);
    let last = json(&[NIGHT, "--since", "90m"]);
    assert!(last["period"]["from"].as_str().expect("a time") >= "2026-11-25T00:30:00");
}

#[test]
fn top_is_the_number_of_rows() {
    let document = json(&[NIGHT, "--top", "1"]);
    let peers = &document["failing_peers"];
    assert_eq!(peers["rows"].as_array().map(Vec::len), Some(1));
    assert_eq!(peers["rows"][0]["count"].as_u64().unwrap_or(0) + peers["others"].as_u64().unwrap_or(0), 53);
}

#[test]
fn a_bad_line_is_told_in_the_report_and_on_stderr() {
    let lines = std::fs::read_to_string(NIGHT).expect("it is there").replacen('\n', "\nnonsense\n", 1);
    let output = connprobe(&["report", "-"]).write_stdin(lines).output().expect("it starts");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout.contains("1 line is no record and was left out, the first is line 2"), "{stdout}");
    assert!(stderr.contains("line 2 is no record"), "{stderr}");
}

#[test]
fn exactly_one_input_is_asked_for() {
    for args in [&["report"] as &[&str], &["report", NIGHT, "--live", "5s"]] {
        let (code, _, stderr) = run(args);
        assert_eq!(code, 2);
        assert!(
            stderr.contains("Usage: connprobe report") && stderr.contains("<FILE|--live <TIME>>"),
            "{stderr}"
        );
    }
}

#[test]
fn what_cannot_be_used_is_told_with_what_to_write() {
    let dir = tempfile::tempdir().expect("a directory");
    let other = dir.path().join("other");
    std::fs::write(&other, "not a record\n").expect("a file");
    let other = other.to_string_lossy();
    let cases: [(&[&str], i32, &str); 6] = [
        (&["/no/such.cpr"], 6, "connprobe trace --record FILE"),
        (&[&other], 6, "has no record in it (line 1"),
        (&[NIGHT, "--since", "yesterday"], 2, "22:00 or 10m"),
        (&[NIGHT, "--top", "0"], 2, "1..=1000"),
        (&[NIGHT, "--output-file", NIGHT], 5, "the file it is made from"),
        (&[NIGHT, "--output-file", "/no/such/report"], 5, "choose a file in a directory you may write to"),
    ];
    for (args, expected, what) in cases {
        let (code, stdout, stderr) = run(&[&["report"], args].concat());
        assert_eq!((code, stdout.as_str()), (expected, ""), "{args:?}: {stderr}");
        assert!(stderr.contains(what), "{args:?}: {stderr}");
    }
}

/// A record file of a run in which something was lost, and that was killed before its end if asked for.
fn record_file(path: &Path, whole: bool) {
    let mut file = Writer::create(path).expect("it can be created");
    let header = Header { host: "lab".to_owned(), ..Header::default() };
    frames::begin(&mut file, &header).expect("it can be written");
    let inputs = [Input::Ready(BootNs(1)), Input::Lost(BootNs(2), LostWhere::Ring, 312)];
    for input in inputs {
        frames::append(&mut file, &input).expect("it can be written");
    }
    if whole {
        frames::append(&mut file, &Input::Stop(BootNs(5_000_000_000))).expect("it can be written");
        file.finish().expect("it can be finished");
    } else {
        file.flush().expect("it can be flushed");
    }
}

#[test]
fn a_record_file_is_read_as_replay_reads_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("night.cpr");
    record_file(&path, true);
    let text = report(&[&path.to_string_lossy()]);
    assert!(text.contains("report of lab") && text.contains("312 events were lost"), "{text}");
    let document = json(&[&path.to_string_lossy(), "--since", "1s"]);
    assert_eq!(document["totals"]["records"], 1, "only the end is within the last second");
}

#[test]
fn a_record_file_that_is_cut_short_gives_its_report_and_an_error() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("night.cpr");
    record_file(&path, false);
    let (code, stdout, stderr) = run(&["report", &path.to_string_lossy()]);
    assert_eq!(code, 6, "{stderr}");
    assert!(stdout.contains("the input ended early") && stdout.contains("312 events were lost"), "{stdout}");
    assert!(stderr.contains("cut short"), "{stderr}");
}

#[test]
fn a_record_file_through_a_pipe_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("night.cpr");
    record_file(&path, true);
    let bytes = std::fs::read(&path).expect("it is there");
    let output = connprobe(&["report", "-"]).write_stdin(bytes).output().expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains("write its name"), "{stderr}");
}

#[test]
fn the_end_of_a_pipe_is_not_known() {
    let output = connprobe(&["report", "-", "--since", "10m"]).write_stdin("").output().expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains("write a date with its time, or give a file"), "{stderr}");
}

#[test]
fn settings_of_trace_do_not_change_a_report() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("log");
    let mut command = connprobe(&["report", NIGHT]);
    command.env("CONNPROBE_OUTPUT_FILE", &log).env("CONNPROBE_COUNT", "3").env("CONNPROBE_OUTPUT", "csv");
    let output = command.output().expect("it starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout), report(&[NIGHT]));
    assert!(!log.exists());
}

#[test]
fn a_report_goes_to_a_file_and_replaces_what_was_there() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("report.html");
    std::fs::write(&path, "x".repeat(1 << 20)).expect("a file");
    assert_eq!(report(&[NIGHT, "-o", "html", "--output-file", &path.to_string_lossy()]), "");
    let page = std::fs::read_to_string(&path).expect("it is there");
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("connprobe"));
    let command = command.args(["report", NIGHT]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    // Children of other tests hold a copy of it until their exec.
    while writer.write_all(b"x").is_ok() {
        std::thread::yield_now();
    }
    let child = command.stdout(writer).spawn().expect("it starts");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), [0_u8; 0].as_slice()));
}
