//! The system calls that tell about a host, each behind a safe function.
#![expect(
    unsafe_code,
    reason = "these calls exist only as C functions; every pointer stays inside its function"
)]

use std::ffi::{CStr, c_int, c_ulong};
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// A clock of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KernelClock {
    /// Wall clock: what packets are stamped with.
    Realtime,
    /// The oscillator, neither slewed nor stepped.
    MonotonicRaw,
    /// Slewed, never stepped; stands still while the host is suspended.
    Monotonic,
    /// As that, but goes on while the host is suspended.
    Boottime,
}

/// Nanoseconds of `clock`. These clocks exist on every Linux since 2.6.39, so there is no error.
pub(crate) fn now_ns(clock: KernelClock) -> i64 {
    let id = match clock {
        KernelClock::Realtime => libc::CLOCK_REALTIME,
        KernelClock::MonotonicRaw => libc::CLOCK_MONOTONIC_RAW,
        KernelClock::Monotonic => libc::CLOCK_MONOTONIC,
        KernelClock::Boottime => libc::CLOCK_BOOTTIME,
    };
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a timespec that the call fills.
    unsafe { libc::clock_gettime(id, &raw mut now) };
    now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec)
}

/// Moves the calling thread into the network namespace that `file` refers to.
pub(crate) fn enter_network_namespace(file: &File) -> io::Result<()> {
    // SAFETY: no memory is passed.
    checked(unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) }).map(drop)
}

/// A descriptor of the process that has this number now (`pidfd_open(2)`): it never comes to mean another one.
pub(crate) fn process_descriptor(process: i32) -> io::Result<OwnedFd> {
    // SAFETY: no memory is passed; the descriptor is new and owned by nobody else.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, process, 0) };
    let fd = checked(c_int::try_from(fd).unwrap_or(-1))?;
    // SAFETY: as above.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Whether the process of a [`process_descriptor`] has ended.
pub(crate) fn process_has_ended(process: &OwnedFd) -> bool {
    let mut asked = libc::pollfd { fd: process.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one live entry is passed, and its count.
    let ready = unsafe { libc::poll(&raw mut asked, 1, 0) };
    // What cannot be asked is taken for ended: whoever asks must not rely on it then.
    ready != 0
}

/// A datagram socket that is used only to ask about interfaces of its network namespace.
pub(crate) fn query_socket() -> io::Result<OwnedFd> {
    // SAFETY: no memory is passed; the descriptor is new and owned by nobody else.
    let fd = checked(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: as above.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A socket for questions to the kernel's routing and traffic control (rtnetlink(7)), in the calling thread's
/// network namespace. An answer that does not come within a second is an error.
pub(crate) fn route_socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: no memory is passed; the descriptor is new and owned by nobody else.
    let fd = checked(unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) })?;
    // SAFETY: as above.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let patience = libc::timeval { tv_sec: 1, tv_usec: 0 };
    let len = libc::socklen_t::try_from(size_of::<libc::timeval>()).unwrap_or(0);
    // SAFETY: `patience` lives through the call, and its length is given.
    checked(unsafe {
        libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, (&raw const patience).cast(), len)
    })?;
    Ok(socket)
}

/// Sends a datagram.
pub(crate) fn send(socket: &OwnedFd, octets: &[u8]) -> io::Result<()> {
    // SAFETY: the call reads as many octets as there are.
    let sent = unsafe { libc::send(socket.as_raw_fd(), octets.as_ptr().cast(), octets.len(), 0) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Receives a datagram; what `buffer` has no room for is lost.
pub(crate) fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the call writes at most as many octets as the buffer has.
    let got = unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    usize::try_from(got).map_err(|_| io::Error::last_os_error())
}

/// One address of one interface, as `getifaddrs` lists them; interfaces without addresses are listed too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InterfaceAddress {
    pub(crate) name: String,
    /// Absent for entries of other families.
    pub(crate) address: Option<IpAddr>,
    /// The interface is up.
    pub(crate) up: bool,
}

/// All interfaces of the calling thread's network namespace with their addresses.
pub(crate) fn interface_addresses() -> io::Result<Vec<InterfaceAddress>> {
    let mut head = std::ptr::null_mut();
    // SAFETY: the call sets `head` to a list that is walked within this function and freed once.
    checked(unsafe { libc::getifaddrs(&raw mut head) })?;
    let mut found = Vec::new();
    let mut at: *const libc::ifaddrs = head;
    // SAFETY: every entry of the list is valid until `freeifaddrs`, and `ifa_name` is a C string.
    while let Some(entry) = unsafe { at.as_ref() } {
        // SAFETY: as above.
        let name = unsafe { CStr::from_ptr(entry.ifa_name) }.to_string_lossy().into_owned();
        let up = entry.ifa_flags & libc::IFF_UP.cast_unsigned() != 0;
        found.push(InterfaceAddress { name, address: address_of(entry.ifa_addr), up });
        at = entry.ifa_next;
    }
    // SAFETY: `head` came from getifaddrs and is freed once.
    unsafe { libc::freeifaddrs(head) };
    Ok(found)
}

