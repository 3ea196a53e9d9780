//! The limits of this process: descriptors, threads, address space, memory and mappings.

use std::fs;
use std::path::Path;

use rustix::process::{Resource, getrlimit, getuid};

use super::capacity::{Facts, Left};

/// Default stack of a thread (bytes). `RUST_MIN_STACK` can change it.
const DEFAULT_STACK_BYTES: usize = 2 * 1024 * 1024;
/// A limit of threads per user from this number on counts as no limit.
const USER_LIMIT_MAX: usize = 100_000;
/// A limit of memory above this counts as no limit (bytes). Version 1 of cgroups says "no limit" with
/// a large number.
#[cfg(target_pointer_width = "64")]
const NO_MEMORY_LIMIT: usize = 1 << 60;
#[cfg(not(target_pointer_width = "64"))]
const NO_MEMORY_LIMIT: usize = usize::MAX;

impl Facts {
    /// Asks the kernel. A limit that cannot be read counts as no limit.
    pub(super) fn of_this_machine() -> Self {
        let default_stack_bytes = std::env::var("RUST_MIN_STACK").ok();
        Self {
            descriptors: rlimit(Resource::Nofile).unwrap_or(usize::MAX),
            threads: threads(),
            space: space(),
            memory: memory(),
            mappings: mappings(),
            default_stack_bytes: default_stack_bytes
                .and_then(|bytes| bytes.parse().ok())
                .unwrap_or(DEFAULT_STACK_BYTES),
        }
    }
}

fn rlimit(resource: Resource) -> Option<usize> {
    getrlimit(resource).current.and_then(|limit| usize::try_from(limit).ok())
}

fn threads() -> Vec<Left> {
    // Counting reads the status of every process. A large limit is not worth that.
    let for_user = user_limit().filter(|limit| *limit < USER_LIMIT_MAX).map(|limit| Left {
        amount: limit.saturating_sub(threads_of_user()),
        limit: "the limit of threads for this user (ulimit -u)",
    });
    let for_group = in_cgroups("pids", threads_left_in);
    let for_group = for_group.map(|amount| Left {
        amount,
        limit: "the limit of threads for this service or container (pids.max)",
    });
    let running = threads_of_machine().unwrap_or(0);
    let for_machine = [
        ("threads-max", "the kernel's limit of threads (kernel.threads-max)"),
        ("pid_max", "the kernel's limit of threads (kernel.pid_max)"),
    ]
    .into_iter()
    .filter_map(|(name, limit)| {
        let max = number(&Path::new("/proc/sys/kernel").join(name))?;
        Some(Left { amount: max.saturating_sub(running), limit })
    });
    for_user.into_iter().chain(for_group).chain(for_machine).collect()
}

/// Returns the limit of threads per user, if it applies to this process.
#[cfg(target_os = "linux")]
fn user_limit() -> Option<usize> {
    use rustix::thread::{CapabilitySet, capabilities};
    let exempting = CapabilitySet::SYS_RESOURCE | CapabilitySet::SYS_ADMIN;
    let is_above = || {
        getuid().is_root() || capabilities(None).is_ok_and(|it| it.effective.intersects(exempting))
    };
    // Root of a container with its own user namespace is not root for the kernel.
    let users = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let is_host_namespace = users.split_whitespace().eq(["0", "0", "4294967295"]);
    rlimit(Resource::Nproc).filter(|_| !(is_host_namespace && is_above()))
}

#[cfg(not(target_os = "linux"))]
fn user_limit() -> Option<usize> {
    None
}

/// Counts the threads of all processes of this user.
fn threads_of_user() -> usize {
    let user = getuid().as_raw().to_string();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    // `/proc` also has entries that are not processes, such as `self`.
    let processes = entries.filter(|it| it.file_name().as_encoded_bytes()[0].is_ascii_digit());
    let statuses = processes.filter_map(|it| fs::read_to_string(it.path().join("status")).ok());
    let for_user = statuses.filter(|status| field(status, "Uid") == Some(&user));
    for_user.filter_map(|status| field(&status, "Threads")?.parse::<usize>().ok()).sum()
}

/// Returns the number of all threads: 80 in `0.20 0.18 0.12 1/80 11206`.
fn threads_of_machine() -> Option<usize> {
    let load = fs::read_to_string("/proc/loadavg").ok()?;
    load.split_whitespace().nth(3)?.split_once('/')?.1.parse().ok()
}

fn space() -> Vec<Left> {
    let status = status();
    #[cfg(not(target_os = "openbsd"))]
    let address_space = Some((Resource::As, "VmSize", "the limit of address space (ulimit -v)"));
    #[cfg(target_os = "openbsd")]
    let address_space = None;
    let data = (Resource::Data, "VmData", "the limit of data (ulimit -d)");
    address_space
        .into_iter()
        .chain([data])
        .filter_map(|(resource, used, limit)| {
            let amount = rlimit(resource)?.saturating_sub(kib(&status, used));
            Some(Left { amount, limit })
        })
        .collect()
}

fn memory() -> Vec<Left> {
    let limit = in_cgroups("memory", memory_of);
    let used = kib(&status(), "VmRSS");
    let left = limit.map(|limit| Left {
        amount: limit.saturating_sub(used),
        limit: "the memory for this service or container (memory.max)",
    });
    left.into_iter().collect()
}

fn mappings() -> Option<Left> {
    let limit = number(Path::new("/proc/sys/vm/max_map_count"))?;
    let used = fs::read_to_string("/proc/self/maps").map_or(0, |maps| maps.lines().count());
    let amount = limit.saturating_sub(used);
    Some(Left { amount, limit: "the kernel's limit of mappings (vm.max_map_count)" })
}

