//! The kernel takes what the compiler makes.
#![expect(unsafe_code, reason = "a filter is attached to a socket through libc")]

use super::{Filter, Instruction};
use std::os::fd::{AsRawFd, OwnedFd};

/// As the kernel's `struct sock_fprog`.
#[repr(C)]
struct SockFprog {
    len: u16,
    filter: *const Instruction,
}

fn attach(socket: &OwnedFd, instructions: &[Instruction]) -> std::io::Result<()> {
    let program =
        SockFprog { len: u16::try_from(instructions.len()).expect("short"), filter: instructions.as_ptr() };
    let len = libc::socklen_t::try_from(size_of::<SockFprog>()).expect("small");
    // SAFETY: the option value is a sock_fprog whose pointer and length describe `instructions`.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            len,
        )
    };
    if status == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// Attaching a classic filter needs no privilege, so any socket will do.
#[test]
fn the_kernel_accepts_every_kind_of_program() {
    let socket: OwnedFd = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback").into();
    for text in [
        "",
        "port 5432",
        "host 10.0.0.1 or host 2001:db8::1",
        "portrange 8000-8100 and not net 10.0.0.0/8",
        "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn or len > 1000",
        "tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420",
        "ip[2:2] - ((ip[0] & 0xf) << 2) - ((tcp[12] & 0xf0) >> 2) > 40 and tcp[4:4] % 7 / 2 * 3 ^ 1 | 2 > -1",
        "tcp[0:2] / tcp[2:2] = 1 or tcp[0:2] % tcp[2:2] = 1 or tcp[0:2] << tcp[13] = 1",
    ] {
        let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{}", error.render()));
        let program = filter.program_with_snaplen(192);
        attach(&socket, program.instructions()).unwrap_or_else(|error| panic!("`{text}`: {error}"));
        let bare = super::assemble::bare(&super::parser::parse(text).expect("parses")).expect("compiles");
        attach(&socket, &bare).unwrap_or_else(|error| panic!("bare `{text}`: {error}"));
    }
    let many =
        (0..350).map(|n| format!("host 10.0.{}.{}", n / 100, n % 100)).collect::<Vec<_>>().join(" or ");
    attach(&socket, Filter::parse(&many).expect("compiles").program().instructions())
        .expect("a long program");
    let broken = [Instruction { code: 0x15, jt: 9, jf: 9, k: 0 }];
    assert!(attach(&socket, &broken).is_err(), "this test would notice a refusal");
}