fn address_of(address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: a non-null address of getifaddrs is as long as its family demands, and unaligned reads are used.
    unsafe {
        match i32::from(address.as_ref()?.sa_family) {
            libc::AF_INET => {
                let found = address.cast::<libc::sockaddr_in>().read_unaligned();
                Some(IpAddr::V4(Ipv4Addr::from(u32::from_be(found.sin_addr.s_addr))))
            }
            libc::AF_INET6 => {
                let found = address.cast::<libc::sockaddr_in6>().read_unaligned();
                Some(IpAddr::V6(Ipv6Addr::from(found.sin6_addr.s6_addr)))
            }
            _ => None,
        }
    }
}

fn request(name: &str) -> Option<libc::ifreq> {
    // SAFETY: an ifreq of zeros is valid: it holds only integers, arrays and a null pointer.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // One octet stays zero: the kernel takes a C string.
    if name.len() >= request.ifr_name.len() {
        return None;
    }
    for (slot, octet) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *slot = octet.cast_signed();
    }
    Some(request)
}

fn ask(socket: &impl AsRawFd, call: c_ulong, request: &mut libc::ifreq) -> bool {
    // SAFETY: interface requests take a pointer to an ifreq, which lives through the call. (musl's ioctl takes
    // the number as int, glibc's as unsigned long.)
    unsafe { libc::ioctl(socket.as_raw_fd(), call as _, std::ptr::from_mut(request)) == 0 }
}

/// Kernel index of an interface in the socket's network namespace; absent if there is none of that name.
pub(crate) fn interface_index(socket: &impl AsRawFd, name: &str) -> Option<u32> {
    let mut request = request(name)?;
    // SAFETY: the call fills the index member.
    ask(socket, libc::SIOCGIFINDEX, &mut request)
        .then(|| unsafe { request.ifr_ifru.ifru_ifindex }.cast_unsigned())
}

/// Name of the interface with that index in the socket's network namespace.
pub(crate) fn interface_name(socket: &impl AsRawFd, index: u32) -> Option<String> {
    let mut request = request("")?;
    request.ifr_ifru.ifru_ifindex = index.cast_signed();
    if !ask(socket, libc::SIOCGIFNAME, &mut request) {
        return None;
    }
    let octets: Vec<u8> =
        request.ifr_name.iter().map(|c| c.cast_unsigned()).take_while(|c| *c != 0).collect();
    Some(String::from_utf8_lossy(&octets).into_owned())
}

/// Largest packet that the interface sends, in octets.
pub(crate) fn interface_mtu(socket: &impl AsRawFd, name: &str) -> Option<u32> {
    let mut request = request(name)?;
    // SAFETY: the call fills the mtu member.
    ask(socket, libc::SIOCGIFMTU, &mut request).then(|| unsafe { request.ifr_ifru.ifru_mtu }.cast_unsigned())
}

/// Hardware type of an interface (`ARPHRD_…`).
pub(crate) fn interface_hardware(socket: &impl AsRawFd, name: &str) -> Option<u16> {
    let mut request = request(name)?;
    // SAFETY: the hardware address member is plain octets, filled by the call; its family is the type.
    ask(socket, libc::SIOCGIFHWADDR, &mut request)
        .then_some(unsafe { request.ifr_ifru.ifru_hwaddr.sa_family })
}

/// The single number that an ethtool command of `linux/ethtool.h` gives; absent if the driver has no answer.
pub(crate) fn ethtool_value(socket: &impl AsRawFd, name: &str, command: u32) -> Option<u32> {
    let mut value = [command, 0u32];
    let mut request = request(name)?;
    request.ifr_ifru.ifru_data = value.as_mut_ptr().cast();
    ask(socket, libc::SIOCETHTOOL, &mut request).then_some(value[1])
}

/// How the kernel disciplines its clock (adjtimex(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Discipline {
    /// No service keeps the clock.
    pub(crate) unsynchronised: bool,
    /// Largest error by the service's own estimate, in microseconds.
    pub(crate) max_error_us: i64,
    /// What is being slewed away, in nanoseconds.
    pub(crate) offset_ns: i64,
    /// Rate correction in units of 2⁻¹⁶ ppm.
    pub(crate) frequency: i64,
}

