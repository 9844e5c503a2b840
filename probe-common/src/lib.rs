//! Wire types between connprobe's eBPF programs and its user side.
//!
//! Every type here crosses the ring buffer, a BPF map or a read-only global. Rules, checked at compile
//! time at the end of each file: `#[repr(C)]`, integers and byte arrays only (no `bool`, no enum), no
//! implicit padding, sizes asserted. All integers are in the byte order of the host.
#![no_std]

mod event;
mod offsets;
mod settings;

pub use event::{
    AcceptEvent, ConnectEvent, DestroyEvent, ErrorEvent, Head, OwnerEvent, ProcessEvent, ResetEvent,
    RetransmitEvent, SocketEvent, StateEvent, Task, Totals, Tuple, engine, flag, kind, task_flag,
};
pub use event::{
    CGROUP_NAME_LEN, CGROUP_NAMES, CMDLINE_LEN, COMM_LEN, DROP_SLOTS, EXE_NAME_LEN, EXE_NAMES, LAYOUT_VERSION,
};
pub use offsets::{ABSENT, Offsets};
pub use settings::{MAX_PORTS, MAX_PREFIXES, Prefix, Settings, want};
