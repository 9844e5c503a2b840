//! The report for a terminal: sentences first, then charts of blocks, then tables. Readable at 80 columns.

mod blocks;
mod tables;

use anstyle::{AnsiColor, Style};

use super::clock::Clock;
use super::findings::{Evidence, Findings};
use super::sentence::{self, Weight};
use super::subject::between;
use crate::sink::escape::escape;
use crate::sink::units::{bytes, count, duration};

/// Prose is not wider, however wide the terminal is.
const PROSE: usize = 100;
/// Narrower is not tried.
const NARROWEST: usize = 40;

/// How the report is written.
#[derive(Clone, Debug)]
pub struct Page {
    /// Time zone of its moments.
    pub clock: Clock,
    /// With colours.
    pub color: bool,
    /// Columns there are.
    pub width: usize,
}

/// The whole report.
pub fn write(findings: &Findings, page: &Page) -> String {
    let mut out = Out { text: String::new(), width: page.width.max(NARROWEST), color: page.color };
    let clock = &page.clock;
    header(&mut out, findings, clock);
    for gap in sentence::gaps(&findings.gaps) {
        out.bullet("!", Out::BAD, &gap);
    }
    told(&mut out, findings, clock);
    totals(&mut out, findings);
    blocks::outages(&mut out, findings, clock);
    blocks::over_time(&mut out, findings, clock);
    blocks::handshakes(&mut out, findings);
    tables::all(&mut out, findings, clock);
    out.text
}

fn header(out: &mut Out, findings: &Findings, clock: &Clock) {
    let origin = &findings.origin;
    let host = origin.host.as_deref().map(|host| format!(" of {host}")).unwrap_or_default();
    out.styled(Out::BOLD, &format!("connprobe report{host}"));
    out.line("");
    let mut facts = Vec::new();
    match origin.period {
        Some(period) => {
            facts.push(clock.period(period));
            facts.push(duration(between(period.0, period.1)));
        }
        None => facts.push("no records in this period".to_owned()),
    }
    facts.push(count(findings.totals.records, "record"));
    facts.extend(origin.kernel.as_ref().map(|kernel| format!("kernel {kernel}")));
    facts.extend(origin.version.as_ref().map(|version| format!("traced by connprobe {version}")));
    if !origin.filters.is_empty() {
        facts.push(format!("filters {}", origin.filters.join(" ")));
    }
    out.prose("", &facts.join(", "));
    for missing in &origin.missing {
        out.prose("  ", &format!("not seen by that kernel: {missing}"));
    }
}

fn told(out: &mut Out, findings: &Findings, clock: &Clock) {
    out.heading("What happened");
    let statements = sentence::all(findings, clock);
    if statements.is_empty() {
        out.prose("  ", sentence::nothing(findings));
    }
    for statement in statements {
        let style = match statement.weight {
            Weight::Now => Out::BAD,
            Weight::Failure => Out::RED,
            Weight::Notice => Out::YELLOW,
        };
        out.bullet("●", style, &statement.text);
        out.evidence(statement.evidence);
    }
    let hidden = hidden(findings);
    if hidden > 0 {
        out.prose("  ", &format!("{} in no table: see --top", count(hidden, "smaller row")));
    }
}

/// Findings without a row, and so without a sentence.
fn hidden(f: &Findings) -> u64 {
    [
        f.outages.other_rows,
        f.failures.other_rows,
        f.overflows.other_rows,
        f.unaccepted.other_rows,
        f.flapping.other_rows,
        f.scans.other_rows,
        f.knocks.other_rows,
    ]
    .iter()
    .sum()
}

fn totals(out: &mut Out, findings: &Findings) {
    let t = &findings.totals;
    out.heading("Totals");
    let mut facts = vec![
        format!("{} started, {} failed", count(t.attempts, "attempt"), t.failed),
        format!("{} opened here, {} accepted", count(t.established, "connection"), t.accepted),
        format!("{} ended, {} in an abnormal way", t.closed, t.abnormal),
        format!("{}, {} going on", count(t.outages, "outage"), t.outages_going_on),
        format!("{} sent, {} received", bytes(t.bytes_sent), bytes(t.bytes_received)),
        count(t.retransmits, "retransmit"),
    ];
    facts.extend(t.open.map(|open| format!("{open} open at the end")));
    out.prose("  ", &facts.join("; "));
}

/// Where the text goes.
struct Out {
    text: String,
    width: usize,
    color: bool,
}

impl Out {
    const BOLD: Style = Style::new().bold();
    const DIM: Style = Style::new().dimmed();
    const RED: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
    const YELLOW: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));
    const GREEN: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
    const BAD: Style = Self::RED.bold();

    /// Text of others is escaped here, in the one place all of it goes through.
    fn styled(&mut self, style: Style, text: &str) {
        let style = if self.color { style } else { Style::new() };
        self.text.push_str(&format!("{style}{}{style:#}", escape(text)));
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(escape(text).trim_end());
        self.text.push('\n');
    }

    fn heading(&mut self, text: &str) {
        self.text.push('\n');
        self.styled(Self::BOLD, text);
        self.text.push('\n');
    }

    /// Wrapped text.
    fn prose(&mut self, indent: &str, text: &str) {
        for line in wrap(&escape(text), self.width.min(PROSE).saturating_sub(indent.len())) {
            self.line(&format!("{indent}{line}"));
        }
    }

    fn bullet(&mut self, mark: &str, style: Style, text: &str) {
        for (at, line) in wrap(&escape(text), self.width.min(PROSE).saturating_sub(4)).iter().enumerate() {
            self.text.push_str("  ");
            if at == 0 {
                self.styled(style, mark);
            } else {
                self.text.push(' ');
            }
            self.line(&format!(" {line}"));
        }
    }

    /// Which records and connections a sentence rests on.
    fn evidence(&mut self, evidence: &Evidence) {
        let text = self::evidence(evidence);
        for line in wrap(&escape(&text), self.width.min(PROSE).saturating_sub(6)) {
            self.text.push_str("      ");
            self.styled(Self::DIM, &line);
            self.text.push('\n');
        }
    }
}

/// `records 12, 14, …; connections 4f-9a3c`.
pub(super) fn evidence(evidence: &Evidence) -> String {
    let mut seqs: Vec<_> = evidence.seqs.iter().map(|seq| seq.to_string()).collect();
    if evidence.records > seqs.len() as u64 {
        seqs.push("…".to_owned());
    }
    let mut text =
        format!("{} {}", if evidence.records == 1 { "record" } else { "records" }, seqs.join(", "));
    if !evidence.conns.is_empty() {
        let word = if evidence.conns.len() == 1 { "connection" } else { "connections" };
        text.push_str(&format!("; {word} {}", evidence.conns.join(", ")));
    }
    text
}

/// Lines of at most this many characters; a longer word has a line of its own.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut length = 0;
    for word in text.split(' ') {
        let chars = word.chars().count();
        if length > 0 && length + 1 + chars > width {
            lines.push(String::new());
            length = 0;
        }
        if let Some(line) = lines.last_mut() {
            if length > 0 {
                line.push(' ');
                length += 1;
            }
            line.push_str(word);
            length += chars;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_not_longer_than_the_width() {
        assert_eq!(wrap("a bb ccc dddd", 6), ["a bb", "ccc", "dddd"]);
        assert_eq!(wrap("incomprehensible", 6), ["incomprehensible"]);
        assert_eq!(wrap("", 6), [""]);
    }
}
