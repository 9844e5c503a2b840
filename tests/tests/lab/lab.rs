//! A lab for one scenario: client, router and server in namespaces of their own, what breaks the path, and what is
//! told of them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use e2e::matrix::NOTHING;
use e2e::net::{Net, Ns};
use e2e::peer::Peer;
use e2e::probe::Followed;
use e2e::records::{Record, and, listing, must_be_once};
use nix::errno::Errno;
use serde_json::{Value, json};

use crate::stage::{Stage, of_a_life, peer_program};

/// Every address lies in the subnets of its own namespaces.
pub(crate) struct Lab {
    name: String,
    stage: Arc<Stage>,
    /// What makes and takes connections, until the lab is retired.
    parts: Option<(Net, Followed)>,
    /// The `seq` of each end that an assertion asked for.
    asked: RefCell<BTreeSet<u64>>,
    settled: Option<usize>,
    /// The end wanted and the end given, of each assertion.
    notes: RefCell<Vec<(String, String)>>,
}

impl Lab {
    pub(crate) fn new(stage: Arc<Stage>, name: &str) -> Result<Self> {
        let net = Net::routed()?;
        let told = stage.probe.follow(&[net.client.inode(), net.router()?.inode(), net.server.inode()]);
        for ns in [&net.client, net.router()?, &net.server] {
            // Every fault is told, however many a scenario makes.
            ns.sh("for n in 4/icmp_ratelimit 6/icmp/ratelimit; do echo 0 > /proc/sys/net/ipv$n; done")?;
        }
        let parts = Some((net, told));
        Ok(Self {
            name: name.into(),
            stage,
            parts,
            asked: RefCell::default(),
            settled: None,
            notes: RefCell::default(),
        })
    }

    /// The end wanted and the end given, of each assertion so far.
    pub(crate) fn notes(&self) -> Vec<(String, String)> {
        self.notes.borrow().clone()
    }

    fn note(&self, wanted: &str, given: &str) {
        self.notes.borrow_mut().push((wanted.into(), given.into()));
    }

    pub(crate) fn net(&self) -> &Net {
        &self.parts().0
    }

    fn parts(&self) -> &(Net, Followed) {
        self.parts.as_ref().expect("a lab is retired by its drop only")
    }

    pub(crate) fn router(&self) -> Result<&Ns> {
        self.net().router()
    }

    /// A steered program in the client's namespace.
    pub(crate) fn client(&self) -> Result<Peer> {
        Peer::spawn(peer_program(), &["obey", "client"], &self.net().client, true)
    }

    /// A steered program in the server's namespace.
    pub(crate) fn server(&self) -> Result<Peer> {
        Peer::spawn(peer_program(), &["obey", "server"], &self.net().server, true)
    }

    /// Where nobody listens, at the server.
    pub(crate) fn http(&self) -> SocketAddr {
        self.net().server_at(80)
    }

    /// The same for IPv6.
    pub(crate) fn http_v6(&self) -> SocketAddr {
        (self.net().server_v6(), 80).into()
    }

    /// Sets `/proc/sys/net/ipv4/NAME` of a namespace.
    pub(crate) fn tune(&self, ns: &Ns, name: &str, value: &str) -> Result<()> {
        ns.sh(&format!("echo {value} > /proc/sys/net/ipv4/{name}")).map(drop)
    }

    /// TCP that passes `hook` of a namespace meets this rule.
    pub(crate) fn filter(&self, ns: &Ns, hook: &str, rule: &str) -> Result<()> {
        ns.filters(hook, &[rule])
    }

    /// The router swallows everything; what the client sends is counted.
    pub(crate) fn cut(&self) -> Result<()> {
        self.net().cut()
    }

    /// How many packets the `counter` of the client's filter has counted.
    pub(crate) fn counted(&self) -> Result<u64> {
        self.net().client.counted()
    }

    /// The one record of the client's namespace that is `event`.
    pub(crate) fn at_client(&self, event: &str, pattern: &Value) -> Result<Record> {
        self.tells(&self.net().client, event, &json!({}), pattern)
    }

