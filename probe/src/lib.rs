//! connprobe's library. The modules are in the order an event travels: from the kernel's hooks through the
//! ring buffer, `decode`, `conn`, `enrich` and `record` to the sinks and commands. `pipeline` is the loop
//! that drives them.
pub mod causes;

pub mod vocab;

pub mod kernel;
pub mod ring;

pub mod decode;

pub mod conn;

pub mod episode;

pub mod knock;

pub mod enrich;

pub mod record;

pub mod filter;

pub mod config;

pub mod sink;

pub mod capture;

pub mod pipeline;

pub mod doctor;
pub mod ls;
pub mod report;

pub mod explain;

pub mod exit;

pub mod cli;

pub mod command;
