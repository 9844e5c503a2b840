//! The kernel's own tables: network namespaces, socket diagnostics and `/proc`.

pub mod netns;
pub mod proc;
pub mod sock_diag;
