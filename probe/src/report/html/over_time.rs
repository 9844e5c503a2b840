//! Failures over time: a bar for each stretch of time, a colour for each cause.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use maud::{Markup, html};

use super::axis::{LEFT, RIGHT, Time, WIDTH, levels, number, scale};
use crate::record::{Cause, Timestamp};
use crate::report::clock::Clock;
use crate::report::findings::Findings;
use crate::report::words::plain;
use crate::sink::units::{count, duration};

/// Bars at most.
const BARS: usize = 80;
/// Causes with a colour of their own; the others share one.
const COLOURS: usize = 6;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 212.0;

/// A stretch of time: its start, and its failures by colour.
struct Stretch {
    from: Timestamp,
    by_colour: [u64; COLOURS + 1],
}

impl Stretch {
    fn sum(&self) -> u64 {
        self.by_colour.iter().sum()
    }
}

pub(super) fn section(findings: &Findings, clock: &Clock) -> Markup {
    let over = &findings.over_time;
    if over.buckets.is_empty() {
        return html! {};
    }
    let colours = colours(&findings.totals.causes);
    let joined = over.buckets.len().div_ceil(BARS);
    let width = over.width_ns.saturating_mul(joined as u64);
    let at = |n: usize| {
        let offset = i64::try_from(width.saturating_mul(n as u64)).unwrap_or(i64::MAX);
        Timestamp(over.from.0.saturating_add(offset))
    };
    let stretches: Vec<Stretch> = over
        .buckets
        .chunks(joined)
        .enumerate()
        .map(|(n, part)| Stretch { from: at(n), by_colour: by_colour(part, &colours) })
        .collect();
    let time = Time::new(over.from, at(stretches.len()));
    let most = scale(stretches.iter().map(Stretch::sum).max().unwrap_or(1));
    html! {
        section {
            h2 { "Failures over time" }
            p.legend { @for (colour, name, sum) in legend(&colours, &stretches) {
                span class=(format!("key c{colour}")) {} (name) " " span.sum { (sum) }
            } }
            div.scroll tabindex="0" role="region" aria-label="Failures over time" {
                svg.chart viewBox=(format!("0 0 {WIDTH} {}", number(BOTTOM + 24.0))) role="img" aria-labelledby="time-title time-desc" {
                    title #time-title { "Failures over time by cause" }
                    desc #time-desc { (count(stretches.iter().map(Stretch::sum).sum(), "failure")) ", each bar is " (duration(width)) "; the numbers are in the table below" }
                    (levels(most, TOP, BOTTOM))
                    (time.axis(clock, LEFT, BOTTOM, BOTTOM))
                    @for (n, stretch) in stretches.iter().enumerate() {
                        (bar(stretch, (time.x(stretch.from, LEFT), time.x(at(n + 1), LEFT)), most.0, &colours, clock))
                    }
                }
            }
            p.note { "Failed attempts and abnormal ends; each bar is " (duration(width)) "." }
            details {
                summary { "Numbers" }
                (table(&stretches, &colours, clock))
            }
        }
    }
}

/// The causes with the most failures, by colour.
fn colours(causes: &BTreeMap<Cause, u64>) -> Vec<Cause> {
    let mut causes: Vec<_> = causes.iter().collect();
    causes.sort_by_key(|(cause, count)| (Reverse(**count), **cause));
    causes.into_iter().take(COLOURS).map(|(cause, _)| *cause).collect()
}

fn by_colour(part: &[BTreeMap<Cause, u64>], colours: &[Cause]) -> [u64; COLOURS + 1] {
    let mut sums = [0; COLOURS + 1];
    for (cause, count) in part.iter().flatten() {
        let colour = colours.iter().position(|known| known == cause).unwrap_or(COLOURS);
        sums[colour] += count;
    }
    sums
}

fn name(colour: usize, colours: &[Cause]) -> String {
    colours.get(colour).map_or_else(|| "other causes".to_owned(), |cause| plain(cause.name()))
}

fn legend(colours: &[Cause], stretches: &[Stretch]) -> Vec<(usize, String, u64)> {
    let sum = |colour: usize| stretches.iter().map(|stretch| stretch.by_colour[colour]).sum();
    let all = (0..=COLOURS).map(|colour| (colour, name(colour, colours), sum(colour)));
    all.filter(|(_, _, sum)| *sum > 0).collect()
}

fn bar(stretch: &Stretch, (x, end): (f64, f64), most: u64, colours: &[Cause], clock: &Clock) -> Markup {
    let width = (end - x - 1.0).min(RIGHT - x).max(1.0);
    let mut y = BOTTOM;
    let parts =
        stretch.by_colour.iter().enumerate().filter(|(_, count)| **count > 0).map(|(colour, count)| {
            let height = *count as f64 / most as f64 * (BOTTOM - TOP);
            y -= height;
            (colour, y, height)
        });
    let parts: Vec<_> = parts.collect();
    html! {
        @if !parts.is_empty() {
            g {
                title { (clock.moment(stretch.from)) ": " (told(stretch, colours)) }
                @for (colour, y, height) in parts {
                    rect class=(format!("c{colour}")) x=(number(x)) y=(number(y)) width=(number(width)) height=(number(height)) {}
                }
            }
        }
    }
}

fn told(stretch: &Stretch, colours: &[Cause]) -> String {
    let parts = stretch.by_colour.iter().enumerate().filter(|(_, count)| **count > 0);
    parts.map(|(colour, count)| format!("{} {count}", name(colour, colours))).collect::<Vec<_>>().join(", ")
}

fn table(stretches: &[Stretch], colours: &[Cause], clock: &Clock) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "from" } th.number scope="col" { "failures" } th scope="col" { "causes" } } }
            tbody { @for stretch in stretches.iter().filter(|stretch| stretch.sum() > 0) {
                tr { td { (clock.moment(stretch.from)) } td.number { (stretch.sum()) } td { (told(stretch, colours)) } }
            } }
        }
    }
}
