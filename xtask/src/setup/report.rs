//! What `setup` found, did or could not do: one line each, and the commands that are left to the user.

use std::path::Path;

use anyhow::{Result, bail};

use crate::workspace;

/// How a part came to be there.
pub(crate) enum Outcome<T> {
    /// It was there already.
    Found(T),
    /// It was installed just now.
    Installed(T),
    /// It is not there and was not installed.
    Missing(Missing),
}

/// What is missing, why it was not installed, and what the user can type to change that.
pub(crate) struct Missing {
    /// One line: what is missing and why.
    pub(crate) why: String,
    /// Shell commands, in order.
    pub(crate) commands: Vec<String>,
}

impl Missing {
    pub(crate) fn new(why: impl Into<String>, commands: impl IntoIterator<Item = String>) -> Self {
        Self { why: why.into(), commands: commands.into_iter().collect() }
    }
}

/// The lines printed so far and the commands collected for the end.
pub(crate) struct Report {
    shows_found: bool,
    missing: Vec<String>,
    commands: Vec<String>,
}

impl Report {
    /// `shows_found`: whether parts that were there already get a line too.
    pub(crate) fn new(shows_found: bool) -> Self {
        Self { shows_found, missing: Vec::new(), commands: Vec::new() }
    }

    /// Prints the line of one part and returns the part when it is there.
    pub(crate) fn part<T: std::fmt::Display>(
        &mut self,
        name: &str,
        outcome: Result<Outcome<T>>,
    ) -> Option<T> {
        match outcome {
            Ok(Outcome::Found(part)) => {
                if self.shows_found {
                    line("found", name, &part.to_string());
                }
                Some(part)
            }
            Ok(Outcome::Installed(part)) => {
                line("installed", name, &part.to_string());
                Some(part)
            }
            Ok(Outcome::Missing(missing)) => {
                line("missing", name, &missing.why);
                self.missing.push(name.to_owned());
                for command in missing.commands {
                    if !self.commands.contains(&command) {
                        self.commands.push(command);
                    }
                }
                None
            }
            Err(error) => {
                line("missing", name, &format!("{error:#}"));
                self.missing.push(name.to_owned());
                None
            }
        }
    }

    /// Says whether the running kernel can be traced. Only a remark: the build does not need it.
    pub(crate) fn kernel(&self) {
        let btf = Path::new("/sys/kernel/btf/vmlinux");
        if btf.exists() {
            line("found", "kernel BTF", &btf.display().to_string());
        } else {
            line(
                "missing",
                "kernel BTF",
                "no /sys/kernel/btf/vmlinux: connprobe builds, but sees less here (`connprobe doctor` says what)",
            );
        }
    }

    /// Fails, with the commands to run, when a part is missing.
    pub(crate) fn finish(self) -> Result<()> {
        if self.missing.is_empty() {
            return Ok(());
        }
        if !self.commands.is_empty() {
            let sudo = if workspace::is_root() { "" } else { ", then `cargo xtask setup` again" };
            eprintln!("\nRun these{sudo}:\n");
            for command in &self.commands {
                eprintln!("  {command}");
            }
            eprintln!();
        }
        bail!("setup is incomplete, missing: {}", self.missing.join(", "))
    }
}

fn line(state: &str, name: &str, text: &str) {
    eprintln!("{state:<9}  {name:<15}  {text}");
}
