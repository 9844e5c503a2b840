use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::Parser as _;

use super::*;
use crate::cli::Cli;
use crate::kernel::btf::{Btf, KERNEL_BTF};
use crate::kernel::offsets;

fn none() -> Vec<String> {
    Vec::new()
}

fn names(word: &str) -> Vec<(Kind, String)> {
    find(word).into_iter().map(|entry| (entry.kind, entry.name.into_owned())).collect()
}

/// A command as a reader would type it, with his own words in place of those in capitals.
fn filled(command: &str) -> String {
    let words =
        [("ADDRESS", "192.0.2.1"), ("PORT", "5432"), ("PID", "1234"), ("NAME", "nginx"), ("UNIT", "ssh")];
    words.iter().fold(command.to_owned(), |text, (word, value)| text.replace(word, value))
}

/// Commands that begin with a program, split at spaces.
fn commands(program: &str) -> Vec<(String, Vec<String>)> {
    let all =
        all().flat_map(|entry| entry.next.iter().map(move |(command, _)| (entry.name.clone(), *command)));
    let split = all.map(|(name, command)| {
        (name.into_owned(), filled(command).split(' ').map(str::to_owned).collect::<Vec<_>>())
    });
    split.filter(|(_, words)| words[0] == program).collect()
}

#[test]
fn every_text_is_complete() {
    for entry in all() {
        let name = &entry.name;
        assert!(!entry.summary.is_empty() && !entry.summary.ends_with('.'), "{name}");
        assert!(entry.summary.len() <= 90, "{name}: {}", entry.summary);
        assert!(
            !entry.meaning.is_empty() && entry.meaning.iter().all(|text| text.ends_with(['.', '`'])),
            "{name}"
        );
        assert!(!entry.reasons.is_empty() && entry.reasons.iter().all(|text| !text.ends_with('.')), "{name}");
        assert!(!entry.next.is_empty() && !entry.see_also.is_empty(), "{name}");
        let texts = entry.meaning.iter().map(|text| &**text).chain(entry.reasons.iter().copied());
        for text in texts.chain(entry.next.iter().flat_map(|(command, shows)| [*command, *shows])) {
            assert!(text.is_ascii() && !text.contains("  "), "{name}: {text}");
        }
    }
}

#[test]
fn every_errno_of_the_rules_has_a_text() {
    use crate::conn::cause::errno::*;
    let rules = [
        EPERM,
        EACCES,
        EINVAL,
        EPIPE,
        EAFNOSUPPORT,
        EADDRINUSE,
        EADDRNOTAVAIL,
        ENETDOWN,
        ENETUNREACH,
        ECONNABORTED,
        ECONNRESET,
        ETIMEDOUT,
        ECONNREFUSED,
        EHOSTDOWN,
        EHOSTUNREACH,
    ];
    for number in rules {
        let found = find(&number.to_string());
        assert!(
            matches!(&found[..], [entry] if entry.next.len() > 1 && entry.number == Some(number)),
            "{number}"
        );
    }
}

#[test]
fn every_errno_is_explained_by_name_and_number() {
    for (number, name) in errno::all() {
        for word in [name.to_owned(), name.to_lowercase(), number.to_string(), format!("-{number}")] {
            assert_eq!(names(&word), [(Kind::Errno, name.to_owned())], "{word}");
        }
    }
    assert_eq!(names("EWOULDBLOCK"), [(Kind::Errno, "EAGAIN".to_owned())]);
    assert!(names("0").is_empty() && names("4711").is_empty() && names("99999").is_empty());
    let plain = &find("EXDEV")[0];
    assert_eq!(plain.number, Some(18));
    assert!(plain.meaning[0].contains("TCP does not usually"), "{plain:?}");
}

#[test]
fn tables_name_each_term_once() {
    let mut seen = BTreeSet::new();
    for entry in all() {
        assert!(seen.insert((entry.kind.name(), entry.name.clone())), "{} twice", entry.name);
        assert!(entry.kind != Kind::Errno || entry.number.is_some(), "{} has no number", entry.name);
    }
}

