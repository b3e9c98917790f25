//! What a host has and lacks for a capture whose verdicts carry weight.

use super::privileges::Privileges;
use super::{interfaces, sys};
use correlate_proto::Interface;

/// How one thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckState {
    /// As it should be.
    Ok,
    /// It works; some verdicts will be weaker, or something is not possible.
    Weak,
    /// Capture is not possible.
    Missing,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What: a short name.
    pub name: String,
    /// How it stands.
    pub state: CheckState,
    /// What was found: a lower-case fragment.
    pub says: String,
    /// What to do about it, where something can be done.
    pub remedy: Option<String>,
}

impl Check {
    fn new(name: &str, state: CheckState, says: impl Into<String>) -> Self {
        Self { name: name.to_owned(), state, says: says.into(), remedy: None }
    }

    fn remedy(mut self, remedy: &str) -> Self {
        self.remedy = Some(remedy.to_owned());
        self
    }
}

/// Looks at everything that makes a verdict weaker on this host, in the network namespace of the calling thread.
pub fn doctor() -> Vec<Check> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let source = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    let source = std::fs::read_to_string(source).unwrap_or_default();
    let privileges = Privileges::current();
    let mut checks = vec![kernel(release.trim())];
    checks.extend(privilege_checks(&privileges));
    checks.push(held(&privileges));
    checks.push(discipline());
    checks.push(clock_source(source.trim()));
    match interfaces() {
        Ok(found) => {
            checks.push(interface_count(&found));
            checks.extend(found.iter().map(interface));
        }
        Err(error) => {
            checks.push(Check::new("interfaces", CheckState::Missing, format!("cannot be listed: {error}")));
        }
    }
    checks
}

/// `TPACKET_V3` is in 3.2; its ring with segment sizes (`PACKET_VNET_HDR`) in 4.6.
fn kernel(release: &str) -> Check {
    let mut numbers =
        release.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let says = format!("Linux {release}");
    if version >= (4, 6) {
        Check::new("kernel", CheckState::Ok, says)
    } else if version >= (3, 2) {
        Check::new("kernel", CheckState::Weak, says)
            .remedy("from 4.6 on the kernel also tells the segment size of offloaded packets")
    } else {
        Check::new("kernel", CheckState::Missing, says)
            .remedy("live capture takes Linux 3.2; analyze capture files")
    }
}

fn privilege_checks(privileges: &Privileges) -> Vec<Check> {
    let user = privileges.user;
    let state = |has: bool, otherwise| if has { CheckState::Ok } else { otherwise };
    let mut capture = Check::new(
        "capture privilege",
        state(privileges.net_raw, CheckState::Missing),
        format!("CAP_NET_RAW is {} user {user}", if privileges.net_raw { "held by" } else { "missing for" }),
    );
    if !privileges.net_raw {
        capture = capture.remedy(
            "run with sudo, or once: sudo setcap cap_net_raw,cap_net_admin+ep $(command -v correlate)",
        );
    }
    let mut namespaces = Check::new(
        "other network namespaces",
        state(privileges.sys_admin, CheckState::Weak),
        if privileges.sys_admin { "can be entered" } else { "cannot be entered: CAP_SYS_ADMIN is missing" },
    );
    if !privileges.sys_admin {
        namespaces = namespaces.remedy("run with sudo for netns: and container: hosts");
    }
    let mut lab = Check::new(
        "lab",
        state(privileges.user_namespaces, CheckState::Weak),
        if privileges.user_namespaces {
            "namespaces can be made"
        } else {
            "user namespaces are forbidden here"
        },
    );
    if !privileges.user_namespaces {
        lab = lab.remedy("run `correlate demo` with sudo, or allow user namespaces by sysctl");
    }
    vec![capture, namespaces, lab]
}

/// What this process holds, and what holds it back. An agent gives up what it does not need when it starts.
fn held(privileges: &Privileges) -> Check {
    // A whole set is root's; its names tell nothing.
    let capabilities = match privileges.capabilities.as_slice() {
        [] => "no capability".to_owned(),
        all if all.len() > 30 => format!("{} capabilities", all.len()),
        some => some.join(" "),
    };
    let on = |held: bool| if held { "on" } else { "off" };
    let says = format!(
        "{capabilities}, no_new_privs {}, seccomp {}",
        on(privileges.no_new_privileges),
        on(privileges.calls_filtered)
    );
    Check::new("held", CheckState::Ok, says)
}

fn discipline() -> Check {
    let found = match sys::clock_discipline() {
        Ok(found) => found,
        Err(error) => {
            return Check::new("clock", CheckState::Weak, format!("its state cannot be read: {error}"));
        }
    };
    let offset = found.offset_ns;
    // A frequency of 2^16 units is 1 ppm; three digits behind the point are enough.
    let rate = found.frequency * 1000 / 65_536;
    let rate =
        format!("{}{}.{:03} ppm", if rate < 0 { "-" } else { "" }, rate.abs() / 1000, rate.abs() % 1000);
    if found.unsynchronised {
        return Check::new("clock", CheckState::Weak, format!("kept by no service, rate correction {rate}"))
            .remedy("start chronyd or systemd-timesyncd; clocks are aligned from the traffic all the same");
    }
    let says =
        format!("synchronised within {} µs, slewing {offset} ns, rate correction {rate}", found.max_error_us);
    Check::new("clock", CheckState::Ok, says)
}