    /// The one record of the server's namespace that is `event`.
    pub(crate) fn at_server(&self, event: &str, pattern: &Value) -> Result<Record> {
        self.tells(&self.net().server, event, &json!({}), pattern)
    }

    /// Waits for the one record of a namespace that is `event` and `which`; it must be `pattern`. For the end of
    /// an attempt or a lifetime, the cause in `pattern` is the wanted one.
    pub(crate) fn tells(&self, ns: &Ns, event: &str, which: &Value, pattern: &Value) -> Result<Record> {
        let key = and(&json!({ "event": event, "netns": ns.inode() }), which);
        let ends = matches!(event, "failed" | "closed");
        ensure!(!ends || pattern["cause"].is_string(), "the scenario wants no cause of {key}");
        let wanted = format!("{event} {}", pattern["cause"].as_str().unwrap_or_default());
        let found = self.wait_until(&key.to_string(), |all| {
            let found: Vec<_> = all.iter().filter(|r| r.is(&key)).cloned().collect();
            (!found.is_empty()).then_some(found)
        });
        let Ok(records) = found.as_deref() else {
            if ends {
                self.note(&wanted, NOTHING);
            }
            return found.map(|mut found| found.remove(0));
        };
        let [record] = records else { bail!("{} records are {key}:\n{}", records.len(), listing(records)) };
        if ends {
            self.note(&wanted, &given(record));
            self.asked.borrow_mut().extend(record.number("seq"));
        }
        record.must_be(pattern)?;
        Ok(record.clone())
    }

    /// Waits until `found` finds what it looks for among all records of these namespaces so far.
    pub(crate) fn wait_until<T>(&self, what: &str, found: impl Fn(&[Record]) -> Option<T>) -> Result<T> {
        self.parts().1.wait_until(what, found)
    }

    /// All records of these namespaces so far.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.parts().1.records()
    }

    /// Takes an end as asked for by an assertion of the scenario's own.
    pub(crate) fn asked(&self, wanted: &str, record: &Record) {
        self.note(wanted, &given(record));
        self.asked.borrow_mut().extend(record.number("seq"));
    }

    /// What must hold when everything was asserted: every beginning has one end, and no end is there that nobody
    /// asked for.
    pub(crate) fn settle(&mut self) -> Result<()> {
        let records = self.records();
        self.settled = Some(records.iter().filter(|r| of_a_life(r)).count());
        let asked = self.asked.borrow();
        let is_asked = |r: &Record| r.number("seq").is_some_and(|seq| asked.contains(&seq));
        let ends = records.iter().filter(|r| matches!(r.event(), "failed" | "closed"));
        let unasked: Vec<_> = ends.filter(|r| !is_asked(r)).collect();
        unasked.iter().for_each(|record| self.note(NOTHING, &given(record)));
        ensure!(unasked.is_empty(), "ends that nobody wanted:\n{}", listing(unasked));
        must_be_once(&records)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some((net, told)) = self.parts.take() {
            self.stage.retire(std::mem::take(&mut self.name), net.into_namespaces(), told, self.settled);
        }
    }
}

fn given(record: &Record) -> String {
    format!("{} {}", record.event(), record.text("cause").unwrap_or("without a cause"))
}

/// Pattern: the ends of a connection, as that side sees them.
pub(crate) fn from_to(local: SocketAddr, remote: SocketAddr) -> Value {
    json!({
        "family": if remote.is_ipv4() { "ipv4" } else { "ipv6" },
        "local_addr": local.ip(), "local_port": local.port(),
        "remote_addr": remote.ip(), "remote_port": remote.port(),
    })
}

/// Pattern: an error.
pub(crate) fn error(errno: Errno) -> Value {
    json!({ "error": format!("{errno:?}"), "errno": errno as i32 })
}

/// Pattern: what only some records have, absent.
pub(crate) fn nothing_else() -> Value {
    json!({
        "protocol": "tcp", "error": null, "errno": null, "soft_error": null, "reset_by": null,
        "reset_reason": null, "closer_pid": null, "closer_comm": null, "incomplete": null,
        "pre_existing": null, "unread_bytes": null,
    })
}
