//! bpf-linker, built against an LLVM that can read the eBPF toolchain's bitcode.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::packages;
use super::report::{Missing, Outcome};
use super::toolchain::Toolchain;
use crate::workspace;

/// The version this was tried with. It has a feature for each LLVM it can be built against.
const VERSION: &str = "0.13.0";
/// The newest LLVM that version knows.
const NEWEST_LLVM: u32 = 23;

/// Finds a bpf-linker whose LLVM is not older than the toolchain's, or builds one.
pub(crate) fn find_or_install(toolchain: &Toolchain) -> Result<Outcome<String>> {
    if let Some(path) = workspace::find("bpf-linker") {
        match linked_llvm(&path) {
            Some(llvm) if llvm < toolchain.llvm => {
                eprintln!("the installed bpf-linker uses LLVM {llvm}, the toolchain LLVM {}", toolchain.llvm);
            }
            _ => return describe(&path).map(Outcome::Found),
        }
    }
    let Some(llvm) =
        find_llvm(toolchain.llvm).map_or_else(|| install_llvm(toolchain.llvm), |found| Ok(Some(found)))?
    else {
        return Ok(Outcome::Missing(by_hand(toolchain.llvm)?));
    };
    build(&llvm)?;
    let path = workspace::find("bpf-linker")
        .context("bpf-linker was installed but is not in PATH: add ~/.cargo/bin to it")?;
    describe(&path).map(Outcome::Installed)
}

fn describe(path: &Path) -> Result<String> {
    let version = workspace::output(Command::new(path).arg("--version"))
        .context("the installed bpf-linker does not run: remove it and run `cargo xtask setup` again")?;
    let llvm = linked_llvm(path).map_or_else(|| "own LLVM".to_owned(), |llvm| format!("LLVM {llvm}"));
    Ok(format!("{} ({llvm})", version.trim()))
}

/// The major version of the shared LLVM that a bpf-linker loads. None: it carries its own, as the released
/// binaries do.
fn linked_llvm(linker: &Path) -> Option<u32> {
    let libraries = workspace::output(Command::new("ldd").arg(linker)).ok()?;
    let name = libraries.lines().find_map(|line| line.trim().strip_prefix("libLLVM"))?;
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// An LLVM with headers and libraries.
struct Llvm {
    major: u32,
    prefix: PathBuf,
}

/// Looks where Debian puts LLVM, then asks the `llvm-config` in PATH.
fn find_llvm(least: u32) -> Option<Llvm> {
    let debian = (least..=NEWEST_LLVM).find_map(|major| {
        let prefix = PathBuf::from(format!("/usr/lib/llvm-{major}"));
        is_complete(&prefix).then_some(Llvm { major, prefix })
    });
    debian.or_else(|| {
        let ask = |what| workspace::output(Command::new("llvm-config").arg(what)).ok();
        let major = ask("--version")?.split('.').next()?.parse().ok()?;
        let prefix = PathBuf::from(ask("--prefix")?.trim());
        (least..=NEWEST_LLVM).contains(&major).then_some(Llvm { major, prefix })
    })
}

/// Debian's `llvm-N` has `llvm-config` and libraries only, `llvm-N-dev` the headers, and the link asks for
/// Polly, which is a package of its own.
fn is_complete(prefix: &Path) -> bool {
    ["bin/llvm-config", "include/llvm-c/Core.h", "lib/libPolly.a"]
        .iter()
        .all(|part| prefix.join(part).exists())
}

fn install_llvm(least: u32) -> Result<Option<Llvm>> {
    if !packages::can_install() {
        return Ok(None);
    }
    for major in least..=NEWEST_LLVM {
        let (llvm, polly) = (format!("llvm-{major}-dev"), format!("libpolly-{major}-dev"));
        if packages::candidate(&llvm)?.is_some() {
            packages::apt_install(&[&llvm, &polly])?;
            return Ok(find_llvm(least));
        }
    }
    Ok(None)
}

fn build(llvm: &Llvm) -> Result<()> {
    eprintln!("installing bpf-linker {VERSION} with cargo, for LLVM {}: about a minute", llvm.major);
    workspace::install(
        workspace::cargo().args(install_arguments(llvm.major)).env("LLVM_PREFIX", &llvm.prefix),
    )
}

fn install_arguments(llvm: u32) -> [String; 7] {
    [
        "install".to_owned(),
        "--locked".to_owned(),
        "--force".to_owned(),
        format!("bpf-linker@{VERSION}"),
        "--no-default-features".to_owned(),
        "--features".to_owned(),
        format!("llvm-{llvm}"),
    ]
}

fn by_hand(llvm: u32) -> Result<Missing> {
    let mut commands = Vec::new();
    if packages::has_apt() && packages::candidate(&format!("llvm-{llvm}-dev"))?.is_some() {
        commands.push(packages::apt_command(&format!("llvm-{llvm}-dev libpolly-{llvm}-dev")));
        let arguments = install_arguments(llvm).join(" ");
        commands.push(format!("LLVM_PREFIX=/usr/lib/llvm-{llvm} cargo {arguments}"));
    } else {
        commands.push(format!("cargo binstall bpf-linker@{VERSION}"));
    }
    Ok(Missing::new(format!("building it needs LLVM {llvm} with headers, which is not here"), commands))
}
