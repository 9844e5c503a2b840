//! `connprobe ls`: the sockets there are.

use std::io::{self, BufWriter, IsTerminal, Write};

use crate::ls::{self, render};

pub use crate::ls::args::{Form, LsArgs};

/// Writes the sockets to `out` and one line about what could not be seen to standard error. A reader that went
/// away is no error.
///
/// # Errors
/// No `/proc`, no socket diagnostics, no such namespace, or `out` cannot be written.
pub fn run(args: &LsArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let mut inventory = ls::collect(args.transports(), args.netns.as_deref())?;
    inventory.select(&args.selection());
    if !inventory.unseen.is_nothing() {
        anstream::eprintln!("connprobe ls: {}", inventory.unseen);
    }
    let mut out = BufWriter::new(out);
    let written = match args.output {
        Form::Text => render::text(&inventory.rows, io::stdout().is_terminal(), &mut out),
        Form::Json => render::json(&inventory.rows, &mut out),
        Form::Csv => render::csv(&inventory.rows, &mut out),
    };
    match written.and_then(|()| out.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
            let _ = out.into_parts(); // what is left has no reader: do not try again on drop
            Ok(())
        }
        result => Ok(result?),
    }
}
