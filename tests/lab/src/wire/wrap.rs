//! Tunnels and tags around a frame, as a capture behind an encapsulating device shows it.

use super::checksum::Sum;
use super::view::{ETHERNET_LEN, IpView};
use crate::address::IpVersion;

/// What is around the packets in a capture. The tap's writer puts it there: on the link itself they are bare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrap {
    /// An IEEE 802.1Q tag with this VLAN.
    Vlan(u16),
    /// IP in IP (RFC 2003, RFC 4213).
    IpInIp,
    /// GRE without options (RFC 2784).
    Gre,
    /// VXLAN with this network identifier (RFC 7348).
    Vxlan(u32),
}

const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];
const UDP: u8 = 17;
const GRE: u8 = 47;
const VXLAN_PORT: u16 = 4789;

/// The tunnel's ends (RFC 5737 keeps these addresses for examples): the client's, the server's.
const ENDS: [[u8; 4]; 2] = [[192, 0, 2, 1], [192, 0, 2, 2]];

/// A frame with `how` around it, and its length on the wire; `number` becomes the tunnel packet's identification.
/// Frames that are not IP stay as they are. `frame` may be cut, of `wire_len` octets.
pub(crate) fn wrapped(frame: &[u8], wire_len: usize, how: Wrap, number: u16) -> (Vec<u8>, usize) {
    let Some(ip) = frame.get(ETHERNET_LEN..).and_then(IpView::read) else {
        return (frame.to_vec(), wire_len);
    };
    let (macs, ether_type) = (&frame[..12], [frame[12], frame[13]]);
    let before = match how {
        Wrap::Vlan(id) => [macs, &[0x81, 0x00], &id.to_be_bytes(), &ether_type].concat(),
        Wrap::IpInIp | Wrap::Gre | Wrap::Vxlan(_) => {
            let inner_len = wire_len - ETHERNET_LEN;
            let (protocol, header, len) = match how {
                Wrap::Gre => (GRE, [[0, 0], ether_type].concat(), inner_len),
                Wrap::Vxlan(vni) => (UDP, vxlan(vni, frame, wire_len), wire_len),
                Wrap::Vlan(_) | Wrap::IpInIp => {
                    (if ether_type == IPV6 { 41 } else { 4 }, Vec::new(), inner_len)
                }
            };
            let from_client = [IpVersion::V4, IpVersion::V6].iter().any(|version| version.client() == ip.src);
            let [src, dst] = if from_client { ENDS } else { [ENDS[1], ENDS[0]] };
            let outer = outer(header.len() + len, number, protocol, src, dst);
            [macs, &IPV4, &outer, &header].concat()
        }
    };
    let rest = if matches!(how, Wrap::Vxlan(_)) { frame } else { &frame[ETHERNET_LEN..] };
    let grown = before.len() + rest.len() - frame.len();
    ([before.as_slice(), rest].concat(), wire_len + grown)
}

/// UDP and VXLAN headers before a frame of `wire_len` octets.
fn vxlan(vni: u32, frame: &[u8], wire_len: usize) -> Vec<u8> {
    let source = 0xc000 | u16::from(frame.get(35).copied().unwrap_or(0));
    let mut header = Vec::with_capacity(16);
    header.extend(source.to_be_bytes());
    header.extend(VXLAN_PORT.to_be_bytes());
    header.extend(length(16 + wire_len).to_be_bytes());
    header.extend([0, 0]); // no checksum (RFC 7348 §5)
    header.extend([0x08, 0, 0, 0]);
    header.extend((vni << 8).to_be_bytes());
    header
}

/// An IPv4 header before `len` octets.
fn outer(len: usize, id: u16, protocol: u8, src: [u8; 4], dst: [u8; 4]) -> Vec<u8> {
    let mut header = vec![0x45, 0];
    header.extend(length(20 + len).to_be_bytes());
    header.extend(id.to_be_bytes());
    header.extend([0, 0, 64, protocol, 0, 0]);
    header.extend(src);
    header.extend(dst);
    let sum = Sum::default().bytes(&header).finish();
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header
}

/// A length field; 0, as offload leaves it, where it does not fit.
fn length(octets: usize) -> u16 {
    u16::try_from(octets).unwrap_or(0)
}
