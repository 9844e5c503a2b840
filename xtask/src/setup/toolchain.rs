//! The Rust toolchains: one with its library's source, for `build-std`, and the one this program runs on.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::packages;
use super::report::{Missing, Outcome};
use crate::workspace;

/// The name under which a compiler from distribution packages is linked into rustup.
const LINKED: &str = "connprobe-ebpf";
/// The compiler must read this workspace's edition and honour its `rust-version`.
const LEAST: &str = env!("CARGO_PKG_RUST_VERSION");
/// Compiler, cargo and library source, the packages made for browsers first: Debian's stable suites get new
/// versions of these as security updates, while `rustc` stays what it was at the release.
const PACKAGES: [[&str; 3]; 2] = [["rustc-web", "cargo-web", "rust-web-src"], ["rustc", "cargo", "rust-src"]];
/// Where rustup cannot download it does not always fail at once.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(120);

/// A rustup toolchain that can compile for the BPF target.
pub(crate) struct Toolchain {
    /// What rustup calls it.
    pub(crate) name: String,
    /// The compiler's version, such as `1.96.0`.
    version: String,
    /// The major version of the LLVM it writes bitcode with.
    pub(crate) llvm: u32,
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (rustc {}, LLVM {})", self.name, self.version, self.llvm)
    }
}

/// Looks for a toolchain with its library's source: in rustup, then in the distribution's packages, then by
/// rustup's download.
pub(crate) fn find_or_install() -> Result<Outcome<Toolchain>> {
    if workspace::find("rustup").is_none() {
        let why = "rustup is needed to keep the eBPF compiler apart from the one for the host";
        return Ok(Outcome::Missing(Missing::new(why, ["# install rustup: https://rustup.rs".to_owned()])));
    }
    if let Some(found) = find()? {
        return Ok(Outcome::Found(found));
    }
    if let Some(packages) = distribution_packages()? {
        return install_packages(packages);
    }
    download_source()?;
    match find()? {
        Some(toolchain) => Ok(Outcome::Installed(toolchain)),
        None => Ok(Outcome::Missing(Missing::new(
            format!(
                "no toolchain of {LEAST} or later has rust-src, and neither apt nor rustup could get one"
            ),
            ["rustup toolchain install nightly --profile minimal --component rust-src".to_owned()],
        ))),
    }
}

/// The best of rustup's toolchains that have the source: the active one, then the linked one, then any.
fn find() -> Result<Option<Toolchain>> {
    let mut usable: Vec<_> = installed()?.into_iter().filter(|known| has_source(&known.folder)).collect();
    usable.sort_by_key(|known| (!known.is_active, known.name != LINKED));
    for known in usable {
        match inspect(&known.name) {
            Ok(toolchain) if packages::at_least(&toolchain.version, LEAST)? => return Ok(Some(toolchain)),
            Ok(_too_old) => {}
            Err(error) => eprintln!("ignoring toolchain {}: {error:#}", known.name),
        }
    }
    Ok(None)
}

struct Known {
    name: String,
    folder: PathBuf,
    is_active: bool,
}

fn installed() -> Result<Vec<Known>> {
    let text = workspace::output(Command::new("rustup").args(["toolchain", "list", "-v"]))?;
    Ok(text.lines().filter_map(parse_known).collect())
}

/// Reads a line such as `stable-x86_64-unknown-linux-gnu (active, default) ~/.rustup/toolchains/…`.
fn parse_known(line: &str) -> Option<Known> {
    let (name, rest) = line.split_once(char::is_whitespace)?;
    let rest = rest.trim();
    let (remarks, folder) = match rest.strip_prefix('(') {
        Some(rest) => rest.split_once(')')?,
        None => ("", rest),
    };
    // Rustup before 1.28 says `default` or `override` and nothing of `active`.
    let is_active = remarks.contains("active") || remarks == "default" || remarks == "override";
    Some(Known { name: name.to_owned(), folder: PathBuf::from(folder.trim()), is_active })
}

fn has_source(toolchain: &Path) -> bool {
    toolchain.join("lib/rustlib/src/rust/library/core/src/lib.rs").exists()
}

