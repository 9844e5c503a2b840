//! The format of the scenario files. `tests/scenarios/README.md` describes it.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use probe::config::Config;
use probe::decode::event::{BootNs, ProcessId, ProcessImage};
use probe::filter::Events;
use probe::pipeline::{Header, Input, Process};
use probe::record::{EventName, LostWhere};
use serde::Deserialize;

use super::wire;

/// Numbers of `enum sk_rst_reason` as some kernel has them: they change, so they are no constants anywhere.
pub(crate) const REASONS: [(u32, &str); 9] = [
    (1, "not_specified"),
    (2, "no_socket"),
    (10, "tcp_abort_on_data"),
    (16, "tcp_abort_on_close"),
    (17, "tcp_abort_on_linger"),
    (18, "tcp_abort_on_memory"),
    (19, "tcp_state"),
    (20, "tcp_keepalive_timeout"),
    (21, "tcp_disconnect_with_data"),
];

/// A file: scenarios by name.
#[derive(Deserialize)]
struct File(BTreeMap<String, Scenario>);

/// What happens, and what is said of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// What it shows.
    #[serde(rename = "about")]
    _about: String,
    /// The kernel tells cookies (5.12 and later).
    #[serde(default = "yes")]
    cookies: bool,
    /// Hooks that are not attached.
    #[serde(default)]
    without: Vec<String>,
    #[serde(default)]
    max_connections: Option<u32>,
    #[serde(default)]
    events: Option<String>,
    #[serde(default)]
    own_pid: u32,
    #[serde(default)]
    process: BTreeMap<String, Task>,
    #[serde(default)]
    sock: BTreeMap<String, Sock>,
    input: Vec<Step>,
    /// Exactly these, in this order; of each, at least these fields.
    pub(crate) expect: Vec<toml::Table>,
}

fn yes() -> bool {
    true
}

/// A process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Task {
    pub(crate) pid: u32,
    #[serde(default)]
    pub(crate) uid: u32,
    #[serde(default)]
    pub(crate) kernel_thread: bool,
}

/// A socket: `local` and `remote` are `ADDRESS:PORT`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sock {
    pub(crate) local: std::net::SocketAddr,
    #[serde(default)]
    pub(crate) remote: Option<std::net::SocketAddr>,
    #[serde(default)]
    pub(crate) netns: Option<u32>,
    /// Instead of one made up from its name.
    #[serde(default)]
    pub(crate) cookie: Option<u64>,
    /// The socket whose address in the kernel it has, which was freed before.
    #[serde(default)]
    pub(crate) at_address_of: Option<String>,
    #[serde(default)]
    pub(crate) mptcp: bool,
}

/// An input. Which fields there are depends on `kind`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) at: String,
    pub(crate) kind: String,
    pub(crate) sock: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) state: Option<String>,
    /// The process that does it.
    pub(crate) by: Option<String>,
    /// Who happens to run on the CPU.
    pub(crate) current: Option<String>,
    #[serde(default)]
    pub(crate) exiting: bool,
    #[serde(default)]
    pub(crate) flags: Vec<String>,
    /// Instead of the socket's, where they are not known yet or any more.
    pub(crate) local: Option<std::net::SocketAddr>,
    pub(crate) remote: Option<std::net::SocketAddr>,
    #[serde(default)]
    pub(crate) err: u16,
    #[serde(default)]
    pub(crate) err_soft: u16,
    #[serde(default)]
    pub(crate) err_queued: u16,
    /// As the kernel counts: the SYN and FIN too.
    #[serde(default)]
    pub(crate) bytes_acked: u64,
    #[serde(default)]
    pub(crate) bytes_received: u64,
    #[serde(default)]
    pub(crate) unacked: u32,
    /// Payload nobody read.
    #[serde(default)]
    pub(crate) unread: u32,
    #[serde(default)]
    pub(crate) total_retrans: u32,
    #[serde(default)]
    pub(crate) retransmits: u8,
    #[serde(default)]
    pub(crate) probes: u8,
    #[serde(default)]
    pub(crate) rtt_us: u32,
    #[serde(default)]
    pub(crate) user_timeout: u32,
    /// What a listener has turned away, and what waits in its queue.
    #[serde(default)]
    pub(crate) drops: u32,
    #[serde(default)]
    pub(crate) queued: u32,
    pub(crate) result: Option<i32>,
    pub(crate) entered: Option<String>,
    /// The end of a look that takes a while (`resync`).
    pub(crate) until: Option<String>,
    pub(crate) reason: Option<String>,
    #[serde(default)]
    pub(crate) backlog: u32,
    pub(crate) count: Option<u64>,
    #[serde(rename = "where")]
    pub(crate) place: Option<String>,
    pub(crate) exe: Option<String>,
    /// Events that come with this input (`snapshot`, `resync`).
    #[serde(default)]
    pub(crate) found: Vec<Step>,
}

impl Scenario {
    /// The scenarios of a file, as `file/name`.
    pub(crate) fn read_all(path: &Path) -> Vec<(String, Self)> {
        let text = std::fs::read_to_string(path).expect("a scenario file can be read");
        let File(scenarios) =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        scenarios.into_iter().map(|(name, scenario)| (format!("{file}/{name}"), scenario)).collect()
    }