/// The state of the clock's discipline.
pub(crate) fn clock_discipline() -> io::Result<Discipline> {
    // SAFETY: a timex of zeros is valid and asks for nothing to be changed.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the call fills `state`.
    checked(unsafe { libc::adjtimex(&raw mut state) })?;
    let scale = if state.status & libc::STA_NANO != 0 { 1 } else { 1000 };
    Ok(Discipline {
        unsynchronised: state.status & libc::STA_UNSYNC != 0,
        max_error_us: state.maxerror,
        offset_ns: state.offset * scale,
        frequency: state.freq,
    })
}

/// A timer that tells when the wall clock is set: its read fails with `ECANCELED` then (`timerfd_create(2)`).
pub(crate) fn clock_set_timer() -> io::Result<OwnedFd> {
    let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
    // SAFETY: no memory is passed; the descriptor is new and owned by nobody else.
    let fd = checked(unsafe { libc::timerfd_create(libc::CLOCK_REALTIME, flags) })?;
    // SAFETY: as above.
    let timer = unsafe { OwnedFd::from_raw_fd(fd) };
    arm(&timer)?;
    Ok(timer)
}

fn arm(timer: &OwnedFd) -> io::Result<()> {
    // Far enough that it never fires, and within what a 64-bit kernel takes.
    let never = libc::timespec { tv_sec: 1 << 33, tv_nsec: 0 };
    let once = libc::itimerspec { it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 }, it_value: never };
    let flags = libc::TFD_TIMER_ABSTIME | libc::TFD_TIMER_CANCEL_ON_SET;
    // SAFETY: `once` lives through the call, and no old value is asked for.
    let status =
        unsafe { libc::timerfd_settime(timer.as_raw_fd(), flags, &raw const once, std::ptr::null_mut()) };
    match checked(status) {
        // Armed all the same: the clock was set since the last time.
        Err(error) if error.raw_os_error() == Some(libc::ECANCELED) => Ok(()),
        other => other.map(drop),
    }
}

/// Whether the wall clock was set since this was asked last.
pub(crate) fn clock_was_set(timer: &OwnedFd) -> bool {
    let mut count = 0u64;
    // SAFETY: the call writes at most eight octets to `count`.
    let read = unsafe { libc::read(timer.as_raw_fd(), (&raw mut count).cast(), 8) };
    let set = read < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::ECANCELED);
    if set {
        // A timer that cannot be armed again says "not set" from then on; the samples still show the step.
        let _ = arm(timer);
    }
    set
}

/// The effective user id.
pub(crate) fn effective_user() -> u32 {
    // SAFETY: the call has no arguments and cannot fail.
    unsafe { libc::geteuid() }
}

/// Bits of capabilities (`linux/capability.h`).
pub(crate) const NET_ADMIN: u32 = 12;
pub(crate) const NET_RAW: u32 = 13;
pub(crate) const SYS_PTRACE: u32 = 19;
pub(crate) const SYS_ADMIN: u32 = 21;

/// The calling thread, and those that it starts, gain no privilege any more by starting programs (prctl(2)).
pub(crate) fn forbid_new_privileges() -> io::Result<()> {
    // SAFETY: no memory is passed.
    checked(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }).map(drop)
}

/// Gives up every capability of the calling thread but those of `kept` that it has (capset(2), version 3: two words
/// for 64 capabilities).
pub(crate) fn keep_capabilities(kept: &[u32]) -> io::Result<()> {
    const VERSION_3: u32 = 0x2008_0522;
    // Version, and the thread: 0 is the calling one.
    let mut header = [VERSION_3, 0u32];
    // Effective, permitted and inheritable of the lower 32, then of the upper.
    let mut sets = [0u32; 6];
    // SAFETY: header and sets are laid out as the kernel's structures of three and two words, and live through the
    // calls; the first call fills the sets.
    checked_long(unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) })?;
    let mask = kept.iter().fold(0u32, |mask, bit| mask | 1 << bit);
    let held = sets[1] & mask;
    sets = [held, held, 0, 0, 0, 0];
    // SAFETY: as above; the second call reads both.
    checked_long(unsafe { libc::syscall(libc::SYS_capset, header.as_mut_ptr(), sets.as_ptr()) })
}

fn checked_long(status: libc::c_long) -> io::Result<()> {
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn checked(status: c_int) -> io::Result<c_int> {
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(status) }
}
