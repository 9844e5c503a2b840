//! `cargo xtask tidy`: the project's own rules, which no compiler knows.

mod dependencies;
mod flow;
mod masked;
mod pages;
mod text;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::workspace;
use masked::Masked;

/// Checks the project's own rules: file lengths, pure modules, flow order, documents, dependencies.
///
/// Part of `cargo xtask lint`. Prints one line for each finding: `file:line: what is wrong`.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn main(_args: &Args) -> Result<()> {
    check()
}

/// Runs every rule on every file; fails with the number of findings.
pub(crate) fn check() -> Result<()> {
    let tree = Tree::read(&workspace::root())?;
    let findings = findings(&tree)?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("tidy: {} findings in {} files read", findings.len(), tree.files.len());
    }
    Ok(())
}

fn findings(tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in &tree.files {
        findings.extend(text::whitespace(file));
        if file.is_rust() {
            findings.extend(text::length(file));
            findings.extend(text::leftovers(file));
            findings.extend(text::allows(file));
            findings.extend(flow::purity(file));
        }
    }
    findings.extend(flow::order(tree));
    findings.extend(pages::links(tree));
    findings.extend(pages::commands(tree));
    findings.extend(dependencies::unused(tree)?);
    // A group in one `use` may break the same rule several times.
    findings.dedup();
    Ok(findings)
}

/// Something a rule objects to.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: PathBuf,
    line: usize,
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.what)
    }
}

/// A text file of the workspace.
struct File {
    /// Relative to the workspace.
    path: PathBuf,
    text: String,
    /// Rust without comments and literals; empty for other files.
    masked: Masked,
}

impl File {
    fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        let is_rust = path.extension().is_some_and(|ending| ending == "rs");
        let masked = Masked::new(if is_rust { &text } else { "" });
        Self { path, text, masked }
    }

    fn is_rust(&self) -> bool {
        self.path.extension().is_some_and(|ending| ending == "rs")
    }

    fn is_markdown(&self) -> bool {
        self.path.extension().is_some_and(|ending| ending == "md")
    }

    /// True for files that hold nothing but tests.
    fn is_test(&self) -> bool {
        self.path.ends_with("tests.rs") || self.path.components().any(|part| part.as_os_str() == "tests")
    }

    /// A finding at a byte offset of the text.
    fn at(&self, offset: usize, what: impl Into<String>) -> Finding {
        let line = self.text[..offset].matches('\n').count() + 1;
        Finding { path: self.path.clone(), line, what: what.into() }
    }
}

/// All text files of the workspace.
struct Tree {
    root: PathBuf,
    files: Vec<File>,
}

impl Tree {
    fn read(root: &Path) -> Result<Self> {
        let mut files = Vec::new();
        for path in workspace::text_files(root)? {
            let full = root.join(&path);
            let text =
                fs::read_to_string(&full).with_context(|| format!("failed to read {}", full.display()))?;
            files.push(File::new(path, text));
        }
        Ok(Self { root: root.to_path_buf(), files })
    }

    fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == Path::new(path))
    }

    /// The files below a folder.
    fn below<'a>(&'a self, folder: &'a Path) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(move |file| file.path.starts_with(folder))
    }
}