    pub(crate) fn config(&self) -> Config {
        let mut config = Config::default();
        if let Some(max) = self.max_connections {
            config.max_connections = max;
        }
        // What is told of connections over time is another story: asked for by name.
        let told = [EventName::Outage, EventName::Reconnected, EventName::Flapping];
        let default = EventName::ALL.iter().filter(|e| Events::default().contains(**e) && !told.contains(e));
        config.events = default.fold(Events::NONE, |events, e| events.with(*e));
        if let Some(events) = &self.events {
            config.events = events.parse().expect("events are named right");
        }
        config
    }

    pub(crate) fn header(&self) -> Header {
        let mut header = header();
        header.own_pid = self.own_pid;
        for hook in &self.without {
            assert!(header.tracer.hooks.remove(hook).is_some(), "there is no hook {hook}");
        }
        header
    }

    /// The inputs; events next to each other come in one batch.
    pub(crate) fn inputs(&self) -> Vec<Input> {
        let mut inputs = Vec::new();
        let mut batch = Vec::new();
        for step in &self.input {
            match self.input(step) {
                Some(input) => {
                    flush(&mut batch, &mut inputs);
                    inputs.push(input);
                }
                None => batch.extend(self.event(step)),
            }
        }
        flush(&mut batch, &mut inputs);
        inputs
    }

    /// The input that a step is, if it is no event.
    fn input(&self, step: &Step) -> Option<Input> {
        let now = BootNs(ns(&step.at));
        let found = || Bytes::from(step.found.iter().flat_map(|step| self.event(step)).collect::<Vec<u8>>());
        Some(match step.kind.as_str() {
            "ready" => Input::Ready(now),
            "tick" => Input::Tick(now, 0),
            "stop" => Input::Stop(now),
            "snapshot" => Input::Snapshot(found()),
            "resync" => Input::Resync(now, step.until.as_deref().map_or(now, |at| BootNs(ns(at))), found()),
            "overflows" => {
                let netns = 4_026_531_840;
                Input::Overflows(now, vec![(netns, step.count.expect("how many?"))], found())
            }
            "lost" => {
                let place = step.place.as_deref().and_then(LostWhere::from_name).expect("lost where?");
                Input::Lost(now, place, step.count.expect("lost how many?"))
            }
            "process" => {
                let name = step.by.as_deref().expect("which process?");
                let task = self.task(name);
                let exe = step.exe.as_deref();
                let comm = exe.and_then(|exe| exe.rsplit('/').next()).unwrap_or(name);
                let image = ProcessImage {
                    process: ProcessId { pid: task.pid, start: wire::start(&task) },
                    uid: task.uid,
                    comm: comm.into(),
                    exe: exe.map(Into::into),
                    cmdline: None,
                    cgroup: None,
                };
                Input::Processes(vec![Process { at: now.0, image, user: None }])
            }
            _ => return None,
        })
    }

    fn event(&self, step: &Step) -> Vec<u8> {
        let name = step.sock.as_deref().unwrap_or_else(|| panic!("which socket? {step:?}"));
        let number = self.number(name);
        let sock = &self.sock[name];
        let address = sock.at_address_of.as_deref().map_or(number, |other| self.number(other));
        let cookie = if self.cookies { sock.cookie.unwrap_or(number) } else { 0 };
        let task = step.by.as_deref().or(step.current.as_deref());
        let task = task.map(|name| (name, self.task(name)));
        wire::event(step, sock, address, cookie, task.as_ref().map(|(name, task)| (*name, task)))
    }

    fn task(&self, name: &str) -> Task {
        self.process.get(name).unwrap_or_else(|| panic!("there is no process {name}")).clone()
    }

    fn number(&self, name: &str) -> u64 {
        let at = self.sock.keys().position(|known| known == name);
        at.unwrap_or_else(|| panic!("there is no socket {name}")) as u64 + 1
    }
}

/// A run on a kernel that has every hook.
pub(crate) fn header() -> Header {
    let hooks = [
        "tcp_set_state",
        "tcp_connect",
        "inet_csk_accept",
        "tcp_reset",
        "tcp_send_reset",
        "tcp_destroy_sock",
    ];
    let mut header = Header {
        boot_id: "0badc0de-0000-4000-8000-000000000000".to_owned(),
        host: "lab".to_owned(),
        hold_ns: 20_000_000,
        reset_reasons: REASONS.iter().map(|(number, name)| (*number, (*name).to_owned())).collect(),
        ..Header::default()
    };
    header.tracer.hooks = hooks.iter().map(|hook| ((*hook).to_owned(), "tracepoint".to_owned())).collect();
    header
}

fn flush(batch: &mut Vec<u8>, inputs: &mut Vec<Input>) {
    if !batch.is_empty() {
        inputs.push(Input::Events(std::mem::take(batch).into()));
    }
}

/// A moment or a length of time as people write it: `1.5ms`.
pub(crate) fn ns(text: &str) -> u64 {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit: u64 = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        _ => panic!("`{text}` is no time: write it as 1.5ms"),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.parse::<u64>().unwrap_or_else(|_| panic!("`{text}` is no number"));
    let part = if fraction.is_empty() {
        0
    } else {
        digits(fraction) * unit / 10_u64.pow(u32::try_from(fraction.len()).expect("short"))
    };
    digits(whole) * unit + part
}
