//! Parts of snapshots: what the one at the start must not say (it takes a while, and sockets are born
//! meanwhile), what fits a record file, and the listeners alone.

use std::collections::HashSet;

use bytes::Bytes;

use crate::decode::{self, event::Event, event::Kind, event::SockRef};
use crate::vocab::TcpState;

/// Sockets whose birth is among these events.
pub(super) fn born_in(batches: &[Bytes]) -> HashSet<SockRef> {
    let events = batches.iter().flat_map(|batch| decode::events(batch)).flatten();
    events.filter(is_birth).map(|event| event.sock).collect()
}

fn is_birth(event: &Event) -> bool {
    let Kind::State { old, new, .. } = event.kind else { return false };
    matches!(
        (old, new),
        (TcpState::Closed, TcpState::SynSent | TcpState::Listen)
            | (TcpState::SynReceived, TcpState::Established)
    )
}

/// The snapshot without these sockets.
pub(super) fn without(snapshot: &Bytes, born: &HashSet<SockRef>) -> Bytes {
    if born.is_empty() {
        return snapshot.clone();
    }
    let stays = |frame: &&[u8]| !decode::event(frame).is_ok_and(|event| born.contains(&event.sock));
    decode::frames(snapshot).filter(stays).collect::<Vec<_>>().concat().into()
}

/// The listeners of a snapshot with their owners.
pub(super) fn listeners(snapshot: &[u8]) -> Bytes {
    let listens = |frame: &&[u8]| {
        let event = decode::event(frame).map(|event| event.kind);
        matches!(event, Ok(Kind::SnapshotOwner { state: Some(TcpState::Listen), .. }))
    };
    decode::frames(snapshot).filter(listens).collect::<Vec<_>>().concat().into()
}

/// The snapshot in parts that fit into frames of a record file.
pub(super) fn parts(snapshot: &Bytes) -> Vec<Bytes> {
    const PART: usize = 16 << 20;
    let (mut parts, mut start, mut end) = (Vec::new(), 0, 0);
    for frame in decode::frames(snapshot) {
        if end - start + frame.len() > PART {
            parts.push(snapshot.slice(start..end));
            start = end;
        }
        end += frame.len();
    }
    parts.push(snapshot.slice(start..end));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use probe_common as wire;

    fn head(kind: u8, cookie: u64, size: usize) -> wire::Head {
        let size = u16::try_from(size).unwrap();
        wire::Head { sock: cookie << 12, cookie, size, kind, engine: 2, ..wire::Head::default() }
    }

    #[test]
    fn parts_are_the_whole_cut_between_events() {
        let event =
            wire::DestroyEvent { head: head(wire::kind::DESTROY, 1, size_of::<wire::DestroyEvent>()) };
        let snapshot = Bytes::from(bytemuck::bytes_of(&event).repeat(1_100_000));
        let parts = parts(&snapshot);
        assert_eq!((parts.len(), parts[0].len() % 32, Bytes::from(parts.concat())), (3, 0, snapshot));
    }

    #[test]
    fn what_is_born_meanwhile_is_left_to_its_events() {
        let tuple = wire::Tuple { family: 2, state: 1, ..wire::Tuple::default() };
        let found = |cookie| {
            let head = head(wire::kind::SNAPSHOT_SOCKET, cookie, size_of::<wire::SocketEvent>());
            bytemuck::bytes_of(&wire::SocketEvent { head, tuple, ..wire::SocketEvent::default() }).to_vec()
        };
        let moved = |cookie, old_state, new_state| {
            let head = head(wire::kind::STATE, cookie, size_of::<wire::StateEvent>());
            let event = wire::StateEvent { head, tuple, old_state, new_state, ..wire::StateEvent::default() };
            Bytes::from(bytemuck::bytes_of(&event).to_vec())
        };
        let snapshot = Bytes::from([found(1), found(2), found(3)].concat());
        let born = born_in(&[moved(2, 7, 2), moved(3, 1, 4)]);
        assert_eq!(without(&snapshot, &born), Bytes::from([found(1), found(3)].concat()));
    }
}
