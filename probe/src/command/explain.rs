//! `connprobe explain [TERM...]`.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use crate::config::Config;
use crate::explain::args::{ExplainArgs, Form};
use crate::explain::render::{self, Layout};
use crate::explain::{self, Entry};
use crate::kernel::btf::{Btf, KERNEL_BTF};
use crate::kernel::offsets;
use crate::sink::output::use_color;

/// Columns where nobody knows how many there are.
const WIDTH: usize = 80;
/// Longer lines are hard to read.
const WIDEST: usize = 100;

/// Prints the explanations of the terms, or all terms.
pub(super) fn run(args: &ExplainArgs, config: &Config, out: &mut impl Write) -> anyhow::Result<()> {
    let is_list = args.terms.is_empty();
    let entries: Vec<Entry> =
        if is_list { explain::all().collect() } else { explain::find_all(&args.terms, kernel_reasons)? };
    match args.output {
        Form::Text if is_list => render::list(&entries, layout(config), out),
        Form::Text => render::text(&entries, layout(config), out),
        Form::Json => render::json(&entries, out),
    }?;
    Ok(())
}

/// Reset reasons of the running kernel; none where its BTF cannot be read.
fn kernel_reasons() -> Vec<String> {
    let reasons = Btf::from_file(Path::new(KERNEL_BTF)).map(|btf| offsets::reset_reasons(&btf));
    reasons.unwrap_or_default().into_iter().map(|(_, name)| name).collect()
}

fn layout(config: &Config) -> Layout {
    let stdout = io::stdout();
    let columns = terminal_size::terminal_size_of(&stdout).map(|(columns, _)| usize::from(columns.0));
    Layout {
        width: columns.filter(|columns| *columns > 0).unwrap_or(WIDTH).min(WIDEST),
        color: use_color(config.color, stdout.is_terminal()),
    }
}
