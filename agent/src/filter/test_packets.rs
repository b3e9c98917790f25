//! Synthetic packets for the tests of the filter: every kind that a filter looks at, from a seed.

use crate::capture::LinkType;

/// A packet from the network header on.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) ethertype: u16,
    pub(super) bytes: Vec<u8>,
    /// Octets of all headers that a filter may look at.
    pub(super) headers_len: usize,
    /// There are IPv6 extension headers.
    pub(super) has_extension_header: bool,
}

impl Made {
    /// With the header of `link` before it.
    pub(super) fn on(&self, link: LinkType) -> Vec<u8> {
        let kind = self.ethertype.to_be_bytes();
        let mut bytes = match link {
            LinkType::Ethernet => [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &kind].concat(),
            LinkType::LinuxSll => [&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0][..], &kind].concat(),
            LinkType::LinuxSll2 => {
                [&kind[..], &[0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]].concat()
            }
            LinkType::RawIp | LinkType::Null | LinkType::Loop | LinkType::Ppp | LinkType::Other(_) => {
                Vec::new()
            }
        };
        bytes.extend(&self.bytes);
        bytes
    }

    pub(super) fn wire_len(&self, link: LinkType) -> u32 {
        u32::try_from(self.on(link).len()).expect("short")
    }
}

/// Draws packets. The draws are `SplitMix64`.
#[derive(Debug)]
pub(super) struct Generator(u64);

const PORTS: [u16; 6] = [80, 443, 5432, 53, 40000, 65535];
const V4: [[u8; 4]; 6] =
    [[10, 0, 0, 1], [10, 0, 0, 2], [10, 0, 0, 3], [192, 168, 1, 7], [10, 0, 9, 1], [172, 16, 0, 1]];
