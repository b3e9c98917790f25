//! Drops of queueing disciplines, which stand before the capture on the way out and behind it on the way in
//! (rtnetlink(7), `linux/pkt_sched.h`).

use super::sys;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;

/// Of `linux/rtnetlink.h` and `linux/netlink.h`.
const RTM_NEWQDISC: u16 = 36;
const RTM_GETQDISC: u16 = 38;
const NLM_F_REQUEST_DUMP: u16 = 0x1 | 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLMSG_HEADER: usize = 16;
/// `struct tcmsg`: family and padding, then index, handle, parent and info.
const TCMSG: usize = 20;
/// A dump request is both headers and nothing else.
const REQUEST: u8 = 36;
const _: () = assert!(REQUEST as usize == NLMSG_HEADER + TCMSG);
const TCA_STATS2: u16 = 7;
const TCA_STATS_QUEUE: u16 = 3;
/// `tcm_parent` of the discipline that an interface sends through, and of the one that it receives through.
const ROOT: u32 = 0xffff_ffff;
const INGRESS: u32 = 0xffff_fff1;

/// Datagrams of one answer that are read: 4,000 interfaces are answered in some 50.
const MAX_DATAGRAMS: usize = 1024;
/// The kernel fills datagrams of this size (`NLMSG_GOODSIZE` is smaller, a dump may take up to 32 KiB).
const DATAGRAM: usize = 32 * 1024;

/// A route socket in the namespace of the thread that opened it.
#[derive(Debug)]
pub(super) struct Qdiscs {
    route: OwnedFd,
    query: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Qdiscs {
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self {
            route: sys::route_socket()?,
            query: sys::query_socket()?,
            sequence: 0,
            buffer: vec![0; DATAGRAM],
        })
    }

    /// `eth0:qdisc_drops` by what the interface sends through, `eth0:ingress_drops` by what it receives through, for
    /// every interface that has such a discipline. An error where the kernel has no traffic control, or gives no
    /// whole answer.
    pub(super) fn drops(&mut self) -> io::Result<BTreeMap<String, u64>> {
        self.sequence = self.sequence.wrapping_add(1);
        sys::send(&self.route, &request(self.sequence))?;
        let mut found = BTreeMap::new();
        for _ in 0..MAX_DATAGRAMS {
            let len = sys::receive(&self.route, &mut self.buffer)?;
            let answer =
                Answer { sequence: self.sequence, octets: self.buffer.get(..len).unwrap_or_default() };
            let is_last = answer.each(|drops| {
                if let Some(name) = sys::interface_name(&self.query, drops.interface) {
                    let side = if drops.incoming { "ingress_drops" } else { "qdisc_drops" };
                    *found.entry(format!("{name}:{side}")).or_default() += drops.count;
                }
            })?;
            if is_last {
                return Ok(found);
            }
        }
        Err(io::Error::other("the list of queueing disciplines has no end"))
    }
}

/// A request for all disciplines.
fn request(sequence: u32) -> [u8; NLMSG_HEADER + TCMSG] {
    let mut octets = [0; NLMSG_HEADER + TCMSG];
    octets[..4].copy_from_slice(&u32::from(REQUEST).to_ne_bytes());
    octets[4..6].copy_from_slice(&RTM_GETQDISC.to_ne_bytes());
    octets[6..8].copy_from_slice(&NLM_F_REQUEST_DUMP.to_ne_bytes());
    octets[8..12].copy_from_slice(&sequence.to_ne_bytes());
    octets
}

/// What one discipline dropped since it was set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Drops {
    interface: u32,
    incoming: bool,
    count: u64,
}

/// One datagram of the kernel's answer.
struct Answer<'a> {
    sequence: u32,
    octets: &'a [u8],
}

impl Answer<'_> {
    /// Gives every discipline to `take`; whether this is the last datagram. What belongs to an earlier, abandoned
    /// request is passed over.
    fn each(&self, mut take: impl FnMut(Drops)) -> io::Result<bool> {
        let mut rest = self.octets;
        while let Some((message, behind)) = split_message(rest) {
            rest = behind;
            if u32_at(message, 8) != Some(self.sequence) {
                continue;
            }
            match u16_at(message, 4) {
                Some(NLMSG_DONE) => return Ok(true),
                Some(NLMSG_ERROR) => return Err(error(message)),
                Some(RTM_NEWQDISC) => {
                    if let Some(drops) = message.get(NLMSG_HEADER..).and_then(discipline) {
                        take(drops);
                    }
                }
                Some(_) | None => {}
            }
        }
        Ok(false)
    }
}

/// The first message with its header, and what is behind it.
fn split_message(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = usize::try_from(u32_at(octets, 0)?).ok()?;
    let message = octets.get(..len).filter(|message| message.len() >= NLMSG_HEADER)?;
    Some((message, octets.get(len.next_multiple_of(4)..).unwrap_or_default()))
}

/// `struct nlmsgerr` begins with the negative error number.
fn error(message: &[u8]) -> io::Error {
    let code = u32_at(message, NLMSG_HEADER).unwrap_or_default().cast_signed();
    io::Error::from_raw_os_error(code.saturating_neg())
}

