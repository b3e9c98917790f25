//! Cutting packets and joining them: super-packets into what they are on a wire, segments into smaller ones, and
//! datagrams into fragments.

use super::edit::{complete_checksums, mend_checksums};
use super::frame::Frame;
use super::view::{Carried, ETHERNET_LEN, View};
use correlate_proto::TcpFlags;
use std::ops::Range;

/// "More fragments" in the second octet pair of an IPv4 header's fragment field (RFC 791 §3.1).
const MORE_FRAGMENTS: u16 = 0x2000;

/// Flags that only the last segment of a super-packet bears.
const LAST_ONLY: u16 = TcpFlags::FIN.0 | TcpFlags::PSH.0;

/// What a frame is on a wire: a super-packet is cut after each `gso_size` octets of payload, as TSO does it.
pub(crate) fn on_the_wire(view: &View, gso_size: u16) -> Vec<View> {
    let Some(tcp) = view.tcp().filter(|tcp| gso_size > 0 && tcp.payload_len > 0) else { return vec![*view] };
    let size = usize::from(gso_size);
    (0..tcp.payload_len.div_ceil(size))
        .map(|number| {
            let octets = number * size..tcp.payload_len.min((number + 1) * size);
            let mut part = *view;
            part.ip.len = view.ip.header_len + tcp.header_len + octets.len();
            part.ip.id = view.ip.id.map(|id| id.wrapping_add(wrapping(number)));
            let flags = flags_of_part(tcp.flags, &octets, tcp.payload_len);
            let seq = tcp.seq.wrapping_add(length(octets.start));
            part.carried =
                Carried::Tcp(super::view::TcpView { seq, flags, payload_len: octets.len(), ..*tcp });
            part
        })
        .collect()
}

/// The frame with these octets of a TCP frame's payload. Of a super-packet they must begin where a segment does;
/// more than one segment's make a super-packet again.
pub(crate) fn part(frame: &Frame, octets: Range<usize>) -> Option<Frame> {
    let view = View::read(frame.ethernet())?;
    let tcp = view.tcp()?;
    let headers = ETHERNET_LEN + view.ip.header_len + tcp.header_len;
    let payload = frame.ethernet().get(headers..headers + tcp.payload_len)?.get(octets.clone())?;
    let size = usize::from(frame.gso_size());
    let mut part = frame.with_ethernet(&[&frame.ethernet()[..headers], payload].concat());
    if octets.len() <= size {
        part.make_plain();
    }
    let number = octets.start.checked_div(size).unwrap_or(0);
    let packet = &mut part.ethernet_mut()[ETHERNET_LEN..];
    set_ip_len(packet, headers - ETHERNET_LEN + octets.len());
    if let Some(id) = view.ip.id {
        packet[4..6].copy_from_slice(&id.wrapping_add(wrapping(number)).to_be_bytes());
    }
    let segment = &mut packet[view.ip.header_len..];
    segment[4..8].copy_from_slice(&tcp.seq.wrapping_add(length(octets.start)).to_be_bytes());
    set_flags(segment, flags_of_part(tcp.flags, &octets, tcp.payload_len));
    mend_checksums(&mut part);
    Some(part)
}

