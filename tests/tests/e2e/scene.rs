//! What most tests start with: two namespaces, busy CPUs, and who must own what.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::busy::{BusyCpus, busy_cpus};
use e2e::need;
use e2e::net::{Net, Ns};
use e2e::peer::Peer;
pub(crate) use e2e::peer::{accepted_by, connected_by, owned_by};
use e2e::probe::{Probe, Run};
use e2e::records::{Record, must_be_once, only};
use e2e::witness::Witness;
use serde_json::{Value, json};

/// The peer program.
pub(crate) fn peer_program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_peer"))
}

/// Two namespaces and busy CPUs.
pub(crate) struct Scene {
    pub(crate) net: Net,
    busy: BusyCpus,
    witness: Option<Witness>,
}

/// Should this test fail, what was hidden from every tracer is a reason to run it again: `cargo xtask test` does.
impl Drop for Scene {
    fn drop(&mut self) {
        let hidden = self.witness.as_ref().map(|witness| witness.hidden(&self.net.beginnings()));
        if let Some([first, ..]) = hidden.as_deref() {
            need::again(first.trim());
        }
    }
}

impl Scene {
    /// For a test of connprobe; `None` when the test is skipped.
    pub(crate) fn traced() -> Result<Option<Self>> {
        if need::satisfied(true) { Self::with(Net::new()?).map(Some) } else { Ok(None) }
    }

    /// Two namespaces and CPUs that are left alone: for clients that measure.
    pub(crate) fn calm() -> Result<Option<Self>> {
        if !need::satisfied(true) {
            return Ok(None);
        }
        Ok(Some(Self { net: Net::new()?, busy: BusyCpus::none(), witness: Witness::new().ok() }))
    }

    /// Two namespaces with a router between them, and busy CPUs.
    pub(crate) fn routed() -> Result<Option<Self>> {
        if need::satisfied(true) { Self::with(Net::routed()?).map(Some) } else { Ok(None) }
    }

    /// For a test of the harness alone.
    pub(crate) fn untraced() -> Result<Option<Self>> {
        if need::satisfied(false) { Self::with(Net::new()?).map(Some) } else { Ok(None) }
    }

    fn with(net: Net) -> Result<Self> {
        let busy = busy_cpus(peer_program(), Duration::from_secs(60))?;
        Ok(Self { net, busy, witness: Witness::new().ok() })
    }

    /// A steered program in the client's namespace.
    pub(crate) fn client(&self) -> Result<Peer> {
        steered(&self.net.client, "client")
    }

    /// A steered program in the server's namespace.
    pub(crate) fn server(&self) -> Result<Peer> {
        steered(&self.net.server, "server")
    }

    /// The processes that keep the CPUs busy.
    pub(crate) fn busy_pids(&self) -> Vec<u32> {
        self.busy.pids()
    }

    /// Pattern: a record of the client's namespace.
    pub(crate) fn at_client(&self, event: &str) -> Value {
        json!({ "event": event, "netns": self.net.client.inode() })
    }

    /// Pattern: a record of the server's namespace, not of its listener.
    pub(crate) fn at_server(&self, event: &str) -> Value {
        json!({ "event": event, "netns": self.net.server.inode() })
    }

    /// Stops the tracer and checks what must hold in every run; the records of both namespaces.
    pub(crate) fn stop(&self, probe: Probe) -> Result<Ends> {
        let run = probe.stop()?.sound()?;
        self.check(&run)
    }

    pub(crate) fn check(&self, run: &Run) -> Result<Ends> {
        let client = run.of(self.net.client.inode());
        let server = run.of(self.net.server.inode());
        for records in [&client, &server] {
            must_be_once(records)?;
            for record in records {
                let foreign =
                    record.number("pid").is_some_and(|p| self.busy.pids().iter().any(|b| u64::from(*b) == p));
                ensure!(!foreign, "a bystander owns {}", record.json);
            }
        }
        ensure!(!run.records.iter().any(|r| r.event() == "lost"), "something was lost");
        Ok(Ends { client, server })
    }

    /// An established connection `c` of the client, accepted as `s` by the server.
    pub(crate) fn join(&self, client: &mut Peer, server: &mut Peer) -> Result<()> {
        let at = server.listen("l", self.net.server_at(0), 16)?;
        server.begin("accept l s")?;
        ensure!(client.connect("c", at)?.errno().is_none(), "failed to connect");
        server.finish()?;
        Ok(())
    }
}

/// The records of both ends.
pub(crate) struct Ends {
    pub(crate) client: Vec<Record>,
    pub(crate) server: Vec<Record>,
}

impl Ends {
    /// The one record of the client's namespace that is `event` and must be `pattern`.
    pub(crate) fn client(&self, event: &str, pattern: &Value) -> Result<&Record> {
        the(&self.client, event, pattern).context("at the client")
    }

    /// The one record of the server's namespace that is `event` and must be `pattern`.
    pub(crate) fn server(&self, event: &str, pattern: &Value) -> Result<&Record> {
        the(&self.server, event, pattern).context("at the server")
    }
}

fn the<'a>(records: &'a [Record], event: &str, pattern: &Value) -> Result<&'a Record> {
    let record = only(records, &json!({ "event": event }))?;
    record.must_be(pattern)?;
    Ok(record)
}

/// A steered program in a namespace; `name` is only for its command line.
pub(crate) fn steered(ns: &Ns, name: &str) -> Result<Peer> {
    Peer::spawn(peer_program(), &["obey", name], ns, true)
}
