//! connprobe's development commands: `cargo xtask setup | build | run | test | lint | fuzz | docs`.

mod build;
mod docs;
mod fuzz;
mod lint;
mod run;
mod setup;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Sets up, builds, runs and checks connprobe.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
#[command(after_help = "Examples:\n  \
    cargo xtask run                                watch this host's TCP connections\n  \
    cargo xtask run -- trace --duration 5s         the same, with arguments for connprobe\n  \
    cargo xtask test                               every test, the end-to-end ones as root\n  \
    cargo xtask lint                               everything CI refuses a change for")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Setup(setup::Args),
    Build(build::Args),
    Run(run::Args),
    Test(test::Args),
    Lint(lint::Args),
    Fuzz(fuzz::Args),
    Tidy(tidy::Args),
    Docs(docs::Args),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Setup(args) => setup::main(&args),
        Command::Build(args) => build::main(&args),
        Command::Run(args) => run::main(&args),
        Command::Test(args) => test::main(&args),
        Command::Lint(args) => lint::main(&args),
        Command::Fuzz(args) => fuzz::main(&args),
        Command::Tidy(args) => tidy::main(&args),
        Command::Docs(args) => docs::main(&args),
    }
}
