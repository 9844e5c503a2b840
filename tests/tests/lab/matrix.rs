//! The confusion matrix: the end that a scenario wanted against the end that connprobe gave.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What stands for no record, or for none that was wanted.
pub(crate) const NOTHING: &str = "nothing";

/// How often each pair of wanted and given occurred.
#[derive(Default)]
pub(crate) struct Matrix(BTreeMap<(String, String), u64>);

impl Matrix {
    pub(crate) fn note(&mut self, wanted: &str, given: &str) {
        *self.0.entry((wanted.into(), given.into())).or_default() += 1;
    }

    /// How many are as wanted, and how many there are.
    pub(crate) fn diagonal(&self) -> (u64, u64) {
        let right = self.0.iter().filter(|((wanted, given), _)| wanted == given).map(|(_, n)| n);
        (right.sum(), self.0.values().sum())
    }
}

impl fmt::Display for Matrix {
    /// A row for each end wanted, a column with the same number for each end given.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted: BTreeSet<&str> = self.0.keys().map(|(wanted, _)| wanted.as_str()).collect();
        let given: BTreeSet<&str> = self.0.keys().map(|(_, given)| given.as_str()).collect();
        let all: Vec<&str> = wanted.union(&given).copied().collect();
        let number = |name: &str| all.iter().position(|n| *n == name).map_or(0, |at| at + 1);
        let width = self.0.values().map(|n| n.to_string().len()).max().unwrap_or(1).max(2) + 1;
        let names = all.iter().map(|name| name.len()).max().unwrap_or(0);
        write!(f, "{:names$}     |", "wanted \\ given")?;
        given.iter().try_for_each(|name| write!(f, "{:>width$}", number(name)))?;
        for row in &wanted {
            write!(f, "\n{row:names$} {:>3} |", number(row))?;
            for column in &given {
                match self.0.get(&((*row).into(), (*column).into())) {
                    Some(n) => write!(f, "{n:>width$}")?,
                    None => write!(f, "{:>width$}", ".")?,
                }
            }
        }
        for name in given.difference(&wanted) {
            write!(f, "\n{name:names$} {:>3} : given, never wanted", number(name))?;
        }
        let (right, all) = self.diagonal();
        // Rounded down: 100 % means all of them.
        let percent = (right * 100).checked_div(all).unwrap_or(0);
        write!(f, "\n{right} of {all} on the diagonal ({percent} %)")
    }
}
