//! Rules on what a module of `probe` may use: the flow goes one way, and the core of it touches nothing.

use std::path::Path;

use super::masked::{imports, words};
use super::{File, Finding, Tree};

const SOURCE: &str = "probe/src";
/// The modules that are pure: events and the time go in, records and timers come out.
const PURE: [&str; 5] = ["decode", "conn", "episode", "knock", "check"];
/// What they must not name: I/O, the runtime, the loader, logs, threads and clocks.
const IMPURE: [&str; 15] = [
    "tokio",
    "aya",
    "aya_log",
    "tracing",
    "nix",
    "procfs",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::net::Tcp",
    "std::net::Udp",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::os",
];
const CLOCKS: [&str; 3] = ["Instant::now", "SystemTime::now", "clock_gettime"];

/// Uses against the order of `lib.rs` that stand: who uses what, and why that is no step back in the flow.
/// `*` is every module. Kept to single items, so that nothing else of those modules comes along.
const EXCEPTIONS: [(&str, &str, &str); 2] = [
    ("kernel", "decode::event::BootNs", "the clock answers in the time of events"),
    ("kernel", "decode::event::Tuple", "the kernel's socket table is read into the tuples of events"),
];

pub(super) fn purity(file: &File) -> Vec<Finding> {
    if !module(&file.path).is_some_and(|module| PURE.contains(&module)) || file.is_test() {
        return Vec::new();
    }
    let text = file.masked.without_tests();
    let mut findings = Vec::new();
    for (at, path) in imports(text) {
        if let Some(impure) = IMPURE.iter().find(|impure| names(&path, impure)) {
            findings.push(file.at(at, format!("a pure module imports {path} ({impure} is I/O)")));
        }
    }
    for impure in IMPURE.iter().chain(&CLOCKS) {
        // Imports are seen above; this is for paths written out where they are used.
        let inline = words(text, impure).filter(|at| !in_import(text, *at) && is_used(text, *at, impure));
        findings.extend(inline.map(|at| file.at(at, format!("a pure module uses {impure}"))));
    }
    findings
}

/// `std::net::TcpStream` is named by `std::net::Tcp`, `tokio::time` by `tokio`, `ayah` by nothing.
fn names(path: &str, impure: &str) -> bool {
    let rest = path.strip_prefix("::").unwrap_or(path).strip_prefix(impure);
    rest.is_some_and(|rest| {
        impure.contains("::") && !rest.starts_with('_') || rest.is_empty() || rest.starts_with("::")
    })
}

fn in_import(text: &str, at: usize) -> bool {
    let statement = text[..at].rfind(';').map_or(0, |end| end + 1);
    words(&text[statement..at], "use").next().is_some()
}

/// A crate's name alone may be a variable; with `::` behind it, it is the crate.
fn is_used(text: &str, at: usize, impure: &str) -> bool {
    CLOCKS.contains(&impure) || text[at + impure.len()..].starts_with("::")
}

/// A module of `probe` uses only those that stand before it in `lib.rs`.
pub(super) fn order(tree: &Tree) -> Vec<Finding> {
    let Some(lib) = tree.file("probe/src/lib.rs") else { return Vec::new() };
    let order = declared(lib.masked.text());
    let place = |name: &str| order.iter().position(|module| *module == name);
    let mut findings = Vec::new();
    for file in tree.below(Path::new(SOURCE)).filter(|file| file.is_rust() && !file.is_test()) {
        let Some((user, user_place)) = module(&file.path).and_then(|user| Some((user, place(user)?))) else {
            continue;
        };
        for (at, used) in uses(file.masked.without_tests()) {
            let used_module = used.split("::").next().unwrap_or(&used);
            let is_later = place(used_module).is_some_and(|used_place| used_place > user_place);
            if is_later && !is_excepted(user, &used) {
                let what = format!("{user} uses crate::{used}, whose module comes later in probe/src/lib.rs");
                findings.push(file.at(at, what));
            }
        }
    }
    findings
}

