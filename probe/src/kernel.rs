//! Everything that touches the running kernel: type information, hooks, programs, snapshots and the kernel's
//! own tables (network namespaces, socket diagnostics, `/proc`).

pub mod btf;
pub mod offsets;

pub mod hooks;
pub mod loader;
pub mod tracefs;

pub mod snapshot;

pub mod netns;
pub mod proc;
pub mod sock_diag;

pub mod overflows;

pub mod clock;
pub mod privilege;
