use super::*;
use bytemuck::Zeroable as _;
use proptest::prelude::*;

fn state_event() -> wire::StateEvent {
    let mut e = wire::StateEvent::default();
    e.head.kind = kind::STATE;
    e.head.engine = wire::engine::TRACEPOINT;
    e.head.size = u16::try_from(size_of::<wire::StateEvent>()).unwrap();
    e.tuple.family = 2;
    e.old_state = 7;
    e.new_state = 2;
    e
}

#[test]
fn every_kind_has_its_length() {
    let e = state_event();
    assert!(event(bytemuck::bytes_of(&e)).is_ok());
    let mut longer = bytemuck::bytes_of(&e).to_vec();
    longer.push(0);
    assert_eq!(event(&longer).unwrap_err(), DecodeError::Short { len: longer.len() });
}

#[test]
fn an_unknown_kind_is_skipped_by_its_length() {
    let mut unknown = state_event();
    unknown.head.kind = 200;
    let mut batch = bytemuck::bytes_of(&unknown).to_vec();
    batch.extend_from_slice(bytemuck::bytes_of(&state_event()));
    let decoded: Vec<_> = events(&batch).collect();
    assert_eq!(decoded[0].as_ref().unwrap_err(), &DecodeError::Kind { kind: 200 });
    assert!(decoded[1].is_ok());
}

#[test]
fn v4_mapped_is_shown_as_ipv4() {
    let mut e = state_event();
    e.tuple.family = 10;
    e.tuple.remote_addr = "::ffff:10.1.2.3".parse::<std::net::Ipv6Addr>().unwrap().octets();
    let Kind::State { tuple, .. } = event(bytemuck::bytes_of(&e)).unwrap().kind else { panic!() };
    assert_eq!((tuple.remote_addr, tuple.family), ("10.1.2.3".parse().unwrap(), Family::Ipv4));
}

#[test]
fn paths_are_put_together_leaf_last() {
    let mut e = wire::ProcessEvent::zeroed();
    e.has_exe = 1;
    e.exe[0][..4].copy_from_slice(b"curl");
    e.exe[2][..3].copy_from_slice(b"bin");
    e.exe[3][..3].copy_from_slice(b"usr");
    e.cmdline[..9].copy_from_slice(b"curl\0-sS\0");
    e.cmdline_len = 9;
    let image = text::process(&e);
    assert_eq!(image.exe.as_deref(), Some("/usr/bin/curl"));
    assert_eq!(image.cmdline.as_deref(), Some("curl -sS"));
    assert_eq!(image.cgroup, None);
}

proptest! {
    #[test]
    fn any_bytes_are_decoded_or_rejected(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        let _ = events(&bytes).count();
    }

    #[test]
    fn any_bytes_behind_a_right_head_are_decoded_or_rejected(
        kind in 0_u8..20, engine in 0_u8..6, body in proptest::collection::vec(any::<u8>(), 2400)
    ) {
        for size in [32_u16, 80, 88, 120, 128, 136, 184, 2328] {
            let mut frame = body[..usize::from(size)].to_vec();
            frame[24..26].copy_from_slice(&size.to_ne_bytes());
            (frame[28], frame[29]) = (kind, engine);
            let _ = event(&frame);
        }
    }
}
