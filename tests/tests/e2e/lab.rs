//! The fault lab: a router between client and server, and what breaks the path.

use std::net::SocketAddr;
use std::ops::Deref;

use anyhow::{Context, Result, ensure};
use e2e::net::Ns;
use e2e::peer::Peer;
use e2e::records::{Record, and, listing, only};
use serde_json::{Value, json};

use crate::scene::{Ends, Scene, connected_by};

/// A scene with a router. Every address of it lies in the subnets of its own namespaces.
pub(crate) struct Lab(Scene);

impl Deref for Lab {
    type Target = Scene;

    fn deref(&self) -> &Scene {
        &self.0
    }
}

impl Lab {
    /// `None` when the test is skipped.
    pub(crate) fn new() -> Result<Option<Self>> {
        let Some(scene) = Scene::routed()? else { return Ok(None) };
        let lab = Self(scene);
        for ns in [&lab.net.client, lab.router()?, &lab.net.server] {
            // Every fault is told, however many a test makes.
            ns.sh("for n in 4/icmp_ratelimit 6/icmp/ratelimit; do echo 0 > /proc/sys/net/ipv$n; done")?;
        }
        Ok(Some(lab))
    }

    pub(crate) fn router(&self) -> Result<&Ns> {
        self.net.router()
    }

    /// Sets `/proc/sys/net/ipv4/NAME` of a namespace.
    pub(crate) fn tune(&self, ns: &Ns, name: &str, value: u32) -> Result<()> {
        ns.sh(&format!("echo {value} > /proc/sys/net/ipv4/{name}")).map(drop)
    }

    /// Packets that pass `hook` (`input`, `output`, `forward`) of a namespace and are TCP meet this verdict;
    /// with it goes what was there before.
    pub(crate) fn filter(&self, ns: &Ns, hook: &str, verdict: &str) -> Result<()> {
        let chain = format!("add chain inet lab {hook} {{ type filter hook {hook} priority 0; }}");
        let rule = format!("add rule inet lab {hook} meta l4proto tcp {verdict}");
        ns.sh(&format!("nft 'flush ruleset; add table inet lab; {chain}; {rule}'")).map(drop)
    }

    /// The router swallows everything; what the client sends is counted.
    pub(crate) fn cut(&self) -> Result<()> {
        self.filter(&self.net.client, "output", "counter")?;
        self.filter(self.router()?, "forward", "drop")
    }

    /// How many packets the `counter` of the client's filter has counted.
    pub(crate) fn counted(&self) -> Result<u64> {
        let rules = self.net.client.sh("nft list ruleset")?;
        let words: Vec<_> = rules.split_whitespace().collect();
        let at = words.iter().position(|w| *w == "packets").context("no counter")?;
        Ok(words[at + 1].parse()?)
    }

    /// Pattern: an attempt of this client, from that port.
    pub(crate) fn attempt_of(&self, client: &Peer, port: u16, to: SocketAddr) -> Value {
        let from = if to.is_ipv4() { self.net.client_v4() } else { self.net.client_v6() };
        let always =
            json!({ "protocol": "tcp", "incomplete": null, "pre_existing": null, "closer_pid": null });
        and(&and(&connected_by(client), &always), &from_to((from, port).into(), to))
    }

    /// Nothing is filtered any more.
    pub(crate) fn mend(&self, ns: &Ns) -> Result<()> {
        ns.sh("nft flush ruleset").map(drop)
    }
}

/// Pattern: the ends of a connection, as its client sees them.
pub(crate) fn from_to(local: SocketAddr, remote: SocketAddr) -> Value {
    json!({
        "family": if remote.is_ipv4() { "ipv4" } else { "ipv6" },
        "local_addr": local.ip(), "local_port": local.port(),
        "remote_addr": remote.ip(), "remote_port": remote.port(),
    })
}

/// Pattern: an error.
pub(crate) fn error(errno: nix::errno::Errno) -> Value {
    json!({ "error": format!("{errno:?}"), "errno": errno as i32 })
}

/// No connection ended or was accepted there.
pub(crate) fn must_be_lifeless(records: &[Record]) -> Result<()> {
    let lives: Vec<_> =
        records.iter().filter(|r| ["accept", "closed", "failed"].contains(&r.event())).collect();
    ensure!(lives.is_empty(), "a life that was none:\n{}", listing(lives));
    Ok(())
}

impl Ends {
    /// The one record of the client's that is `event` and from that local port.
    pub(crate) fn client_from(&self, event: &str, port: u16, pattern: &Value) -> Result<&Record> {
        let record = only(&self.client, &json!({ "event": event, "local_port": port }))?;
        record.must_be(pattern)?;
        Ok(record)
    }
}