/// Sources that cost a device access per reading stamp packets late and unevenly.
fn clock_source(source: &str) -> Check {
    if matches!(source, "hpet" | "acpi_pm" | "jiffies" | "refined-jiffies" | "pit") {
        return Check::new("clock source", CheckState::Weak, format!("{source}, slow to read"))
            .remedy("boot with tsc as the clock source if the processor's is stable");
    }
    Check::new("clock source", CheckState::Ok, if source.is_empty() { "unknown" } else { source })
}

fn interface_count(found: &[Interface]) -> Check {
    let reaching =
        found.iter().filter(|interface| interface.addresses.iter().any(|a| !a.is_loopback())).count();
    if reaching == 0 {
        return Check::new("interfaces", CheckState::Weak, "only loopback has an address")
            .remedy("bring an interface up, or capture in the namespace of the service");
    }
    Check::new("interfaces", CheckState::Ok, format!("{reaching} of {} with addresses", found.len()))
}

fn interface(found: &Interface) -> Check {
    let name = format!("interface {}", found.name);
    let addresses: Vec<String> = found.addresses.iter().map(ToString::to_string).collect();
    let addresses = if addresses.is_empty() { "no address".to_owned() } else { addresses.join(" ") };
    let Some(offloads) = found.offloads else {
        return Check::new(
            &name,
            CheckState::Ok,
            format!("{addresses}, MTU {}, offloads unknown", found.mtu),
        );
    };
    let switches =
        [("tso", offloads.tso), ("gso", offloads.gso), ("gro", offloads.gro), ("lro", offloads.lro)];
    let on: Vec<&str> = switches.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
    let on = if on.is_empty() { "none".to_owned() } else { on.join(" ") };
    let says = format!("{addresses}, MTU {}, offloads {on}", found.mtu);
    if offloads.lro {
        let remedy = format!("ethtool -K {} lro off: it joins packets and hides their borders", found.name);
        return Check::new(&name, CheckState::Weak, says).remedy(&remedy);
    }
    Check::new(&name, CheckState::Ok, says)
}

#[cfg(test)]
mod tests {
    use super::*;
    use correlate_proto::Offloads;

    #[test]
    fn the_kernel_is_judged_by_its_version() {
        assert_eq!(kernel("6.1.0-13-amd64").state, CheckState::Ok);
        assert_eq!(kernel("3.10.0-1160.el7").state, CheckState::Weak);
        assert_eq!(kernel("2.6.32").state, CheckState::Missing);
    }

    #[test]
    fn whoever_lacks_a_privilege_is_told_how_to_get_it() {
        let none = Privileges {
            user: 1000,
            net_raw: false,
            net_admin: false,
            sys_admin: false,
            user_namespaces: false,
            ..Privileges::default()
        };
        let checks = privilege_checks(&none);
        assert_eq!(checks[0].state, CheckState::Missing);
        assert!(checks.iter().all(|check| check.remedy.is_some()), "{checks:?}");
        let all =
            Privileges { net_raw: true, net_admin: true, sys_admin: true, user_namespaces: true, ..none };
        assert!(
            privilege_checks(&all)
                .iter()
                .all(|check| check.state == CheckState::Ok && check.remedy.is_none())
        );
    }

    #[test]
    fn what_is_held_is_named() {
        let capabilities = vec!["CAP_NET_RAW".to_owned()];
        let agent = Privileges {
            capabilities,
            no_new_privileges: true,
            calls_filtered: true,
            ..Privileges::default()
        };
        assert_eq!(held(&agent).says, "CAP_NET_RAW, no_new_privs on, seccomp on");
        let nobody = held(&Privileges::default());
        assert_eq!(nobody.says, "no capability, no_new_privs off, seccomp off");
        let root = Privileges { capabilities: vec![String::new(); 41], ..Privileges::default() };
        assert!(held(&root).says.starts_with("41 capabilities"));
    }

    #[test]
    fn large_receive_offload_and_slow_clocks_are_weak() {
        let lro = Offloads { lro: true, ..Offloads::default() };
        let found = Interface { name: "eth0".to_owned(), offloads: Some(lro), ..Interface::default() };
        assert_eq!(interface(&found).state, CheckState::Weak);
        assert_eq!(clock_source("hpet").state, CheckState::Weak);
        assert_eq!(clock_source("tsc").state, CheckState::Ok);
    }

    #[test]
    fn this_host_gives_every_check() {
        let names: Vec<String> = doctor().into_iter().map(|check| check.name).collect();
        for name in ["kernel", "capture privilege", "clock", "interfaces", "interface lo"] {
            assert!(names.iter().any(|found| found == name), "{name} is not among {names:?}");
        }
    }
}
