//! What breaks the path between client and server: filters of their namespaces.

use anyhow::{Context, Result};

use crate::net::{Net, Ns};

impl Ns {
    /// TCP that passes `hook` (`input`, `output`, `forward`) meets these rules; with them goes what was there before.
    pub fn filters<S: AsRef<str>>(&self, hook: &str, rules: &[S]) -> Result<()> {
        let chain = format!("add chain inet lab {hook} {{ type filter hook {hook} priority 0; }}");
        let rules: String = rules
            .iter()
            .map(|rule| format!("; add rule inet lab {hook} meta l4proto tcp {}", rule.as_ref()))
            .collect();
        self.sh(&format!("nft 'flush ruleset; add table inet lab; {chain}{rules}'")).map(drop)
    }

    /// Nothing is filtered any more.
    pub fn mend(&self) -> Result<()> {
        self.sh("nft flush ruleset").map(drop)
    }

    /// How many packets the `counter` of its first rule that has one has counted.
    pub fn counted(&self) -> Result<u64> {
        let rules = self.sh("nft list ruleset")?;
        let words: Vec<_> = rules.split_whitespace().collect();
        let at = words.iter().position(|w| *w == "packets").context("no counter")?;
        Ok(words[at + 1].parse()?)
    }
}

impl Net {
    /// The router swallows everything; what the client sends is counted.
    pub fn cut(&self) -> Result<()> {
        self.client.filters("output", &["counter"])?;
        self.router()?.filters("forward", &["drop"])
    }
}
