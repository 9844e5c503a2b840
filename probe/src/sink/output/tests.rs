use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::*;
use crate::sink::samples::{all, sample};

fn open(path: &std::path::Path, output: FormatName, policy: Policy) -> Result<Output, Error> {
    let config = Config { output, output_file: Some(path.to_owned()), ..Config::default() };
    Output::open(&config, policy)
}

#[test]
fn a_new_file_has_all_lines_and_is_not_for_everybody() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.csv");
    for _ in 0..2 {
        let mut output = open(&path, FormatName::Csv, Policy::Drop).unwrap();
        all().iter().for_each(|record| output.send(record));
        output.flush_batch();
        assert_eq!((output.dropped(), output.status()), (0, Status::Open));
        output.finish(None).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 2 * all().len() + 1, "appended, with one header");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o137, 0);
}

#[test]
fn a_line_cut_by_a_crash_is_not_joined() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.json");
    std::fs::write(&path, "{\"v\":1}\n{\"v\":").unwrap();
    for _ in 0..2 {
        let mut output = open(&path, FormatName::Json, Policy::Drop).unwrap();
        output.send(&sample(EventName::Closed));
        output.finish(None).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let whole = text.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()).count();
    assert_eq!((whole, text.lines().count()), (3, 4), "{text}");
}

#[test]
fn an_unwritable_file_fails_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let error = open(&dir.path().join("no/such/file"), FormatName::Json, Policy::Drop).err().unwrap();
    assert!(matches!(error, Error::Open { .. }));
    assert!(error.to_string().contains("no/such/file"), "{error}");
}

#[test]
fn a_full_disk_is_an_error_that_names_the_file() {
    let mut output = open("/dev/full".as_ref(), FormatName::Json, Policy::Drop).unwrap();
    output.send(&sample(EventName::Failed));
    let error = output.finish(None).unwrap_err().to_string();
    assert!(error.contains("`/dev/full`") && error.contains("free some space"), "{error}");
}

#[test]
fn reopening_goes_on_in_a_new_file() {
    let dir = tempfile::tempdir().unwrap();
    let (path, rotated) = (dir.path().join("out.csv"), dir.path().join("out.csv.1"));
    let mut output = open(&path, FormatName::Csv, Policy::Block).unwrap();
    output.send(&sample(EventName::Connect));
    output.flush_batch();
    std::fs::rename(&path, &rotated).unwrap();
    output.send(&sample(EventName::Failed));
    output.reopen();
    output.send(&sample(EventName::Closed));
    output.finish(None).unwrap();
    let (old, new) = (std::fs::read_to_string(rotated).unwrap(), std::fs::read_to_string(path).unwrap());
    assert_eq!(old.lines().count(), 3, "{old}");
    assert_eq!(new.lines().count(), 2, "{new}");
    assert!(new.starts_with("v,ts,event") && new.contains(",closed,"), "{new}");
}

#[test]
fn a_failed_reopen_keeps_the_old_file() {
    let dir = tempfile::tempdir().unwrap();
    let (gone, kept) = (dir.path().join("gone"), dir.path().join("kept"));
    std::fs::create_dir(&gone).unwrap();
    let mut output = open(&gone.join("out"), FormatName::Json, Policy::Block).unwrap();
    std::fs::rename(&gone, &kept).unwrap();
    output.reopen();
    output.send(&sample(EventName::Closed));
    output.finish(None).unwrap();
    assert_eq!(std::fs::read_to_string(kept.join("out")).unwrap().lines().count(), 1);
}

/// An output into a pipe, and the pipe's other end.
fn piped(policy: Policy, cap: u64) -> (Output, std::io::PipeReader) {
    let (reader, writer) = std::io::pipe().unwrap();
    let target = Target::new(File::from(std::os::fd::OwnedFd::from(writer)), None);
    (Output::start(target, Box::new(Json), policy, cap).unwrap(), reader)
}

#[test]
fn a_closed_pipe_is_quiet() {
    let (mut output, reader) = piped(Policy::Drop, 1 << 20);
    drop(reader);
    output.send(&sample(EventName::Closed));
    output.flush_batch();
    let patience = Instant::now() + Duration::from_secs(10);
    while output.status() == Status::Open && Instant::now() < patience {
        std::thread::yield_now();
    }
    assert_eq!(output.status(), Status::Closed);
    output.send(&sample(EventName::Closed));
    assert_eq!(output.dropped(), 0, "nobody misses them");
    output.finish(None).unwrap();
}

