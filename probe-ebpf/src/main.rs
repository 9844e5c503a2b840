//! connprobe's kernel side. Hooks report facts; what they mean is decided in user space.
//!
//! `hooks/` has one file per kernel tracepoint or function, named as the kernel names it. All maps are in
//! `maps.rs`, all output goes through `emit.rs`, all reading of kernel memory through `read.rs` with the
//! offsets that user space found in the running kernel's BTF.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod connecting;
mod emit;
mod fd;
mod filter;
mod hooks;
mod maps;
mod read;
mod sock;
mod task;

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
