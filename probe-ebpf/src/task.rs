//! Who runs: the current task, and once per image a description of its process, taken while it is alive.

use aya_ebpf::EbpfContext;
use aya_ebpf::helpers::{bpf_get_current_pid_tgid, generated};
use aya_log_ebpf::debug;
use probe_common::{
    CGROUP_NAME_LEN, CGROUP_NAMES, CMDLINE_LEN, EXE_NAME_LEN, EXE_NAMES, ProcessEvent, Task, kind, task_flag,
    want,
};

use crate::emit::{Origin, count_drop, write_head};
use crate::maps::{EVENTS, IMAGES, SCRATCH, offset, wants};
use crate::read::{GaveUp, copy, read, read_or, read_user_bytes};

const PF_EXITING: u32 = 0x0000_0004;
const PF_KTHREAD: u32 = 0x0020_0000;

/// What tells one image of a process from another: an exec raises `exec_id`, a move changes `cgroup_id`,
/// a process may become another user.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Image {
    start: u64,
    cgroup_id: u64,
    exec_id: u64,
    uid: u64,
}

/// Ids and flags of the current task: cheap, for events that happen in whatever context.
#[inline(always)]
pub fn glance(t: &mut Task) {
    // SAFETY: takes no arguments.
    let task = unsafe { generated::bpf_get_current_task() };
    let ids = bpf_get_current_pid_tgid();
    t.tgid = (ids >> 32) as u32;
    t.tid = ids as u32;
    t.flags = flags(task);
    t.start = start(task);
}

/// The current task as the one that acts.
#[inline(always)]
pub fn actor(t: &mut Task) {
    glance(t);
    // SAFETY: takes no arguments.
    let task = unsafe { generated::bpf_get_current_task() };
    t.uid = euid(task);
    copy(&raw mut t.comm, leader(task), offset!(task_comm));
}

/// Any task, for the snapshot.
#[inline(always)]
pub fn of(task: u64, t: &mut Task) {
    t.tgid = read_or(task, offset!(task_tgid), 0);
    t.tid = read_or(task, offset!(task_pid), 0);
    t.uid = euid(task);
    t.flags = flags(task);
    t.start = start(task);
    copy(&raw mut t.comm, leader(task), offset!(task_comm));
}

/// The effective user: the helper of the kernel tells the real one.
#[inline(always)]
fn euid(task: u64) -> u32 {
    read_or(read_or(task, offset!(task_cred), 0), offset!(cred_euid), 0)
}

#[inline(always)]
fn flags(task: u64) -> u32 {
    let bits: u32 = read_or(task, offset!(task_flags), 0);
    let mut flags = 0;
    if bits & PF_EXITING != 0 {
        flags |= task_flag::EXITING;
    }
    if bits & PF_KTHREAD != 0 {
        flags |= task_flag::KERNEL_THREAD;
    }
    flags
}

/// The thread group leader: threads (io_uring's SQPOLL thread is one) carry names and start times of
/// their own.
#[inline(always)]
fn leader(task: u64) -> u64 {
    read_or(task, offset!(task_group_leader), task)
}

#[inline(always)]
fn start(task: u64) -> u64 {
    read_or(leader(task), offset!(task_start_boottime), 0)
}

/// Sends a description of the current process unless this image of it was described before. To be called
/// before the first event of an actor is reserved, so that it comes first.
#[inline(always)]
pub fn describe<C: EbpfContext>(ctx: &C, engine: u8) {
    if try_describe(engine).is_err() && wants(want::LOG) {
        debug!(ctx, "a process is not described");
    }
}

#[inline(always)]
fn try_describe(engine: u8) -> Result<(), GaveUp> {
    // SAFETY: these take no arguments.
    let (task, cgroup_id) =
        unsafe { (generated::bpf_get_current_task(), generated::bpf_get_current_cgroup_id()) };
    if flags(task) & task_flag::KERNEL_THREAD != 0 {
        return Ok(());
    }
    let tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
    let exec_id = read_or(task, offset!(task_self_exec_id), 0);
    let image = Image { start: start(task), cgroup_id, exec_id, uid: u64::from(euid(task)) };
    // SAFETY: the value is copied by the comparison; a concurrent update makes it differ at worst.
    if unsafe { IMAGES.get(tgid) }.is_some_and(|known| *known == image) {
        return Ok(());
    }
    let event = SCRATCH.get_ptr_mut(0).ok_or(GaveUp)?;
    let origin = Origin { kind: kind::PROCESS, engine, sock: 0, cookie: 0, flags: 0 };
    // SAFETY: this CPU's own scratch, and only process context comes here. A tracepoint's program is not
    // preempted; a trampoline's may be, by a task that describes itself here (not proved yet, see
    // kernel-support.md).
    let event = unsafe {
        write_head::<ProcessEvent>((&raw mut (*event).head).cast(), origin);
        &mut *event
    };
    actor(&mut event.task);
    event.cgroup_id = cgroup_id;
    event.parent_tgid = read_or(read_or(task, offset!(task_real_parent), 0), offset!(task_tgid), 0);
    event.has_exe = u8::from(exe(task, &mut event.exe).is_ok());
    event.has_cgroup = u8::from(cgroup(task, &mut event.cgroup).is_ok());
    event.cmdline_len = cmdline(task, &mut event.cmdline);
    if EVENTS.output::<ProcessEvent>(&*event, 0).is_err() {
        count_drop(kind::PROCESS);
        return Err(GaveUp);
    }
    IMAGES.insert(tgid, image, 0)?;
    Ok(())
}