/// A discipline at the top of an interface: those below it are in its numbers.
fn discipline(message: &[u8]) -> Option<Drops> {
    let interface = u32_at(message, 4)?;
    let incoming = match u32_at(message, 12)? {
        ROOT => false,
        INGRESS => true,
        _ => return None,
    };
    let stats = attribute(message.get(TCMSG..)?, TCA_STATS2)?;
    // `struct gnet_stats_queue`: qlen, backlog, drops, requeues, overlimits.
    let count = u32_at(attribute(stats, TCA_STATS_QUEUE)?, 8)?;
    Some(Drops { interface, incoming, count: count.into() })
}

/// Contents of the first attribute of that kind.
fn attribute(mut octets: &[u8], kind: u16) -> Option<&[u8]> {
    loop {
        let len = usize::from(u16_at(octets, 0)?);
        // The two highest bits tell of nesting and byte order.
        if u16_at(octets, 2)? & 0x3fff == kind {
            return octets.get(4..len);
        }
        octets = octets.get(len.max(4).next_multiple_of(4)..)?;
    }
}

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute_of(kind: u16, contents: &[u8]) -> Vec<u8> {
        let len = u16::try_from(contents.len() + 4).unwrap();
        let mut octets = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
        octets.extend_from_slice(contents);
        octets.resize(octets.len().next_multiple_of(4), 0);
        octets
    }

    fn message(kind: u16, sequence: u32, contents: &[u8]) -> Vec<u8> {
        let mut octets = u32::try_from(NLMSG_HEADER + contents.len()).unwrap().to_ne_bytes().to_vec();
        octets.extend(kind.to_ne_bytes());
        octets.extend([0, 0]);
        octets.extend(sequence.to_ne_bytes());
        octets.extend([0; 4]);
        octets.extend_from_slice(contents);
        octets.resize(octets.len().next_multiple_of(4), 0);
        octets
    }

    /// A discipline as the kernel dumps it: its kind, then its statistics, old and new.
    fn qdisc(sequence: u32, interface: u32, parent: u32, drops: u32) -> Vec<u8> {
        let mut contents = vec![0; 4];
        contents.extend([interface, 0x8001_0000, parent, 2].map(u32::to_ne_bytes).concat());
        contents.extend(attribute_of(1, b"fq_codel\0"));
        let queue = [3, 4096, drops, 5, 6].map(u32::to_ne_bytes).concat();
        let stats = [attribute_of(1, &[9; 12]), attribute_of(TCA_STATS_QUEUE, &queue)].concat();
        contents.extend(attribute_of(TCA_STATS2 | 0x8000, &stats));
        contents.extend(attribute_of(3, &[7; 36]));
        message(RTM_NEWQDISC, sequence, &contents)
    }

    fn read(octets: &[u8]) -> (Vec<(u32, bool, u64)>, io::Result<bool>) {
        let mut found = Vec::new();
        let last = Answer { sequence: 7, octets }
            .each(|drops| found.push((drops.interface, drops.incoming, drops.count)));
        (found, last)
    }

    #[test]
    fn what_stands_at_the_top_of_an_interface_counts_and_what_is_below_does_not() {
        let octets = [
            qdisc(7, 2, ROOT, 11),
            qdisc(7, 2, 0x8001_0001, 11),
            qdisc(7, 3, INGRESS, 5),
            qdisc(6, 4, ROOT, 99),
            message(NLMSG_DONE, 7, &[0; 4]),
        ]
        .concat();
        let (found, last) = read(&octets);
        assert_eq!((found, last.unwrap()), (vec![(2, false, 11), (3, true, 5)], true));
        let (found, last) = read(&qdisc(7, 2, ROOT, 11));
        assert_eq!((found.len(), last.unwrap()), (1, false), "more follows");
    }

    #[test]
    fn an_error_is_the_kernels_word() {
        let code = (-libc::EOPNOTSUPP).to_ne_bytes();
        let error = read(&message(NLMSG_ERROR, 7, &code)).1.expect_err("not supported");
        assert_eq!(error.raw_os_error(), Some(libc::EOPNOTSUPP));
    }

    #[test]
    fn damaged_answers_are_passed_over() {
        let whole = [qdisc(7, 2, ROOT, 11), message(NLMSG_DONE, 7, &[0; 4])].concat();
        for cut in 0..whole.len() {
            let (found, last) = read(&whole[..cut]);
            assert!(found.len() <= 1 && !last.unwrap(), "cut at {cut}");
        }
        for place in 0..whole.len() {
            let mut broken = whole.clone();
            broken[place] ^= 0xff;
            let _ = read(&broken);
        }
    }

    #[test]
    fn the_kernel_answers_or_says_that_it_has_no_traffic_control() {
        let mut qdiscs = Qdiscs::open().expect("a route socket");
        match (qdiscs.drops(), qdiscs.drops()) {
            (Ok(first), Ok(second)) => {
                assert!(
                    first.iter().all(|(name, drops)| second.get(name).is_none_or(|later| later >= drops))
                );
            }
            (Err(error), _) => assert_eq!(error.raw_os_error(), Some(libc::EOPNOTSUPP), "{error}"),
            (Ok(_), Err(error)) => panic!("answered once, and then: {error}"),
        }
    }
}