#[test]
fn a_closed_pipe_is_noticed_without_a_record() {
    let (output, reader) = piped(Policy::Drop, 1 << 20);
    drop(reader);
    let patience = Instant::now() + Duration::from_secs(10);
    while output.status() == Status::Open && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(output.status(), Status::Closed);
}

/// Sends until long after a queue of 256 KiB and a pipe are full.
const MANY: u64 = 5_000;

#[test]
fn live_drops_and_counts_exactly() {
    let (mut output, mut reader) = piped(Policy::Drop, 256 << 10);
    for _ in 0..MANY {
        output.send(&sample(EventName::Closed));
        output.flush_batch();
    }
    output.send(&sample(EventName::Lost));
    let dropped = output.dropped();
    assert!(dropped > 0);
    assert_eq!(output.dropped(), 0, "counted once");
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    output.finish(None).unwrap();
    let text = reading.join().unwrap();
    assert_eq!(text.lines().count() as u64, MANY + 1 - dropped);
    assert!(text.lines().all(|line| line.ends_with('}')));
    assert!(text.ends_with("\"where\":\"ring\"}\n"), "the loss itself is not lost");
}

#[test]
fn replay_waits_and_loses_nothing() {
    let (mut output, mut reader) = piped(Policy::Block, 64 << 10);
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    for _ in 0..MANY {
        output.send(&sample(EventName::Closed));
    }
    assert_eq!(output.dropped(), 0);
    output.finish(None).unwrap();
    assert_eq!(reading.join().unwrap().lines().count() as u64, MANY);
}

#[test]
fn a_reader_that_never_reads_is_given_up() {
    let (mut output, _reader) = piped(Policy::Drop, 256 << 10);
    for _ in 0..MANY {
        output.send(&sample(EventName::Closed));
    }
    let error = output.finish(Some(Duration::from_millis(20))).unwrap_err();
    assert!(matches!(error, Error::Stalled { bytes: 1.., .. }), "{error}");
}

/// Where the child process of `a_failed_write_leaves_whole_lines` writes to.
const CHILD: &str = "CONNPROBE_TEST_LIMITED_FILE";

#[test]
fn limited_child() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let mut output = open(path.as_ref(), FormatName::Json, Policy::Block).unwrap();
    for _ in 0..1_000 {
        output.send(&sample(EventName::Closed));
    }
    let error = output.finish(None).unwrap_err();
    assert!(error.to_string().contains("ulimit -f"), "{error}");
    // Not println: the harness would keep it to itself.
    writeln!(std::io::stderr(), "limited as expected").unwrap();
}

#[test]
fn a_failed_write_leaves_whole_lines() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.json");
    let child = Command::new("bash")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 100; exec \"$0\" --exact sink::output::tests::limited_child --nocapture",
        ])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, &path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && stderr.contains("limited as expected"), "{stderr}");
    let text = std::fs::read_to_string(&path).unwrap();
    let limit = 100 << 10;
    assert!(text.len() < limit && text.len() > limit - 2_000 && text.ends_with("}\n"), "{}", text.len());
    assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

#[test]
fn colour_follows_the_choice_then_the_environment_then_the_terminal() {
    use ColorChoice::{Always, Auto, Never};
    type Env = &'static [(&'static str, &'static str)];
    let cases: [(ColorChoice, bool, Env, bool); 9] = [
        (Auto, true, &[], true),
        (Auto, false, &[], false),
        (Auto, true, &[("NO_COLOR", "1")], false),
        (Auto, true, &[("NO_COLOR", "")], true),
        (Auto, false, &[("CLICOLOR_FORCE", "1")], true),
        (Auto, false, &[("CLICOLOR_FORCE", "0")], false),
        (Auto, true, &[("TERM", "dumb")], false),
        (Always, false, &[("NO_COLOR", "1")], true),
        (Never, true, &[("CLICOLOR_FORCE", "1")], false),
    ];
    for (choice, terminal, env, expected) in cases {
        let get = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        assert_eq!(color(choice, terminal, get), expected, "{choice} {terminal} {env:?}");
    }
}
