//! What this host allows: tried, not guessed.

use std::io::{self, Write};
use std::path::Path;

use crate::kernel::hooks::HookStatus;
use crate::kernel::loader::{LoadError, Tracer};
use crate::kernel::{btf, privilege, tracefs};
use crate::record::EngineName;

/// What was found on this host.
pub struct Report {
    /// What became of loading and attaching everything.
    pub tracer: Result<Tracer, LoadError>,
}

impl Report {
    /// Writes it for a person.
    pub fn write(&mut self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "connprobe {}", env!("CARGO_PKG_VERSION"))?;
        line(out, "kernel", &read("/proc/sys/kernel/osrelease", "unknown"))?;
        line(out, "BTF", if Path::new(btf::KERNEL_BTF).exists() { "present" } else { "missing" })?;
        line(out, "lockdown", &lockdown())?;
        line(out, "tracefs", tracefs_state())?;
        capabilities(out)?;
        match &mut self.tracer {
            // The reason is the command's error.
            Err(_) => writeln!(out, "\ntracing does not work"),
            Ok(tracer) => works(out, tracer),
        }
    }
}

fn works(out: &mut impl Write, tracer: &mut Tracer) -> io::Result<()> {
    writeln!(out, "\nhooks")?;
    for status in &tracer.hooks {
        line(out, status.hook.name, &engine(status))?;
        for (engine, reason) in &status.failures {
            line(out, "", &format!("not by {engine}: {reason}"))?;
        }
    }
    let snapshot = tracer.snapshot();
    let snapshot = snapshot.map_or_else(|e| format!("no: {e}"), |_| "BPF iterators".to_owned());
    line(out, "snapshot", &snapshot)?;
    let missing = tracer.missing();
    if !missing.is_empty() {
        writeln!(out, "\nwhat is missing here")?;
        for sentence in missing {
            writeln!(out, "  - {sentence}")?;
        }
    }
    let whole = tracer.hooks.iter().all(|status| status.engine.is_some());
    let verdict =
        if whole { "tracing works" } else { "tracing works, but not all of it: see what is missing" };
    writeln!(out, "\n{verdict}")
}

fn engine(status: &HookStatus) -> String {
    match status.engine {
        Some(engine) if status.hook.name == "tcp_connect" && engine == EngineName::Tracepoint => {
            "tracepoint (the move to SYN-SENT, seen by tcp_set_state)".to_owned()
        }
        Some(engine) => engine.name().to_owned(),
        None => format!("none: {}", status.hook.lost.unwrap_or("nothing works without it")),
    }
}

fn capabilities(out: &mut impl Write) -> io::Result<()> {
    for (capability, what) in privilege::NEEDED {
        let have = if privilege::has(*capability) { "yes" } else { "MISSING: run as root, or grant it" };
        line(out, &capability.to_string(), &format!("{have} ({what})"))?;
    }
    for (capability, what) in privilege::WANTED {
        let have = if privilege::has(*capability) { "yes" } else { "missing" };
        line(out, &capability.to_string(), &format!("{have} ({what})"))?;
    }
    Ok(())
}

fn lockdown() -> String {
    let modes = read("/sys/kernel/security/lockdown", "unknown (securityfs is not mounted)");
    // The mode in force is in brackets.
    let mode = modes.split(['[', ']']).nth(1).unwrap_or(&modes).to_owned();
    if mode == "confidentiality" { format!("{mode}: BPF may not read kernel memory") } else { mode }
}

fn tracefs_state() -> &'static str {
    if tracefs::is_mounted() {
        "mounted"
    } else if privilege::has(caps::Capability::CAP_SYS_ADMIN) {
        "not mounted: mounted privately while loading"
    } else {
        "NOT MOUNTED, or not readable: run `mount -t tracefs tracefs /sys/kernel/tracing` as root, or grant \
         CAP_SYS_ADMIN; hooks on system calls are missing without it"
    }
}

fn read(path: &str, otherwise: &str) -> String {
    std::fs::read_to_string(path).map_or_else(|_| otherwise.to_owned(), |s| s.trim().to_owned())
}

fn line(out: &mut impl Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(out, "  {name:<22} {value}")
}
