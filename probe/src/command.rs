//! The subcommands: arguments and wiring, one file each.

pub mod ls;
