use probe::kernel::loader::*;
fn main() {
    let r = Request { settings: probe_common::Settings::OPEN, buffer: 1 << 24, retransmits: true };
    let t0 = std::time::Instant::now();
    match Tracer::load(&r) {
        Ok(mut t) => {
            for h in &t.hooks {
                println!("{:24} {:?} {:?}", h.hook.name, h.engine, h.failures);
            }
            println!("{:?} iters {:?}", t0.elapsed(), t.no_iterators);
            let s = t.snapshot();
            println!("snapshot {:?}", s.map(|b| b.len()));
            let mut ring = t.take_ring().unwrap();
            let _ = std::net::TcpStream::connect("127.0.0.1:1");
            while let Some(i) = ring.next() {
                println!("{} bytes kind {}", i.len(), i[28]);
            }
            println!("lost {}", t.lost_since());
        }
        Err(e) => println!("ERR {e}"),
    }
}
