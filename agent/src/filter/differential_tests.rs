//! The compiler and the interpreter held against libpcap over synthetic packets.
#![expect(unsafe_code, reason = "libpcap is called through its C interface, as the oracle of these tests")]

use super::expression::Filter;
use super::interpreter::Packet;
use super::link::network_offset;
use super::program::{Instruction, Program};
use super::test_packets::{Generator, Made};
use super::{assemble, parser};
use crate::capture::{Frame, LinkType};
use correlate_proto::{Heard, Timestamp};
use std::ffi::{CStr, CString, c_char, c_int, c_void};

const EXPRESSIONS: &[&str] = &[
    "tcp",
    "udp",
    "sctp",
    "icmp",
    "icmp6",
    "ip",
    "ip6",
    "arp",
    "rarp",
    "igmp",
    "esp",
    "ah",
    "pim",
    "vrrp",
    "port 80",
    "src port 80",
    "dst port 80",
    "src or dst port 80",
    "src and dst port 80",
    "dst or src port 443",
    "tcp port 80",
    "udp port 53",
    "sctp port 80",
    "tcp src port 80",
    "tcp dst port 443",
    "udp src or dst port 53",
    "portrange 80-443",
    "src portrange 50-90",
    "tcp portrange 443-80",
    "udp dst portrange 1-65535",
    "portrange 80",
    "port 80 or 443",
    "port 80 or 443 or 5432",
    "port 80 or not 443",
    "port (80 or 443)",
    "src port 80 or 443",
    "host 10.0.0.1",
    "src host 10.0.0.1",
    "dst host 10.0.0.2",
    "src and dst host 10.0.0.1",
    "ip host 10.0.0.1",
    "host 10.0.0.1 or 10.0.0.2",
    "host 10.0.0.1 and 10.0.0.2",
    "src 10.0.0.1",
    "dst 10.0.0.2 and src 10.0.0.1",
    "ip src 10.0.0.1",
    "ip dst host 10.0.0.3",
    "src host 10.0.0.1 or dst host 10.0.0.2",
    "not host 10.0.0.1",
    "host 2001:db8::1",
    "src host 2001:db8::1",
    "ip6 host 2001:db8::2",
    "dst 2001:db8::2",
    "not host 2001:db8::1",
    "host ::1",
    "src and dst host 2001:db8::1",
    "ip6 dst host 2001:db8:1::3",
    "net 10.0.0.0/8",
    "net 10.0.0.0/30",
    "src net 10.0.0.0/31",
    "net 10.0.0.0 mask 255.255.255.252",
    "net 10.0.0",
    "net 10.0",
    "net 10",
    "net 192.168.1.0/24",
    "dst net 192.168.0.0/16",
    "net 0.0.0.0/0",
    "ip net 10.0.0.0/8",
    "net 10.0.0.1",
    "host 10.0",
    "net 2001:db8::/32",
    "net 2001:db8:1::/48",
    "src net 2001:db8::/127",
    "net ::/0",
    "ip6 net 2001:db8::/33",
    "not net 10.0.0.0/8",
    "proto 6",
    "proto 17",
    "ip proto 6",
    "ip6 proto 6",
    "ip proto \\tcp",
    "ip6 proto \\udp",
    "ip6 proto 44",
    "proto 1",
    "ip6 proto 58",
    "ip proto 132",
    "ip6 proto 0",
    "ether proto 0x800",
    "ether proto \\ip6",
    "ether proto \\arp",
    "ether proto 0x88cc",
    "less 100",
    "greater 100",
    "len > 80",
    "len <= 80",
    "len = 74",
    "len != 74",
    "less 60 or greater 200",
    "tcp[13] & 2 != 0",
    "tcp[tcpflags] & tcp-syn != 0",
    "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn",
    "tcp[tcpflags] & (tcp-rst|tcp-fin) != 0",
    "tcp[13] = 18",
    "tcp[13] == 0x10",
    "tcp[0:2] = 80",
    "tcp[2:2] > 100",
    "tcp[4:4] >= 0x80000000",
    "tcp[4:4] < 1000000",
    "tcp[12] >> 4 > 5",
    "(tcp[12] & 0xf0) >> 2 != 20",
    "tcp[12:1] & 0xf0 = 0x50",
    "tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420",
    "tcp port 80 and (((ip[2:2] - ((ip[0] & 0xf) << 2)) - ((tcp[12] & 0xf0) >> 2)) != 0)",
    "tcp port 443 and ip[2:2] - ((ip[0] & 0xf) << 2) - ((tcp[12] & 0xf0) >> 2) > 40",
    "not tcp[13] & 2 != 0",
    "tcp[13] & 2 != 0 or udp",
    "ip[8] < 10",
    "ip[9] = 6",
    "ip[6:2] & 0x1fff = 0",
    "ip[6] & 0x20 != 0",
    "ip[0] & 0xf != 5",
    "ip[12:4] = 0x0a000001",
    "ip[1] & 3 = 3",
    "ip6[6] = 6",
    "ip6[7] > 60",
    "ip6[4:2] > 20",
    "ip6[40:2] = 80",
    "ip6[0] & 0xf0 = 0x60",
    "udp[4:2] > 20",
    "udp[0:2] = udp[2:2]",
    "icmp[0] = 3",
    "icmp[icmptype] = icmp-unreach",
    "icmp[icmptype] != icmp-echo and icmp[icmpcode] = 1",
    "icmp[17] = 6",
    "icmp6[0] = 2",
    "icmp6[icmp6type] = icmp6-packettoobig",
    "tcp[0:2] = tcp[2:2]",
    "ip[12:4] > ip[16:4]",
    "tcp[0:2] + tcp[2:2] = 523",
    "tcp[0:2] * 2 > 200",
    "tcp[0:2] / 2 = 40",
    "tcp[4:4] % 7 = 3",
    "tcp[4:4] ^ 1 > tcp[8:4]",
    "-tcp[13] & 0xff = 0xfe",
    "ip[2:2] << 1 > 200",
    "ip[2:2] + 14 <= len",
    "tcp[ip[0] & 0xf] > 3",
    "ip[ip[0] & 0xf] > 3",
    "ip6[ip6[6]] > 3",
    "2 = 2",
    "1 > 2",
    "tcp[13] & 0 = 0",
    "tcp[14:2] / tcp[13] > 4",
    "tcp[8:4] % tcp[13] = 3",
    "tcp[0:2] >> (tcp[13] & 3) > 100",
    "port 80 and tcp",
    "tcp and port 80 or udp",
    "udp or tcp and port 80",
    "not tcp or port 80 and not udp",
    "host 10.0.0.1 and port 80 or port 443",
    "host 10.0.0.1 and (port 80 or port 443)",
    "not (tcp or udp)",
    "not not tcp",
    "!tcp",
    "tcp && port 80 || udp",
    "not ip6 and not arp",
    "ip6 and not tcp",
    "ip and not port 80",
    "(host 10.0.0.1 or host 2001:db8::1) and not (port 80 or port 443)",
    "net 10.0.0.0/8 and not host 10.0.0.1",
    "tcp port 80 and host 10.0.0.1 and not src host 10.0.0.2",
    "tcp and not tcp",
    "tcp or not tcp",
    "host 10.0.0.1 and not 10.0.0.2",
    "src net 10.0.0.0/8 and dst net 192.168.0.0/16 and tcp dst port 443",
    "ip host 10.0.0.1 and tcp port 80 or ip6 host 2001:db8::1 and tcp port 443",
];

