//! The hook table: what we want to see, and for each an ordered list of ways to attach. The first way that
//! loads and attaches whole is taken; the reasons of the others are kept for `doctor`.

use aya::Btf;
use aya::Ebpf;
use aya::programs::{BtfTracePoint, FEntry, FExit, KProbe, ProgramError, TracePoint};

use crate::vocab::EngineName;

/// How one program is attached.
#[derive(Clone, Copy, Debug)]
pub enum Attach {
    /// BTF-typed raw tracepoint.
    BtfTracepoint(&'static str),
    /// Classic tracepoint, through tracefs.
    Tracepoint(&'static str, &'static str),
    /// Entry of a kernel function, by trampoline.
    Fentry(&'static str),
    /// Return of a kernel function, by trampoline.
    Fexit(&'static str),
    /// Entry or return of a kernel function, by breakpoint.
    Kprobe(&'static str),
}

/// One way to see a fact: all its programs are needed.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// Kind of attachment.
    pub engine: EngineName,
    /// Program in the object, and where it goes.
    pub programs: &'static [(&'static str, Attach)],
}

/// One fact we want to see.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// Name: the kernel function or tracepoint.
    pub name: &'static str,
    /// Ways to see it, best first.
    pub ways: &'static [Way],
    /// What is lost without it; `None` where nothing works without it.
    pub lost: Option<&'static str>,
    /// Only where asked for.
    pub on_request: bool,
}

use Attach::{BtfTracepoint, Fentry, Fexit, Kprobe, Tracepoint};
use EngineName::{Fentry as FENTRY, Kprobe as KPROBE, Tracepoint as TRACEPOINT};

/// All hooks, in the order they are attached: ends before beginnings, so that nothing is seen to begin whose
/// end would be missed.
pub const HOOKS: &[Hook] = &[
    Hook {
        name: "tcp_destroy_sock",
        ways: &[Way {
            engine: TRACEPOINT,
            programs: &[("tcp_destroy_sock", BtfTracepoint("tcp_destroy_sock"))],
        }],
        lost: None,
        on_request: false,
    },
    Hook {
        name: "tcp_send_reset",
        ways: &[Way { engine: TRACEPOINT, programs: &[("tcp_send_reset", BtfTracepoint("tcp_send_reset"))] }],
        lost: Some("resets sent by this host, and why, are not seen"),
        on_request: false,
    },
    Hook {
        name: "tcp_reset",
        ways: &[
            Way {
                engine: TRACEPOINT,
                programs: &[("tcp_receive_reset", BtfTracepoint("tcp_receive_reset"))],
            },
            Way { engine: FENTRY, programs: &[("fentry_tcp_reset", Fentry("tcp_reset"))] },
            Way { engine: KPROBE, programs: &[("kprobe_tcp_reset", Kprobe("tcp_reset"))] },
        ],
        lost: Some("no `reset` records of received resets; causes are still right"),
        on_request: false,
    },
    Hook {
        name: "inet_sk_error_report",
        ways: &[Way {
            engine: TRACEPOINT,
            programs: &[("inet_sk_error_report", BtfTracepoint("inet_sk_error_report"))],
        }],
        lost: Some("ICMP errors that the application took first are not known (kernel before 5.14)"),
        on_request: false,
    },
    Hook {
        name: "tcp_retransmit_skb",
        ways: &[Way {
            engine: TRACEPOINT,
            programs: &[
                ("tcp_retransmit_skb", BtfTracepoint("tcp_retransmit_skb")),
                ("tcp_retransmit_synack", BtfTracepoint("tcp_retransmit_synack")),
            ],
        }],
        lost: Some("no `retransmit` records; totals are still right"),
        on_request: true,
    },
    Hook {
        name: "io_uring_complete",
        ways: &[Way {
            engine: TRACEPOINT,
            programs: &[("io_uring_complete", BtfTracepoint("io_uring_complete"))],
        }],
        lost: Some(
            "accepts through io_uring belong to the listener's process, failed connects may be missed",
        ),
        on_request: false,
    },
    Hook {
        name: "inet_csk_accept",
        ways: &[
            Way { engine: FENTRY, programs: &[("fexit_inet_csk_accept", Fexit("inet_csk_accept"))] },
            Way { engine: KPROBE, programs: &[("kretprobe_inet_csk_accept", Kprobe("inet_csk_accept"))] },
            Way {
                engine: TRACEPOINT,
                programs: &[
                    ("sys_exit_accept", Tracepoint("syscalls", "sys_exit_accept")),
                    ("sys_exit_accept4", Tracepoint("syscalls", "sys_exit_accept4")),
                ],
            },
        ],
        lost: Some("accepted connections belong to the listener's process, no `accept` records"),
        on_request: false,
    },
    Hook {
        name: "tcp_v4_connect",
        ways: &[
            Way {
                engine: FENTRY,
                programs: &[
                    ("fexit_tcp_v4_connect", Fexit("tcp_v4_connect")),
                    ("fexit_tcp_v6_connect", Fexit("tcp_v6_connect")),
                    ("fentry_tcp_v4_connect", Fentry("tcp_v4_connect")),
                    ("fentry_tcp_v6_connect", Fentry("tcp_v6_connect")),
                ],
            },
            Way {
                engine: KPROBE,
                programs: &[
                    ("kretprobe_tcp_v4_connect", Kprobe("tcp_v4_connect")),
                    ("kretprobe_tcp_v6_connect", Kprobe("tcp_v6_connect")),
                    ("kprobe_tcp_v4_connect", Kprobe("tcp_v4_connect")),
                    ("kprobe_tcp_v6_connect", Kprobe("tcp_v6_connect")),
                ],
            },
            Way {
                engine: TRACEPOINT,
                programs: &[
                    ("sys_exit_connect", Tracepoint("syscalls", "sys_exit_connect")),
                    ("sys_enter_connect", Tracepoint("syscalls", "sys_enter_connect")),
                ],
            },
        ],
        lost: Some("connects that fail before a SYN is sent are not seen"),
        on_request: false,
    },
    Hook {
        name: "tcp_connect",
        ways: &[
            Way { engine: FENTRY, programs: &[("fentry_tcp_connect", Fentry("tcp_connect"))] },
            Way { engine: KPROBE, programs: &[("kprobe_tcp_connect", Kprobe("tcp_connect"))] },
            // The tracepoint of tcp_set_state shows the move to SYN-SENT just before: nothing to attach.
            Way { engine: TRACEPOINT, programs: &[] },
        ],
        lost: None,
        on_request: false,
    },
    Hook {
        name: "tcp_set_state",
        ways: &[
            Way {
                engine: TRACEPOINT,
                // In this order: the second stands in for the first.
                programs: &[
                    ("inet_sock_set_state", BtfTracepoint("inet_sock_set_state")),
                    ("inet_sock_set_state_2", BtfTracepoint("inet_sock_set_state")),
                ],
            },
            Way { engine: FENTRY, programs: &[("fentry_tcp_set_state", Fentry("tcp_set_state"))] },
            Way { engine: KPROBE, programs: &[("kprobe_tcp_set_state", Kprobe("tcp_set_state"))] },
        ],
        lost: None,
        on_request: false,
    },
];

