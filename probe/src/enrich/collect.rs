//! Process images from `/proc`: for what the kernel side could not read, and for engines without BPF. Does I/O.

use crate::decode::event::{ProcessId, ProcessImage};
use crate::kernel::proc::{ProcessDetails, same_start};

/// The image of a running process; `None` if it is gone. Its start is cut to a clock tick: see [`image_as`].
pub fn image_of(pid: u32) -> Option<ProcessImage> {
    ProcessDetails::read(pid).map(|details| ProcessImage {
        process: ProcessId { pid, start: details.start },
        uid: details.uid,
        comm: details.comm,
        exe: details.exe,
        cmdline: details.cmdline,
        cgroup: details.cgroup,
    })
}

/// The image of a process the kernel named, under the kernel's exact start; `None` if it is gone or the pid is
/// another's by now.
pub fn image_as(process: ProcessId) -> Option<ProcessImage> {
    let image = image_of(process.pid)?;
    same_start(process.start, image.process.start).then_some(ProcessImage { process, ..image })
}

/// Completes an image from `/proc`, if the process still is there: executable, arguments and cgroup that could
/// not be read, and a cgroup of `/`, which on hosts without the unified hierarchy says nothing. What the image
/// has otherwise stays. Says whether `/proc` could tell.
pub fn complete(image: &mut ProcessImage) -> bool {
    let rootless = image.cgroup.as_deref().is_none_or(|path| path == "/");
    if !rootless && image.exe.is_some() && image.cmdline.is_some() {
        return true;
    }
    let Some(now) = image_as(image.process) else { return false };
    // After an exec the file and arguments are of another program: the name usually gives it away.
    if now.comm == image.comm {
        image.exe = image.exe.take().or(now.exe);
        image.cmdline = image.cmdline.take().or(now.cmdline);
    }
    if rootless {
        image.cgroup = now.cgroup.or(image.cgroup.take());
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_completed_only_from_the_same_process() {
        let own = image_of(std::process::id()).unwrap();
        let exact = ProcessId { start: own.process.start + 1, ..own.process };
        let bare = ProcessImage {
            process: exact,
            exe: None,
            cmdline: None,
            cgroup: Some("/".into()),
            ..own.clone()
        };

        let mut image = bare.clone();
        assert!(complete(&mut image));
        assert_eq!(image, ProcessImage { process: exact, ..own.clone() });

        let mut other = bare.clone();
        other.process.start += 10_000_000_000;
        let before = other.clone();
        assert!(!complete(&mut other));
        assert_eq!(other, before);
    }

    #[test]
    fn what_an_image_has_stays() {
        let own = image_of(std::process::id()).unwrap();
        let mut image =
            ProcessImage { exe: Some("/x".into()), cmdline: None, cgroup: Some("/y".into()), ..own.clone() };
        complete(&mut image);
        assert_eq!((image.exe.as_deref(), image.cgroup.as_deref()), (Some("/x"), Some("/y")));
        assert_eq!(image.cmdline, own.cmdline);
        let mut image = ProcessImage { exe: None, comm: "before exec".into(), ..own };
        complete(&mut image);
        assert_eq!(image.exe, None);
    }

    #[test]
    fn the_gone_have_no_image() {
        assert_eq!(image_of(u32::MAX), None);
        assert_eq!(image_as(ProcessId { pid: std::process::id(), start: 1 }), None);
    }
}
