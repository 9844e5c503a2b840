//! cargo-deny, which checks licences, banned crates and sources.

use anyhow::{Context as _, Result};

use super::report::Outcome;
use crate::workspace;

/// The version `deny.toml` is written for.
const VERSION: &str = "0.20.2";

pub(crate) fn find_or_install() -> Result<Outcome<String>> {
    if let Some(found) = version() {
        return Ok(Outcome::Found(found));
    }
    eprintln!("installing cargo-deny {VERSION} with cargo, unoptimised: some minutes");
    let package = format!("cargo-deny@{VERSION}");
    workspace::install(workspace::cargo().args(["install", "--locked", "--debug", &package]))?;
    version()
        .map(Outcome::Installed)
        .context("cargo-deny was installed but is not in PATH: add ~/.cargo/bin to it")
}

fn version() -> Option<String> {
    workspace::output(workspace::cargo().args(["deny", "--version"])).ok().map(|text| text.trim().to_owned())
}
