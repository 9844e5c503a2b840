//! Counts tests from what libtest prints, and skips from the lines that the tests print.

use std::collections::{BTreeMap, BTreeSet};

/// What one `cargo test` printed, line by line.
#[derive(Default)]
pub(crate) struct Reader {
    passed: usize,
    failed: Vec<String>,
    /// What libtest's result lines count as failed: the names above may be incomplete.
    failed_count: usize,
    ignored: Vec<String>,
    skipped: BTreeMap<String, String>,
    /// Tests of which the kernel hid something from connprobe.
    hidden: BTreeSet<String>,
    /// A test that failed has passed when it was run again.
    passed_later: bool,
    /// Test programs that failed, as cargo says, and those of them that told a result.
    programs_failed: usize,
    programs_told: usize,
    /// Inside the output of tests that passed, which is asked for only because of the skips.
    in_successes: bool,
}

impl Reader {
    /// Takes a line and says whether it is worth showing.
    pub(crate) fn read(&mut self, line: &str) -> bool {
        if let Some(skip) = line.trim_start().strip_prefix("SKIP ") {
            let (test, reason) = skip.split_once(": ").unwrap_or((skip, "no reason given"));
            self.skipped.insert(test.trim().to_owned(), reason.trim().to_owned());
            return true;
        }
        if let Some((test, _)) = line.strip_prefix("HIDDEN ").and_then(|line| line.split_once(": ")) {
            self.hidden.insert(test.to_owned());
            return true;
        }
        self.programs_failed += usize::from(line.starts_with("error: test failed, to rerun pass"));
        match line {
            "successes:" => self.in_successes = true,
            "failures:" => self.in_successes = false,
            _ => {}
        }
        if let Some(result) = line.strip_prefix("test result: ") {
            self.in_successes = false;
            self.passed += count(result, "passed");
            self.failed_count += count(result, "failed");
            self.programs_told += usize::from(result.starts_with("FAILED"));
        } else if let Some(test) = line.strip_prefix("test ") {
            if let Some((name, _)) = test.split_once(" ... FAILED") {
                self.failed.push(name.trim_end().to_owned());
            } else if let Some((name, _)) = test.split_once(" ... ignored") {
                self.ignored.push(name.trim_end().to_owned());
            }
        }
        !self.in_successes
    }
}

impl Reader {
    /// Tests that failed and of which the kernel hid something from connprobe: they may be run again.
    pub(crate) fn to_be_run_again(&self) -> Vec<String> {
        self.failed.iter().filter(|test| self.hidden.contains(*test)).cloned().collect()
    }

    /// Takes the result of running a failed test again.
    pub(crate) fn passed_after_all(&mut self, test: &str) {
        self.failed.retain(|failed| failed != test);
        self.failed_count = self.failed_count.saturating_sub(1);
        (self.passed, self.passed_later) = (self.passed + 1, true);
    }

    /// Whether no test failed.
    pub(crate) fn is_clean(&self) -> bool {
        self.failed.is_empty() && self.failed_count == 0
    }
}

