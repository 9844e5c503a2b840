//! What a cgroup path says: systemd unit, container, Kubernetes pod. Names only, so it is right also for
//! processes that are gone.

/// What is known from the path of a cgroup; what it does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Innermost systemd unit that is not a slice, with the escapes of its name undone (`\x2d`).
    pub unit: Option<String>,
    /// Container id: 64 hex digits of Docker, Podman, containerd and CRI-O; the name for LXC and machines.
    pub container: Option<String>,
    /// Kubernetes pod uid, with dashes.
    pub pod: Option<String>,
}

/// Suffixes of the units that have a cgroup of their own (systemd.unit(5)). A slice only groups them.
const UNIT_SUFFIXES: &[&str] = &[".service", ".scope", ".socket", ".mount", ".swap"];
/// What runtimes put before the container id in the name of a scope. `libpod-conmon-` is the monitor of a
/// container, outside it.
const SCOPE_PREFIXES: &[&str] =
    &["docker-", "cri-containerd-", "crio-", "libpod-", "nerdctl-", "containerd-"];
/// Parents under which cgroupfs drivers and LXC put a container by its name.
const LXC_PARENTS: &[&str] = &["lxc", "lxc.payload"];

/// Reads a path such as `/system.slice/docker-<id>.scope`.
pub fn placement(path: &str) -> Placement {
    let mut found = Placement::default();
    let mut parent = "";
    for part in path.split('/').filter(|part| !part.is_empty()) {
        if let Some(container) = container(part, parent) {
            found.container = Some(container);
        }
        if let Some(pod) = pod(part) {
            found.pod = Some(pod);
        }
        // Inside a container a systemd of its own may run units: the innermost one counts.
        if is_unit(part) {
            found.unit = Some(unescape(part));
        }
        parent = part;
    }
    found
}

fn is_unit(part: &str) -> bool {
    UNIT_SUFFIXES.iter().any(|suffix| part.len() > suffix.len() && part.ends_with(suffix))
}

fn container(part: &str, parent: &str) -> Option<String> {
    // `kubepods-burstable-pod<uid>.slice:cri-containerd:<id>`: containerd with the systemd driver's names
    // written by the cgroupfs driver.
    if let Some((_, id)) = part.rsplit_once(":") {
        return id_of(id);
    }
    let name = part.strip_suffix(".scope").unwrap_or(part);
    for prefix in SCOPE_PREFIXES {
        if let Some(id) = name.strip_prefix(prefix).and_then(id_of) {
            return Some(id);
        }
    }
    if part.len() == name.len()
        && let Some(id) = id_of(name)
    {
        return Some(id);
    }
    if let Some(machine) = name.strip_prefix("machine-").filter(|_| part.ends_with(".scope")) {
        return Some(unescape(machine));
    }
    if let Some(name) = name.strip_prefix("lxc.payload.").filter(|name| !name.is_empty()) {
        return Some(name.to_owned());
    }
    LXC_PARENTS.contains(&parent).then(|| part.to_owned())
}

/// A container id is 64 lower-case hex digits.
fn id_of(text: &str) -> Option<String> {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    (text.len() == 64 && text.bytes().all(hex)).then(|| text.to_owned())
}

/// `kubepods-burstable-pod<uid with _>.slice` (systemd driver), `pod<uid>` (cgroupfs driver). A static pod's
/// uid is the hash of its manifest: 32 hex digits without dashes.
fn pod(part: &str) -> Option<String> {
    let part = part.split_once(':').map_or(part, |(slice, _)| slice);
    let uid = match part.strip_suffix(".slice") {
        Some(slice) if slice.starts_with("kubepods") || slice.contains("-kubepods") => {
            slice.rsplit_once("-pod")?.1
        }
        Some(_) => return None,
        None => part.strip_prefix("pod")?,
    };
    let uid = uid.replace('_', "-");
    let hex = uid.bytes().filter(u8::is_ascii_hexdigit).count();
    let dashes = uid.bytes().filter(|&b| b == b'-').count();
    (hex == 32 && hex + dashes == uid.len() && matches!(dashes, 0 | 4)).then_some(uid)
}

