//! Opening a live capture.

use super::super::error::CaptureError;
use super::super::ring::{BLOCK_LEN, Ring, RingError, Step};
use super::drops::Drops;
use super::table::{Interfaces, link_type};
use super::watermark::Watermark;
use super::{Live, error, now};
use crate::capture::AddressBook;
use crate::filter::{DEFAULT_SNAPLEN, Filter, MAX_INTERFACES, Program};
use crate::host::{Namespace, Table, interfaces, run_in, sys, traffic};
use correlate_proto::{Interface, PointStats};
use std::path::PathBuf;

/// Octets of the ring unless asked otherwise: a tenth of a second at a million packets a second of 192 octets.
pub const DEFAULT_RING_BYTES: usize = 32 * 1024 * 1024;

/// The smallest ring that is tried when memory is short.
const LEAST_RING_BYTES: usize = 4 * BLOCK_LEN;

/// The largest ring. The kernel would take all memory of the host for a larger one, and kill for it.
const MOST_RING_BYTES: usize = 256 * 1024 * 1024;

/// What to capture, and where.
#[derive(Debug, Clone)]
pub struct LiveOptions {
    /// Network namespace: a name of `ip netns`, or a path with a slash in it. Absent for this process's own.
    pub namespace: Option<PathBuf>,
    /// Interfaces by name; none for all of them, those that appear later included.
    pub interfaces: Vec<String>,
    /// Which packets. [`Filter::excluding`] keeps the program's own traffic out.
    pub filter: Filter,
    /// Octets of a packet that are captured.
    pub snaplen: u32,
    /// Octets of the ring that the kernel fills: two blocks of 256 KiB at least, 256 MiB or a quarter of the
    /// memory that is free at most.
    pub ring_bytes: usize,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self {
            namespace: None,
            interfaces: Vec::new(),
            filter: Filter::all_tcp(),
            snaplen: DEFAULT_SNAPLEN,
            ring_bytes: DEFAULT_RING_BYTES,
        }
    }
}

/// What a capture could not have as asked for; it runs all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The kernel had no memory for the ring that was asked for.
    SmallerRing {
        /// Octets asked for.
        wanted: usize,
        /// Octets that it has.
        got: usize,
    },
    /// The kernel does not tell the segment size of offloaded packets.
    NoSegmentSizes,
    /// An interface whose frames are neither Ethernet nor IP is left out.
    InterfaceLeftOut(String),
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SmallerRing { wanted, got } => {
                write!(
                    f,
                    "the capture ring has {got} octets instead of {wanted}: bursts may be dropped; free memory"
                )
            }
            Self::NoSegmentSizes => f.write_str(
                "the kernel does not tell segment sizes of offloaded packets; Linux 4.6 or newer does",
            ),
            Self::InterfaceLeftOut(name) => {
                write!(f, "interface {name} carries neither Ethernet nor IP and is not captured")
            }
        }
    }
}

/// Opens the sockets in the namespace, on a thread of their own; the calling thread stays where it is.
pub(super) fn open(options: &LiveOptions) -> Result<Live, CaptureError> {
    let namespace = options.namespace.as_deref().map(Namespace::named);
    run_in(namespace.as_ref(), || open_here(options))?
}

fn open_here(options: &LiveOptions) -> Result<Live, CaptureError> {
    let mut list = interfaces().map_err(error::facts)?;
    let mut warnings = Vec::new();
    let indices = choose(&mut list, &options.interfaces, &mut warnings)?;
    let on = if options.interfaces.is_empty() {
        "all interfaces".to_owned()
    } else {
        options.interfaces.join(", ")
    };
    let program = options.filter.program_with_snaplen(options.snaplen);
    let program = if indices.len() > 1 { program.on_interfaces(&indices) } else { program };
    let ring = ring(options.ring_bytes, &program).map_err(|e| error::ring(e, &on))?;
    if ring.len() < options.ring_bytes / BLOCK_LEN * BLOCK_LEN {
        warnings.push(Warning::SmallerRing { wanted: options.ring_bytes, got: ring.len() });
    }
    if !ring.has_segment_sizes() {
        warnings.push(Warning::NoSegmentSizes);
    }
    let dev = Table::open("dev").map_err(error::facts)?;
    let links = links(&list);
    let interfaces = Interfaces::new(list, links, options.interfaces.is_empty());
    let baseline = interfaces.frames(&traffic(&dev.read().map_err(error::facts)?));
    let only = if let [index] = indices[..] { Some(index) } else { None };
    ring.bind(only).map_err(|e| error::ring(e, &on))?;
    let started = now();
    Ok(Live {
        ring,
        interfaces,
        dev,
        baseline,
        drops: Drops::new(started),
        watermark: Watermark::new(started),
        warnings,
        started,
        stopped: None,
        stats: PointStats::default(),
        addresses: AddressBook::default(),
        ended: false,
    })
}

