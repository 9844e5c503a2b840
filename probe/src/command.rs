//! Subcommands: wiring only, one file each.

mod completions;
mod config;
mod doctor;
mod explain;
pub mod ls;
mod man;
mod replay;
mod report;
mod schema;
mod trace;

use std::io::{self, Write};

use tracing_subscriber::filter::LevelFilter;

use crate::cli::{Cli, Command, Global};
use crate::config::{Config, Layer, LogLevel, Origins};
use crate::sink::output::{Stdout, use_color};

/// Runs what the command line asks for.
pub fn run(cli: &Cli) -> anyhow::Result<()> {
    let mut out = Stdout::default();
    match &cli.command {
        Command::Trace(args) => trace::run(&load(&cli.global, args.layer(&cli.global))?.0),
        Command::Replay(args) => replay::run(&args.file, &load(&cli.global, args.layer(&cli.global))?.0),
        Command::Report(args) => {
            report::run(args, &load(&cli.global, args.layer(&cli.global))?.0, cli.global.quiet == 0, &mut out)
        }
        Command::Ls(args) => {
            load(&cli.global, cli.global.layer())?;
            ls::run(args, &mut out)
        }
        Command::Explain(args) => {
            let (config, _) = load(&cli.global, cli.global.layer())?;
            explain::run(args, &config, &mut out)
        }
        Command::Doctor => doctor::run(&load(&cli.global, cli.global.layer())?.0, &mut out),
        Command::Config(args) => {
            let (config, origins) = load(&cli.global, cli.global.layer())?;
            config::run(args, &config, &origins, &mut out)
        }
        Command::Schema => schema::run(&mut out),
        Command::Completions(args) => completions::run(args, &mut out),
        Command::Man(args) => man::run(args, &mut out),
    }?;
    out.flush()?;
    Ok(())
}

/// Reads the configuration and starts the log with it.
fn load(global: &Global, flags: Layer) -> anyhow::Result<(Config, Origins)> {
    let (config, origins) = Config::load(global.config.as_deref(), flags)?;
    start_log(config.log.louder(global.louder()), &config);
    Ok((config, origins))
}

fn start_log(level: LogLevel, config: &Config) {
    let level = match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let stderr = io::IsTerminal::is_terminal(&io::stderr());
    let log = tracing_subscriber::fmt().with_writer(io::stderr).with_max_level(level);
    // A second start (tests) keeps the first log.
    let _ = log.with_ansi(use_color(config.color, stderr)).try_init();
}