/// Asks a toolchain's compiler for its versions.
fn inspect(name: &str) -> Result<Toolchain> {
    let text = workspace::output(Command::new("rustup").args(["run", name, "rustc", "-vV"]))?;
    let field = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        line.map(str::trim).with_context(|| format!("`rustc -vV` of {name} says nothing of {key:?}"))
    };
    let llvm = field("LLVM version:")?;
    let llvm = llvm.split('.').next().unwrap_or(llvm);
    let llvm = llvm.parse().with_context(|| format!("failed to read LLVM's version from {llvm:?}"))?;
    Ok(Toolchain { name: name.to_owned(), version: field("release:")?.to_owned(), llvm })
}

/// The first set of packages whose compiler is new enough here.
fn distribution_packages() -> Result<Option<[&'static str; 3]>> {
    if !packages::has_apt() {
        return Ok(None);
    }
    for set in PACKAGES {
        let [rustc, ..] = set;
        if let Some(version) = packages::candidate(rustc)?
            && packages::at_least(&version, LEAST)?
        {
            return Ok(Some(set));
        }
    }
    Ok(None)
}

fn install_packages(packages: [&'static str; 3]) -> Result<Outcome<Toolchain>> {
    let link = format!("rustup toolchain link {LINKED} /usr");
    if !has_source(Path::new("/usr")) || !Path::new("/usr/bin/cargo").exists() {
        if !packages::can_install() {
            let why = "no rustup toolchain has rust-src, and installing packages needs root";
            return Ok(Outcome::Missing(Missing::new(
                why,
                [packages::apt_command(&packages.join(" ")), link],
            )));
        }
        packages::apt_install(&packages)?;
    }
    workspace::install(Command::new("rustup").args(["toolchain", "link", LINKED, "/usr"]))?;
    inspect(LINKED).map(Outcome::Installed)
}

/// Lets rustup download the source for the active toolchain. Whether that worked is seen by looking again.
fn download_source() -> Result<()> {
    eprintln!("asking rustup for rust-src");
    let mut command = Command::new("rustup");
    command.args(["component", "add", "rust-src"]);
    if let Err(error) = with_timeout(&mut command, DOWNLOAD_TIMEOUT) {
        eprintln!("{error:#}");
    }
    Ok(())
}

/// Finds a component of the active toolchain by the cargo subcommand it brings, or lets rustup download it.
pub(crate) fn component(name: &str, subcommand: &str) -> Result<Outcome<String>> {
    let version = || workspace::output(workspace::cargo().args([subcommand, "--version"]));
    if let Ok(found) = version() {
        return Ok(Outcome::Found(found.trim().to_owned()));
    }
    let by_hand = format!("rustup component add {name}");
    let mut command = Command::new("rustup");
    command.args(["component", "add", name]);
    let asked = with_timeout(&mut command, DOWNLOAD_TIMEOUT);
    match (asked, version()) {
        (_, Ok(installed)) => Ok(Outcome::Installed(installed.trim().to_owned())),
        (Err(error), Err(_)) => Ok(Outcome::Missing(Missing::new(format!("{error:#}"), [by_hand]))),
        (Ok(()), Err(error)) => Ok(Outcome::Missing(Missing::new(format!("{error:#}"), [by_hand]))),
    }
}

fn with_timeout(command: &mut Command, timeout: Duration) -> Result<()> {
    let shown = workspace::shown(command);
    let silent = if workspace::is_watched() { workspace::stderr_handle()? } else { Stdio::null() };
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(silent)
        .spawn()
        .with_context(|| format!("failed to start {shown}"))?;
    let started = Instant::now();
    while started.elapsed() < timeout {
        if let Some(status) = child.try_wait()? {
            anyhow::ensure!(status.success(), "{shown} failed with {status}");
            return Ok(());
        }
        sleep(Duration::from_millis(100));
    }
    child.kill()?;
    child.wait()?;
    anyhow::bail!("{shown} gave no answer in {} s", timeout.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rustups_list_is_read_with_and_without_remarks() {
        let active = parse_known("stable-x86_64 (active, default) /home/a b/stable").unwrap();
        assert_eq!((active.name.as_str(), active.is_active), ("stable-x86_64", true));
        assert_eq!(active.folder, Path::new("/home/a b/stable"));

        let linked = parse_known("connprobe-ebpf \t /usr").unwrap();
        assert_eq!((linked.name.as_str(), linked.is_active), ("connprobe-ebpf", false));
        assert_eq!(linked.folder, Path::new("/usr"));

        assert!(parse_known("stable (default)\t/x").unwrap().is_active);
        assert!(parse_known("").is_none());
    }
}
