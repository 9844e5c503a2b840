//! The config file: where it is looked for and how it is read.

use std::path::{Path, PathBuf};

use super::{Error, Layer};

/// The config file in the usual places, `None` if there is none.
pub(super) fn search(get: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let home = get("XDG_CONFIG_HOME")
        .filter(|dir| Path::new(dir).is_absolute())
        .map(PathBuf::from)
        .or_else(|| get("HOME").map(|home| Path::new(&home).join(".config")));
    home.into_iter()
        .chain([PathBuf::from("/etc")])
        .map(|dir| dir.join("connprobe/config.toml"))
        .find(|path| path.exists())
}

/// Reads and checks one file.
pub(super) fn read(path: &Path) -> Result<Layer, Error> {
    let text =
        std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    parse(path, &text)
}

/// Checks the text of a file; `path` is for the error.
pub(super) fn parse(path: &Path, text: &str) -> Result<Layer, Error> {
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start).min(text.len());
        let line = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count();
        Error::File {
            path: path.to_owned(),
            line: line + 1,
            key: text.lines().nth(line).and_then(key_of),
            message: error.message().to_owned(),
        }
    })
}

fn key_of(line: &str) -> Option<String> {
    let key = line.split_once('=')?.0.trim();
    (!key.is_empty()).then(|| key.to_owned())
}
