//! What goes to stdout, and where it cannot.

use std::fs::OpenOptions;
use std::process::Stdio;

use crate::{connprobe, run};

#[test]
fn the_schema_is_json() {
    let (code, stdout, _) = run(&["schema"]);
    let schema: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!((code, &schema["title"]), (0, &"connprobe record".into()));
}

#[test]
fn the_config_says_where_values_come_from() {
    let dir = tempfile::tempdir().expect("a directory");
    let home = dir.path().join("connprobe");
    std::fs::create_dir(&home).expect("a directory");
    std::fs::write(home.join("config.toml"), "port = [80, 443]\n").expect("a file");
    let mut command = connprobe(&["config", "--no-color"]);
    let output =
        command.env("XDG_CONFIG_HOME", dir.path()).env("CONNPROBE_HOLD_MS", "7").output().expect("it starts");
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    let line = |key: &str| stdout.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_owned();
    assert!(
        line("port").contains("\"80,443\"") && line("port").ends_with("connprobe/config.toml"),
        "{stdout}"
    );
    assert!(
        line("hold_ms").starts_with("hold_ms = 7 ") && line("hold_ms").ends_with("from CONNPROBE_HOLD_MS")
    );
    assert!(line("color").contains("never") && line("color").ends_with("from --no-color"));
    assert!(line("count").is_empty() && stdout.contains("# count is not set"));
}

#[test]
fn the_sample_is_a_config_file() {
    let (_, sample, _) = run(&["config", "--sample"]);
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("sample.toml");
    std::fs::write(&path, &sample).expect("a file");
    let (code, _, stderr) = run(&["config", "--config", &path.to_string_lossy()]);
    assert_eq!((code, stderr.as_str()), (0, ""));
}

#[test]
fn a_closed_pipe_is_quiet() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("connprobe"));
    let output = command.arg("schema").stdout(writer).stderr(Stdio::piped()).output().expect("it starts");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), [0_u8; 0].as_slice()));
}

#[test]
fn a_full_disk_is_an_error() {
    let full = OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("connprobe"));
    let output = command.arg("schema").stdout(full).stderr(Stdio::piped()).output().expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{stderr}");
    assert!(stderr.contains("No space left"), "{stderr}");
}
