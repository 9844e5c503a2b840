//! The timeline of outages: a lane for each program and peer.

use maud::{Markup, html};

use super::axis::{RIGHT, Time, WIDTH, number};
use super::safe;
use crate::record::Timestamp;
use crate::report::clock::Clock;
use crate::report::findings::{Findings, Lane, OutageEnd};
use crate::report::subject::between;
use crate::sink::units::{count, duration};

/// Height of a lane, with its name above the bar.
const LANE: f64 = 46.0;
const BAR: f64 = 16.0;
const EDGE: f64 = 8.0;
/// The shortest outage is still to be seen.
const SHORTEST: f64 = 3.0;

/// Kinds of ends, their class and what they are called; the moment makes no difference.
const LEGEND: [(OutageEnd, &str, &str); 4] = [
    (OutageEnd::Back(Timestamp(0)), "gone", "peer lost, and back"),
    (OutageEnd::GoesOn, "now", "not back at the end"),
    (OutageEnd::TraceEnded(Timestamp(0)), "untold", "not back when the trace ended"),
    (OutageEnd::Unknown, "untold", "end not told"),
];

pub(super) fn section(findings: &Findings, clock: &Clock) -> Markup {
    let Some((from, to)) = findings.origin.period.filter(|_| !findings.lanes.is_empty()) else {
        return html! {};
    };
    let from =
        findings.lanes.iter().filter_map(|lane| lane.outages.first()).map(|o| o.0).fold(from, Ord::min);
    let time = Time::new(from, to);
    let ends = || findings.lanes.iter().flat_map(|lane| &lane.outages).map(|(_, _, end)| *end);
    let bottom = LANE * findings.lanes.len() as f64 + 4.0;
    html! {
        section {
            h2 { "Outages" }
            p.legend {
                @for (end, class, name) in LEGEND {
                    @if ends().any(|known| std::mem::discriminant(&known) == std::mem::discriminant(&end)) {
                        span class=(format!("key {class}")) {} (name)
                    }
                }
            }
            div.scroll tabindex="0" role="region" aria-label="Timeline of outages" {
                svg.chart viewBox=(format!("0 0 {WIDTH} {}", number(bottom + 24.0))) role="img" aria-labelledby="outages-title outages-desc" {
                    title #outages-title { "Timeline of outages by program and peer" }
                    desc #outages-desc { (summary(findings)) }
                    (time.axis(clock, EDGE, 4.0, bottom))
                    @for (at, lane) in findings.lanes.iter().enumerate() {
                        (bars(lane, &time, LANE * at as f64, clock))
                    }
                }
            }
        }
    }
}

/// For those who do not see the chart; the numbers are in the table of outages.
fn summary(findings: &Findings) -> String {
    let lanes = findings.lanes.iter().map(|lane| safe(&name(lane)));
    lanes.collect::<Vec<_>>().join("; ")
}

fn name(lane: &Lane) -> String {
    let outages = format!("{}{}", lane.at_least(), count(lane.count, "outage"));
    format!("{} → {}: {outages}, {} in all", lane.who.cell(), lane.peer.cell(), duration(lane.downtime_ns))
}

fn bars(lane: &Lane, time: &Time, top: f64, clock: &Clock) -> Markup {
    let y = top + 24.0;
    html! {
        g {
            text.lane x=(number(EDGE)) y=(number(top + 17.0)) {
                tspan.who { (safe(&lane.who.cell())) " → " (safe(&lane.peer.cell())) }
                tspan.more { "  " (lane.at_least()) (count(lane.count, "outage")) ", " (duration(lane.downtime_ns)) }
            }
            rect.track x=(number(EDGE)) y=(number(y)) width=(number(RIGHT - EDGE)) height=(number(BAR)) rx="3" {}
            @for (from, to, end) in &lane.outages {
                @let x = time.x(*from, EDGE).min(RIGHT - SHORTEST);
                @let width = (time.x(*to, EDGE) - x).max(SHORTEST);
                @let class = match end {
                    OutageEnd::Back(_) => "gone",
                    OutageEnd::GoesOn => "now",
                    OutageEnd::TraceEnded(_) | OutageEnd::Unknown => "untold",
                };
                rect class=(class) x=(number(x)) y=(number(y)) width=(number(width)) height=(number(BAR)) rx="2" {
                    title {
                        (clock.moment(*from)) " to "
                        @match end {
                            OutageEnd::Back(at) => (clock.moment(*at)),
                            OutageEnd::GoesOn => "the end",
                            OutageEnd::TraceEnded(_) => "the end of the trace",
                            OutageEnd::Unknown => "an unknown moment",
                        }
                        ", " (duration(between(*from, *to)))
                    }
                }
            }
        }
    }
}
