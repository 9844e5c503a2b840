//! How long handshakes took: a bar for each bucket of the histogram.

use maud::{Markup, html};

use super::axis::{LEFT, RIGHT, WIDTH, levels, number, scale};
use crate::report::findings::Findings;
use crate::sink::units::{count, duration};

const TOP: f64 = 12.0;
const BOTTOM: f64 = 192.0;
/// Widest bar: a histogram of one bucket is no wall.
const WIDEST: f64 = 90.0;

pub(super) fn section(findings: &Findings) -> Markup {
    let handshakes = &findings.handshakes;
    if handshakes.count == 0 {
        return html! {};
    }
    let most = scale(handshakes.histogram.iter().map(|(_, count)| *count).max().unwrap_or(1));
    let slot = ((RIGHT - LEFT) / handshakes.histogram.len().max(1) as f64).min(WIDEST);
    let quantiles: Vec<_> = [(0.5, "half"), (0.9, "90 %"), (0.99, "99 %")]
        .into_iter()
        .filter_map(|(part, name)| Some(format!("{name} within {}", duration(handshakes.quantile(part)?))))
        .collect();
    html! {
        section {
            h2 { "Handshakes" }
            p.legend { span.key.h {} (count(handshakes.count, "handshake")) @for quantile in &quantiles { span.sum { (quantile) } } }
            div.scroll tabindex="0" role="region" aria-label="Histogram of handshakes" {
                svg.chart viewBox=(format!("0 0 {WIDTH} {}", number(BOTTOM + 40.0))) role="img" aria-labelledby="hs-title hs-desc" {
                    title #hs-title { "How long handshakes took" }
                    desc #hs-desc { (count(handshakes.count, "handshake")) "; " (quantiles.join(", ")) "; the numbers are in the table below" }
                    (levels(most, TOP, BOTTOM))
                    g.axis { line.base x1=(number(LEFT)) x2=(number(RIGHT)) y1=(number(BOTTOM)) y2=(number(BOTTOM)) {} }
                    @for (at, (bound, number_of)) in handshakes.histogram.iter().enumerate() {
                        @let x = LEFT + slot * at as f64;
                        @let height = *number_of as f64 / most.0 as f64 * (BOTTOM - TOP);
                        @if *number_of > 0 {
                            g {
                                title { (name(*bound)) ": " (number_of) }
                                rect.h x=(number(x + 1.5)) y=(number(BOTTOM - height.max(1.0))) width=(number(slot - 3.0)) height=(number(height.max(1.0))) rx="2" {}
                            }
                        }
                        text.tick x=(number(x + slot / 2.0)) y=(number(BOTTOM + 16.0)) text-anchor="middle" { (short(*bound)) }
                    }
                    text.tick x=(number(LEFT)) y=(number(BOTTOM + 34.0)) { "from the first SYN to established, at most" }
                }
            }
            details {
                summary { "Numbers" }
                table {
                    thead { tr { th scope="col" { "took" } th.number scope="col" { "handshakes" } } }
                    tbody { @for (bound, number_of) in &handshakes.histogram {
                        tr { td { (name(*bound)) } td.number { (number_of) } }
                    } }
                }
            }
        }
    }
}

fn name(bound: Option<u64>) -> String {
    bound.map_or_else(|| "longer".to_owned(), |ns| format!("at most {}", duration(ns)))
}

fn short(bound: Option<u64>) -> String {
    bound.map_or_else(|| "longer".to_owned(), duration)
}
