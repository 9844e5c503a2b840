//! `connprobe explain`: the texts are in the program, what is printed of them is kept here.

use serde_json::Value;

use crate::{connprobe, run};

fn stdout(args: &[&str]) -> String {
    let (code, stdout, stderr) = run(args);
    assert_eq!((code, stderr.as_str()), (0, ""), "{args:?}");
    stdout
}

#[test]
fn a_cause() {
    insta::assert_snapshot!(stdout(&["explain", "abandoned"]));
}

#[test]
fn an_errno() {
    let text = stdout(&["explain", "ECONNREFUSED"]);
    for same in ["econnrefused", "EConnRefused", "111", "-111"] {
        assert_eq!(stdout(&["explain", same]), text, "{same}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn an_errno_that_tcp_does_not_give() {
    insta::assert_snapshot!(stdout(&["explain", "18"]));
}

#[test]
fn a_reset_reason() {
    let text = stdout(&["explain", "tcp_abort_on_close"]);
    for same in ["SK_RST_REASON_TCP_ABORT_ON_CLOSE", "TCP_ABORT_ON_CLOSE", "tcp-abort-on-close"] {
        assert_eq!(stdout(&["explain", same]), text, "{same}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_word_of_two_kinds() {
    insta::assert_snapshot!(stdout(&["explain", "snapshot"]));
}

#[test]
fn the_list() {
    insta::assert_snapshot!(stdout(&["explain"]));
}

#[test]
fn json_has_an_object_for_each_term() {
    let text = stdout(&["explain", "--output", "json", "EPIPE", "tcp_state"]);
    let objects: Vec<Value> = text.lines().map(|line| line.parse().expect("JSON")).collect();
    assert_eq!(objects.len(), 2);
    assert_eq!((&objects[0]["kind"], &objects[0]["number"]), (&"errno".into(), &32.into()));
    assert_eq!((&objects[1]["name"], objects[1].get("number")), (&"tcp_state".into(), None));
    assert!(
        objects[0]["next"][0]["command"].as_str().is_some_and(|text| text.starts_with("connprobe trace"))
    );
    let keys = r#"{"kind":"errno","name":"EPIPE","number":32,"summary":"#;
    assert!(text.starts_with(keys), "{text}");
    assert!(stdout(&["explain", "-o", "json"]).lines().count() > 100);
}

#[test]
fn unknown_terms_get_the_nearest_one_and_nothing_is_printed() {
    let errors = [&["explain", "ECONREFUSED"][..], &["explain", "refused", "qqqq"], &["explain", "99999"]];
    let texts = errors.map(|args| {
        let (code, stdout, stderr) = run(args);
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}");
        stderr
    });
    insta::assert_snapshot!(texts.concat());
}

#[test]
fn colours_only_where_they_are_wanted() {
    let colored = |name: &str, value: &str, flag: &[&str]| {
        let mut command = connprobe(&["explain", "refused"]);
        let output =
            command.args(flag).env("CLICOLOR_FORCE", "1").env(name, value).output().expect("it starts");
        output.stdout.contains(&0x1b)
    };
    assert!(colored("TERM", "xterm", &[]));
    assert!(!colored("NO_COLOR", "1", &[]));
    assert!(!colored("TERM", "xterm", &["--no-color"]));
    assert!(!stdout(&["explain", "refused"]).contains('\u{1b}'));
}
