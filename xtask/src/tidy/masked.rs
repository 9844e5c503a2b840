//! Rust source with comments and the insides of literals blanked out: what is left is code, at the same
//! offsets as in the file, so that words can be looked for without parsing.

/// Blanked source. Every byte of a comment, string or character literal is a space; newlines stay.
pub(super) struct Masked {
    text: String,
    /// Where the test module at the end starts; the length of the text when there is none.
    tests: usize,
}

impl Masked {
    pub(super) fn new(source: &str) -> Self {
        let text = mask(source);
        let tests = tests_start(&text).unwrap_or(text.len());
        Self { text, tests }
    }

    /// All of it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// All but the `#[cfg(test)] mod tests` at the end.
    pub(super) fn without_tests(&self) -> &str {
        &self.text[..self.tests]
    }
}

/// The offsets at which `word` stands in `text` and is not part of a longer identifier.
pub(super) fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).map(|(start, _)| start).filter(move |start| {
        let before = text[..*start].chars().next_back();
        let after = text[start + word.len()..].chars().next();
        let opens = word.starts_with(is_part) && before.is_some_and(is_part);
        let closes = word.ends_with(is_part) && after.is_some_and(is_part);
        !opens && !closes
    })
}

/// Every path that a `use` in masked source brings in, with its offset: `use a::{b, c::d}` is `a::b`, `a::c::d`.
pub(super) fn imports(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for start in words(text, "use") {
        let rest = &text[start + 3..];
        let Some(end) = rest.find(';').filter(|_| rest.starts_with(char::is_whitespace)) else { continue };
        let tree: String = rest[..end].split_whitespace().collect::<Vec<_>>().join(" ");
        expand("", &tree, &mut |path| found.push((start, path)));
    }
    found
}

fn expand(prefix: &str, tree: &str, push: &mut impl FnMut(String)) {
    let tree = tree.trim();
    if let Some((head, group)) = tree.split_once('{') {
        let prefix = format!("{prefix}{}", head.trim());
        let group = group.trim_end().trim_end_matches('}');
        // The last brace closes this group; a group further in lost its own with it.
        let opened = group.matches('{').count() - group.matches('}').count();
        let group = format!("{group}{}", "}".repeat(opened));
        for branch in branches(&group) {
            expand(&prefix, branch, push);
        }
    } else if !tree.is_empty() {
        let path = tree.split_once(" as ").map_or(tree, |(path, _name)| path);
        push(format!("{prefix}{}", path.trim()));
    }
}

/// Splits at the commas that are not inside braces.
fn branches(group: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0usize, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&group[start..]);
    parts
}

fn tests_start(text: &str) -> Option<usize> {
    text.match_indices("#[cfg(test)]").map(|(start, found)| (start, &text[start + found.len()..])).find_map(
        |(start, rest)| {
            let item = rest.trim_start();
            (item.starts_with("mod ") && item.find('{') < item.find(';').or(Some(usize::MAX)))
                .then_some(start)
        },
    )
}

fn mask(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut masked = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(source, at).unwrap_or(at);
        for byte in &mut masked[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    // Only whole characters are blanked, each byte by a space.
    String::from_utf8_lossy(&masked).into_owned()
}

/// Where the comment or literal that starts at `at` ends. None: nothing of the kind starts here.
fn literal_end(source: &str, at: usize) -> Option<usize> {
    let rest = &source.as_bytes()[at..];
    let after_word = at > 0 && is_word(source.as_bytes()[at - 1]);
    match rest {
        [b'/', b'/', ..] => Some(at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())),
        [b'/', b'*', ..] => Some(at + block_comment(rest)),
        [b'"', ..] => Some(at + quoted(rest, b'"')),
        [b'r', b'"' | b'#', ..] if !after_word => raw_string(rest).map(|length| at + length),
        [b'b' | b'c', b'r', b'"' | b'#', ..] if !after_word => {
            raw_string(&rest[1..]).map(|length| at + 1 + length)
        }
        [b'\'', b'\\', ..] => Some(at + quoted(rest, b'\'')),
        // 'a' is a character, 'a without the second quote a lifetime.
        [b'\'', ..] => {
            let text = source.get(at + 1..)?;
            let length = text.chars().next()?.len_utf8();
            text[length..].starts_with('\'').then_some(at + 1 + length + 1)
        }
        _ => None,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
    let open = 1 + hashes;
    if rest.get(open) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    let body = &rest[open + 1..];
    let length = body.windows(close.len()).position(|window| window == close);
    Some(length.map_or(rest.len(), |length| open + 1 + length + close.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank_and_code_keeps_its_place() {
        let source = "a /* b /* c */ */ d \"e\\\"f\" 'g' '\\'' &'h i r#\"j\"k\"# // l\nm br\"n\" for r in r";
        let masked = Masked::new(source);
        assert_eq!(masked.text().len(), source.len());
        assert_eq!(masked.text().split_whitespace().collect::<Vec<_>>().join(" "), "a d &'h i m for r in r");
        assert_eq!(masked.text().find('m'), source.find('m'));
    }

    #[test]
    fn blanking_keeps_to_whole_characters() {
        assert_eq!(Masked::new("let é = \"ü\"; // ─►").text().trim_end(), "let é =     ;");
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(words("aya ayah aya_log my_aya aya::x", "aya").collect::<Vec<_>>(), [0, 24]);
        assert_eq!(words("todo!() todos!()", "todo!").collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn nested_imports_are_expanded() {
        let found = imports("pub use a::{b, c::{self, d as e},\n f}; use g::*; fn x() -> impl use<'a> {}");
        let paths: Vec<_> = found.iter().map(|(_, path)| path.as_str()).collect();
        assert_eq!(paths, ["a::b", "a::c::self", "a::c::d", "a::f", "g::*"]);
        let nested = imports("use a::{b::{c::{d}}};");
        assert_eq!(nested[0].1, "a::b::c::d");
    }

    #[test]
    fn the_test_module_at_the_end_is_apart() {
        let masked = Masked::new("fn a() {}\n#[cfg(test)]\nmod tests {\n    use b;\n}\n");
        assert_eq!(masked.without_tests(), "fn a() {}\n");
        let elsewhere = "#[cfg(test)]\nmod tests;\nfn a() {}\n";
        assert_eq!(Masked::new(elsewhere).without_tests(), elsewhere);
    }
}
