//! connprobe's library. The modules are in the order an event travels: from the kernel's hooks through the
//! ring buffer, `decode`, `conn`, `enrich` and `record` to the sinks and commands.
pub mod decode;
pub mod record;

pub mod filter;
pub mod sink;

pub mod capture;

pub mod config;

pub mod cli;

pub mod command;
pub mod exit;
