//! connprobe's library. The modules are in the order an event travels: from the kernel's hooks through the
//! ring buffer, `decode`, `conn`, `enrich` and `record` to the sinks and commands.
pub mod kernel;

pub mod decode;

pub mod conn;

pub mod enrich;

pub mod record;

pub mod ls;

pub mod command;