/// Marks what is captured; the kernel indices of the interfaces chosen by name, none for all.
fn choose(
    list: &mut [Interface],
    names: &[String],
    warnings: &mut Vec<Warning>,
) -> Result<Vec<u32>, CaptureError> {
    let socket = sys::query_socket().map_err(error::facts)?;
    let known = |name: &str| sys::interface_hardware(&socket, name).and_then(link_type).is_some();
    if names.is_empty() {
        for interface in list {
            interface.captured = known(&interface.name);
            if !interface.captured {
                warnings.push(Warning::InterfaceLeftOut(interface.name.clone()));
            }
        }
        return Ok(Vec::new());
    }
    if names.len() > MAX_INTERFACES {
        return Err(CaptureError::TooManyInterfaces { given: names.len(), most: MAX_INTERFACES });
    }
    let all: Vec<String> = list.iter().map(|interface| interface.name.clone()).collect();
    let mut indices = Vec::new();
    for name in names {
        let Some(interface) = list.iter_mut().find(|interface| interface.name == *name) else {
            return Err(CaptureError::NoSuchInterface { name: name.clone(), known: all.join(", ") });
        };
        if !known(name) {
            return Err(error::hardware(name));
        }
        interface.captured = true;
        if !indices.contains(&interface.index) {
            indices.push(interface.index);
        }
    }
    Ok(indices)
}

fn links(list: &[Interface]) -> Vec<super::super::LinkType> {
    let Ok(socket) = sys::query_socket() else { return Vec::new() };
    let mut found = Vec::new();
    for interface in list.iter().filter(|interface| interface.captured) {
        let link = sys::interface_hardware(&socket, &interface.name).and_then(link_type);
        if let Some(link) = link.filter(|link| !found.contains(link)) {
            found.push(link);
        }
    }
    found
}

/// A ring as large as asked for and affordable, or half of that, and so on, where the kernel has no memory.
fn ring(wanted: usize, program: &Program) -> Result<Ring, RingError> {
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let mut len = affordable(wanted, available(&memory));
    loop {
        match Ring::open(len, program.instructions()) {
            Err(error) if error.step == Step::Memory && is_memory(&error) && len / 2 >= LEAST_RING_BYTES => {
                len /= 2;
            }
            done => return done,
        }
    }
}

/// Octets of memory that are free, by `/proc/meminfo`; absent if it does not tell.
fn available(memory: &str) -> Option<usize> {
    let line = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()?.checked_mul(1024)
}

fn affordable(wanted: usize, available: Option<usize>) -> usize {
    let quarter = available.map_or(MOST_RING_BYTES, |octets| (octets / 4).max(LEAST_RING_BYTES));
    wanted.min(MOST_RING_BYTES).min(quarter)
}

fn is_memory(error: &RingError) -> bool {
    matches!(error.source.raw_os_error(), Some(libc::ENOMEM | libc::EINVAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_never_larger_than_the_host_can_spare() {
        const MIB: usize = 1024 * 1024;
        assert_eq!(available("MemFree: 1 kB\nMemAvailable:    2048 kB\n"), Some(2 * MIB));
        assert_eq!(available("MemFree: 1 kB\n"), None);
        assert_eq!(affordable(32 * MIB, Some(8192 * MIB)), 32 * MIB);
        assert_eq!(affordable(32 * MIB, Some(64 * MIB)), 16 * MIB);
        assert_eq!(affordable(32 * MIB, Some(0)), MIB);
        assert_eq!(affordable(usize::MAX, None), 256 * MIB);
    }
}
