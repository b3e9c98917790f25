//! Editing frames in place, checksums included.

use super::checksum::Sum;
use super::frame::Frame;
use super::view::{ETHERNET_LEN, ICMP, IpView, TCP};
use correlate_proto::FourTuple;
use std::net::IpAddr;

/// Gives a TCP frame another four-tuple. Addresses must be of the same IP version.
pub(crate) fn set_tuple(frame: &mut Frame, tuple: FourTuple) {
    let Some(ip) = IpView::read(&frame.ethernet()[ETHERNET_LEN..]) else { return };
    write_addresses(&mut frame.ethernet_mut()[ETHERNET_LEN..], tuple);
    let tcp = ETHERNET_LEN + ip.header_len;
    frame.ethernet_mut()[tcp..tcp + 2].copy_from_slice(&tuple.src.port.to_be_bytes());
    frame.ethernet_mut()[tcp + 2..tcp + 4].copy_from_slice(&tuple.dst.port.to_be_bytes());
    mend_checksums(frame);
}

/// Gives an ICMP error other addresses, and the packet that it quotes another four-tuple.
pub(crate) fn set_icmp_tuples(frame: &mut Frame, outer: FourTuple, quoted: FourTuple) {
    let Some(ip) = IpView::read(&frame.ethernet()[ETHERNET_LEN..]) else { return };
    write_addresses(&mut frame.ethernet_mut()[ETHERNET_LEN..], outer);
    let quote = ETHERNET_LEN + ip.header_len + 8;
    let Some(inner) = IpView::read(&frame.ethernet()[quote..]) else { return };
    let packet = &mut frame.ethernet_mut()[quote..];
    write_addresses(packet, quoted);
    mend_ip_checksum(packet, inner.header_len);
    packet[inner.header_len..inner.header_len + 2].copy_from_slice(&quoted.src.port.to_be_bytes());
    packet[inner.header_len + 2..inner.header_len + 4].copy_from_slice(&quoted.dst.port.to_be_bytes());
    mend_checksums(frame);
}

/// Takes `hops` from the TTL or hop limit, but leaves at least 1: the lab's routers never expire packets.
pub(crate) fn age(frame: &mut Frame, hops: u8) {
    let packet = &mut frame.ethernet_mut()[ETHERNET_LEN..];
    let Some(ip) = IpView::read(packet) else { return };
    let at = if ip.id.is_some() { 8 } else { 7 };
    packet[at] = ip.ttl.saturating_sub(hops).max(1);
    mend_ip_checksum(packet, ip.header_len);
}

/// Sets the link-layer destination.
pub(crate) fn set_destination(frame: &mut Frame, mac: crate::netlink::Mac) {
    frame.ethernet_mut()[..6].copy_from_slice(&mac);
}

/// Computes the IP and transport checksums anew; a partial one stays partial.
pub(crate) fn mend_checksums(frame: &mut Frame) {
    let partial = frame.has_partial_checksum();
    let packet = &mut frame.ethernet_mut()[ETHERNET_LEN..];
    let Some(ip) = IpView::read(packet) else { return };
    mend_ip_checksum(packet, ip.header_len);
    let end = ip.len.min(packet.len());
    let (at, pseudo) = match ip.protocol {
        TCP => (16, Sum::default().pseudo_header(ip.src, ip.dst, TCP, end - ip.header_len)),
        ICMP => (2, Sum::default()),
        other => (2, Sum::default().pseudo_header(ip.src, ip.dst, other, end - ip.header_len)),
    };
    let body = &mut packet[ip.header_len..end];
    body[at..at + 2].fill(0);
    let sum = if partial { pseudo.folded() } else { pseudo.bytes(body).finish() };
    body[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

/// Computes the transport checksum in full, where it was left to the "hardware".
pub(crate) fn complete_checksums(frame: &mut Frame) {
    if frame.has_partial_checksum() {
        frame.make_complete();
        mend_checksums(frame);
    }
}

/// Computes the checksum of an IPv4 header anew; IPv6 has none.
pub(crate) fn mend_ip_checksum(packet: &mut [u8], header_len: usize) {
    if packet[0] >> 4 != 4 {
        return;
    }
    packet[10..12].fill(0);
    let sum = Sum::default().bytes(&packet[..header_len]).finish();
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}

fn write_addresses(packet: &mut [u8], tuple: FourTuple) {
    match (tuple.src.addr, tuple.dst.addr) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            packet[12..16].copy_from_slice(&src.octets());
            packet[16..20].copy_from_slice(&dst.octets());
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            packet[8..24].copy_from_slice(&src.octets());
            packet[24..40].copy_from_slice(&dst.octets());
        }
        _ => {}
    }
}