/// Reads a name to its slot. Fails when it may have been cut short.
#[inline(always)]
fn name<const LEN: usize>(slot: &mut [u8; LEN], src: u64) -> Result<(), GaveUp> {
    // SAFETY: the slot's own length; the helper checks the source.
    let n = unsafe {
        generated::bpf_probe_read_kernel_str(slot.as_mut_ptr().cast(), LEN as u32, src as *const _)
    };
    if n <= 0 || n as usize >= LEN { Err(GaveUp) } else { Ok(()) }
}

/// Path of the executable, leaf first, through the mounts up to the root of everything. Each step has its
/// slot, used or not: with a growing offset instead, the verifier would follow every mixture of steps.
#[inline(always)]
fn exe(task: u64, slots: &mut [[u8; EXE_NAME_LEN]; EXE_NAMES]) -> Result<(), GaveUp> {
    for slot in slots.iter_mut() {
        slot[0] = 0;
    }
    let mm: u64 = read(task, offset!(task_mm))?;
    let file: u64 = read(mm, offset!(mm_exe_file))?;
    let mut mnt: u64 = read(file, offset!(file_mnt))?;
    let mut dentry: u64 = read(file, offset!(file_dentry))?;
    for slot in slots.iter_mut() {
        let parent: u64 = read(dentry, offset!(dentry_parent))?;
        if dentry == read::<u64>(mnt, offset!(vfsmount_root))? || parent == dentry {
            let mount = mnt - u64::from(offset!(mount_mnt));
            let above: u64 = read(mount, offset!(mount_parent))?;
            if above == mount {
                // The root of everything is mounted somewhere; a file without a name (memfd) or on a mount
                // that was detached is not.
                let namespace: u64 = read(mount, offset!(mount_ns))?;
                return if namespace == 0 || namespace > u64::MAX - 4096 { Err(GaveUp) } else { Ok(()) };
            }
            dentry = read(mount, offset!(mount_mountpoint))?;
            mnt = above + u64::from(offset!(mount_mnt));
        } else {
            name(slot, read(dentry, offset!(dentry_name))?)?;
            dentry = parent;
        }
    }
    Err(GaveUp)
}

/// Path of the cgroup in the unified hierarchy, leaf first.
#[inline(always)]
fn cgroup(task: u64, slots: &mut [[u8; CGROUP_NAME_LEN]; CGROUP_NAMES]) -> Result<(), GaveUp> {
    for slot in slots.iter_mut() {
        slot[0] = 0;
    }
    let set: u64 = read(task, offset!(task_cgroups))?;
    let cgroup: u64 = read(set, offset!(css_set_dfl_cgrp))?;
    let mut node: u64 = read(cgroup, offset!(cgroup_kn))?;
    for slot in slots.iter_mut() {
        let parent: u64 = read(node, offset!(kernfs_parent))?;
        if parent == 0 {
            return Ok(());
        }
        name(slot, read(node, offset!(kernfs_name))?)?;
        node = parent;
    }
    Err(GaveUp)
}

/// Arguments, straight from the process's memory; they may be paged out. Returns their length, `u16::MAX`
/// if they cannot be read.
#[inline(always)]
fn cmdline(task: u64, dst: &mut [u8; CMDLINE_LEN]) -> u16 {
    let mm: u64 = read_or(task, offset!(task_mm), 0);
    let start: u64 = read_or(mm, offset!(mm_arg_start), 0);
    let end: u64 = read_or(mm, offset!(mm_arg_end), 0);
    let len = end.saturating_sub(start);
    let len = if len > CMDLINE_LEN as u64 { CMDLINE_LEN as u32 } else { len as u32 };
    match read_user_bytes(dst, len, start) {
        Ok(()) => len as u16,
        Err(GaveUp) => u16::MAX,
    }
}
