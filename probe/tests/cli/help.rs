//! Help, manual pages and completions: what is printed is a contract, so all of it is kept as snapshots.

use crate::run;

const COMMANDS: [&str; 10] =
    ["trace", "replay", "report", "ls", "explain", "doctor", "config", "schema", "completions", "man"];

fn stdout(args: &[&str]) -> String {
    let (code, stdout, stderr) = run(args);
    assert_eq!((code, stderr.as_str()), (0, ""), "{args:?}");
    stdout
}

#[test]
fn help_of_the_program() {
    insta::assert_snapshot!(stdout(&["--help"]));
}

#[test]
fn help_of_every_command() {
    // `ls` has its own tests.
    for command in COMMANDS.into_iter().filter(|command| *command != "ls") {
        insta::assert_snapshot!(format!("help_{command}"), stdout(&[command, "--help"]));
    }
}

#[test]
fn every_command_is_known() {
    let help = stdout(&["--help"]);
    for command in COMMANDS {
        assert!(help.contains(&format!("\n  {command} ")), "{command}");
        assert!(stdout(&[command, "-h"]).contains("Usage: connprobe"), "{command}");
    }
}

#[test]
fn manual_page_has_all_commands_and_exit_codes() {
    let page = stdout(&["man"]);
    for command in COMMANDS {
        assert!(page.contains(&format!(".SH \"CONNPROBE {}\"", command.to_uppercase())), "{command}");
    }
    assert!(page.contains("Exit codes"));
    // `ls` has its own tests.
    let (before, rest) = page.split_once(".SH \"CONNPROBE LS\"").expect("ls is there");
    let after = rest.find(".SH \"CONNPROBE EXPLAIN\"").expect("explain comes after ls");
    insta::assert_snapshot!(format!("{before}{}", &rest[after..]));
}

#[test]
fn manual_page_of_a_command() {
    insta::assert_snapshot!(stdout(&["man", "replay"]));
    let (code, _, stderr) = run(&["man", "dance"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("dance"), "{stderr}");
}

#[test]
fn completions_know_flags_and_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&["completions", shell]);
        assert!(script.contains("output-file") && script.contains("doctor"), "{shell}");
        // Terms of `explain` are offered, although it takes other words, too; not by fish, which has no values of
        // arguments without a flag.
        assert!(script.contains("ECONNREFUSED") || shell == "fish", "{shell}");
    }
}

#[test]
fn version() {
    assert_eq!(stdout(&["--version"]), format!("connprobe {}\n", env!("CARGO_PKG_VERSION")));
}
