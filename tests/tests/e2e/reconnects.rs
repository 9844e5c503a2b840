//! Outages and reconnects of real clients, against what the clients themselves measured.
//!
//! What a client measures must be the network's time and not how long it waited for a CPU: it runs ahead of
//! ordinary processes, and the CPUs are not kept busy on purpose but where there is a router.

mod backoff;
mod chain;
mod curl;
mod postgres;
mod redis;
mod scene;
mod server_side;
