use base64::Engine as _;
use jiff::tz::TimeZone;
use sha2::Digest as _;

use super::super::tests::{night, report};
use super::super::{Report, Scope};
use super::*;
use crate::record::Record;
use crate::sink::samples::all;

fn page(findings: &Findings) -> String {
    write(findings, &Clock::new(TimeZone::fixed(jiff::tz::offset(1)), &findings.origin))
}

#[test]
fn page_of_a_night() {
    // The style is a file of its own.
    insta::assert_snapshot!(page(&night()).replace(STYLE, "…").replace("><", ">\n<"));
}

#[test]
fn the_policy_knows_the_style() {
    let digest = sha2::Sha256::digest(STYLE.as_bytes());
    assert_eq!(STYLE_HASH, format!("sha256-{}", base64::engine::general_purpose::STANDARD.encode(digest)));
}

#[test]
fn nothing_runs_and_nothing_is_loaded() {
    let page = page(&night());
    for active in [
        "<script",
        "<link",
        "<img",
        "<iframe",
        "javascript:",
        " on",
        "http://",
        "https://",
        "url(",
        "@import",
        " style=",
    ] {
        let found: Vec<_> =
            page.match_indices(active).map(|(at, _)| &page[at..(at + 12).min(page.len())]).collect();
        // ` on` starts a word of a sentence as well as an event handler.
        assert!(found.iter().all(|found| active == " on" && !found.contains('=')), "{active}: {found:?}");
    }
}

/// Names made to break out of any context of a page, and to reorder what is read.
const HOSTILE: &str =
    "</title><script>alert(1)</script>\"'><img src=x onerror=alert(1)>`&amp;\u{202e}\u{1b}[31m";

fn hostile() -> Vec<Record> {
    let mut records = all();
    for r in &mut records {
        let names = [
            &mut r.comm,
            &mut r.exe,
            &mut r.cmdline,
            &mut r.unit,
            &mut r.container,
            &mut r.conn,
            &mut r.host,
        ];
        for name in names {
            *name = Some(HOSTILE.into());
        }
        r.reset_reason = Some(HOSTILE.into());
        if let Some(tracer) = &mut r.tracer {
            (tracer.kernel, tracer.version) = (HOSTILE.to_owned(), HOSTILE.to_owned());
            (tracer.filters, tracer.missing) = (vec![HOSTILE.to_owned()], vec![HOSTILE.to_owned()]);
        }
    }
    records
}

#[test]
fn names_of_others_are_text_and_nothing_else() {
    let mut report = Report::new(Scope::default());
    hostile().iter().for_each(|r| report.take(r));
    report.bad_line(1, HOSTILE.to_owned());
    report.cut_short(HOSTILE.to_owned());
    let page = page(&report.finish());
    assert!(page.contains("&lt;script&gt;"), "{page}");
    for broken in ["<script", "<img", "\u{202e}", "\u{1b}", "\"'>"] {
        assert!(!page.contains(broken), "{broken:?}");
    }
    assert_eq!(page.matches("<title>connprobe").count(), 1);
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
}

#[test]
fn every_chart_has_a_name_and_its_numbers_as_a_table() {
    let page = page(&night());
    assert_eq!(page.matches("<svg").count(), 3);
    for id in ["outages", "time", "hs"] {
        assert!(page.contains(&format!("aria-labelledby=\"{id}-title {id}-desc\"")), "{id}");
        assert!(page.contains(&format!("<title id=\"{id}-title\">")), "{id}");
    }
    assert!(page.contains("Outages in detail") && page.matches("<summary>Numbers").count() == 2);
}

#[test]
fn no_records_are_a_page_too() {
    let page = page(&report(&[], Scope::default()));
    assert!(page.contains("There are no records of this period") && !page.contains("<svg"), "{page}");
}
