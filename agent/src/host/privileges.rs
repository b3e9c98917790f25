//! What this process may do.

use super::sys;

/// Bits of `CapEff` (`linux/capability.h`).
const NET_ADMIN: u32 = 12;
const NET_RAW: u32 = 13;
const SYS_ADMIN: u32 = 21;

/// The privileges that matter to a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

impl Privileges {
    /// Those of the calling thread.
    pub fn current() -> Self {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
        let effective = effective_capabilities(&status).unwrap_or(0);
        let has = |bit: u32| effective & (1 << bit) != 0;
        Self {
            user: sys::effective_user(),
            net_raw: has(NET_RAW),
            net_admin: has(NET_ADMIN),
            sys_admin: has(SYS_ADMIN),
            user_namespaces: has(SYS_ADMIN) || user_namespaces_allowed(),
        }
    }
}

fn effective_capabilities(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
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
        assert_eq!(effective_capabilities("Name: x\n"), None);
        let here = Privileges::current();
        assert!(here.user != 0 || here.net_raw || !here.sys_admin, "{here:?}");
    }
}