/// One frame with the payload of two, if the second continues the first, neither is a super-packet or more than data,
/// and the IP packet has at most `most` octets. It has the first one's IP header and the second one's TCP header.
pub(crate) fn joined(first: &Frame, second: &Frame, most: usize) -> Option<Frame> {
    let (before, after) = (View::read(first.ethernet())?, View::read(second.ethernet())?);
    let (one, two) = (before.tcp()?, after.tcp()?);
    let only_data = TcpFlags::SYN.0 | TcpFlags::FIN.0 | TcpFlags::RST.0 | TcpFlags::URG.0;
    let plain = first.gso_size() == 0 && second.gso_size() == 0;
    let plain = plain && first.has_partial_checksum() == second.has_partial_checksum();
    let follows = before.tuple == after.tuple && two.seq == one.seq.wrapping_add(length(one.payload_len));
    let len = before.ip.header_len + two.header_len + one.payload_len + two.payload_len;
    let has_data = one.payload_len > 0 && two.payload_len > 0;
    if !plain || !follows || !has_data || (one.flags.0 | two.flags.0) & only_data != 0 || len > most {
        return None;
    }
    let ip_end = ETHERNET_LEN + before.ip.header_len;
    let payload = |frame: &Frame, view: &View, header: usize, len: usize| {
        let start = ETHERNET_LEN + view.ip.header_len + header;
        frame.ethernet()[start..start + len].to_vec()
    };
    let header = payload(second, &after, 0, two.header_len);
    let data = [
        payload(first, &before, one.header_len, one.payload_len),
        payload(second, &after, two.header_len, two.payload_len),
    ];
    let mut joined =
        first.with_ethernet(&[&first.ethernet()[..ip_end], &header, &data[0], &data[1]].concat());
    let packet = &mut joined.ethernet_mut()[ETHERNET_LEN..];
    set_ip_len(packet, len);
    packet[before.ip.header_len + 4..][..4].copy_from_slice(&one.seq.to_be_bytes());
    mend_checksums(&mut joined);
    Some(joined)
}

/// The fragments of at most `mtu` octets that a plain IPv4 frame becomes; `None` if it may stay whole, or cannot be
/// cut.
pub(crate) fn fragments(frame: &Frame, mtu: usize) -> Option<Vec<Frame>> {
    let view = View::read(frame.ethernet())?;
    view.ip.id?;
    let room = mtu.checked_sub(view.ip.header_len)? & !7;
    if view.ip.len <= mtu || room == 0 || frame.gso_size() > 0 {
        return None;
    }
    let mut whole = frame.clone();
    complete_checksums(&mut whole);
    let (header, body) =
        whole.ethernet().get(..ETHERNET_LEN + view.ip.len)?.split_at(ETHERNET_LEN + view.ip.header_len);
    let count = body.len().div_ceil(room);
    let fragment = |(number, octets): (usize, &[u8])| {
        let mut fragment = Frame::plain(&[header, octets].concat());
        let packet = &mut fragment.ethernet_mut()[ETHERNET_LEN..];
        set_ip_len(packet, view.ip.header_len + octets.len());
        let more = if number + 1 < count { MORE_FRAGMENTS } else { 0 };
        let place = more | wrapping(number * room / 8);
        packet[6..8].copy_from_slice(&place.to_be_bytes());
        super::edit::mend_ip_checksum(packet, view.ip.header_len);
        fragment
    };
    Some(body.chunks(room).enumerate().map(fragment).collect())
}

fn flags_of_part(flags: TcpFlags, octets: &Range<usize>, payload_len: usize) -> TcpFlags {
    let without_last = if octets.end < payload_len { LAST_ONLY } else { 0 };
    let without_first = if octets.start > 0 { TcpFlags::CWR.0 } else { 0 };
    TcpFlags(flags.0 & !(without_last | without_first))
}

fn set_flags(segment: &mut [u8], flags: TcpFlags) {
    let [high, low] = flags.0.to_be_bytes();
    segment[12] = (segment[12] & 0xf0) | high;
    segment[13] = low;
}

/// Sets the length of an IP packet, its header included.
fn set_ip_len(packet: &mut [u8], len: usize) {
    let (at, len) = if packet[0] >> 4 == 4 { (2, len) } else { (4, len - 40) };
    packet[at..at + 2].copy_from_slice(&wrapping(len).to_be_bytes());
}

fn length(octets: usize) -> u32 {
    u32::try_from(octets).unwrap_or(u32::MAX)
}