/// Captured: what the attached program adds to an expression.
const ATTACHED: &str = "(ip proto 6 and ip[6:2] & 0x1fff != 0) \
    or (icmp and ip[6:2] & 0x1fff = 0 and (icmp[0] = 3 or icmp[0] = 4 or icmp[0] = 5 or icmp[0] = 11 or icmp[0] = 12) \
        and icmp[17] = 6) \
    or (ip6[6] = 58 and ip6[40] >= 1 and ip6[40] <= 4 and \
        (ip6[54] = 6 or ip6[54] = 0 or ip6[54] = 43 or ip6[54] = 44 or ip6[54] = 60))";

#[repr(C)]
struct BpfProgram {
    len: u32,
    instructions: *mut Instruction,
}

/// libpcap, loaded at run time.
struct Oracle {
    pcap: libloading::Library,
}

impl Oracle {
    fn load() -> Option<Self> {
        // SAFETY: libpcap's initialisers have no requirements.
        let loaded = unsafe {
            libloading::Library::new("libpcap.so.0.8").or_else(|_| libloading::Library::new("libpcap.so.1"))
        };
        match loaded {
            Ok(pcap) => Some(Self { pcap }),
            Err(error) => {
                assert!(std::env::var("CI").as_deref() != Ok("true"), "libpcap is missing: {error}");
                println!("skipped: libpcap is not here to compare with: {error}");
                None
            }
        }
    }