/// The modules of a `lib.rs`, in order.
fn declared(text: &str) -> Vec<&str> {
    let names = words(text, "mod").map(|at| text[at + 3..].trim_start());
    names.filter_map(|rest| rest.split_once(';').map(|(name, _)| name.trim())).collect()
}

fn is_excepted(user: &str, used: &str) -> bool {
    EXCEPTIONS.iter().any(|(from, item, _reason)| {
        let rest = used.strip_prefix(item);
        let is_item = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
        is_item && (*from == "*" || *from == user)
    })
}

/// What is named of this crate, without `crate::`, with offsets.
fn uses(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = imports(text)
        .into_iter()
        .filter_map(|(at, path)| path.strip_prefix("crate::").map(|inner| (at, inner.to_owned())))
        .collect();
    for at in words(text, "crate::").filter(|at| !in_import(text, *at)) {
        let is_part = |c: &char| c.is_alphanumeric() || *c == '_' || *c == ':';
        found.push((at, text[at + 7..].chars().take_while(is_part).collect()));
    }
    found
}

/// The top module that a file of `probe` belongs to: `conn` for `probe/src/conn.rs` and `probe/src/conn/x.rs`.
fn module(path: &Path) -> Option<&str> {
    let first = path.strip_prefix(SOURCE).ok()?.components().next()?.as_os_str().to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (name != "lib" && name != "main").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let files = files.iter().map(|(path, text)| File::new(*path, *text)).collect();
        Tree { root: "/nowhere".into(), files }
    }

    #[test]
    fn a_pure_module_may_not_import_io() {
        let impure = [
            "use tokio::time;",
            "use std::{fmt, fs::File};",
            "use std::net::{IpAddr, TcpStream};",
            "use std::time::{Duration, Instant};",
            "fn a() { tracing::info!(\"x\") }",
            "fn a() { let b = std::time::Instant::now(); }",
        ];
        for source in impure {
            assert!(!purity(&File::new("probe/src/conn/timer.rs", source)).is_empty(), "{source}");
        }
    }

    #[test]
    fn a_pure_module_may_name_types_that_do_nothing() {
        let pure = "use std::net::IpAddr;\nuse std::time::Duration;\nuse std::fmt;\n// tokio::spawn\n\
            fn a(aya: u8) { let tracing = aya; }\n\
            #[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
        assert_eq!(purity(&File::new("probe/src/conn.rs", pure)), []);
        assert_eq!(purity(&File::new("probe/src/ring.rs", "use tokio::time;")), []);
    }

    #[test]
    fn the_flow_goes_one_way() {
        let lib = ("probe/src/lib.rs", "pub mod ring;\npub mod decode;\nmod conn;\nmod record;\n");
        let forward = [lib, ("probe/src/conn.rs", "use crate::decode::Event;\nuse crate::conn::x;\n")];
        assert_eq!(order(&tree(&forward)), []);

        for source in ["use crate::{conn::State, ring};", "fn a() -> crate::conn::State {}"] {
            let found = order(&tree(&[lib, ("probe/src/decode/event.rs", source)]));
            assert_eq!(found.len(), 1, "{source}");
            assert!(found[0].what.starts_with("decode uses crate::conn"), "{}", found[0].what);
        }
    }

    #[test]
    fn exceptions_are_for_single_items() {
        let source = "use crate::decode::event::{BootNs, Event};\nfn a() -> crate::decode::event::Tuple {}\n";
        let found = order(&tree(&[
            ("probe/src/lib.rs", "mod kernel;\nmod decode;\n"),
            ("probe/src/kernel.rs", source),
        ]));
        assert_eq!(found.len(), 1);
        assert!(found[0].what.contains("crate::decode::event::Event"), "{}", found[0].what);
    }

    #[test]
    fn tests_may_use_what_they_like() {
        let source = "#[cfg(test)]\nmod tests {\n    use crate::conn::State;\n}\n";
        let files = [("probe/src/lib.rs", "mod decode;\nmod conn;"), ("probe/src/decode.rs", source)];
        assert_eq!(order(&tree(&files)), []);
    }
}
