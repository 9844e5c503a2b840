//! `connprobe`: parse, run, exit.

use std::process::ExitCode;

use clap::Parser;
use probe::cli::Cli;
use probe::sink::escape::escape;
use probe::{causes, command, exit};

fn main() -> ExitCode {
    let code = match command::run(&Cli::parse()) {
        Ok(()) => exit::Code::Ok,
        Err(error) => {
            let code = exit::Code::of(error.chain());
            if code != exit::Code::Ok {
                // A message may quote what stood in a file.
                eprintln!("connprobe: {}", escape(&causes::explain(error.as_ref())));
            }
            code
        }
    };
    code.into()
}
