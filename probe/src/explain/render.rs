//! Explanations for people, and for programs.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::{Entry, Kind};

/// How text is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Columns of the terminal.
    pub width: usize,
    /// Bold headings and coloured commands.
    pub color: bool,
}

impl Layout {
    fn heading(self) -> Style {
        if self.color { Style::new().bold() } else { Style::new() }
    }

    fn command(self) -> Style {
        if self.color { AnsiColor::Cyan.on_default() } else { Style::new() }
    }
}

/// Explanations, one below the other.
///
/// # Errors
/// Those of `out`.
pub fn text(entries: &[Entry], layout: Layout, out: &mut impl Write) -> io::Result<()> {
    for (at, entry) in entries.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        page(entry, layout, out)?;
    }
    Ok(())
}

fn page(entry: &Entry, layout: Layout, out: &mut impl Write) -> io::Result<()> {
    let bold = layout.heading();
    let number = entry.number.map(|number| format!(" {number}")).unwrap_or_default();
    let kind = entry.kind.name();
    writeln!(out, "{bold}{}{bold:#} ({kind}{number})", entry.name)?;
    wrap(&entry.summary, "  ", "  ", layout.width, out)?;

    heading("What it means", layout, out)?;
    for (at, paragraph) in entry.meaning.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        wrap(paragraph, "  ", "  ", layout.width, out)?;
    }
    heading("Usual reasons", layout, out)?;
    for reason in entry.reasons {
        wrap(reason, "  - ", "    ", layout.width, out)?;
    }
    heading("Look at next", layout, out)?;
    let style = layout.command();
    for (command, shows) in entry.next {
        // A command is never broken: it is there to be copied.
        writeln!(out, "  {style}{command}{style:#}")?;
        wrap(shows, "      ", "      ", layout.width, out)?;
    }
    heading("See also", layout, out)?;
    wrap(&entry.see_also.join(", "), "  ", "  ", layout.width, out)
}

fn heading(title: &str, layout: Layout, out: &mut impl Write) -> io::Result<()> {
    let bold = layout.heading();
    writeln!(out, "\n{bold}{title}{bold:#}")
}

/// Every term in a line, by kind.
///
/// # Errors
/// Those of `out`.
pub fn list(entries: &[Entry], layout: Layout, out: &mut impl Write) -> io::Result<()> {
    let bold = layout.heading();
    for kind in Kind::ALL {
        let of_kind = || entries.iter().filter(|entry| entry.kind == *kind);
        writeln!(out, "{bold}{}{bold:#}", kind.name())?;
        let width = of_kind().map(|entry| entry.name.len()).max().unwrap_or_default();
        let rest = " ".repeat(width + 4);
        for entry in of_kind() {
            let first = format!("  {:<width$}  ", entry.name);
            wrap(&entry.summary, &first, &rest, layout.width, out)?;
        }
        writeln!(out)?;
    }
    writeln!(out, "Any other errno is explained, too, by name or number: `connprobe explain 111`.")
}

/// Words of a text in lines of at most `width` columns, where no single word is longer.
fn wrap(text: &str, first: &str, rest: &str, width: usize, out: &mut impl Write) -> io::Result<()> {
    let (mut line, mut is_empty) = (first.to_owned(), true);
    for word in text.split(' ') {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > width {
            writeln!(out, "{line}")?;
            (line, is_empty) = (rest.to_owned(), true);
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    writeln!(out, "{line}")
}

/// An object a line.
///
/// # Errors
/// Those of `out`.
pub fn json(entries: &[Entry], out: &mut impl Write) -> io::Result<()> {
    for entry in entries {
        serde_json::to_writer(&mut *out, &Object::from(entry))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// An explanation on the wire. What does not apply is absent, as in records.
#[derive(Serialize)]
struct Object<'a> {
    kind: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u16>,
    summary: &'a str,
    /// Paragraphs, an empty line between them.
    meaning: String,
    reasons: &'a [&'a str],
    next: Vec<Step<'a>>,
    see_also: &'a [&'a str],
}

/// A command, and what it shows.
#[derive(Serialize)]
struct Step<'a> {
    command: &'a str,
    shows: &'a str,
}

impl<'a> From<&'a Entry> for Object<'a> {
    fn from(entry: &'a Entry) -> Self {
        Self {
            kind: entry.kind.name(),
            name: &entry.name,
            number: entry.number,
            summary: &entry.summary,
            meaning: entry.meaning.join("\n\n"),
            reasons: entry.reasons,
            next: entry.next.iter().map(|(command, shows)| Step { command, shows }).collect(),
            see_also: entry.see_also,
        }
    }
}
