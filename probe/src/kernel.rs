//! Everything that touches the running kernel: type information, hooks, programs, snapshots, privileges.
pub mod btf;
pub mod offsets;
