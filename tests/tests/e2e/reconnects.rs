//! Outages and reconnects of real clients, against what the clients themselves measured.
//!
//! The CPUs are not kept busy here: what a client measures must be the network's time and not how long it
//! waited for a CPU.

mod backoff;
mod chain;
mod curl;
mod postgres;
mod redis;
mod scene;
mod server_side;