/// A number that fits by what IP packets can be.
fn wrapping(number: usize) -> u16 {
    u16::try_from(number & 0xffff).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::IpVersion;
    use crate::wire::forge::Segment;
    use correlate_proto::{Endpoint, FourTuple};

    /// A data segment whose payload is counted up from `first`, with PSH.
    fn data(seq: u32, first: u8, len: usize) -> Frame {
        let ip = IpVersion::V4;
        let end = |addr, port| Endpoint { addr, port };
        let tuple = FourTuple { src: end(ip.client(), 4000), dst: end(ip.server(0), 80) };
        let flags = TcpFlags(TcpFlags::ACK.0 | TcpFlags::PSH.0);
        let options = vec![1; 12];
        let bare =
            Segment { tuple, seq, ack: 9, flags, window: 50, options, ttl: 64, ip_id: 700 }.frame([0; 6]);
        let payload: Vec<u8> =
            (0..len).map(|at| first.wrapping_add(u8::try_from(at % 251).unwrap())).collect();
        let mut frame = Frame::plain(&[bare.ethernet(), &payload].concat());
        set_ip_len(&mut frame.ethernet_mut()[ETHERNET_LEN..], 52 + len);
        mend_checksums(&mut frame);
        frame
    }

    fn seq_and_len(frame: &Frame) -> (u32, usize) {
        let view = View::read(frame.ethernet()).unwrap();
        (view.tcp().unwrap().seq, view.tcp().unwrap().payload_len)
    }

    /// A frame whose checksums hold is not changed by computing them again.
    fn holds(frame: &Frame) -> bool {
        let mut again = frame.clone();
        mend_checksums(&mut again);
        again == *frame
    }

    #[test]
    fn parts_joined_again_are_the_whole() {
        let whole = data(u32::MAX - 99, 3, 300);
        let (one, two) = (part(&whole, 0..100).unwrap(), part(&whole, 100..300).unwrap());
        assert_eq!((seq_and_len(&one), seq_and_len(&two)), ((u32::MAX - 99, 100), (0, 200)));
        let pushes =
            |frame: &Frame| View::read(frame.ethernet()).unwrap().tcp().unwrap().flags.has(TcpFlags::PSH);
        assert_eq!((pushes(&one), pushes(&two)), (false, true));
        assert!(holds(&one) && holds(&two));
        assert_eq!(joined(&one, &two, 1500), Some(whole));
        assert_eq!(joined(&one, &two, 351), None, "more than fits");
        assert_eq!(joined(&two, &one, 1500), None, "the wrong order");
    }

    #[test]
    fn fragments_bear_the_datagram_in_steps_of_eight_octets() {
        let whole = data(1, 0, 1000);
        let pieces = fragments(&whole, 500).unwrap();
        let places: Vec<(u16, usize)> = pieces
            .iter()
            .map(|piece| {
                let ip = &piece.ethernet()[ETHERNET_LEN..];
                (u16::from_be_bytes([ip[6], ip[7]]), ip.len())
            })
            .collect();
        // A TCP segment of 1032 octets, 480 in a fragment.
        assert_eq!(places, [(0x2000, 500), (0x203c, 500), (120, 92)]);
        let body: Vec<u8> = pieces.iter().flat_map(|piece| piece.ethernet()[34..].to_vec()).collect();
        assert_eq!(body, whole.ethernet()[34..]);
        assert_eq!(fragments(&whole, 1052), None, "it fits");
    }

    #[test]
    fn a_super_packet_is_on_the_wire_what_segmentation_makes_of_it() {
        let view = View::read(data(5, 0, 250).ethernet()).unwrap();
        let wire = on_the_wire(&view, 100);
        let shown: Vec<_> = wire
            .iter()
            .map(|part| {
                let tcp = part.tcp().unwrap();
                (tcp.seq, tcp.payload_len, part.ip.id, part.ip.len, tcp.flags.has(TcpFlags::PSH))
            })
            .collect();
        let due = [
            (5, 100, Some(700), 152, false),
            (105, 100, Some(701), 152, false),
            (205, 50, Some(702), 102, true),
        ];
        assert_eq!(shown, due);
        assert_eq!(on_the_wire(&view, 0), [view]);
    }
}
