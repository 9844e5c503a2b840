//! Rules on single files: whitespace, length, leftovers, reasons.

use super::masked::words;
use super::{File, Finding};

/// Lines of a file that are not tests. Longer ones are to be split: see the flow in the architecture document.
const LONGEST: usize = 600;

pub(super) fn whitespace(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut offset = 0;
    for line in file.text.split_inclusive('\n') {
        let content = line.strip_suffix('\n').unwrap_or(line);
        if content.ends_with(char::is_whitespace) {
            findings.push(file.at(offset, "trailing whitespace"));
        }
        offset += line.len();
    }
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        findings.push(file.at(file.text.len(), "no newline at the end of the file"));
    }
    findings
}

pub(super) fn length(file: &File) -> Option<Finding> {
    let lines = file.masked.without_tests().lines().count();
    (lines > LONGEST && !file.is_test())
        .then(|| file.at(0, format!("{lines} lines apart from tests, more than {LONGEST}: split it")))
}

/// What is not finished, or hides that it is not.
pub(super) fn leftovers(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for word in ["todo!", "unimplemented!"] {
        findings.extend(words(file.masked.text(), word).map(|at| file.at(at, format!("{word} left in"))));
    }
    // In two parts, or this file would be a finding.
    for word in [concat!("FIX", "ME"), concat!("XX", "X")] {
        findings.extend(words(&file.text, word).map(|at| file.at(at, format!("{word} left in"))));
    }
    for (at, attribute) in attributes(file.masked.text()) {
        if attribute.starts_with("ignore") {
            findings.push(file.at(at, "an ignored test: a skip prints its reason instead"));
        }
        if attribute.starts_with("allow") && words(attribute, "dead_code").next().is_some() {
            findings.push(file.at(at, "dead code is allowed here: remove it"));
        }
    }
    findings
}

/// Every exception to a lint says why.
pub(super) fn allows(file: &File) -> Vec<Finding> {
    let exceptions = attributes(file.masked.text()).into_iter().filter(|(_, attribute)| {
        let is_exception = attribute.starts_with("allow(") || attribute.starts_with("expect(");
        is_exception && words(attribute, "reason").next().is_none()
    });
    exceptions.map(|(at, _)| file.at(at, "an allowed lint without `reason = \"…\"`")).collect()
}

/// The insides of `#[…]` and `#![…]`, with their offsets.
fn attributes(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('#') {
        let rest = &text[at + 1..];
        let rest = rest.strip_prefix('!').unwrap_or(rest);
        let Some(inside) = rest.strip_prefix('[') else { continue };
        let mut depth = 1;
        let end = inside.find(|c| {
            depth += i32::from(c == '[') - i32::from(c == ']');
            depth == 0
        });
        found.push((at, inside[..end.unwrap_or(inside.len())].trim_start()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(findings: impl IntoIterator<Item = Finding>) -> Vec<usize> {
        findings.into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn trailing_whitespace_and_a_missing_newline_are_found() {
        let file = File::new("a.md", "a\nb \n\nc\t\nd");
        assert_eq!(lines(whitespace(&file)), [2, 4, 5]);
        assert_eq!(whitespace(&File::new("a.md", "a\n")), []);
    }

    #[test]
    fn length_counts_without_tests() {
        let code = "fn a() {}\n".repeat(LONGEST);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{code}}}\n");
        assert_eq!(length(&File::new("src/a.rs", format!("{code}{tests}"))), None);
        assert!(length(&File::new("src/a.rs", format!("fn b() {{}}\n{code}"))).is_some());
        assert_eq!(length(&File::new("a/tests/b.rs", code.repeat(2))), None);
    }

    #[test]
    fn leftovers_are_found_in_code_but_not_in_strings() {
        let source = format!("{}!();\n\"todo!\";\n// {}ME: x\n// mkstemp XXXXXX\n", "todo", "FIX");
        assert_eq!(lines(leftovers(&File::new("a.rs", source))), [1, 3]);
    }

    #[test]
    fn ignored_tests_and_dead_code_are_found() {
        let file = File::new(
            "a.rs",
            "#[test]\n#[ignore = \"slow\"]\nfn a() {}\n#![allow(dead_code, reason = \"x\")]\n",
        );
        assert_eq!(lines(leftovers(&file)), [2, 4]);
    }

    #[test]
    fn an_allow_needs_a_reason() {
        let source = "#[allow(unsafe_code)]\n#[allow(\n    unsafe_code,\n    reason = \"x\"\n)]\n#[derive(Debug)]\n#![expect(a)]\n";
        assert_eq!(lines(allows(&File::new("a.rs", source))), [1, 7]);
    }
}
