//! Who owns a connection, and what its peer is called. Collected early, since short-lived processes vanish;
//! joined late.

pub mod cgroup;
pub mod collect;
pub mod describe;
pub mod process;
pub mod resolve;
pub mod users;
