//! The distribution's packages: asked for by apt, printed for every other package manager.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::report::{Missing, Outcome, Report};
use super::services::NoServices;
use crate::workspace;

/// A program that the end-to-end tests start, and the package it is in.
struct Program {
    name: &'static str,
    debian: &'static str,
    fedora: &'static str,
    arch: &'static str,
}

const TEST_PROGRAMS: [Program; 12] = [
    Program { name: "ip", debian: "iproute2", fedora: "iproute", arch: "iproute2" },
    Program { name: "ss", debian: "iproute2", fedora: "iproute", arch: "iproute2" },
    Program { name: "tc", debian: "iproute2", fedora: "iproute-tc", arch: "iproute2" },
    Program { name: "nft", debian: "nftables", fedora: "nftables", arch: "nftables" },
    Program { name: "jq", debian: "jq", fedora: "jq", arch: "jq" },
    Program { name: "ps", debian: "procps", fedora: "procps-ng", arch: "procps-ng" },
    Program { name: "script", debian: "bsdutils", fedora: "util-linux", arch: "util-linux" },
    Program { name: "python3", debian: "python3", fedora: "python3", arch: "python" },
    Program { name: "curl", debian: "curl", fedora: "curl", arch: "curl" },
    Program { name: "psql", debian: "postgresql", fedora: "postgresql", arch: "postgresql" },
    Program { name: "initdb", debian: "postgresql", fedora: "postgresql-server", arch: "postgresql" },
    // The package has the server too, under another name and without a service.
    Program { name: "redis-cli", debian: "redis-tools", fedora: "redis", arch: "redis" },
];

impl Program {
    /// In `PATH`, or where Debian keeps the programs of each version of PostgreSQL's server.
    fn find(&self) -> Option<PathBuf> {
        workspace::find(self.name).or_else(|| {
            let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
            versions.map(|version| version.path().join("bin").join(self.name)).find(|path| path.is_file())
        })
    }
}

/// Reports the programs of [`TEST_PROGRAMS`], one line each, after installing those that are not there.
pub(crate) fn test_programs(report: &mut Report) {
    let absent: Vec<&Program> = TEST_PROGRAMS.iter().filter(|program| program.find().is_none()).collect();
    let mut failure = install_programs(&absent).err();
    for program in &TEST_PROGRAMS {
        let was_absent = absent.iter().any(|other| other.name == program.name);
        let outcome = match program.find() {
            Some(path) if was_absent => Ok(Outcome::Installed(path.display().to_string())),
            Some(path) => Ok(Outcome::Found(path.display().to_string())),
            None => match failure.take() {
                Some(error) => Err(error),
                None => Ok(Outcome::Missing(Missing::new("the end-to-end tests start it", by_hand(&absent)))),
            },
        };
        report.part(program.name, outcome);
    }
}

fn install_programs(absent: &[&Program]) -> Result<()> {
    if absent.is_empty() || !can_install() {
        return Ok(());
    }
    apt_install(&unique(absent.iter().map(|program| program.debian)))
}

/// The one command that installs these programs, for the package manager that is here.
fn by_hand(absent: &[&Program]) -> Option<String> {
    let debian = unique(absent.iter().map(|program| program.debian)).join(" ");
    if workspace::find("apt-get").is_some() {
        Some(apt_command(&debian))
    } else if workspace::find("dnf").is_some() {
        Some(format!("sudo dnf install {}", unique(absent.iter().map(|program| program.fedora)).join(" ")))
    } else if workspace::find("pacman").is_some() {
        Some(format!("sudo pacman -S {}", unique(absent.iter().map(|program| program.arch)).join(" ")))
    } else {
        Some(format!("# with this system's package manager (Debian's names): {debian}"))
    }
}

/// True where packages can be installed from here: a Debian family system, as root.
pub(crate) fn can_install() -> bool {
    workspace::is_root() && has_apt()
}

pub(crate) fn has_apt() -> bool {
    workspace::find("apt-get").is_some() && workspace::find("apt-cache").is_some()
}

/// What a user who is not root types to install `packages`.
pub(crate) fn apt_command(packages: &str) -> String {
    format!("sudo apt-get update && sudo apt-get install --no-install-recommends {packages}")
}

/// The version apt would install, the lists being fetched first when they do not know the package.
/// None: no configured suite has it.
pub(crate) fn candidate(package: &str) -> Result<Option<String>> {
    let known = policy(package)?;
    if known.is_some() || !can_install() {
        return Ok(known);
    }
    update_once()?;
    policy(package)
}

fn policy(package: &str) -> Result<Option<String>> {
    let text = workspace::output(Command::new("apt-cache").args(["policy", package]).env("LC_ALL", "C"))?;
    let version = text.lines().find_map(|line| line.trim().strip_prefix("Candidate: "));
    Ok(version.filter(|version| *version != "(none)").map(str::to_owned))
}

/// Installs packages and starts none of their services; tries once more with fresh lists, as old lists name
/// files the mirror has dropped.
pub(crate) fn apt_install(packages: &[&str]) -> Result<()> {
    eprintln!("installing {} with apt-get", packages.join(" "));
    let _no_services = NoServices::begin()?;
    let install =
        || workspace::install(apt_get().args(["install", "--yes", "--no-install-recommends"]).args(packages));
    if install().is_ok() {
        return Ok(());
    }
    update_once()?;
    install().with_context(|| format!("failed to install {}", packages.join(" ")))
}

/// Fetches the package lists, at most once in the life of this program.
fn update_once() -> Result<()> {
    use std::sync::atomic::{AtomicBool, Ordering};
    static DONE: AtomicBool = AtomicBool::new(false);
    if DONE.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    eprintln!("fetching the package lists with apt-get update");
    workspace::install(apt_get().arg("update")).context("failed to fetch the package lists")
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    // Another apt may be at work on this machine: wait for it instead of failing.
    command.args(["-q", "-o", "DPkg::Lock::Timeout=120"]).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// `1:22.1.8-1~deb12u1` is at least 22.1? Compares dotted numbers after the epoch, up to the first other sign.
pub(crate) fn at_least(version: &str, least: &str) -> Result<bool> {
    Ok(numbers(version)? >= numbers(least)?)
}

fn numbers(version: &str) -> Result<Vec<u32>> {
    let upstream = version.split_once(':').map_or(version, |(_epoch, rest)| rest);
    let end = upstream.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(upstream.len());
    let numbers: Vec<u32> = upstream[..end].split('.').map_while(|part| part.parse().ok()).collect();
    if numbers.is_empty() {
        bail!("{version:?} does not start with a version number");
    }
    Ok(numbers)
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number_and_without_epoch() {
        assert!(at_least("1.96.0+dfsg1-1~deb12u2", "1.95").unwrap());
        assert!(at_least("1:22.1.8-1~deb12u1", "22").unwrap());
        assert!(!at_least("1.85.0+dfsg3-1", "1.95").unwrap());
        assert!(at_least("1.100.0-nightly", "1.95").unwrap());
        assert!(at_least("none", "1.95").is_err());
    }

    #[test]
    fn packages_of_several_programs_are_named_once() {
        assert_eq!(unique(["iproute2", "jq", "iproute2"].into_iter()), ["iproute2", "jq"]);
    }
}
