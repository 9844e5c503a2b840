//! Any order of events on a few sockets: what the property tests ask for holds.
#![no_main]

#[path = "../check.rs"]
mod check;
#[path = "../operations.rs"]
mod operations;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(why) = check::holds(&operations::run(bytes)) {
        panic!("{why}");
    }
});
