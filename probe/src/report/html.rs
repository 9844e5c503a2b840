//! The report as one page that needs nothing else: no script, no other file. It may be opened from a disk, sent by
//! mail, and printed.
//!
//! Names in records are chosen by others. maud escapes all of them, characters that reorder text are written out, and
//! the page's own policy lets nothing run and nothing be loaded, should both ever fail.

mod axis;
mod handshakes;
mod outages;
mod over_time;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::clock::Clock;
use super::findings::Findings;
use super::sentence::{self, Statement, Weight};
use super::sheets::{Sheet, sheets};
use super::subject::between;
use super::text;
use crate::sink::escape::escape;
use crate::sink::units::{bytes, count, duration};

const STYLE: &str = include_str!("html/style.css");
/// Of [`STYLE`]; a test says what it must be.
const STYLE_HASH: &str = "sha256-qqaAZMo363J1yut6e805dxmXEJFtV22Hf1ZWiJOgs+g=";

/// The whole page.
pub fn write(findings: &Findings, clock: &Clock) -> String {
    let host = findings.origin.host.as_deref().map(|host| format!(" of {host}")).unwrap_or_default();
    let title = format!("connprobe report{host}");
    let policy = format!("default-src 'none'; style-src '{STYLE_HASH}'; base-uri 'none'; form-action 'none'");
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (safe(&title)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (header(findings, clock))
                main {
                    (gaps(findings))
                    (tiles(findings))
                    (told(findings, clock))
                    (outages::section(findings, clock))
                    (over_time::section(findings, clock))
                    (handshakes::section(findings))
                    @for sheet in sheets(findings, clock) {
                        section {
                            h2 { (sheet.name) }
                            (table(&sheet))
                        }
                    }
                }
                footer { "Made by connprobe " (env!("CARGO_PKG_VERSION")) ". Evidence is given as numbers of records (" code { "seq" } ") and ids of connections (" code { "conn" } ")." }
            }
        }
    };
    page.into_string() + "\n"
}

/// Text of others, without what reorders it.
fn safe(text: &str) -> String {
    escape(text).into_owned()
}

fn header(findings: &Findings, clock: &Clock) -> Markup {
    let origin = &findings.origin;
    html! {
        header {
            h1 {
                "What happened"
                @if let Some(host) = &origin.host { " on " span.host { (safe(host)) } }
            }
            p.facts {
                @match origin.period {
                    Some(period) => {
                        span { (clock.period(period)) }
                        span { (duration(between(period.0, period.1))) }
                    }
                    None => span { "no records in this period" },
                }
                span { (count(findings.totals.records, "record")) }
                @if let Some(kernel) = &origin.kernel { span { "kernel " (safe(kernel)) } }
                @if let Some(version) = &origin.version { span { "traced by connprobe " (safe(version)) } }
                @if !origin.filters.is_empty() { span { "filters " code { (safe(&origin.filters.join(" "))) } } }
            }
            @for missing in &origin.missing {
                p.facts { span { "not seen by that kernel: " (safe(missing)) } }
            }
        }
    }
}

fn gaps(findings: &Findings) -> Markup {
    let gaps = sentence::gaps(&findings.gaps);
    html! {
        @if !gaps.is_empty() {
            aside.gaps aria-label="What is missing in this report" {
                strong { "This report rests on an incomplete stream." }
                ul { @for gap in &gaps { li { (safe(gap)) } } }
            }
        }
    }
}

fn tiles(findings: &Findings) -> Markup {
    let t = &findings.totals;
    let now = t.outages_going_on > 0;
    let slowest = findings.handshakes.slowest.first();
    html! {
        section.tiles aria-label="Totals" {
            (tile("Outages", &t.outages.to_string(), &format!("{} not back at the end", t.outages_going_on), now))
            (tile("Failed attempts", &t.failed.to_string(), &format!("of {} started", t.attempts), t.failed > 0))
            (tile("Abnormal ends", &t.abnormal.to_string(), &format!("of {} connections that ended", t.closed), t.abnormal > 0))
            (tile(
                "Connections", &(t.established + t.accepted).to_string(),
                &format!("{} opened here, {} accepted", t.established, t.accepted), false,
            ))
            (tile(
                "Slowest handshake", &slowest.map_or_else(|| "–".to_owned(), |slow| duration(slow.connect_ns)),
                &findings.handshakes.quantile(0.5).map(|ns| format!("half within {}", duration(ns))).unwrap_or_default(),
                false,
            ))
            (tile(
                "Payload", &bytes(t.bytes_sent.saturating_add(t.bytes_received)),
                &format!("{} sent, {} received, {}", bytes(t.bytes_sent), bytes(t.bytes_received), count(t.retransmits, "retransmit")),
                false,
            ))
        }
    }
}

fn tile(name: &str, number: &str, more: &str, is_bad: bool) -> Markup {
    html! {
        div.tile.bad[is_bad] {
            div.name { (name) }
            div.number { (number) }
            div.more { (more) }
        }
    }
}

fn told(findings: &Findings, clock: &Clock) -> Markup {
    let statements = sentence::all(findings, clock);
    html! {
        section {
            h2 { "Findings" }
            @if statements.is_empty() { p.good { (sentence::nothing(findings)) } }
            ol.findings {
                @for statement in &statements { (finding(statement)) }
            }
        }
    }
}

fn finding(statement: &Statement) -> Markup {
    html! {
        li class=(statement.weight.name()) {
            span.badge { (badge(statement)) }
            div {
                p { (with_code(&statement.text)) }
                p.evidence { (safe(&text::evidence(statement.evidence))) }
            }
        }
    }
}

/// The kind of a finding in a word or two.
fn badge(statement: &Statement) -> &'static str {
    match (statement.weight, statement.kind) {
        (Weight::Now, _) => "not back",
        (_, "outages") => "outages",
        (_, "listen_overflow") => "queue full",
        (_, "never_accepted") => "unserved",
        (_, "port_scan") => "port scan",
        (_, "refused_inbound") => "knocking",
        (_, "slow_handshake") => "slow",
        (_, "retransmissions") => "lossy",
        (_, kind) => kind,
    }
}

/// What stands in backticks as code.
fn with_code(text: &str) -> Markup {
    let text = safe(text);
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

fn table(sheet: &Sheet) -> Markup {
    let is_number = |at: usize| sheet.columns.get(at).is_some_and(|name| name.ends_with('#'));
    html! {
        div.scroll tabindex="0" role="region" aria-label=(sheet.name) {
            table {
                thead {
                    tr { @for (at, name) in sheet.columns.iter().enumerate() {
                        th.number[is_number(at)] scope="col" { (name.trim_end_matches('#')) }
                    } }
                }
                tbody {
                    @for row in &sheet.rows {
                        tr { @for (at, cell) in row.iter().enumerate() {
                            td.number[is_number(at)] { (safe(cell)) }
                        } }
                    }
                }
            }
        }
        @if let Some(others) = &sheet.others { p.others { (others) } }
    }
}

#[cfg(test)]
mod tests;