    /// `text` as libpcap compiles it, for packets of `link`.
    fn compile(&self, link: u32, text: &str) -> Result<Vec<Instruction>, String> {
        let words = CString::new(text).expect("no NUL in an expression");
        let mut program = BpfProgram { len: 0, instructions: std::ptr::null_mut() };
        // SAFETY: the signatures are those of pcap/pcap.h, the handle is closed after its last use, and the
        // instructions are copied before they are freed.
        unsafe {
            let open = self.pcap.get::<extern "C" fn(c_int, c_int) -> *mut c_void>(b"pcap_open_dead\0");
            let compile =
                self.pcap
                    .get::<extern "C" fn(*mut c_void, *mut BpfProgram, *const c_char, c_int, u32) -> c_int>(
                        b"pcap_compile\0",
                    );
            let reason = self.pcap.get::<extern "C" fn(*mut c_void) -> *const c_char>(b"pcap_geterr\0");
            let close = self.pcap.get::<extern "C" fn(*mut c_void)>(b"pcap_close\0").expect("symbol");
            let free = self.pcap.get::<extern "C" fn(*mut BpfProgram)>(b"pcap_freecode\0").expect("symbol");
            let handle = open.expect("symbol")(link.cast_signed(), 262_144);
            assert!(!handle.is_null());
            let status = compile.expect("symbol")(handle, &raw mut program, words.as_ptr(), 1, u32::MAX);
            let found = if status == 0 {
                let found = std::slice::from_raw_parts(program.instructions, program.len as usize).to_vec();
                free(&raw mut program);
                Ok(found)
            } else {
                Err(CStr::from_ptr(reason.expect("symbol")(handle)).to_string_lossy().into_owned())
            };
            close(handle);
            found
        }
    }

    fn matches(&self, program: &[Instruction], bytes: &[u8], wire_len: u32) -> bool {
        // SAFETY: the signature is that of pcap/bpf.h; the lengths are those of the buffers.
        unsafe {
            let run = self
                .pcap
                .get::<extern "C" fn(*const Instruction, *const u8, u32, u32) -> u32>(b"bpf_filter\0");
            run.expect("symbol")(
                program.as_ptr(),
                bytes.as_ptr(),
                wire_len,
                u32::try_from(bytes.len()).expect("short"),
            ) != 0
        }
    }
}

const LINKS: [LinkType; 4] = [LinkType::Ethernet, LinkType::RawIp, LinkType::LinuxSll, LinkType::LinuxSll2];

fn ours(program: &Program, link: LinkType, bytes: &[u8], wire_len: u32) -> bool {
    let Some((ethertype, network)) = network_offset(link, bytes) else { return false };
    program.run(&Packet { bytes, network, ethertype, wire_len }) != 0
}

