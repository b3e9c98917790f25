//! What this process may do.

use super::sys::{self, NET_ADMIN, NET_RAW, SYS_ADMIN};

/// Names of capabilities by their bits (`linux/capability.h`), without `CAP_`.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// The privileges that matter to a capture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent privileges, as the kernel has them")]
pub struct Privileges {
    /// Effective user id.
    pub user: u32,
    /// `CAP_NET_RAW`: may open a capture socket.
    pub net_raw: bool,
    /// `CAP_NET_ADMIN`: may change interfaces.
    pub net_admin: bool,
    /// `CAP_SYS_ADMIN`: may enter other network namespaces.
    pub sys_admin: bool,
    /// May make a user namespace of its own, in which it then has all privileges: enough for the lab.
    pub user_namespaces: bool,
    /// Every capability that is held, by name.
    pub capabilities: Vec<String>,
    /// No program that is started gains anything.
    pub no_new_privileges: bool,
    /// System calls are filtered.
    pub calls_filtered: bool,
}

impl Privileges {
    /// Those of the calling thread.
    pub fn current() -> Self {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
        let effective = effective_capabilities(&status).unwrap_or(0);
        let number = |key| field(&status, key).and_then(|value| value.parse::<u32>().ok());
        let has = |bit: u32| effective & (1 << bit) != 0;
        Self {
            user: sys::effective_user(),
            net_raw: has(NET_RAW),
            net_admin: has(NET_ADMIN),
            sys_admin: has(SYS_ADMIN),
            user_namespaces: has(SYS_ADMIN) || user_namespaces_allowed(),
            capabilities: names(effective),
            no_new_privileges: number("NoNewPrivs:") == Some(1),
            calls_filtered: number("Seccomp:") == Some(2),
        }
    }
}

fn effective_capabilities(status: &str) -> Option<u64> {
    u64::from_str_radix(field(status, "CapEff:")?, 16).ok()
}

/// The value of a line of `/proc/PID/status`.
fn field<'a>(status: &'a str, key: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(key)).map(str::trim)
}

/// The names of the bits that are set.
fn names(set: u64) -> Vec<String> {
    let name = |bit: u32| {
        let known = usize::try_from(bit).ok().and_then(|bit| NAMES.get(bit));
        known.map_or_else(|| format!("capability {bit}"), |name| format!("CAP_{name}"))
    };
    (0..u64::BITS).filter(|bit| set & (1 << bit) != 0).map(name).collect()
}

/// Three switches can forbid it; each is absent where the kernel or the distribution does not have it.
fn user_namespaces_allowed() -> bool {
    let number =
        |path: &str| std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u64>().ok());
    number("/proc/sys/user/max_user_namespaces").is_none_or(|most| most > 0)
        && number("/proc/sys/kernel/unprivileged_userns_clone").is_none_or(|on| on != 0)
        && number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").is_none_or(|on| on == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read_from_the_status_file() {
        assert_eq!(effective_capabilities("CapPrm:\t0\nCapEff:\t0000000000003000\n"), Some(0x3000));
        assert_eq!(names(0x3000), ["CAP_NET_ADMIN", "CAP_NET_RAW"]);
        assert_eq!(names(1 << 40 | 1 << 63), ["CAP_CHECKPOINT_RESTORE", "capability 63"]);
        assert_eq!(effective_capabilities("Name: x\n"), None);
        let here = Privileges::current();
        assert!(here.user != 0 || here.net_raw || !here.sys_admin, "{here:?}");
    }
}