/// The number before a word in `ok. 12 passed; 0 failed; …`.
fn count(result: &str, word: &str) -> usize {
    let words: Vec<&str> = result.split([' ', ';']).filter(|word| !word.is_empty()).collect();
    words.windows(2).find(|pair| pair[1] == word).and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

/// The sum over all runs.
#[derive(Default)]
pub(crate) struct Tally {
    passed: usize,
    failed: Vec<String>,
    skipped: Vec<String>,
}

impl Tally {
    /// Adds a run. One that failed without naming a test (it did not compile, or died) is one failure.
    pub(crate) fn add(&mut self, run: Reader, succeeded: bool, command: &str) {
        // A test that skips returns early, so libtest has it among the passed.
        self.passed += run.passed.saturating_sub(run.skipped.len());
        self.skipped.extend(run.skipped.into_iter().map(|(test, reason)| format!("{test}: {reason}")));
        self.skipped.extend(run.ignored.into_iter().map(|test| format!("{test}: marked #[ignore]")));
        let unnamed = run.failed_count.saturating_sub(run.failed.len());
        let counted = run.failed_count.max(run.failed.len());
        let succeeded = succeeded || run.passed_later;
        self.failed.extend(run.failed);
        self.failed.extend(std::iter::repeat_n(format!("a test of {command}, see above"), unnamed));
        let died = run.programs_failed > run.programs_told;
        if died || (!succeeded && counted == 0) {
            self.failed.push(format!("{command}: it ended without a result, see above"));
        }
    }

    /// Counts something that could not be run at all, and says so at once.
    pub(crate) fn skip(&mut self, test: &str, reason: &str) {
        eprintln!("SKIP {test}: {reason}");
        self.skipped.push(format!("{test}: {reason}"));
    }

    /// Counts something that failed before a test could.
    pub(crate) fn fail(&mut self, what: String) {
        self.failed.push(what);
    }

    pub(crate) fn skipped(&self) -> &[String] {
        &self.skipped
    }

    pub(crate) fn failed(&self) -> &[String] {
        &self.failed
    }

    /// True when nothing ran, nothing was skipped and nothing failed.
    pub(crate) fn is_empty(&self) -> bool {
        self.passed == 0 && self.failed.is_empty() && self.skipped.is_empty()
    }

    /// The closing line.
    pub(crate) fn line(&self) -> String {
        format!("{} passed, {} failed, {} skipped", self.passed, self.failed.len(), self.skipped.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(output: &str, succeeded: bool) -> (Tally, Vec<String>) {
        let mut reader = Reader::default();
        let shown = output.lines().filter(|line| reader.read(line)).map(str::to_owned).collect();
        let mut tally = Tally::default();
        tally.add(reader, succeeded, "`cargo test`");
        (tally, shown)
    }

    #[test]
    fn results_of_several_binaries_add_up() {
        let (tally, _) = tally(
            "test a ... ok\n\
             test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0.01s\n\
             test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            true,
        );
        assert_eq!(tally.line(), "15 passed, 0 failed, 0 skipped");
    }

    #[test]
    fn a_skip_is_not_a_pass_and_is_counted_once() {
        let (tally, shown) = tally(
            "SKIP mptcp_is_told_apart: no MPTCP in this kernel\n\
             test mptcp_is_told_apart ... ok\n\
             successes:\n\
             ---- mptcp_is_told_apart stdout ----\n\
             SKIP mptcp_is_told_apart: no MPTCP in this kernel\n\
             chatter\n\
             test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            true,
        );
        assert_eq!(tally.line(), "1 passed, 0 failed, 1 skipped");
        assert_eq!(tally.skipped(), ["mptcp_is_told_apart: no MPTCP in this kernel"]);
        assert!(!shown.contains(&"chatter".to_owned()));
    }

    #[test]
    fn failures_are_named_and_their_output_is_shown() {
        let (tally, shown) = tally(
            "test refused ... FAILED\n\
             successes:\n\
             noise\n\
             failures:\n\
             ---- refused stdout ----\n\
             panicked\n\
             test result: FAILED. 4 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            false,
        );
        assert_eq!(tally.line(), "4 passed, 1 failed, 0 skipped");
        assert_eq!(tally.failed(), ["refused"]);
        assert!(shown.contains(&"panicked".to_owned()) && !shown.contains(&"noise".to_owned()));
    }

    #[test]
    fn a_test_that_passes_when_it_is_run_again_is_a_pass() {
        let mut reader = Reader::default();
        let output = "HIDDEN a::b: tokio-1 [001] tcp_receive_reset\n\
            HIDDEN a::c: tokio-1 [001] tcp_receive_reset\n\
            test a::b ... FAILED\n\
            test a::c ... ok\n\
            test a::d ... FAILED\n\
            test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        output.lines().for_each(|line| {
            reader.read(line);
        });
        assert_eq!(reader.to_be_run_again(), ["a::b"]);
        reader.passed_after_all("a::b");
        assert!(!reader.is_clean());
        let mut tally = Tally::default();
        tally.add(reader, false, "`cargo test`");
        assert_eq!(
            (&*tally.line(), tally.failed()),
            ("2 passed, 1 failed, 0 skipped", &["a::d".to_owned()][..])
        );
    }

    #[test]
    fn a_program_that_dies_beside_one_that_fails_is_a_failure_of_its_own() {
        let (tally, _) = tally(
            "test a ... FAILED\n\
             test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
             error: test failed, to rerun pass `-p e2e --test e2e`\n\
             test b ... ok\n\
             error: test failed, to rerun pass `-p e2e --test lab`",
            false,
        );
        assert_eq!(tally.line(), "0 passed, 2 failed, 0 skipped");
    }

    #[test]
    fn names_may_be_padded() {
        let (tally, _) = tally(
            "test attempts::refused    ... FAILED\n\
             test attempts::timed_out  ... ok\n\
             test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            false,
        );
        assert_eq!(tally.failed(), ["attempts::refused"]);
    }

    #[test]
    fn a_run_that_did_not_compile_is_a_failure() {
        let (tally, _) = tally("error: could not compile", false);
        assert_eq!(tally.line(), "0 passed, 1 failed, 0 skipped");
    }

    #[test]
    fn ignored_tests_are_skips() {
        let (tally, _) = tally(
            "test slow ... ignored, takes a day\n\
             test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            true,
        );
        assert_eq!(tally.line(), "1 passed, 0 failed, 1 skipped");
    }
}
