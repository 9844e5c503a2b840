//! Busy CPUs: whatever the kernel does in an interrupt, it does in a foreign task's context.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::run::{bound_to_us, cpus, on_cpu};

/// One spinning process per CPU, killed on drop.
pub struct BusyCpus(Vec<Child>);

/// Keeps every CPU busy with unrelated processes, for so long at most. `peer` is the peer program.
pub fn busy_cpus(peer: &Path, at_most: Duration) -> Result<BusyCpus> {
    let mut busy = BusyCpus(Vec::new());
    for cpu in 0..cpus() {
        let mut command = Command::new(peer);
        command.args(["burn", &at_most.as_secs().to_string()]).stdin(Stdio::null()).stdout(Stdio::null());
        let child =
            on_cpu(bound_to_us(&mut command), cpu).spawn().context("failed to start a busy process")?;
        busy.0.push(child);
    }
    Ok(busy)
}

impl BusyCpus {
    /// No CPU is busy.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Their process ids: none of them may ever own a connection.
    pub fn pids(&self) -> Vec<u32> {
        self.0.iter().map(Child::id).collect()
    }
}

impl Drop for BusyCpus {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Inside the busy process: spins with the lowest priority. It takes what is left of a CPU, and is what an
/// interrupt interrupts.
pub fn burn(how_long: Duration) -> Result<()> {
    std::fs::write("/proc/self/comm", "busy")?;
    // SAFETY: passes no memory.
    unsafe { libc::nice(19) };
    let end = Instant::now() + how_long;
    while Instant::now() < end {
        std::hint::spin_loop();
    }
    Ok(())
}
