//! Classic tracepoints are named by files in tracefs, which some hosts do not mount. Then it is mounted for
//! the loading thread alone, in a mount namespace of its own: nobody else sees it.

use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

const TRACEFS: &str = "/sys/kernel/tracing";

/// Whether tracefs can be read where programs look for it.
pub fn is_mounted() -> bool {
    [TRACEFS, "/sys/kernel/debug/tracing"].iter().any(|dir| Path::new(dir).join("events").exists())
}

/// Makes tracefs visible to the calling thread if it is not. The thread must not be used for anything else
/// afterwards. Fails without CAP_SYS_ADMIN, or where the kernel has no tracefs.
pub fn make_visible() -> nix::Result<()> {
    if is_mounted() {
        return Ok(());
    }
    unshare(CloneFlags::CLONE_NEWNS)?;
    let nothing = None::<&str>;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?;
    mount(Some("tracefs"), TRACEFS, Some("tracefs"), MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC, nothing)
}
