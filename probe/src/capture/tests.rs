use std::path::Path;

use proptest::prelude::*;

use super::*;

fn frames(path: &Path) -> (Vec<Frame>, Option<Error>) {
    let mut reader = match Reader::open(path) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut frames = Vec::new();
    loop {
        match reader.next() {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return (frames, None),
            Err(error) => {
                assert!(matches!(reader.next(), Ok(None)), "nothing after an error");
                return (frames, Some(error));
            }
        }
    }
}

fn written(dir: &Path, payloads: &[(u8, Vec<u8>)]) -> PathBuf {
    let path = dir.join("run.cpr");
    let mut writer = Writer::create(&path).unwrap();
    payloads.iter().for_each(|(tag, payload)| writer.write(*tag, payload).unwrap());
    writer.finish().unwrap();
    path
}

/// Payloads that do not compress away: a block boundary falls between frames.
fn noise(count: usize) -> Vec<(u8, Vec<u8>)> {
    let mut x = 1_u64;
    let mut byte = || {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (x >> 56) as u8
    };
    (0..count).map(|tag| (tag as u8 % 200 + 1, (0..1_000).map(|_| byte()).collect())).collect()
}

#[test]
fn an_existing_file_is_never_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), &[(1, vec![1])]);
    let error = Writer::create(&path).err().unwrap();
    assert!(matches!(error, Error::Exists { .. }) && error.is_output(), "{error}");
    assert_eq!(frames(&path).0.len(), 1);
    assert!(matches!(Writer::create(&dir.path().join("no/such")).err().unwrap(), Error::Create { .. }));
}

#[test]
fn a_file_cut_anywhere_gives_its_whole_frames_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let payloads = noise(600);
    let path = written(dir.path(), &payloads);
    let bytes = std::fs::read(&path).unwrap();
    let cut = dir.path().join("cut.cpr");
    let mut most = 0;
    for len in (0..bytes.len()).step_by(9_973).chain([1, 9, 10, 23, 24, 25, bytes.len() - 1]) {
        std::fs::write(&cut, &bytes[..len]).unwrap();
        let (got, error) = frames(&cut);
        match error.unwrap() {
            Error::Truncated { frames_read, .. } => assert_eq!(frames_read, got.len() as u64),
            error => assert!(len == 0 && matches!(error, Error::NotARecord { .. }), "{len}: {error}"),
        }
        assert!(
            got.iter()
                .zip(&payloads)
                .all(|(frame, (tag, payload))| { frame.tag == *tag && frame.payload == *payload })
        );
        most = most.max(got.len());
    }
    assert_eq!(most, payloads.len(), "all but the end");
}

#[test]
fn what_was_flushed_outlives_the_writer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.cpr");
    let mut writer = Writer::create(&path).unwrap();
    writer.write(1, b"first").unwrap();
    writer.flush().unwrap();
    writer.write(2, b"second").unwrap();
    let (got, error) = frames(&path);
    assert_eq!(got, [Frame { tag: 1, payload: b"first".to_vec() }]);
    assert!(matches!(error, Some(Error::Truncated { frames_read: 1, .. })));
}

#[test]
fn bad_headers_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), &[(1, vec![1])]);
    let good = std::fs::read(&path).unwrap();
    let error = |at: usize, byte: u8| {
        let mut bad = good.clone();
        bad[at] = byte;
        std::fs::write(&path, bad).unwrap();
        frames(&path).1.unwrap()
    };
    assert!(matches!(error(0, b'X'), Error::NotARecord { .. }));
    assert!(matches!(error(10, 9), Error::Version { what: "container", found: 9, .. }));
    assert!(matches!(error(14, 99), Error::Version { what: "event", found: 99, .. }));
    assert!(matches!(error(18, 2), Error::ByteOrder { .. }));
    assert!(matches!(error(24, 0), Error::Corrupt { frames_read: 0, .. }));
    assert!(matches!(Reader::open(&dir.path().join("none")).err().unwrap(), Error::Open { .. }));
    std::fs::write(&path, "v,ts,event\n").unwrap();
    assert!(matches!(frames(&path).1.unwrap(), Error::NotARecord { .. }));
}

/// A file with a good header and this uncompressed stream.
fn crafted(dir: &Path, stream: &[u8]) -> PathBuf {
    let path = written(dir, &[]);
    let mut bytes = std::fs::read(&path).unwrap()[..HEADER_LEN].to_vec();
    bytes.extend(zstd::encode_all(stream, 1).unwrap());
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_hostile_length_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = crafted(dir.path(), &[1, 0xff, 0xff, 0xff, 0xff]);
    assert!(matches!(frames(&path).1.unwrap(), Error::Oversized { len: 0xffff_ffff, frames_read: 0, .. }));
}

#[test]
fn bytes_behind_the_end_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = crafted(dir.path(), &[1, 0, 0, 0, 0, END, 0, 0, 0, 0, 7]);
    let (got, error) = frames(&path);
    assert_eq!(got.len(), 1);
    assert!(matches!(error, Some(Error::Corrupt { frames_read: 1, .. })));
}

#[test]
fn frames_that_cannot_be_read_back_are_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&dir.path().join("run.cpr")).unwrap();
    assert!(writer.write(END, b"x").is_err());
    assert!(writer.write(1, &vec![0; MAX_FRAME + 1]).is_err());
}

#[test]
fn a_full_disk_is_an_error_that_names_the_file() {
    let error = Error::Write { path: "night.cpr".into(), source: io::ErrorKind::StorageFull.into() };
    assert!(error.is_output() && error.to_string().contains("`night.cpr`"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_frames_read_back(payloads in prop::collection::vec((1_u8.., prop::collection::vec(any::<u8>(), 0..3_000)), 0..20)) {
        let dir = tempfile::tempdir().unwrap();
        let path = written(dir.path(), &payloads);
        let (got, error) = frames(&path);
        prop_assert!(error.is_none());
        prop_assert_eq!(got.into_iter().map(|frame| (frame.tag, frame.payload)).collect::<Vec<_>>(), payloads);
    }

    #[test]
    fn any_bytes_are_frames_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("any");
        std::fs::write(&path, &bytes).unwrap();
        frames(&path);
        frames(&crafted(dir.path(), &bytes));
    }

    #[test]
    fn any_changed_byte_is_no_panic(at in 0_usize..2_000, byte in any::<u8>()) {
        let dir = tempfile::tempdir().unwrap();
        let path = written(dir.path(), &noise(2));
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at % bytes.len();
        bytes[at] = byte;
        std::fs::write(&path, bytes).unwrap();
        frames(&path);
    }
}
