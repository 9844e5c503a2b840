//! Charts of block characters: when peers were gone, when it failed, how long handshakes took.

use std::collections::BTreeMap;

use super::Out;
use crate::record::{Cause, Timestamp};
use crate::report::clock::Clock;
use crate::report::findings::{Findings, OutageEnd};
use crate::report::subject::between;
use crate::report::words::plain;
use crate::sink::units::{count, duration};

/// Widest chart, columns.
const WIDEST: usize = 80;
/// Causes with a line of their own.
const CAUSES: usize = 6;
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A strip of time for each program and peer.
pub(super) fn outages(out: &mut Out, findings: &Findings, clock: &Clock) {
    let Some((from, to)) = findings.origin.period.filter(|_| !findings.lanes.is_empty()) else { return };
    out.heading("Outages");
    let width = (out.width - 4).min(WIDEST);
    for lane in &findings.lanes {
        let total = format!(
            "{}{}, {} down",
            lane.at_least(),
            count(lane.count, "outage"),
            duration(lane.downtime_ns)
        );
        out.prose("  ", &format!("{} → {}: {total}", lane.who.cell(), lane.peer.cell()));
        let mut strip = vec!['·'; width];
        let column = |at: Timestamp| column(at, from, to, width);
        for (start, end, how) in &lane.outages {
            let (first, last) = (column(*start), column(*end));
            let mark = match how {
                OutageEnd::Unknown | OutageEnd::TraceEnded(_) => '▒',
                OutageEnd::Back(_) | OutageEnd::GoesOn => '█',
            };
            strip[first..=last.max(first)].fill(mark);
            if *how == OutageEnd::GoesOn {
                strip[last] = '▶';
            }
        }
        let strip: String = strip.into_iter().collect();
        out.text.push_str("  ");
        out.styled(Out::RED, &strip);
        out.text.push('\n');
    }
    axis(out, from, to, (0, width), clock);
}

/// A line of blocks for all failures, and one for each of the causes with the most.
pub(super) fn over_time(out: &mut Out, findings: &Findings, clock: &Clock) {
    let over = &findings.over_time;
    if over.buckets.is_empty() {
        return;
    }
    out.heading("Failures over time");
    let mut causes: Vec<_> = findings.totals.causes.iter().collect();
    causes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let label = causes.iter().take(CAUSES).map(|(cause, _)| cause.name().len()).max().unwrap_or(0).max(3);
    let room = out.width.saturating_sub(label + 12).clamp(10, WIDEST);
    let joined = over.buckets.len().div_ceil(room);
    let width_ns = over.width_ns.saturating_mul(joined as u64);
    let series = |pick: &dyn Fn(&BTreeMap<Cause, u64>) -> u64| -> Vec<u64> {
        over.buckets.chunks(joined).map(|part| part.iter().map(pick).sum()).collect()
    };
    let mut line = |name: &str, values: &[u64]| {
        let sum: u64 = values.iter().sum();
        out.text.push_str(&format!("  {name:<label$} "));
        out.styled(Out::RED, &spark(values));
        out.line(&format!(" {sum}"));
    };
    line("all", &series(&|causes| causes.values().sum()));
    for (cause, _) in causes.iter().take(CAUSES) {
        let values = series(&|causes| causes.get(cause).copied().unwrap_or(0));
        line(&plain(cause.name()), &values);
    }
    let columns = over.buckets.len().div_ceil(joined);
    let length = i64::try_from(width_ns.saturating_mul(columns as u64)).unwrap_or(i64::MAX);
    let to = Timestamp(over.from.0.saturating_add(length));
    // Buckets stand at multiples of their width, the period does not.
    let (from, to) = match findings.origin.period {
        Some((first, last)) => (over.from.max(first), to.min(last)),
        None => (over.from, to),
    };
    axis(out, from, to, (label + 1, columns), clock);
    out.prose("  ", &format!("each column is {}", duration(width_ns)));
}

/// The histogram, a line for each bucket.
pub(super) fn handshakes(out: &mut Out, findings: &Findings) {
    let handshakes = &findings.handshakes;
    if handshakes.count == 0 {
        return;
    }
    out.heading("Handshakes");
    let most = handshakes.histogram.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
    let room = (out.width.saturating_sub(24)).min(WIDEST / 2);
    for (bound, number) in &handshakes.histogram {
        let name = bound.map_or_else(|| "longer".to_owned(), |ns| format!("≤ {}", duration(ns)));
        out.text.push_str(&format!("  {name:>8} "));
        out.styled(Out::GREEN, &bar(*number, most, room));
        out.line(&format!(" {number}"));
    }
    let at_most = |part, what: &str| {
        let bound = handshakes.quantile(part)?;
        Some(format!("{what} within {}", duration(bound)))
    };
    let parts = [at_most(0.5, "half"), at_most(0.9, "90 %"), at_most(0.99, "99 %")];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    let number = count(handshakes.count, "handshake");
    out.prose("  ", &if parts.is_empty() { number } else { format!("{number}: {}", parts.join(", ")) });
}

/// Where a moment is on a strip.
fn column(at: Timestamp, from: Timestamp, to: Timestamp, width: usize) -> usize {
    let (at, length) = (between(from, at.min(to)), between(from, to).max(1));
    let column = u128::from(at) * (width as u128) / u128::from(length);
    usize::try_from(column).unwrap_or(0).min(width.saturating_sub(1))
}

/// First and last moment below a chart that stands so far in and is so wide.
fn axis(out: &mut Out, from: Timestamp, to: Timestamp, (indent, width): (usize, usize), clock: &Clock) {
    let (from, to) = (clock.moment(from), clock.moment(to));
    let gap = width.saturating_sub(from.chars().count() + to.chars().count());
    let text = match gap {
        0 => format!("  {from} to {to}"),
        gap => format!("  {}{from}{}{to}", " ".repeat(indent), " ".repeat(gap)),
    };
    out.styled(Out::DIM, &text);
    out.text.push('\n');
}

/// A block for each number, the largest a whole one; nothing for nothing.
fn spark(values: &[u64]) -> String {
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    let level = |value: u64| match value {
        0 => ' ',
        value => {
            let at = u128::from(value) * LEVELS.len() as u128 / u128::from(most);
            LEVELS[usize::try_from(at).unwrap_or(0).clamp(1, LEVELS.len()) - 1]
        }
    };
    values.iter().map(|value| level(*value)).collect()
}

/// A bar of whole and half blocks; never nothing for something.
fn bar(value: u64, most: u64, room: usize) -> String {
    let halves = u128::from(value) * 2 * room as u128 / u128::from(most.max(1));
    let halves = usize::try_from(halves).unwrap_or(0).max(usize::from(value > 0));
    format!("{}{}", "█".repeat(halves / 2), if halves % 2 == 1 { "▌" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_is_never_nothing() {
        assert_eq!(spark(&[0, 1, 500, 1_000]), " ▁▄█");
        assert_eq!(spark(&[]), "");
        assert_eq!(bar(1, 1_000_000, 10), "▌");
        assert_eq!(bar(0, 5, 10), "");
        assert_eq!(bar(5, 5, 3), "███");
    }

    #[test]
    fn a_moment_outside_is_at_the_edge() {
        let at = |ns| column(Timestamp(ns), Timestamp(100), Timestamp(200), 10);
        assert_eq!([at(0), at(100), at(150), at(200), at(900)], [0, 0, 5, 9, 9]);
        assert_eq!(column(Timestamp(5), Timestamp(5), Timestamp(5), 10), 0);
    }
}
