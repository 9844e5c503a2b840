//! Durations and sizes for people.

/// A duration: three digits with a unit below a minute, two units above.
pub(crate) fn duration(ns: u64) -> String {
    let seconds = ns / 1_000_000_000;
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => three_digits(ns, 1_000, "µs"),
        1_000_000..1_000_000_000 => three_digits(ns, 1_000_000, "ms"),
        1_000_000_000..60_000_000_000 => three_digits(ns, 1_000_000_000, "s"),
        _ if seconds < 3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ if seconds < 86_400 => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// A size in decimal units.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [(u64, &str); 5] = [
        (1_000_000_000_000_000, "PB"),
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
        (1_000, "kB"),
    ];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => three_digits(bytes, *unit, name),
        None => format!("{bytes} B"),
    }
}

/// `1.23`, `12.3` or `123` units, rounded down; zeros at the end are left out.
fn three_digits(value: u64, unit: u64, name: &str) -> String {
    let whole = value / unit;
    let hundredths = u128::from(value % unit) * 100 / u128::from(unit);
    let digits = match whole {
        0..10 => format!("{whole}.{hundredths:02}"),
        10..100 => format!("{whole}.{}", hundredths / 10),
        _ => return format!("{whole} {name}"),
    };
    format!("{} {name}", digits.trim_end_matches('0').trim_end_matches('.'))
}

/// `1 thing`, `2 things`.
pub(crate) fn count(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_the_unit_people_would_say() {
        let cases = [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1 µs"),
            (210_400, "210 µs"),
            (1_234_567, "1.23 ms"),
            (59_999_999_999, "59.9 s"),
            (125_000_000_000, "2m05s"),
            (3_600_000_000_000, "1h00m"),
            (200_000_000_000_000, "2d07h"),
            (u64::MAX, "213503d23h"),
        ];
        for (ns, text) in cases {
            assert_eq!(duration(ns), text);
        }
    }

    #[test]
    fn sizes_have_three_digits() {
        let cases =
            [(0, "0 B"), (999, "999 B"), (1_000, "1 kB"), (34_560_000, "34.5 MB"), (u64::MAX, "18446 PB")];
        for (size, text) in cases {
            assert_eq!(bytes(size), text);
        }
    }
}
