//! The program as a user meets it: one binary of tests, a file for each concern.

mod errors;
mod explain;
mod help;
mod output;
mod report;

use assert_cmd::Command;

/// `connprobe` with a clean environment: no config file, no colours, 100 columns, UTC.
fn connprobe(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("connprobe").expect("cargo builds it for the tests");
    command.env_clear().env("HOME", "/nonexistent").env("COLUMNS", "100").env("TZ", "UTC").args(args);
    command
}

/// Exit code, stdout and stderr.
fn run(args: &[&str]) -> (i32, String, String) {
    let output = connprobe(args).output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("it prints UTF-8");
    (output.status.code().expect("it exits"), text(output.stdout), text(output.stderr))
}
