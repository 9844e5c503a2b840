//! Rules on documents: links lead somewhere, and the commands they name exist.

use std::collections::BTreeSet;
use std::path::Path;

use clap::CommandFactory as _;

use super::masked::words;
use super::{Finding, Tree};

/// Links to files of the workspace resolve. Links into the web are not followed.
pub(super) fn links(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_markdown()) {
        for (offset, line) in prose(&file.text) {
            for target in targets(line) {
                let path = target.split('#').next().unwrap_or(target);
                let folder = file.path.parent().unwrap_or(Path::new(""));
                let is_elsewhere = path.is_empty() || target.contains("://") || target.starts_with("mailto:");
                if !is_elsewhere && !tree.root.join(folder).join(path).exists() {
                    findings.push(file.at(offset, format!("the link to {target} leads nowhere")));
                }
            }
        }
    }
    findings
}

/// Every `cargo xtask X` and `connprobe X` in the documents is a command, and the README is there.
pub(super) fn commands(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    if tree.file("README.md").is_none() {
        findings.push(Finding { path: "README.md".into(), line: 1, what: "the README is missing".into() });
    }
    let programs = [("cargo xtask", xtask_commands()), ("connprobe", connprobe_commands(tree))];
    for file in tree.files.iter().filter(|file| file.is_markdown()) {
        for (offset, code) in code(&file.text) {
            for (program, known) in &programs {
                for unknown in named(code, program).filter(|name| !known.contains(*name)) {
                    findings.push(file.at(offset, format!("there is no `{program} {unknown}`")));
                }
            }
        }
    }
    findings
}

fn xtask_commands() -> BTreeSet<String> {
    let names =
        crate::Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    with_help(names)
}

/// Each subcommand of connprobe is a file in `probe/src/command` or a variant of its `Subcommand` enum.
fn connprobe_commands(tree: &Tree) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in tree.below(Path::new("probe/src")).filter(|file| file.is_rust()) {
        if file.path.parent() == Some(Path::new("probe/src/command"))
            && let Some(name) = file.path.file_stem()
        {
            names.insert(name.to_string_lossy().replace('_', "-"));
        }
        let text = file.masked.text();
        for at in words(text, "Subcommand") {
            let Some((_, body)) = text[at..].split_once("enum ").and_then(|(_, rest)| rest.split_once('{'))
            else {
                continue;
            };
            let body = body.split_once("\n}").map_or(body, |(body, _)| body);
            let variants =
                body.lines().map(str::trim).filter(|line| line.starts_with(|c: char| c.is_uppercase()));
            names.extend(variants.map(kebab));
        }
    }
    with_help(names)
}

fn with_help(mut names: BTreeSet<String>) -> BTreeSet<String> {
    names.insert("help".to_owned());
    names
}

/// `ListSockets(Args),` as clap names it: `list-sockets`.
fn kebab(variant: &str) -> String {
    let mut name = String::new();
    for c in variant.chars().take_while(|c| c.is_alphanumeric()) {
        if c.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(c.to_lowercase());
    }
    name
}

/// The words right behind `program` in a piece of code that can be subcommands.
fn named<'a>(code: &'a str, program: &'a str) -> impl Iterator<Item = &'a str> {
    words(code, program).filter_map(move |at| {
        // `/usr/bin/connprobe` is the program; `connprobe.service` and `--user connprobe` are something else.
        let is_start = code[..at].split(['|', ';', '&', '(']).next_back().is_some_and(is_before_program);
        let rest = code[at + program.len()..].strip_prefix(' ')?.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(rest.len());
        let ends_well = rest[end..].is_empty() || rest[end..].starts_with([' ', '|', ';', '&', ')', '\\']);
        let name = &rest[..end];
        (is_start && ends_well && name.starts_with(|c: char| c.is_ascii_lowercase())).then_some(name)
    })
}

/// Only a prompt, `sudo`, variables and a folder may stand before the program's name.
fn is_before_program(text: &str) -> bool {
    text.split_whitespace().all(|word| {
        matches!(word, "$" | "#" | "sudo" | "exec" | "time") || word.contains('=') || word.ends_with('/')
    })
}

