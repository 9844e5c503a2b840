//! Any bytes as a record file: records or an error. The first byte says whether the bytes are the file, what
//! follows its header, or the frames in it.
#![no_main]

use std::io::Write as _;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use probe::capture::{END, Writer};
use probe::config::Config;
use probe::pipeline::{Header, frames, replay};

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().expect("there is room"));

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let path = FOLDER.path().join(format!("{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    match kind % 3 {
        0 => std::fs::write(&path, bytes).expect("it can be written"),
        1 => {
            let file = Writer::create(&path).expect("it can be created");
            file.finish().expect("it can be finished");
            let mut file = std::fs::OpenOptions::new().write(true).open(&path).expect("it is there");
            file.set_len(24).expect("it can be cut");
            std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0)).expect("it can be sought");
            file.write_all(bytes).expect("it can be written");
        }
        _ => {
            let mut file = Writer::create(&path).expect("it can be created");
            frames::begin(&mut file, &Header::default()).expect("it can be written");
            // A frame: its tag, its length, its payload.
            let mut rest = bytes;
            while let [tag, len, after @ ..] = rest {
                let (payload, after) = after.split_at(usize::from(*len).min(after.len()));
                if *tag != END {
                    file.write(*tag, payload).expect("it can be written");
                }
                rest = after;
            }
            file.finish().expect("it can be finished");
        }
    }
    let _ = replay::run(&path, &Config::default(), |record| record.seq < 10_000);
});