/// What became of one hook.
#[derive(Clone, Debug)]
pub struct HookStatus {
    /// Which.
    pub hook: &'static Hook,
    /// The way in use, `None` if none worked.
    pub engine: Option<EngineName>,
    /// Why the ways before it did not work.
    pub failures: Vec<(EngineName, String)>,
}

/// Loads and attaches `hook` by the first way that works.
pub fn attach(ebpf: &mut Ebpf, btf: &Btf, hook: &'static Hook) -> HookStatus {
    let mut failures = Vec::new();
    for way in hook.ways {
        match attach_way(ebpf, btf, way) {
            Ok(()) => return HookStatus { hook, engine: Some(way.engine), failures },
            Err(e) => failures.push((way.engine, e)),
        }
    }
    HookStatus { hook, engine: None, failures }
}

/// All programs of a way or none: a half-attached way would report half of the facts.
fn attach_way(ebpf: &mut Ebpf, btf: &Btf, way: &Way) -> Result<(), String> {
    for (done, (program, to)) in way.programs.iter().enumerate() {
        if let Err(e) = attach_program(ebpf, btf, program, *to) {
            for (program, _) in &way.programs[..=done] {
                unload(ebpf, program);
            }
            return Err(format!("{program}: {}", with_causes(&e)));
        }
    }
    Ok(())
}

fn attach_program(ebpf: &mut Ebpf, btf: &Btf, program: &str, to: Attach) -> Result<(), ProgramError> {
    let missing = || ProgramError::UnexpectedProgramType;
    let program = ebpf.program_mut(program).ok_or_else(missing)?;
    match to {
        BtfTracepoint(name) => {
            let program: &mut BtfTracePoint = program.try_into()?;
            program.load(name, btf)?;
            program.attach()?;
        }
        Tracepoint(category, name) => {
            let program: &mut TracePoint = program.try_into()?;
            program.load()?;
            program.attach(category, name)?;
        }
        Fentry(function) => {
            let program: &mut FEntry = program.try_into()?;
            program.load(function, btf)?;
            program.attach()?;
        }
        Fexit(function) => {
            let program: &mut FExit = program.try_into()?;
            program.load(function, btf)?;
            program.attach()?;
        }
        Kprobe(function) => {
            let program: &mut KProbe = program.try_into()?;
            program.load()?;
            program.attach(function, 0)?;
        }
    }
    Ok(())
}

/// Detaches and unloads; a program that was never loaded is none to unload.
fn unload(ebpf: &mut Ebpf, program: &str) {
    use aya::programs::Program::{BtfTracePoint as B, FEntry as E, FExit as X, KProbe as K, TracePoint as T};
    let _never_loaded = match ebpf.program_mut(program) {
        Some(B(p)) => p.unload(),
        Some(T(p)) => p.unload(),
        Some(E(p)) => p.unload(),
        Some(X(p)) => p.unload(),
        Some(K(p)) => p.unload(),
        _ => Ok(()),
    };
}

/// An error with everything below it, on one line: the kernel's word is at the bottom. The verifier's log is
/// cut to its first and last lines.
pub fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let text = crate::causes::explain(error);
    // aya announces the log even when the verifier never ran.
    let text = text.trim_end().trim_end_matches("Verifier output:");
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    if lines.len() <= 4 {
        return lines.join(" | ");
    }
    format!("{} | … | {}", lines[0], lines[lines.len() - 3..].join(" | "))
}