#[test]
fn every_related_term_exists_and_is_another() {
    for entry in all() {
        for related in entry.see_also {
            assert!(!find(related).is_empty(), "{}: {related}", entry.name);
            assert_ne!(*related, entry.name);
        }
    }
}

#[test]
fn every_term_in_backquotes_that_looks_like_a_cause_or_reason_exists() {
    let known: BTreeSet<_> = all().map(|entry| entry.name).collect();
    for entry in all() {
        for text in &entry.meaning {
            for word in text.split('`').skip(1).step_by(2).filter(|word| word.starts_with("tcp_")) {
                assert!(known.contains(word), "{}: {word}", entry.name);
            }
        }
    }
}

#[test]
fn every_command_of_connprobe_is_one() {
    let found = commands("connprobe");
    assert!(found.len() > 50);
    for (name, words) in found {
        let parsed = Cli::try_parse_from(&words);
        assert!(parsed.is_ok(), "{name}: {words:?}: {:?}", parsed.err().map(|error| error.to_string()));
    }
}

#[test]
fn every_program_is_one_that_is_meant() {
    const PROGRAMS: [&str; 22] = [
        "ausearch",
        "bpftool",
        "cat",
        "connprobe",
        "coredumpctl",
        "getent",
        "getpcaps",
        "grep",
        "ip",
        "iptables",
        "journalctl",
        "ls",
        "nft",
        "nsenter",
        "nstat",
        "prlimit",
        "ss",
        "strace",
        "sysctl",
        "systemctl",
        "tcpdump",
        "tracepath",
    ];
    for entry in all() {
        for (command, _) in entry.next {
            let program = command.split(' ').next().unwrap();
            assert!(PROGRAMS.contains(&program) || *command == "uname -r", "{}: {command}", entry.name);
        }
    }
}

/// Settings and counters came over the years, and a network namespace of its own lacks some: the texts are checked
/// against the host's own namespace of a kernel that has all reset reasons.
fn is_no_measure(test: &str) -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut parts = release.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    let is_old = (parts.next(), parts.next()) < (Some(6), Some(12));
    let is_inside = !Path::new("/proc/sys/net/core/netdev_budget").exists();
    if is_old || is_inside {
        eprintln!("SKIP {test}: kernel before 6.12 or a network namespace of its own");
    }
    is_old || is_inside
}

#[test]
fn every_setting_exists_on_this_kernel() {
    if is_no_measure("every_setting_exists_on_this_kernel") {
        return;
    }
    for (name, words) in commands("sysctl") {
        for setting in &words[1..] {
            // Multipath TCP may not be built in.
            let path = Path::new("/proc/sys").join(setting.replace('.', "/"));
            let may_lack = setting.starts_with("net.mptcp.") && !Path::new("/proc/sys/net/mptcp").exists();
            assert!(path.exists() || may_lack, "{name}: {setting}");
        }
    }
}

#[test]
fn every_counter_exists_on_this_kernel() {
    if is_no_measure("every_counter_exists_on_this_kernel") {
        return;
    }
    let files = ["/proc/net/netstat", "/proc/net/snmp"].map(|path| fs::read_to_string(path).unwrap());
    let lines = files.iter().flat_map(|file| file.lines().step_by(2));
    let counters: BTreeSet<String> = lines
        .filter_map(|line| line.split_once(": "))
        .flat_map(|(group, names)| names.split(' ').map(move |name| format!("{group}{name}")))
        .collect();
    let has_mptcp = counters.iter().any(|counter| counter.starts_with("MPTcpExt"));
    for (name, words) in commands("nstat") {
        for counter in &words[2..] {
            let may_lack = counter.starts_with("MPTcpExt") && !has_mptcp;
            assert!(counters.contains(counter) || may_lack, "{name}: {counter}");
        }
    }
}

