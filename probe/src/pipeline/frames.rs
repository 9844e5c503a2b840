//! Inputs as frames of a record file, and back. Numbers are little-endian.

use bytes::Bytes;

use super::{Header, Input};
use crate::capture::{Error, Frame, Writer};
use crate::decode::event::BootNs;
use crate::record::LostWhere;

const HEADER: u8 = 1;
const EVENTS: u8 = 2;
const SNAPSHOT: u8 = 3;
const RESYNC: u8 = 4;
const PROCESSES: u8 = 5;
const READY: u8 = 6;
const TICK: u8 = 7;
const LOST: u8 = 8;
const STOP: u8 = 9;
const OVERFLOWS: u8 = 10;

/// Begins the record of a run: the header of a file that has no frame yet.
pub fn begin(file: &mut Writer, run: &Header) -> Result<(), Error> {
    let (tag, payload) = header(run);
    file.write(tag, &payload)
}

/// Appends an input to the record of a run.
pub fn append(file: &mut Writer, input: &Input) -> Result<(), Error> {
    let (tag, payload) = write(input);
    file.write(tag, &payload)
}

/// The header as a frame.
fn header(header: &Header) -> (u8, Vec<u8>) {
    // A structure of strings and numbers always serialises.
    (HEADER, serde_json::to_vec(header).unwrap_or_default())
}

/// The header out of the first frame.
pub(super) fn read_header(frame: &Frame) -> Result<Header, String> {
    if frame.tag != HEADER {
        return Err("the first frame is no header".into());
    }
    serde_json::from_slice(&frame.payload).map_err(|e| format!("the header cannot be read: {e}"))
}

/// An input as tag and payload.
fn write(input: &Input) -> (u8, Vec<u8>) {
    match input {
        Input::Events(batch) => (EVENTS, batch.to_vec()),
        Input::Snapshot(bytes) => (SNAPSHOT, bytes.to_vec()),
        Input::Resync(from, to, bytes) => {
            (RESYNC, [&from.0.to_le_bytes()[..], &to.0.to_le_bytes()[..], bytes].concat())
        }
        Input::Processes(processes) => (PROCESSES, serde_json::to_vec(processes).unwrap_or_default()),
        Input::Ready(now) => (READY, now.0.to_le_bytes().to_vec()),
        Input::Tick(now, offset) => (TICK, [now.0.to_le_bytes(), offset.to_le_bytes()].concat()),
        Input::Lost(now, place, count) => {
            let mut payload = [now.0.to_le_bytes(), count.to_le_bytes()].concat();
            payload.extend_from_slice(place.name().as_bytes());
            (LOST, payload)
        }
        Input::Overflows(now, overflows, listeners) => {
            (OVERFLOWS, write_overflows(*now, overflows, listeners))
        }
        Input::Stop(now) => (STOP, now.0.to_le_bytes().to_vec()),
    }
}

/// When, how many namespaces, each with its number, and the events of the listeners.
fn write_overflows(now: BootNs, overflows: &[(u32, u64)], listeners: &[u8]) -> Vec<u8> {
    let mut payload = [now.0.to_le_bytes(), (overflows.len() as u64).to_le_bytes()].concat();
    for (netns, count) in overflows {
        payload.extend(u64::from(*netns).to_le_bytes());
        payload.extend(count.to_le_bytes());
    }
    payload.extend_from_slice(listeners);
    payload
}

/// An input out of a frame.
pub(super) fn read(frame: Frame) -> Result<Input, String> {
    let bad = |what: &str| format!("{what} (frame of kind {})", frame.tag);
    let word = |at: usize| {
        let bytes = frame.payload.get(at..at + 8).and_then(|b| b.try_into().ok());
        bytes.map(u64::from_le_bytes).ok_or_else(|| bad("a number is cut short"))
    };
    Ok(match frame.tag {
        EVENTS => Input::Events(frame.payload.into()),
        SNAPSHOT => Input::Snapshot(frame.payload.into()),
        RESYNC => Input::Resync(BootNs(word(0)?), BootNs(word(8)?), Bytes::from(frame.payload).slice(16..)),
        PROCESSES => Input::Processes(
            serde_json::from_slice(&frame.payload).map_err(|e| bad(&format!("no processes: {e}")))?,
        ),
        READY => Input::Ready(BootNs(word(0)?)),
        TICK => Input::Tick(BootNs(word(0)?), word(8)?.cast_signed()),
        LOST => {
            let name = frame.payload.get(16..).and_then(|b| std::str::from_utf8(b).ok());
            let place = name.and_then(LostWhere::from_name).ok_or_else(|| bad("an unknown place"))?;
            Input::Lost(BootNs(word(0)?), place, word(8)?)
        }
        OVERFLOWS => {
            let count = usize::try_from(word(8)?).unwrap_or(usize::MAX);
            let words = frame.payload.len() / 8;
            if count > words {
                return Err(bad("more namespaces than there is room for"));
            }
            let overflows = (0..count)
                .map(|n| Ok((u32::try_from(word(16 + n * 16)?).unwrap_or(0), word(24 + n * 16)?)))
                .collect::<Result<_, String>>()?;
            let listeners = Bytes::copy_from_slice(&frame.payload[16 + count * 16..]);
            Input::Overflows(BootNs(word(0)?), overflows, listeners)
        }
        STOP => Input::Stop(BootNs(word(0)?)),
        _ => return Err(bad("an unknown kind: made by a newer connprobe")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_comes_back() {
        let image = crate::decode::event::ProcessImage {
            process: crate::decode::event::ProcessId { pid: 1, start: 2 },
            uid: 3,
            comm: "c".into(),
            exe: Some("/bin/c".into()),
            cmdline: None,
            cgroup: None,
        };
        let process = super::super::Process { at: 4, image, user: Some("u".into()) };
        let inputs = [
            Input::Events(Bytes::from_static(b"abc")),
            Input::Snapshot(Bytes::new()),
            Input::Resync(BootNs(7), BootNs(8), Bytes::from_static(b"x")),
            Input::Processes(vec![process]),
            Input::Overflows(BootNs(5), vec![(4_026_531_840, 3), (7, u64::MAX)], Bytes::from_static(b"yz")),
            Input::Ready(BootNs(1)),
            Input::Tick(BootNs(u64::MAX), -5),
            Input::Lost(BootNs(2), LostWhere::Ring, 9),
            Input::Stop(BootNs(3)),
        ];
        for input in inputs {
            let (tag, payload) = write(&input);
            let back = read(Frame { tag, payload }).unwrap();
            assert_eq!(format!("{back:?}"), format!("{input:?}"));
        }
    }

    #[test]
    fn garbage_is_refused() {
        for tag in 0..=255 {
            for payload in [vec![], vec![1; 7], vec![255; 40]] {
                let _ = read(Frame { tag, payload });
            }
        }
    }
}
