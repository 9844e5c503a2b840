//! Loads the programs into the kernel and attaches them by the hook table.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use aya::maps::{MapData, PerCpuArray, RingBuf};
use aya::programs::{Iter, ProgramError};
use aya::{Ebpf, EbpfLoader};
use probe_common::{Settings, want};

use super::hooks::{self, HOOKS, HookStatus};
use super::offsets::{self, Resolved};
use super::{btf, privilege, snapshot, tracefs};

/// The programs, built by `build.rs`; empty when the build was told to skip them.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/probe-ebpf"));

/// Why tracing cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A capability is missing.
    #[error(
        "tracing needs {}: run as root, or grant cap_bpf and cap_perfmon, and for everything cap_sys_ptrace, \
         cap_dac_read_search, cap_sys_admin and cap_sys_nice", .missing.join(" and ")
    )]
    Privilege {
        /// Names.
        missing: Vec<String>,
    },
    /// No BPF object in this binary.
    #[error("this binary was built without its eBPF programs: build it with `cargo xtask build`")]
    NoObject,
    /// No usable type information.
    #[error(transparent)]
    Btf(#[from] btf::BtfError),
    /// The object was refused.
    #[error("failed to load the eBPF object: {0}")]
    Object(String),
    /// Something without which nothing works.
    #[error("failed to attach {hook}: {reason}; `connprobe doctor` shows what this kernel allows")]
    Hook {
        /// Which hook.
        hook: &'static str,
        /// Why not.
        reason: String,
    },
    /// A map is missing from the object or was refused.
    #[error("failed to open the map {name}: {reason}")]
    Map {
        /// Which.
        name: &'static str,
        /// Why not.
        reason: String,
    },
}

/// What the tracer is asked to do in the kernel.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Filters.
    pub settings: Settings,
    /// Bytes of the ring buffer, a power of two of pages.
    pub buffer: u32,
    /// Report every retransmission.
    pub retransmits: bool,
}

/// Programs in the kernel. They are detached when this is dropped.
pub struct Tracer {
    ebpf: Ebpf,
    drops: PerCpuArray<MapData, u64>,
    /// What became of each hook.
    pub hooks: Vec<HookStatus>,
    /// What the kernel's BTF said.
    pub resolved: Resolved,
    /// Why iterators do not work, if they do not.
    pub no_iterators: Option<String>,
    seen_losses: BTreeMap<String, u64>,
}

impl Tracer {
    /// Loads and attaches everything. Blocks for some 100 ms.
    pub fn load(request: &Request) -> Result<Self, LoadError> {
        let missing = privilege::missing();
        if !missing.is_empty() {
            return Err(LoadError::Privilege { missing });
        }
        if OBJECT.is_empty() {
            return Err(LoadError::NoObject);
        }
        let resolved = offsets::resolve(&btf::Btf::from_file(Path::new(btf::KERNEL_BTF))?)?;
        // A thread of its own, because it may get a mount namespace of its own.
        std::thread::scope(|scope| {
            let loading = scope.spawn(|| Self::load_here(request, resolved));
            loading.join().unwrap_or_else(|_| Err(LoadError::Object("the loading thread panicked".into())))
        })
    }

