//! The few rtnetlink requests that the lab needs (rtnetlink(7)).

use crate::sys::packet::interface_index;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

/// A link-layer address.
pub(crate) type Mac = [u8; 6];

const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
const UP: u32 = libc::IFF_UP.cast_unsigned();
const VETH_INFO_PEER: u16 = 1;
const NUD_PERMANENT: u16 = 0x80;

/// A route socket in the namespace of the thread that opened it.
#[derive(Debug)]
pub(crate) struct Route(Socket);

/// A new link, or one end of a new veth pair; `namespace` is where it shall be, the socket's own if absent.
#[derive(Debug)]
pub(crate) struct End<'a> {
    pub(crate) name: &'a str,
    pub(crate) mac: Mac,
    pub(crate) namespace: Option<BorrowedFd<'a>>,
}

impl Route {
    /// Opens a route socket.
    pub(crate) fn open() -> io::Result<Self> {
        let socket = Socket::new(
            Domain::from(libc::AF_NETLINK),
            Type::RAW,
            Some(Protocol::from(libc::NETLINK_ROUTE)),
        )?;
        Ok(Self(socket))
    }

    /// Makes a veth pair, both ends down.
    pub(crate) fn add_veth(&self, one: &End<'_>, two: &End<'_>) -> io::Result<()> {
        let mut request = request(libc::RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
        request.put(&link_header(0, 0));
        request.put_end(one);
        request.nest(libc::IFLA_LINKINFO, |info| {
            info.attribute(libc::IFLA_INFO_KIND, b"veth");
            info.nest(libc::IFLA_INFO_DATA, |data| {
                data.nest(VETH_INFO_PEER, |peer| {
                    peer.put(&link_header(0, 0));
                    peer.put_end(two);
                });
            });
        });
        self.ask(request)
    }

    /// Makes a bridge, down.
    pub(crate) fn add_bridge(&self, end: &End<'_>) -> io::Result<()> {
        let mut request = request(libc::RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
        request.put(&link_header(0, 0));
        request.put_end(end);
        request.nest(libc::IFLA_LINKINFO, |info| info.attribute(libc::IFLA_INFO_KIND, b"bridge"));
        self.ask(request)
    }

    /// Makes a link a port of a bridge.
    pub(crate) fn enslave(&self, link: &str, bridge: &str) -> io::Result<()> {
        let mut request = request(libc::RTM_NEWLINK, 0);
        request.put(&link_header(interface_index(link)?, 0));
        request.attribute(libc::IFLA_MASTER, &interface_index(bridge)?.to_ne_bytes());
        self.ask(request)
    }

    /// Sets a link up.
    pub(crate) fn set_up(&self, link: &str) -> io::Result<()> {
        let mut request = request(libc::RTM_NEWLINK, 0);
        request.put(&link_header(interface_index(link)?, UP));
        self.ask(request)
    }

    /// Sets a link down.
    pub(crate) fn set_down(&self, link: &str) -> io::Result<()> {
        let mut header = link_header(interface_index(link)?, 0);
        // Which flags change.
        header[12..16].copy_from_slice(&UP.to_ne_bytes());
        let mut request = request(libc::RTM_NEWLINK, 0);
        request.put(&header);
        self.ask(request)
    }

    /// Adds an address, usable at once (no duplicate address detection).
    pub(crate) fn add_address(&self, link: &str, address: IpAddr, prefix: u8) -> io::Result<()> {
        let mut request = request(libc::RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
        // struct ifaddrmsg: family, prefix length, flags, scope, index.
        request.put(&[family(address), prefix, 0, 0]);
        request.put(&interface_index(link)?.to_ne_bytes());
        let bytes = octets(address);
        request.attribute(libc::IFA_LOCAL, &bytes);
        request.attribute(libc::IFA_ADDRESS, &bytes);
        request.attribute(libc::IFA_FLAGS, &libc::IFA_F_NODAD.to_ne_bytes());
        self.ask(request)
    }

    /// Adds a permanent neighbour.
    pub(crate) fn add_neighbour(&self, link: &str, address: IpAddr, mac: Mac) -> io::Result<()> {
        let mut request = request(libc::RTM_NEWNEIGH, NLM_F_CREATE);
        // struct ndmsg: family, padding, index, state, flags, type.
        request.put(&[family(address), 0, 0, 0]);
        request.put(&interface_index(link)?.to_ne_bytes());
        request.put(&NUD_PERMANENT.to_ne_bytes());
        request.put(&[0, 0]);
        request.attribute(libc::NDA_DST, &octets(address));
        request.attribute(libc::NDA_LLADDR, &mac);
        self.ask(request)
    }

    /// Adds a default route by way of `gateway`.
    pub(crate) fn add_default_route(&self, gateway: IpAddr) -> io::Result<()> {
        let mut request = request(libc::RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
        // struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags.
        request.put(&[
            family(gateway),
            0,
            0,
            0,
            libc::RT_TABLE_MAIN,
            libc::RTPROT_STATIC,
            libc::RT_SCOPE_UNIVERSE,
            libc::RTN_UNICAST,
        ]);
        request.put(&0u32.to_ne_bytes());
        request.attribute(libc::RTA_GATEWAY, &octets(gateway));
        self.ask(request)
    }

    /// Sends a request and reads its acknowledgement.
    fn ask(&self, request: Message) -> io::Result<()> {
        self.0.send(&request.finish())?;
        answer(&self.0)
    }
}

/// Reads the answer to a request: its acknowledgement, or why it failed.
pub(crate) fn answer(socket: &Socket) -> io::Result<()> {
    let mut answer = [0u8; 4096];
    let len = io::Read::read(&mut &*socket, &mut answer)?;
    // nlmsghdr is 16 octets; nlmsgerr follows with the negative error number, 0 for success.
    let code = answer.get(16..20).filter(|_| len >= 20).and_then(|code| code.try_into().ok());
    match code.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(-code)),
        None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "short netlink answer")),
    }
}

