//! What a run is: all that records need and that a replay cannot ask the host for.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::kernel::{clock, loader::Tracer, proc};
use crate::record::build::Context;
use crate::record::{self, EngineName};

/// First frame of a record file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Header {
    /// As in the `start` record.
    pub tracer: record::Tracer,
    /// Kernel boot id.
    pub boot_id: String,
    /// Host name.
    pub host: String,
    /// Wall-clock time minus time since boot, ns.
    pub wall_offset: i64,
    /// Names and numbers of the kernel's reset reasons.
    pub reset_reasons: Vec<(u32, String)>,
    /// How long an end without a cause waits for more facts, ns.
    pub hold_ns: u64,
    /// The tracer's own process id, as it sees itself: another process may have it where containers are.
    pub own_pid: u32,
    /// Its start, ns since boot, cut to a clock tick.
    pub own_start: u64,
}

impl Header {
    /// Of the run that `tracer` makes possible.
    pub fn of(tracer: &Tracer, config: &Config) -> Self {
        let hooks = tracer.hooks.iter().map(|status| {
            let engine = status.engine.map_or("none", EngineName::name);
            (status.hook.name.to_owned(), engine.to_owned())
        });
        Self {
            tracer: record::Tracer {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                kernel: read("/proc/sys/kernel/osrelease"),
                hooks: hooks.collect(),
                missing: tracer.missing(),
                filters: config.filter_flags(),
            },
            boot_id: read("/proc/sys/kernel/random/boot_id"),
            host: read("/proc/sys/kernel/hostname"),
            wall_offset: clock::wall_offset(),
            reset_reasons: tracer.resolved.reset_reasons.clone(),
            hold_ns: u64::from(config.hold_ms) * 1_000_000,
            own_pid: std::process::id(),
            own_start: proc::start(std::process::id()).unwrap_or(0),
        }
    }

    /// Whether a hook is attached.
    pub fn sees(&self, hook: &str) -> bool {
        self.tracer.hooks.get(hook).is_some_and(|engine| engine != "none")
    }

    /// What the state changes come from.
    pub fn engine(&self) -> EngineName {
        let name = self.tracer.hooks.get("tcp_set_state");
        name.and_then(|n| EngineName::from_name(n)).unwrap_or(EngineName::Tracepoint)
    }

    pub(super) fn context(&self, host_fields: bool) -> Context {
        Context {
            boot_id: Arc::from(self.boot_id.as_str()),
            host: Arc::from(self.host.as_str()),
            host_fields,
            wall_offset: self.wall_offset,
            reset_reasons: self.reset_reasons.iter().map(|(n, s)| (*n, Arc::from(s.as_str()))).collect(),
        }
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}
