//! Names chosen by others (a command name, a DNS name) must not command the terminal that shows them.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a character may act on a terminal or reorder what it shows: control characters (C0, DEL, C1) and
/// the invisible ones that set the direction of text or break lines.
pub fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with every active character written as `\u{1b}`, `\n`, `\t` or `\r`.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_active) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_active(c) {
            // Writing to a String cannot fail.
            let _ = write!(out, "{}", c.escape_unicode().to_string().replace("\\u{a}", "\\n"));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}
