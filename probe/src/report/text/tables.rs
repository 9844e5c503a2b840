//! Tables in columns of characters.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets::NOTHING};

use super::Out;
use crate::report::clock::Clock;
use crate::report::findings::Findings;
use crate::report::sheets::{Sheet, sheets};
use crate::sink::escape::escape;

pub(super) fn all(out: &mut Out, findings: &Findings, clock: &Clock) {
    for sheet in sheets(findings, clock) {
        out.heading(sheet.name);
        write(out, &sheet);
    }
}

fn write(out: &mut Out, sheet: &Sheet) {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(out.width.saturating_sub(2)).unwrap_or(u16::MAX));
    table.set_header(sheet.columns.iter().map(|name| name.trim_end_matches('#').to_uppercase()));
    for row in &sheet.rows {
        table.add_row(row.iter().map(|cell| escape(cell).into_owned()));
    }
    for (column, name) in table.column_iter_mut().zip(sheet.columns) {
        column.set_padding((0, 2));
        if name.ends_with('#') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for (at, line) in table.lines().enumerate() {
        if at == 0 {
            out.text.push_str("  ");
            out.styled(Out::DIM, line.trim_end());
            out.text.push('\n');
        } else {
            out.line(&format!("  {line}"));
        }
    }
    if let Some(others) = &sheet.others {
        out.prose("  ", others);
    }
}
