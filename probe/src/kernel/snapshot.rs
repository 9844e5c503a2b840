//! What is there already: sockets by `iter/tcp` in every network namespace, their owners by `iter/task_file`
//! for all of them at once. The iterators write the same events as the hooks, one after another.

use std::io::Read as _;

use aya::Ebpf;
use aya::programs::Iter;

use super::hooks::with_causes;
use super::netns;

/// Sockets of every network namespace that can be entered, then owners.
pub fn sockets_and_owners(ebpf: &mut Ebpf) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let listing = netns::list().map_err(|e| with_causes(&e))?;
    for ns in &listing.namespaces {
        let run = || run(ebpf, "iter_tcp");
        match netns::in_netns(ns, run).map_err(|e| with_causes(&e)).flatten() {
            Ok(sockets) => bytes.extend(sockets),
            // A namespace may be gone by now, or forbidden: what it held stays unknown.
            Err(e) => tracing::warn!("no snapshot of network namespace {}: {e}", ns.inode),
        }
    }
    bytes.extend(owners(ebpf)?);
    Ok(bytes)
}

/// The sockets that processes hold open, with their owners, in all network namespaces.
pub fn owners(ebpf: &mut Ebpf) -> Result<Vec<u8>, String> {
    run(ebpf, "iter_task_file")
}

/// Runs an iterator once, in the network namespace of this thread.
fn run(ebpf: &mut Ebpf, name: &str) -> Result<Vec<u8>, String> {
    let program = ebpf.program_mut(name).ok_or("it is not in the object")?;
    let program: &mut Iter = program.try_into().map_err(|e| with_causes(&e))?;
    let link = program.attach().map_err(|e| with_causes(&e))?;
    let link = program.take_link(link).map_err(|e| with_causes(&e))?;
    let mut file = link.into_file().map_err(|e| with_causes(&e))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|e| format!("failed to read {name}: {e}"))?;
    Ok(bytes)
}