/// Returns the lowest value among the control groups of this process and their parents.
fn in_cgroups(controller: &str, read: impl Fn(&Path) -> Option<usize>) -> Option<usize> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let folders = group_folders(&groups, controller).into_iter();
    folders.filter_map(|(mount, path)| lowest(Path::new(mount), path, &read)).min()
}

/// Returns the lowest value of a group and its parents. In a container the path may be that of the
/// host: then only the mount itself exists.
fn lowest(mount: &Path, path: &str, read: &impl Fn(&Path) -> Option<usize>) -> Option<usize> {
    let groups = Path::new(path).ancestors();
    groups.filter_map(|group| read(&mount.join(group.strip_prefix("/").ok()?))).min()
}

/// Returns the number of threads that a group still permits.
fn threads_left_in(group: &Path) -> Option<usize> {
    let limit = number(&group.join("pids.max"))?;
    Some(limit.saturating_sub(number(&group.join("pids.current")).unwrap_or(0)))
}

/// Returns the memory that a group permits (bytes).
fn memory_of(group: &Path) -> Option<usize> {
    let second = number(&group.join("memory.max"));
    let limit = second.or_else(|| number(&group.join("memory.limit_in_bytes")))?;
    Some(limit).filter(|limit| *limit < NO_MEMORY_LIMIT)
}

/// Returns the mount point of each hierarchy with the controller, and the path of the group in it.
/// Version 1 of cgroups has a hierarchy per controller, version 2 has one for all.
fn group_folders<'a>(groups: &'a str, controller: &str) -> Vec<(&'static str, &'a str)> {
    let of_line = |line: &'a str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        match controllers {
            "" => Some(("/sys/fs/cgroup", path)),
            _ if !controllers.split(',').any(|it| it == controller) => None,
            _ if controller == "pids" => Some(("/sys/fs/cgroup/pids", path)),
            _ => Some(("/sys/fs/cgroup/memory", path)),
        }
    };
    groups.lines().filter_map(of_line).collect()
}

fn number(file: &Path) -> Option<usize> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn status() -> String {
    fs::read_to_string("/proc/self/status").unwrap_or_default()
}

/// Returns the first word of a field in `/proc/PID/status`.
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()
}

/// Returns a field that is given in KiB, in bytes.
fn kib(status: &str, name: &str) -> usize {
    field(status, name).and_then(|kib| kib.parse::<usize>().ok()).unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_process_are_found() {
        let status = "Name:\tchinwag\nUid:\t1000\t0\t0\t0\nVmSize:\t   10476 kB\nThreads:\t12\n";
        assert_eq!(field(status, "Uid"), Some("1000"));
        assert_eq!(field(status, "Threads"), Some("12"));
        assert_eq!(field(status, "Vm"), None);
        assert_eq!(kib(status, "VmSize"), 10476 * 1024);
    }

    #[test]
    fn cgroups_of_both_versions_are_found() {
        let first = "9:name=systemd:/a\n8:pids:/p\n4:cpu,memory:/m:1\n0::/u\n";
        let folders = |controller| group_folders(first, controller);
        assert_eq!(folders("pids"), [("/sys/fs/cgroup/pids", "/p"), ("/sys/fs/cgroup", "/u")]);
        let memory = [("/sys/fs/cgroup/memory", "/m:1"), ("/sys/fs/cgroup", "/u")];
        assert_eq!(folders("memory"), memory);
        let second = "0::/system.slice/chinwag.service\n";
        let one = [("/sys/fs/cgroup", "/system.slice/chinwag.service")];
        assert_eq!(group_folders(second, "pids"), one);
    }

    #[test]
    fn the_lowest_limit_of_a_group_and_its_parents_counts() {
        let mount = std::env::temp_dir().join(format!("chinwag-{:016x}", rand::random::<u64>()));
        let group = mount.join("slice/unit");
        fs::create_dir_all(&group).unwrap();
        let write = |file: &str, text: &str| fs::write(mount.join(file), text).unwrap();
        let threads = |path| lowest(&mount, path, &threads_left_in);
        let memory = |path| lowest(&mount, path, &memory_of);
        write("slice/unit/pids.max", "max\n");
        assert_eq!((threads("/slice/unit"), memory("/slice/unit")), (None, None));
        write("slice/unit/pids.max", "100\n");
        write("slice/unit/pids.current", "2\n");
        write("slice/unit/memory.max", "max\n");
        assert_eq!((threads("/slice/unit"), memory("/slice/unit")), (Some(98), None));
        write("slice/pids.max", "60\n");
        write("slice/pids.current", "70\n");
        write("slice/memory.limit_in_bytes", "9223372036854771712\n");
        write("memory.max", "67108864\n");
        assert_eq!((threads("/slice/unit"), memory("/slice/unit")), (Some(0), Some(64 << 20)));
        write("pids.max", "33\n");
        assert_eq!(threads("/docker/of-another-tree"), Some(33));
        fs::remove_dir_all(mount).unwrap();
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_limits_of_this_machine_are_read() {
        let facts = Facts::of_this_machine();
        assert!(facts.descriptors > 0);
        assert!(!facts.threads.is_empty() && facts.threads.iter().all(|it| it.amount > 0));
        assert!(facts.mappings.is_some_and(|it| it.amount > 0));
        assert!(threads_of_user() > 0 && kib(&status(), "VmSize") > 0);
    }
}