    fn load_here(request: &Request, resolved: Resolved) -> Result<Self, LoadError> {
        if let Err(e) = tracefs::make_visible() {
            tracing::debug!("tracefs is not mounted and cannot be: {e}");
        }
        let object = |e: &(dyn std::error::Error + 'static)| LoadError::Object(hooks::with_causes(e));
        let btf = aya::Btf::from_sys_fs().map_err(|e| object(&e))?;
        let settings = settings(request, &resolved);
        let mut ebpf = EbpfLoader::new()
            .btf(Some(&btf))
            .override_global("OFFSETS", &resolved.offsets, true)
            .override_global("SETTINGS", &settings, true)
            .map_max_entries("EVENTS", request.buffer)
            .load(OBJECT)
            .map_err(|e| object(&e))?;
        let wanted = HOOKS.iter().filter(|h| !h.on_request || request.retransmits);
        let hooks: Vec<_> = wanted.map(|hook| hooks::attach(&mut ebpf, &btf, hook)).collect();
        if let Some(status) = hooks.iter().find(|s| s.engine.is_none() && s.hook.lost.is_none()) {
            let reason = status.failures.iter().map(|(e, r)| format!("{e}: {r}")).collect::<Vec<_>>();
            return Err(LoadError::Hook { hook: status.hook.name, reason: reason.join("; ") });
        }
        let no_iterators = load_iterators(&mut ebpf, &btf).err().map(|e| hooks::with_causes(&e));
        let drops = take_map(&mut ebpf, "DROPS")?;
        Ok(Self { ebpf, drops, hooks, resolved, no_iterators, seen_losses: BTreeMap::new() })
    }

    /// What this kernel cannot tell, a sentence each.
    pub fn missing(&self) -> Vec<String> {
        let hooks = self.hooks.iter().filter(|s| s.engine.is_none());
        let hooks = hooks.filter_map(|s| Some(format!("{}: {}", s.hook.name, s.hook.lost?)));
        let mut missing: Vec<String> = hooks.chain(self.resolved.missing.iter().cloned()).collect();
        if !self.resolved.cookies {
            missing
                .push("no socket cookies (kernel before 5.12): connections are known by their birth".into());
        }
        if !self.resolved.send_reset_has_reason {
            missing.push("no `reset_reason` and no resets without a socket (kernel before 6.10)".into());
        }
        if let Some(reason) = &self.no_iterators {
            missing.push(format!("no snapshot of existing sockets: {reason}"));
        }
        missing
    }

    /// The programs' own log, which goes to `tracing` whenever the function is called; `None` when nobody
    /// wants it.
    pub fn take_log(&mut self) -> Option<impl FnMut() + use<>> {
        if !wants_log() {
            return None;
        }
        let failed = |e| tracing::debug!("no log of the programs: {e}");
        let mut logger = aya_log::EbpfLogger::init(&mut self.ebpf).map_err(failed).ok()?;
        Some(move || logger.flush())
    }

    /// The ring buffer, once.
    pub fn take_ring(&mut self) -> Result<RingBuf<MapData>, LoadError> {
        take_map(&mut self.ebpf, "EVENTS")
    }

    /// Sockets and owners as they are now, as events (see [`snapshot`]).
    pub fn snapshot(&mut self) -> Result<Vec<u8>, String> {
        if let Some(reason) = &self.no_iterators {
            return Err(reason.clone());
        }
        snapshot::sockets_and_owners(&mut self.ebpf)
    }

    /// Owners only, with their sockets: all namespaces at once and without any capability.
    pub fn owners(&mut self) -> Result<Vec<u8>, String> {
        snapshot::owners(&mut self.ebpf)
    }

    /// Events lost in the kernel since the last call.
    pub fn lost_since(&mut self) -> Losses {
        let mut losses = Losses::default();
        for kind in 0..probe_common::DROP_SLOTS {
            match self.drops.get(&kind, 0) {
                Ok(per_cpu) => {
                    let total = per_cpu.iter().sum();
                    losses.ring += self.growth(&format!("events of kind {kind}"), total);
                }
                Err(e) => tracing::warn!("losses are not known: the drop counters cannot be read: {e}"),
            }
        }
        for (name, misses) in self.misses() {
            losses.hook += self.growth(&name, misses);
        }
        losses
    }

    fn growth(&mut self, name: &str, total: u64) -> u64 {
        let seen = self.seen_losses.entry(name.to_owned()).or_default();
        let growth = total.saturating_sub(std::mem::replace(seen, total));
        if growth > 0 {
            tracing::info!("lost {growth}: {name}");
        }
        growth
    }

    /// Skipped runs per program, from the kernel's own count (5.12, none before). The two programs on the
    /// state changes stand in for each other; a missed destruction is nothing but an entry that stays in the
    /// table a little longer, as long as cookies tell sockets apart.
    fn misses(&self) -> Vec<(String, u64)> {
        let of = |fd: i32| {
            let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
            info.lines().find_map(|l| l.strip_prefix("recursion_misses:")?.trim().parse().ok())
        };
        let harmless = |name: &str| {
            name.starts_with("inet_sock_set_state") || (name == "tcp_destroy_sock" && self.resolved.cookies)
        };
        let programs = self.ebpf.programs().filter(|(name, _)| !harmless(name));
        let misses = programs.filter_map(|(name, p)| {
            let fd = p.fd().ok()?.as_fd().as_raw_fd();
            Some((name.to_owned(), of(fd)?))
        });
        misses.collect()
    }
}

/// Events that never reached user space.
#[derive(Clone, Copy, Debug, Default)]
pub struct Losses {
    /// The ring buffer was full.
    pub ring: u64,
    /// The kernel skipped a program that was running on that CPU already.
    pub hook: u64,
}

fn settings(request: &Request, resolved: &Resolved) -> Settings {
    let mut settings = request.settings;
    let switches = [
        (want::RETRANSMITS, request.retransmits),
        (want::COOKIES, resolved.cookies),
        (want::RESET_REASON, resolved.send_reset_has_reason),
        (want::URING_CQE, resolved.uring_has_cqe),
        (want::LOG, wants_log()),
    ];
    for (bit, on) in switches {
        if on {
            settings.want |= bit;
        }
    }
    settings.accept_slot = resolved.accept_slot;
    settings
}

/// Programs log what they give up on, at `debug`.
fn wants_log() -> bool {
    tracing::enabled!(target: "probe_ebpf", tracing::Level::DEBUG)
}

fn load_iterators(ebpf: &mut Ebpf, btf: &aya::Btf) -> Result<(), ProgramError> {
    for (name, kind) in [("iter_tcp", "tcp"), ("iter_task_file", "task_file")] {
        let program = ebpf.program_mut(name).ok_or(ProgramError::UnexpectedProgramType)?;
        let program: &mut Iter = program.try_into()?;
        program.load(kind, btf)?;
    }
    Ok(())
}

fn take_map<T: TryFrom<aya::maps::Map, Error = aya::maps::MapError>>(
    ebpf: &mut Ebpf,
    name: &'static str,
) -> Result<T, LoadError> {
    let fail = |reason: String| LoadError::Map { name, reason };
    let map = ebpf.take_map(name).ok_or_else(|| fail("it is not in the object".into()))?;
    T::try_from(map).map_err(|e| fail(hooks::with_causes(&e)))
}
