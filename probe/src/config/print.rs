//! A config as a TOML file that reads back to the same config.

use super::{Config, Origin, Origins};

/// One setting, ready to be printed.
pub(super) struct Setting<'a> {
    pub(super) key: &'static str,
    pub(super) doc: &'static [&'static str],
    pub(super) toml: Option<String>,
    pub(super) example: &'static str,
    pub(super) origin: &'a Origin,
}

impl Setting<'_> {
    /// The flag that makes this setting.
    pub(super) fn as_flag(&self) -> String {
        let value = self.toml.as_deref().unwrap_or_default().trim_matches('"');
        let flag = super::flag(self.key);
        if value == "true" { flag } else { format!("{flag}={value}") }
    }
}

/// The config in force; a comment says where each value came from. There are no secrets in it.
pub fn effective(config: &Config, origins: &Origins) -> String {
    let mut out = String::from("# The configuration in force: flag > environment > file > default.\n");
    for setting in config.settings(origins) {
        let line = match &setting.toml {
            Some(value) => format!("{} = {value}", setting.key),
            None => format!("# {} is not set", setting.key),
        };
        out.push_str(&format!("{line:<40} # {}\n", setting.origin));
    }
    out
}

/// A sample file: every setting with what it means, at its default.
pub fn sample() -> String {
    let mut out = String::from(
        "# connprobe's configuration, all at its defaults. Looked for in $XDG_CONFIG_HOME/connprobe/config.toml\n\
         # and /etc/connprobe/config.toml, or given with --config FILE. A flag (--local-port) or an environment\n\
         # variable (CONNPROBE_LOCAL_PORT) beats what is here. An empty list means: no such filter.\n",
    );
    for setting in Config::default().settings(&Origins::default()) {
        out.push('\n');
        for line in setting.doc {
            out.push_str(&format!("#{line}\n"));
        }
        match &setting.toml {
            Some(value) => out.push_str(&format!("{} = {value}\n", setting.key)),
            None => out.push_str(&format!("# {} = {}\n", setting.key, setting.example)),
        }
    }
    out
}