/// The lines outside of fenced code, with offsets.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    fences(text).filter(|line| line.fence.is_none()).map(|line| (line.offset, line.text))
}

/// What is code: `spans` in prose, lines of shell blocks, and in console blocks the lines with a prompt.
fn code(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for line in fences(text) {
        match line.fence {
            None => found.extend(line.text.split('`').skip(1).step_by(2).map(|span| (line.offset, span))),
            Some("sh" | "bash" | "shell") => found.push((line.offset, line.text)),
            Some("console") if line.text.starts_with(['$', '#']) => found.push((line.offset, line.text)),
            Some(_) => {}
        }
    }
    found
}

struct Line<'a> {
    offset: usize,
    text: &'a str,
    /// The language of the fenced block the line is in.
    fence: Option<&'a str>,
}

fn fences(text: &str) -> impl Iterator<Item = Line<'_>> {
    let (mut fence, mut offset) = (None, 0);
    text.split_inclusive('\n').filter_map(move |line| {
        let start = offset;
        offset += line.len();
        match line.trim().strip_prefix("```") {
            Some(_) if fence.is_some() => fence = None,
            Some(language) => fence = Some(language.trim()),
            None => return Some(Line { offset: start, text: line.trim_end(), fence }),
        }
        None
    })
}

/// What `[text](target)` and `[name]: target` lead to.
fn targets(line: &str) -> Vec<&str> {
    let spans_out: Vec<&str> = line.split('`').step_by(2).collect();
    let mut found = Vec::new();
    for part in spans_out {
        for (at, _) in part.match_indices("](") {
            let rest = &part[at + 2..];
            let end = rest.find([')', ' ']).unwrap_or(rest.len());
            found.push(rest[..end].trim_matches(['<', '>']));
        }
    }
    if line.starts_with('[')
        && let Some((_, target)) = line.split_once("]: ")
    {
        found.extend(target.split_whitespace().next());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::File;
    use super::*;

    fn tree(page: &str) -> Tree {
        let readme = File::new("README.md", page);
        let command = File::new(
            "probe/src/cli.rs",
            "#[derive(Subcommand)]\nenum Command {\n    /// x\n    Trace(A),\n    TopTalkers,\n}\n",
        );
        Tree { root: env!("CARGO_MANIFEST_DIR").into(), files: vec![readme, command] }
    }

    fn whats(findings: Vec<Finding>) -> Vec<(usize, String)> {
        findings.into_iter().map(|finding| (finding.line, finding.what)).collect()
    }

    #[test]
    fn links_to_files_resolve() {
        let page = "[a](Cargo.toml) [b](gone.md#x)\n[c](https://x.y/z) [d](#e)\n```\n[f](gone)\n```\n[g]: gone.txt\n`[h](i)`\n";
        let found = whats(links(&tree(page)));
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 6]);
        assert!(found[0].1.contains("gone.md"));
    }

    #[test]
    fn commands_in_documents_exist() {
        let page = "`cargo xtask lint` `cargo xtask polish` `connprobe` `connprobe trace --x`\n\
            ```console\n$ sudo connprobe top-talkers\n$ connprobe tarce | jq .\nconnprobe started\n```\n\
            ```sh\nconnprobe --help && target/release/connprobe nope\nsystemctl status connprobe now\n```\n";
        let found = whats(commands(&tree(page)));
        let names: Vec<_> = found.iter().map(|(line, what)| format!("{line} {what}")).collect();
        assert_eq!(
            names,
            [
                "1 there is no `cargo xtask polish`",
                "4 there is no `connprobe tarce`",
                "8 there is no `connprobe nope`"
            ]
        );
    }

    #[test]
    fn a_missing_readme_is_found() {
        let empty = Tree { root: "/nowhere".into(), files: Vec::new() };
        assert_eq!(whats(commands(&empty)), [(1, "the README is missing".to_owned())]);
    }
}