const V6: [&str; 5] = ["2001:db8::1", "2001:db8::2", "2001:db8:1::3", "::1", "fe80::1"];

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.draw() % bound as u64).expect("below a usize")
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn byte(&mut self) -> u8 {
        self.draw().to_le_bytes()[0]
    }

    fn fill(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.byte()).collect()
    }

    /// One packet: IPv4 or IPv6 mostly, now and then ARP or something else.
    pub(super) fn packet(&mut self) -> Made {
        match self.below(100) {
            0..50 => self.ipv4(),
            50..92 => self.ipv6(),
            92..97 => self.arp(),
            _ => Made {
                ethertype: 0x88cc,
                bytes: self.fill(120),
                headers_len: 120,
                has_extension_header: false,
            },
        }
    }

    fn transport(&mut self) -> (u8, Vec<u8>) {
        let ports = [PORTS[self.below(PORTS.len())], PORTS[self.below(PORTS.len())]];
        let mut head: Vec<u8> = ports.iter().flat_map(|port| port.to_be_bytes()).collect();
        match self.below(10) {
            0..6 => {
                let options = 4 * self.below(4);
                head.extend(self.fill(8));
                head.push(u8::try_from((20 + options) / 4).expect("small") << 4);
                head.push([0x02, 0x12, 0x10, 0x18, 0x04, 0x14, 0x11, 0xc2][self.below(8)]);
                head.extend(self.fill(6 + options));
                if self.chance(30) {
                    head.extend(b"GET / HTTP/1.1\r\n");
                }
                (6, head)
            }
            6..9 => {
                head.extend([0, u8::try_from(self.below(60)).expect("small"), 0, 0]);
                (17, head)
            }
            _ => {
                head.extend(self.fill(12));
                (132, head)
            }
        }
    }

    fn ipv4(&mut self) -> Made {
        let (protocol, transport) = match self.below(10) {
            0..7 => self.transport(),
            7..9 => (1, self.icmp4()),
            _ => ([2u8, 47, 50, 51, 103, 112][self.below(6)], self.fill(40)),
        };
        let fragment = match self.below(12) {
            0 => 0x2000,
            1 => 0x2000 | (1 + self.below(0x1ffe)),
            2 => 1 + self.below(0x1ffe),
            3 => 0x4000,
            _ => 0,
        };
        let options = if self.chance(20) { 4 * self.below(10) } else { 0 };
        let payload = self.payload();
        let header_len = 20 + options;
        let mut bytes = vec![0x40 | u8::try_from(header_len / 4).expect("small"), self.byte()];
        bytes.extend(
            u16::try_from(header_len + transport.len() + payload.len()).expect("small").to_be_bytes(),
        );
        bytes.extend(self.fill(2));
        bytes.extend(u16::try_from(fragment).expect("small").to_be_bytes());
        bytes.extend([self.byte() % 70, protocol, 0, 0]);
        bytes.extend(V4[self.below(V4.len())]);
        bytes.extend(V4[self.below(V4.len())]);
        bytes.extend(self.fill(options));
        finish(0x0800, &bytes, &transport, &payload, false)
    }

    fn icmp4(&mut self) -> Vec<u8> {
        let kind = [0u8, 3, 4, 5, 8, 11, 12][self.below(7)];
        let mut bytes = vec![kind, self.byte() % 4, 0, 0, 0, 0, 0, 0, 0x45, 0, 0, 60, 0, 1, 0, 0, 64];
        bytes.extend([[6u8, 17][self.below(2)], 0, 0]);
        bytes.extend(self.fill(16));
        bytes
    }

    fn ipv6(&mut self) -> Made {
        let (protocol, transport) = if self.chance(80) { self.transport() } else { (58, self.icmp6()) };
        let extension = if self.chance(25) { [0u8, 43, 44, 60][self.below(4)] } else { protocol };
        let payload = self.payload();
        let mut behind = Vec::new();
        if extension != protocol {
            behind.extend([protocol, 0, 0, 0, 0, 0, 0, 0]);
            if extension == 44 && self.chance(50) {
                behind[2] = self.byte();
                behind[3] = self.byte();
            }
        }
        behind.extend(transport);
        let mut bytes = vec![0x60, self.byte(), 0, 0];
        bytes.extend(u16::try_from(behind.len() + payload.len()).expect("small").to_be_bytes());
        bytes.extend([extension, self.byte()]);
        for _ in 0..2 {
            let address: std::net::Ipv6Addr = V6[self.below(V6.len())].parse().expect("an address");
            bytes.extend(address.octets());
        }
        finish(0x86dd, &bytes, &behind, &payload, extension != protocol)
    }

    fn icmp6(&mut self) -> Vec<u8> {
        let mut bytes =
            vec![[1u8, 2, 3, 4, 128, 129, 135, 100][self.below(8)], self.byte() % 4, 0, 0, 0, 0, 5, 0];
        bytes.extend([0x60, 0, 0, 0, 0, 40, [6u8, 17, 44, 59][self.below(4)], 64]);
        bytes.extend(self.fill(36));
        bytes
    }

    fn arp(&mut self) -> Made {
        let mut bytes = vec![0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1];
        bytes.extend(V4[self.below(V4.len())]);
        bytes.extend([0; 6]);
        bytes.extend(V4[self.below(V4.len())]);
        bytes.extend([0; 40]);
        let ethertype = if self.chance(80) { 0x0806 } else { 0x8035 };
        Made { ethertype, bytes, headers_len: 28, has_extension_header: false }
    }

    /// Long enough that libpcap's fixed offsets lie inside every packet: a load behind the end rejects the whole
    /// packet, and when two programs look at fields in another order they then differ.
    fn payload(&mut self) -> Vec<u8> {
        let len = 40 + self.below(120);
        self.fill(len)
    }
}

fn finish(ethertype: u16, header: &[u8], behind: &[u8], payload: &[u8], extension: bool) -> Made {
    Made {
        ethertype,
        bytes: [header, behind, payload].concat(),
        headers_len: header.len() + behind.len(),
        has_extension_header: extension,
    }
}