fn frame(link: LinkType, bytes: &[u8], wire_len: u32) -> Frame<'_> {
    Frame {
        number: 1,
        at: Timestamp::from_ns(0),
        bytes,
        wire_len,
        link,
        heard: Heard::Unknown,
        interface: 0,
        gso_size: None,
        checksum_partial: false,
        vlan: None,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn packets(seed: u64) -> Vec<Made> {
    let mut generator = Generator::new(seed);
    (0..2000).map(|_| generator.packet()).collect()
}

#[test]
fn expressions_match_what_libpcap_matches() {
    let Some(oracle) = Oracle::load() else { return };
    let packets = packets(1);
    let (mut compared, mut accepted) = (0u32, 0u32);
    for text in EXPRESSIONS {
        let expr = parser::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
        let program = Program::new(assemble::bare(&expr).expect("compiles"));
        for link in LINKS {
            let number = if link == LinkType::RawIp { 12 } else { link.number() };
            let theirs = match oracle.compile(number, text) {
                Ok(theirs) => theirs,
                Err(reason) if reason.contains("rejects all packets") => assemble::nothing(),
                // libpcap refuses what cannot be on a link.
                Err(_) if link == LinkType::RawIp => continue,
                Err(reason) => panic!("libpcap refuses `{text}`: {reason}"),
            };
            // A link of raw IP carries nothing else.
            let on_link =
                |packet: &&Made| link != LinkType::RawIp || matches!(packet.ethertype, 0x0800 | 0x86dd);
            for packet in packets.iter().filter(on_link) {
                let bytes = packet.on(link);
                let expected = oracle.matches(&theirs, &bytes, packet.wire_len(link));
                let found = ours(&program, link, &bytes, packet.wire_len(link));
                assert_eq!(found, expected, "`{text}` on {link:?}: {}", hex(&bytes));
                compared += 1;
                accepted += u32::from(found);
            }
        }
    }
    assert!(
        compared > 1_000_000 && accepted > compared / 20,
        "{accepted} of {compared} packets matched: too few to mean anything"
    );
}

#[test]
fn the_attached_program_matches_tcp_and_the_filter_icmp_errors_and_fragments() {
    let Some(oracle) = Oracle::load() else { return };
    let packets = packets(2);
    for text in EXPRESSIONS {
        let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{}", error.render()));
        let whole = format!("(tcp and ({text})) or {ATTACHED}");
        let theirs =
            oracle.compile(1, &whole).unwrap_or_else(|reason| panic!("libpcap refuses `{text}`: {reason}"));
        for packet in packets.iter().filter(|packet| !packet.has_extension_header) {
            let bytes = packet.on(LinkType::Ethernet);
            let expected = oracle.matches(&theirs, &bytes, packet.wire_len(LinkType::Ethernet));
            let frame = frame(LinkType::Ethernet, &bytes, packet.wire_len(LinkType::Ethernet));
            assert_eq!(filter.program().matches(&frame), expected, "`{text}`: {}", hex(&bytes));
        }
    }
}

#[test]
fn a_cut_behind_the_headers_changes_nothing_and_a_cut_within_never_panics() {
    let Some(oracle) = Oracle::load() else { return };
    let packets = packets(3);
    for text in
        ["port 80", "host 10.0.0.1 or port 443", "not host 2001:db8::1", "tcp[13] & 2 != 0", "len > 90"]
    {
        let program = Program::new(assemble::bare(&parser::parse(text).expect("parses")).expect("compiles"));
        let theirs = oracle.compile(1, text).expect("libpcap compiles");
        for packet in packets.iter().take(1000) {
            let (bytes, wire_len) = (packet.on(LinkType::Ethernet), packet.wire_len(LinkType::Ethernet));
            for cut in 0..bytes.len() {
                let found = ours(&program, LinkType::Ethernet, &bytes[..cut], wire_len);
                let behind_headers = cut >= 14 + packet.headers_len;
                if behind_headers {
                    let expected = oracle.matches(&theirs, &bytes[..cut], wire_len);
                    assert_eq!(found, expected, "`{text}` cut at {cut}: {}", hex(&bytes));
                }
            }
        }
    }
}
