//! The confusion matrix: the end that a scenario wanted against the end that connprobe gave.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What stands for no record, or for none that was wanted.
pub const NOTHING: &str = "nothing";

const HEADING: &str = "wanted \\ given";

/// How often each pair of wanted and given occurred.
#[derive(Default)]
pub struct Matrix(BTreeMap<(String, String), u64>);

impl Matrix {
    /// An end was wanted, and an end was given.
    pub fn note(&mut self, wanted: &str, given: &str) {
        *self.0.entry((wanted.into(), given.into())).or_default() += 1;
    }

    /// How many are as wanted, and how many there are.
    pub fn diagonal(&self) -> (u64, u64) {
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
        let names = all.iter().map(|name| name.len()).max().unwrap_or(0).max(HEADING.len());
        write!(f, "{HEADING:names$}     |")?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(pairs: &[(&str, &str)]) -> Matrix {
        let mut matrix = Matrix::default();
        pairs.iter().for_each(|(wanted, given)| matrix.note(wanted, given));
        matrix
    }

    #[test]
    fn what_is_as_wanted_is_on_the_diagonal() {
        let table = matrix(&[("a", "a"), ("a", "a"), ("b", "b")]).to_string();
        assert_eq!(
            table,
            "wanted \\ given     |  1  2\n\
             a                1 |  2  .\n\
             b                2 |  .  1\n\
             3 of 3 on the diagonal (100 %)"
        );
    }

    #[test]
    fn one_wrong_end_among_many_is_not_a_hundred_percent() {
        let mut pairs = vec![("a", "a"); 999];
        pairs.push(("a", NOTHING));
        pairs.push((NOTHING, "c"));
        let matrix = matrix(&pairs);
        assert_eq!(matrix.diagonal(), (999, 1001));
        let table = matrix.to_string();
        assert!(table.ends_with("\n999 of 1001 on the diagonal (99 %)"), "{table}");
        assert!(table.contains("c                2 : given, never wanted"), "{table}");
    }
}