/// Undoes systemd's `\x2d` (systemd-escape(1)); what is no such escape stays. A control character never comes
/// out of it.
fn unescape(name: &str) -> String {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find("\\x") {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let byte = rest.get(at + 2..at + 4).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte.filter(|b| !b.is_ascii_control()) {
            Some(byte) => {
                out.push(byte);
                rest = &rest[at + 4..];
            }
            None => {
                out.extend_from_slice(b"\\x");
                rest = &rest[at + 2..];
            }
        }
    }
    out.extend_from_slice(rest.as_bytes());
    let text = String::from_utf8(out).unwrap_or_else(|_| name.to_owned());
    if text.chars().any(char::is_control) { name.to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3d8a1f0c5b7e9d2a4c6f8e1b3d5a7c9e0f2b4d6a8c1e3f5b7d9a0c2e4f6b8d1a";

    #[test]
    fn real_paths_are_understood() {
        let uid = "1f2e3d4c-5b6a-7980-a1b2-c3d4e5f60718";
        let uid_ = uid.replace('-', "_");
        let (id, none) = (ID, "");
        let cases: &[(String, &str, &str, &str)] = &[
            // systemd
            ("/system.slice/ssh.service".into(), "ssh.service", none, none),
            ("/init.scope".into(), "init.scope", none, none),
            ("/system.slice/system-getty.slice/getty@tty1.service".into(), "getty@tty1.service", none, none),
            ("/system.slice/cups.socket".into(), "cups.socket", none, none),
            ("/system.slice/dev-disk-by\\x2dlabel-swap.swap".into(), "dev-disk-by-label-swap.swap", none, none),
            ("/user.slice/user-1000.slice/session-3.scope".into(), "session-3.scope", none, none),
            ("/user.slice/user-1000.slice/user@1000.service/init.scope".into(), "init.scope", none, none),
            ("/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-firefox-4242.scope".into(),
                "app-gnome-firefox-4242.scope", none, none),
            ("/user.slice/user-1000.slice/user@1000.service/app.slice/pipewire.service".into(),
                "pipewire.service", none, none),
            ("/user.slice/user-1000.slice/user@1000.service/app.slice/app-org.gnome.Foo\\x2dbar.slice".into(),
                "user@1000.service", none, none),
            ("/system.slice/nginx.service/workers".into(), "nginx.service", none, none),
            ("/system.slice".into(), none, none, none),
            // Docker
            (format!("/system.slice/docker-{id}.scope"), &format!("docker-{id}.scope"), id, none),
            (format!("/docker/{id}"), none, id, none),
            (format!("/docker/{id}/system.slice/cron.service"), "cron.service", id, none),
            (format!("/system.slice/containerd.service/docker/{id}"), "containerd.service", id, none),
            ("/system.slice/docker.service".into(), "docker.service", none, none),
            // Podman
            (format!("/machine.slice/libpod-{id}.scope/container"), &format!("libpod-{id}.scope"), id, none),
            (format!("/machine.slice/libpod-conmon-{id}.scope"), &format!("libpod-conmon-{id}.scope"), none, none),
            (format!("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{id}.scope"),
                &format!("libpod-{id}.scope"), id, none),
            (format!("/libpod_parent/libpod-{id}"), none, id, none),
            // Kubernetes
            (format!("/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{uid_}.slice/cri-containerd-{id}.scope"),
                &format!("cri-containerd-{id}.scope"), id, uid),
            (format!("/kubepods.slice/kubepods-pod{uid_}.slice/crio-{id}.scope"), &format!("crio-{id}.scope"), id, uid),
            (format!("/kubepods/burstable/pod{uid}/{id}"), none, id, uid),
            (format!("/kubepods/pod{uid}/{id}"), none, id, uid),
            (format!("/system.slice/containerd.service/kubepods-burstable-pod{uid_}.slice:cri-containerd:{id}"),
                "containerd.service", id, uid),
            (format!("/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod{uid_}.slice/cri-containerd-{id}.scope"),
                &format!("cri-containerd-{id}.scope"), id, uid),
            ("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0123456789abcdef0123456789abcdef.slice".into(),
                none, none, "0123456789abcdef0123456789abcdef"),
            // LXC and machines
            ("/lxc.payload.web1/system.slice/nginx.service".into(), "nginx.service", "web1", none),
            ("/lxc/web1/init.scope".into(), "init.scope", "web1", none),
            ("/lxc.monitor.web1".into(), none, none, none),
            ("/machine.slice/machine-deb\\x2dian.scope/payload/init.scope".into(), "init.scope", "deb-ian", none),
            // Garbage
            ("/".into(), none, none, none),
            (String::new(), none, none, none),
            ("/.service/.scope".into(), none, none, none),
            ("/docker/abc".into(), none, none, none),
            (format!("/docker/{}", id.to_uppercase()), none, none, none),
            ("/pods/podcast/pod-x".into(), none, none, none),
            ("/../../system.slice/a\\xzz\\x.service".into(), "a\\xzz\\x.service", none, none),
            ("/system.slice/a\\x1b.service".into(), "a\\x1b.service", none, none),
        ];
        for (path, unit, container, pod) in cases {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let expected = Placement { unit: some(unit), container: some(container), pod: some(pod) };
            assert_eq!(placement(path), expected, "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_path_is_read_without_panic(path: String, parts in r"[/a-z0-9:.\\\-_é]{0,120}") {
            placement(&path);
            placement(&parts);
            placement(&format!("/kubepods-pod{parts}.slice/docker-{parts}.scope/{parts}.service"));
        }
    }
}
