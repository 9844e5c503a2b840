//! Any bytes as a batch of the ring buffer: decoded or rejected, and cut where the lengths say.
#![no_main]

use libfuzzer_sys::fuzz_target;
use probe::decode;

fuzz_target!(|bytes: &[u8]| {
    let cut: usize = decode::frames(bytes).map(<[u8]>::len).sum();
    assert_eq!(cut, bytes.len(), "every byte is in one frame");
    for frame in decode::frames(bytes) {
        // The same bytes as an event of every kind and of the right length, so that bodies are reached.
        let _ = decode::event(frame);
        for kind in 0..16 {
            for size in [32_usize, 80, 88, 120, 128, 136, 184, 192, 2328] {
                let mut event =
                    frame.iter().copied().chain(std::iter::repeat(0)).take(size).collect::<Vec<u8>>();
                event[24..26].copy_from_slice(&(size as u16).to_ne_bytes());
                event[28] = kind;
                let _ = decode::event(&event);
            }
        }
    }
});
