//! Bad input: a clear message on stderr, nothing on stdout, the documented exit code.

use crate::{connprobe, run};

fn error(args: &[&str], expected: i32) -> String {
    let (code, stdout, stderr) = run(args);
    assert_eq!((code, stdout.as_str()), (expected, ""), "{args:?}: {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    stderr
}

#[test]
fn typos_get_suggestions() {
    assert!(error(&["trace", "--failure"], 2).contains("'--failures'"));
    assert!(error(&["trcae"], 2).contains("'trace'"));
    assert!(error(&["trace", "--output", "jsn"], 2).contains("'json'"));
}

#[test]
fn bad_values_name_the_flag_and_the_form() {
    insta::assert_snapshot!(
        [
            error(&["trace", "--addr", "10.0.0.0/33"], 2),
            error(&["trace", "--port", "http"], 2),
            error(&["trace", "--events", "closd"], 2),
            error(&["trace", "--duration", "soon"], 2),
            error(&["trace", "--count", "0"], 2),
            error(&["trace", "--buffer", "big"], 2),
            error(&["trace", "--role", "waiter"], 2),
            error(&["replay"], 2),
        ]
        .concat()
    );
}

#[test]
fn a_bad_config_key_is_told_with_file_line_and_key() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("c.toml");
    std::fs::write(&path, "output = 'json'\n\nprot = 80\n").expect("a file");
    let stderr = error(&["trace", "--config", &path.to_string_lossy()], 2);
    assert!(stderr.contains("c.toml`, line 3, key `prot`: unknown field `prot`"), "{stderr}");
}

#[test]
fn a_missing_config_file_is_an_error_only_when_asked_for() {
    assert!(error(&["config", "--config", "/no/such.toml"], 2).contains("/no/such.toml"));
    assert_eq!(run(&["config"]).0, 0);
}

#[test]
fn a_bad_variable_is_named() {
    let output = connprobe(&["trace"]).env("CONNPROBE_PORT", "http").output().expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains("CONNPROBE_PORT: bad port `http`"), "{stderr}");
}

#[test]
fn what_stands_in_a_file_does_not_command_the_terminal() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("records");
    let line = r#"{"v":1,"ts":"2026-11-24T22:00:00.000000000Z","event":"\u001b]0;title\u0007red","seq":1}"#;
    std::fs::write(&path, line).expect("a file");
    let stderr = error(&["report", &path.to_string_lossy()], 6);
    assert!(
        stderr.contains("title") && !stderr.contains('\u{1b}') && !stderr.contains('\u{7}'),
        "{stderr:?}"
    );
}
