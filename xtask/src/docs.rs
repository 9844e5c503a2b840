//! `cargo xtask docs`: what connprobe prints about itself, as files, and the workspace's rustdoc.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::workspace;

/// Writes the man page, the shell completions, the JSON Schema and the rustdoc pages.
///
/// They go to `docs` in cargo's target folder, rustdoc's to `doc` beside it.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask docs\n  \
    man -l target/docs/man/connprobe.1")]
pub(crate) struct Args {}

/// What connprobe is asked, and the file its answer becomes.
const PAGES: [(&[&str], &str); 5] = [
    (&["man"], "man/connprobe.1"),
    (&["completions", "bash"], "completions/connprobe.bash"),
    (&["completions", "zsh"], "completions/_connprobe"),
    (&["completions", "fish"], "completions/connprobe.fish"),
    (&["schema"], "schema/connprobe.schema.json"),
];

pub(crate) fn main(_args: &Args) -> Result<()> {
    let folder = workspace::target_dir()?.join("docs");
    for (question, file) in PAGES {
        let path = folder.join(file);
        write_page(question, &path)?;
        println!("{}", path.display());
    }
    let mut rustdoc = workspace::cargo();
    rustdoc.args(["doc", "--workspace", "--exclude", "probe-ebpf", "--no-deps", "--quiet"]);
    workspace::status(&mut rustdoc)?;
    println!("{}", workspace::target_dir()?.join("doc/probe/index.html").display());
    Ok(())
}

/// Needs no eBPF object: these commands only print what the program knows about itself.
fn write_page(question: &[&str], path: &Path) -> Result<()> {
    let mut command = workspace::cargo();
    command.args(["run", "--quiet", "--package", "probe", "--bin", "connprobe", "--"]).args(question);
    let page = workspace::output(&mut command)?;
    let name = question.join(" ");
    ensure!(!page.trim().is_empty(), "`connprobe {name}` printed nothing");
    if path.extension().is_some_and(|ending| ending == "json") {
        serde_json::from_str::<serde_json::Value>(&page)
            .with_context(|| format!("`connprobe {name}` did not print JSON"))?;
    }
    let folder = path.parent().context("a page has no folder")?;
    fs::create_dir_all(folder).with_context(|| format!("failed to create {}", folder.display()))?;
    fs::write(path, page).with_context(|| format!("failed to write {}", path.display()))
}