#[test]
fn every_reason_of_this_kernel_has_a_text() {
    let path = Path::new(KERNEL_BTF);
    if !path.exists() {
        eprintln!("SKIP every_reason_of_this_kernel_has_a_text: no {}", path.display());
        return;
    }
    let reasons: Vec<_> =
        offsets::reset_reasons(&Btf::from_file(path).unwrap()).into_iter().map(|(_, name)| name).collect();
    for reason in &reasons {
        let kernel = format!("SK_RST_REASON_{}", reason.to_uppercase());
        let found = find_all(&[&kernel], || reasons.clone()).unwrap();
        assert!(matches!(&found[..], [entry] if entry.name == *reason), "{reason}: {found:?}");
        let by_name = find_all(&[reason], || reasons.clone()).unwrap();
        assert!(by_name.iter().any(|entry| entry.kind == Kind::ResetReason), "{reason}");
        if find(reason).is_empty() {
            eprintln!("this kernel has a reason without a text of its own: {reason}");
        }
    }
}

#[test]
fn a_reason_only_the_kernel_has_gets_an_honest_answer() {
    let kernel = || vec!["tcp_moon_phase".to_owned()];
    for word in ["tcp_moon_phase", "SK_RST_REASON_TCP_MOON_PHASE", "tcp-moon-phase"] {
        let found = find_all(&[word], kernel).unwrap();
        assert!(matches!(&found[..], [entry] if entry.name == "tcp_moon_phase"), "{word}: {found:?}");
        assert!(found[0].see_also.iter().all(|term| !find(term).is_empty()));
        assert!(find_all(&[word], none).is_err());
    }
}

#[test]
fn a_word_of_several_kinds_gives_all_of_them() {
    let connect = names("connect");
    assert_eq!(connect.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [Kind::Event, Kind::PidSource]);
}

#[test]
fn words_of_a_text_record_are_one_term_or_several() {
    let found = |words: &[&str]| -> Vec<String> {
        find_all(words, none).unwrap().into_iter().map(|entry| entry.name.into_owned()).collect()
    };
    assert_eq!(found(&["reset", "unread", "data"]), ["reset_unread_data"]);
    assert_eq!(found(&["reset unread data"]), ["reset_unread_data"]);
    assert_eq!(found(&["No-Route"]), ["no_route"]);
    assert_eq!(found(&["refused", "EPIPE", "110"]), ["refused", "EPIPE", "ETIMEDOUT"]);
}

#[test]
fn an_unknown_word_gets_the_nearest_term() {
    let error = |words: &[&str]| find_all(words, none).unwrap_err();
    let nearest = |word| error(&[word]).nearest;
    assert_eq!(nearest("ECONREFUSED").as_deref(), Some("ECONNREFUSED"));
    assert_eq!(nearest("time_out").as_deref(), Some("timed_out"));
    assert_eq!(nearest("SK_RST_REASON_TCP_ABORT_ON_CLOSED").as_deref(), Some("tcp_abort_on_close"));
    assert_eq!(nearest("qqq"), None);
    assert_eq!(error(&["refused", "xyzzy"]).word, "xyzzy");
    assert_eq!(error(&[""]).nearest, None);
}

#[test]
fn lines_are_not_longer_than_the_terminal() {
    let layout = render::Layout { width: 60, color: false };
    let commands: BTreeSet<_> =
        all().flat_map(|entry| entry.next.iter().map(|(command, _)| *command)).collect();
    let mut out = Vec::new();
    render::text(&all().collect::<Vec<_>>(), layout, &mut out).unwrap();
    render::list(&all().collect::<Vec<_>>(), layout, &mut out).unwrap();
    for line in String::from_utf8(out).unwrap().lines() {
        let is_command = commands.contains(line.trim());
        let is_note = line.starts_with("Any other");
        assert!(line.len() <= 60 || is_command || is_note, "{line}");
        assert_eq!(line.trim_end(), line);
    }
}

#[test]
fn a_narrow_terminal_ends_no_word() {
    let mut out = Vec::new();
    render::text(&find("refused"), render::Layout { width: 1, color: false }, &mut out).unwrap();
    assert!(String::from_utf8(out).unwrap().contains("  ECONNREFUSED"));
}

#[test]
fn headings_are_bold_and_commands_coloured_where_asked_for() {
    let mut out = Vec::new();
    render::text(&find("refused"), render::Layout { width: 80, color: true }, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.starts_with("\u{1b}[1mrefused\u{1b}[0m (cause)\n"), "{text:?}");
    assert!(text.contains("\u{1b}[36mgetent ahosts NAME\u{1b}[0m\n"), "{text:?}");
}
