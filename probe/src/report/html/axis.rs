//! Scales and axes of the charts.

use maud::{Markup, html};

use crate::record::Timestamp;
use crate::report::clock::Clock;
use crate::report::subject::between;

/// Units of a chart's width; the page scales it.
pub(super) const WIDTH: f64 = 1000.0;
/// Left of this stand the numbers of the vertical axis.
pub(super) const LEFT: f64 = 44.0;
/// Right of this stands nothing.
pub(super) const RIGHT: f64 = WIDTH - 16.0;
/// Marks on a time axis, at most.
const MARKS: u64 = 8;

const SECOND: u64 = 1_000_000_000;
/// Distances between marks that people can read.
const STEPS: [u64; 26] = [
    SECOND / 100,
    SECOND / 50,
    SECOND / 20,
    SECOND / 10,
    SECOND / 5,
    SECOND / 2,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    60 * SECOND,
    120 * SECOND,
    300 * SECOND,
    600 * SECOND,
    900 * SECOND,
    1_800 * SECOND,
    3_600 * SECOND,
    7_200 * SECOND,
    10_800 * SECOND,
    21_600 * SECOND,
    43_200 * SECOND,
    86_400 * SECOND,
    2 * 86_400 * SECOND,
    7 * 86_400 * SECOND,
];

/// From moments to places.
pub(super) struct Time {
    from: Timestamp,
    to: Timestamp,
}

impl Time {
    pub(super) fn new(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to: to.max(Timestamp(from.0.saturating_add(1))) }
    }

    /// Where a moment is; outside of the period, the edge.
    pub(super) fn x(&self, at: Timestamp, left: f64) -> f64 {
        let part = between(self.from, at.min(self.to)) as f64 / between(self.from, self.to) as f64;
        left + part * (RIGHT - left)
    }

    /// Lines at round times from `top` to `bottom`, with the times below.
    pub(super) fn axis(&self, clock: &Clock, left: f64, top: f64, bottom: f64) -> Markup {
        let step = self.step();
        let marks = self.marks(clock, step);
        html! {
            g.axis {
                @for at in marks {
                    @let x = self.x(at, left);
                    line x1=(number(x)) x2=(number(x)) y1=(number(top)) y2=(number(bottom)) {}
                    text x=(number(x)) y=(number(bottom + 16.0)) text-anchor=(anchor(x)) { (clock.mark(at, step)) }
                }
                line.base x1=(number(left)) x2=(number(RIGHT)) y1=(number(bottom)) y2=(number(bottom)) {}
            }
        }
    }

    fn step(&self) -> u64 {
        let length = between(self.from, self.to);
        let wide = STEPS.iter().copied().find(|step| length / step <= MARKS);
        // Beyond weeks: so many weeks.
        wide.unwrap_or_else(|| {
            let week = STEPS[STEPS.len() - 1];
            week.saturating_mul(length.div_ceil(week.saturating_mul(MARKS)))
        })
    }

    /// Multiples of the step in local time.
    fn marks(&self, clock: &Clock, step: u64) -> Vec<Timestamp> {
        let step = i128::from(step);
        let offset = i128::from(clock.offset(self.from));
        let first = (i128::from(self.from.0) + offset).div_euclid(step) * step - offset;
        let moments = (0..=i128::from(MARKS) + 2).map(|n| first + n * step);
        let inside = moments.filter_map(|at| i64::try_from(at).ok().map(Timestamp));
        inside.filter(|at| (self.from..=self.to).contains(at)).collect()
    }
}

/// Text at the edge stays inside of the chart.
fn anchor(x: f64) -> &'static str {
    const HALF: f64 = 28.0;
    match x {
        _ if x < HALF => "start",
        _ if x > WIDTH - HALF => "end",
        _ => "middle",
    }
}

/// A round number at or above `most`, and the distance between the marks of its axis: at most five of them.
pub(super) fn scale(most: u64) -> (u64, u64) {
    let mut step = 1_u64;
    for factor in [2, 5, 10].iter().cycle() {
        if most.div_ceil(step) <= 5 {
            break;
        }
        // 1, 2, 5, 10, 20 …: the last decade times 2, 5 and 10.
        let decade = 10_u64.pow(step.ilog10());
        step = decade.saturating_mul(*factor);
    }
    (step.saturating_mul(most.div_ceil(step).max(1)), step)
}

/// Horizontal lines at the marks of a scale, with their numbers on the left.
pub(super) fn levels((most, step): (u64, u64), top: f64, bottom: f64) -> Markup {
    let marks = (0..=5).map(|n| n * step).filter(|mark| *mark <= most);
    html! {
        g.axis {
            @for mark in marks {
                @let y = bottom - mark as f64 / most as f64 * (bottom - top);
                line x1=(number(LEFT)) x2=(number(RIGHT)) y1=(number(y)) y2=(number(y)) {}
                text x=(number(LEFT - 6.0)) y=(number(y + 4.0)) text-anchor="end" { (mark) }
            }
        }
    }
}

/// A place in a chart: one decimal is enough.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn scales_are_round() {
        let cases = [
            (0, (1, 1)),
            (1, (1, 1)),
            (5, (5, 1)),
            (6, (6, 2)),
            (13, (15, 5)),
            (51, (60, 20)),
            (1_234, (1_500, 500)),
        ];
        for (most, expected) in cases {
            assert_eq!(scale(most), expected, "{most}");
        }
        assert!(scale(u64::MAX).0 >= u64::MAX / 2);
    }

    #[test]
    fn marks_are_round_in_local_time() {
        let hour = 3_600_000_000_000_i64;
        let clock = Clock::new(TimeZone::fixed(jiff::tz::offset(1)), &Default::default());
        let time = Time::new(Timestamp(hour / 2), Timestamp(24 * hour));
        let marks = time.marks(&clock, time.step());
        assert_eq!(time.step(), 3 * 3_600 * SECOND);
        assert_eq!(marks.iter().map(|at| at.0 / hour).collect::<Vec<_>>(), [2, 5, 8, 11, 14, 17, 20, 23]);
    }

    #[test]
    fn any_length_has_few_marks() {
        let clock = Clock::new(TimeZone::UTC, &Default::default());
        for (from, to) in [(0, 0), (0, 1), (5, 99_000_000), (i64::MIN, i64::MAX), (-1, 1 << 60)] {
            let time = Time::new(Timestamp(from), Timestamp(to));
            assert!(time.marks(&clock, time.step()).len() <= 11, "{from} {to}");
            assert!(time.x(Timestamp(to), LEFT) <= RIGHT);
        }
    }
}