/// A netlink message under construction.
pub(crate) struct Message(Vec<u8>);

impl Message {
    /// A request of this kind; whether it is acknowledged is up to `flags`.
    pub(crate) fn new(kind: u16, flags: u16) -> Self {
        let mut bytes = vec![0; 16];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(NLM_F_REQUEST | flags).to_ne_bytes());
        Self(bytes)
    }

    /// Appends octets.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Appends an attribute.
    pub(crate) fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.nest(kind, |inner| inner.put(value));
    }

    /// Appends an attribute that holds others.
    pub(crate) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.put(&[0; 4]);
        fill(self);
        let len = u16::try_from(self.0.len() - start).unwrap_or(u16::MAX);
        self.0[start..start + 2].copy_from_slice(&len.to_ne_bytes());
        self.0[start + 2..start + 4].copy_from_slice(&kind.to_ne_bytes());
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn put_end(&mut self, end: &End<'_>) {
        let mut name = end.name.as_bytes().to_vec();
        name.push(0);
        self.attribute(libc::IFLA_IFNAME, &name);
        self.attribute(libc::IFLA_ADDRESS, &end.mac);
        if let Some(namespace) = end.namespace {
            self.attribute(libc::IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes());
        }
    }

    /// The message as it is sent.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let len = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&len.to_ne_bytes());
        self.0
    }
}

/// A request to the route socket, to be acknowledged.
fn request(kind: u16, flags: u16) -> Message {
    Message::new(kind, NLM_F_ACK | flags)
}

/// `struct ifinfomsg`: the link's index, and the flags to set.
fn link_header(index: u32, flags: u32) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..16].copy_from_slice(&flags.to_ne_bytes());
    header
}

fn family(address: IpAddr) -> u8 {
    let family = match address {
        IpAddr::V4(_) => libc::AF_INET,
        IpAddr::V6(_) => libc::AF_INET6,
    };
    u8::try_from(family).unwrap_or(0)
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}
