//! Rules on manifests: a dependency that is declared is used.

use std::path::Path;

use anyhow::{Context as _, Result};
use toml::Table;

use super::masked::words;
use super::{File, Finding, Tree};

const TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// Finds workspace dependencies that no member takes, and members' dependencies that their code never names.
pub(super) fn unused(tree: &Tree) -> Result<Vec<Finding>> {
    let Some(root) = tree.file("Cargo.toml") else { return Ok(Vec::new()) };
    let workspace = parse(root)?;
    let members: Vec<&File> = tree
        .files
        .iter()
        .filter(|file| file.path.ends_with("Cargo.toml") && file.path != Path::new("Cargo.toml"))
        .collect();
    let mut taken = Vec::new();
    let mut findings = Vec::new();
    for member in members {
        for name in dependencies(&parse(member)?) {
            let folder = member.path.parent().unwrap_or(Path::new(""));
            let ident = name.replace('-', "_");
            let mut sources = tree.below(folder).filter(|file| file.is_rust());
            if !sources.any(|file| words(file.masked.text(), &ident).next().is_some()) {
                findings.push(at_key(member, &name, "is declared, but no code of this package names it"));
            }
            taken.push(name);
        }
    }
    let declared = workspace.get("workspace").and_then(|table| table.get("dependencies")?.as_table());
    for name in declared.into_iter().flat_map(Table::keys) {
        if !taken.contains(name) {
            findings.push(at_key(root, name, "is a workspace dependency that no member takes"));
        }
    }
    Ok(findings)
}

fn parse(manifest: &File) -> Result<Table> {
    manifest.text.parse().with_context(|| format!("failed to parse {}", manifest.path.display()))
}

/// What a package depends on, those of single targets included.
fn dependencies(manifest: &Table) -> Vec<String> {
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let of_targets = targets.into_iter().flat_map(Table::values).filter_map(toml::Value::as_table);
    let tables = std::iter::once(manifest).chain(of_targets);
    tables
        .flat_map(|table| TABLES.iter().filter_map(|key| table.get(*key)?.as_table()))
        .flat_map(|dependencies| dependencies.keys().cloned())
        .collect()
}

fn at_key(manifest: &File, name: &str, what: &str) -> Finding {
    let mut offset = 0;
    for line in manifest.text.split_inclusive('\n') {
        if line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', ' ', '='])) {
            break;
        }
        offset += line.len();
    }
    manifest.at(offset.min(manifest.text.len()), format!("{name} {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unused_dependencies_are_found_on_both_levels() {
        let files = [
            ("Cargo.toml", "[workspace.dependencies]\nanyhow = \"1\"\nserde-json = \"1\"\nlost = \"1\"\n"),
            (
                "a/Cargo.toml",
                "[dependencies]\nserde-json.workspace = true\n[dev-dependencies]\nanyhow = { workspace = true }\n",
            ),
            ("a/src/lib.rs", "use serde_json::Value; // anyhow\n"),
            ("b/src/lib.rs", "use anyhow::Result;\n"),
        ];
        let files = files.iter().map(|(path, text)| File::new(*path, *text)).collect();
        let found = unused(&Tree { root: "/nowhere".into(), files }).unwrap();
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "a/Cargo.toml:4: anyhow is declared, but no code of this package names it",
                "Cargo.toml:4: lost is a workspace dependency that no member takes",
            ]
        );
    }
}
