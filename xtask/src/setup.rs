//! `cargo xtask setup`: finds or installs what building, running and testing need, one line for each.

mod deny;
mod linker;
mod packages;
mod report;
mod services;
mod toolchain;

use anyhow::Result;
use clap::ValueEnum;

use report::Report;

/// Finds or installs what connprobe's build, tests and lints need. Safe to run again.
///
/// Prints one line for each part: `found`, `installed` or `missing`. Where it cannot install (not root, or
/// not a Debian family system), it prints the commands to run instead and exits with 1.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask setup                 everything\n  \
    cargo xtask setup --only build    only what `cargo xtask build` and `run` need")]
pub(crate) struct Args {
    /// Set up only what this command needs (default: all of them)
    #[arg(long, value_name = "FOR")]
    only: Option<Purpose>,
}

/// What the parts are needed for.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Purpose {
    /// The eBPF toolchain and bpf-linker
    Build,
    /// The same, and the programs that the end-to-end tests start
    Test,
    /// rustfmt, clippy and cargo-deny
    Lint,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let mut report = Report::new(true);
    let wanted = |purpose| args.only.is_none_or(|only| only == purpose);
    if wanted(Purpose::Build) || wanted(Purpose::Test) {
        build_parts(&mut report);
    }
    if wanted(Purpose::Test) {
        packages::test_programs(&mut report);
    }
    if wanted(Purpose::Lint) {
        lint_parts(&mut report);
    }
    report.kernel();
    report.finish()
}

/// Sets up what the eBPF build needs, in silence when all is there. Returns the toolchain that compiles it.
pub(crate) fn for_build() -> Result<String> {
    let mut report = Report::new(false);
    let toolchain = build_parts(&mut report);
    report.finish()?;
    toolchain.ok_or_else(|| anyhow::anyhow!("no eBPF toolchain was found: run `cargo xtask setup`"))
}

/// Like [`for_build`], and the programs that the end-to-end tests start.
pub(crate) fn for_test() -> Result<String> {
    let mut report = Report::new(false);
    let toolchain = build_parts(&mut report);
    packages::test_programs(&mut report);
    report.finish()?;
    toolchain.ok_or_else(|| anyhow::anyhow!("no eBPF toolchain was found: run `cargo xtask setup`"))
}

/// Sets up rustfmt, clippy and cargo-deny, in silence when all are there.
pub(crate) fn for_lint() -> Result<()> {
    let mut report = Report::new(false);
    lint_parts(&mut report);
    report.finish()
}

fn build_parts(report: &mut Report) -> Option<String> {
    let toolchain = report.part("eBPF toolchain", toolchain::find_or_install())?;
    report.part("bpf-linker", linker::find_or_install(&toolchain))?;
    Some(toolchain.name)
}

fn lint_parts(report: &mut Report) {
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        report.part(component, toolchain::component(component, subcommand));
    }
    report.part("cargo-deny", deny::find_or_install());
}
