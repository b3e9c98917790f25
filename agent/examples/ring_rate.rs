//! How many packets a second a live capture takes: `ring_rate [PACKETS_PER_SECOND] [SECONDS] [FRAME_OCTETS]`.
//!
//! Makes two network namespaces with a veth cable between them, sends TCP-shaped frames at a steady rate into
//! one end through a packet socket, and captures at the other. Says what was sent, captured and dropped, and
//! how long the capturing thread was on a processor per packet, without and with dissection. Takes root,
//! `unshare` and `ip`. The sender shares the machine, so on few processors it is the limit.
#![expect(unsafe_code, reason = "frames are sent through a raw packet socket, many with one call")]

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
mod linux {
    use correlate_agent::capture::live::{Live, LiveOptions};
    use correlate_agent::capture::{FrameSource, Next};
    use correlate_agent::dissect::{Dissected, dissect};
    use correlate_agent::filter::Filter;
    use correlate_agent::host::Namespace;
    use std::error::Error;
    use std::io::{self, BufRead, BufReader, Write};
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    /// Frames that one call sends.
    const BATCH: usize = 32;

    pub(crate) fn main() -> Result<(), Box<dyn Error>> {
        let mut words = std::env::args().skip(1).map(|word| word.parse::<u32>());
        let rate = words.next().unwrap_or(Ok(300_000))?;
        let seconds = words.next().unwrap_or(Ok(3))?;
        let frame_len = words.next().unwrap_or(Ok(96))?;
        let mut out = io::stdout().lock();
        for with_dissection in [false, true] {
            let hosts = [Host::new()?, Host::new()?];
            cable(&hosts[0], &hosts[1])?;
            let mut live = Live::open(&LiveOptions {
                namespace: Some(hosts[1].path().into()),
                interfaces: vec!["r0".to_owned()],
                filter: Filter::parse("port 5432")?,
                ..LiveOptions::default()
            })?;
            let namespace = Namespace::named(hosts[0].path().as_ref());
            let socket = namespace.run(|| packet_socket("x0"))??;
            let blast = std::thread::spawn(move || send(&socket, frame_len as usize, rate, seconds));
            let (segments, spent) = receive(&mut live, with_dissection, &blast)?;
            let blasted = blast.join().map_err(|_| "the sender panicked")??;
            let stats = live.stats();
            let took_ms = blasted.took.as_millis().max(1);
            let per_second = u128::from(blasted.frames) * 1000 / took_ms;
            let what = if with_dissection { "read and dissected" } else { "read" };
            writeln!(
                out,
                "{} sent in {took_ms} ms ({per_second}/s, {frame_len} octets), {} captured, {} dropped, {segments} dissected",
                blasted.frames, stats.frames, stats.dropped_by_kernel
            )?;
            writeln!(out, "  {} ns of processor per packet {what}", spent / u128::from(stats.frames.max(1)))?;
        }
        Ok(())
    }

    fn receive(
        live: &mut Live,
        with_dissection: bool,
        blast: &std::thread::JoinHandle<io::Result<Sent>>,
    ) -> Result<(u64, u128), Box<dyn Error>> {
        let begin = spent_ns()?;
        let mut segments = 0;
        let mut stopped = false;
        loop {
            match live.next()? {
                Next::Frame(frame) if with_dissection => {
                    segments +=
                        u64::from(matches!(std::hint::black_box(dissect(&frame)), Dissected::Record(_)));
                }
                Next::Frame(frame) => {
                    std::hint::black_box(frame.bytes.first());
                }
                Next::Idle if blast.is_finished() && !stopped => {
                    live.stop()?;
                    stopped = true;
                }
                Next::Idle => {}
                Next::End => return Ok((segments, spent_ns()? - begin)),
            }
        }
    }

    /// Nanoseconds that this thread has been on a processor.
    fn spent_ns() -> Result<u128, Box<dyn Error>> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
        Ok(text.split(' ').next().ok_or("an empty schedstat")?.parse()?)
    }

    /// A network namespace that lives as long as a child process in it.
    struct Host(Child);

    impl Host {
        fn new() -> Result<Self, Box<dyn Error>> {
            let mut child = Command::new("unshare")
                .args(["-n", "sh", "-c", "echo ready && exec sleep 600"])
                .stdout(Stdio::piped())
                .spawn()?;
            let mut line = String::new();
            BufReader::new(child.stdout.take().ok_or("no pipe")?).read_line(&mut line)?;
            if line == "ready\n" {
                Ok(Self(child))
            } else {
                Err("unshare made no namespace; run as root".into())
            }
        }

        fn path(&self) -> String {
            format!("/proc/{}/ns/net", self.0.id())
        }

        fn ip(&self, words: &str) -> Result<(), Box<dyn Error>> {
            let namespace = Namespace::named(self.path().as_ref());
            let status = namespace.run(|| Command::new("ip").args(words.split(' ')).status())??;
            if status.success() { Ok(()) } else { Err(format!("ip {words} failed").into()) }
        }
    }

    impl Drop for Host {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn cable(sender: &Host, receiver: &Host) -> Result<(), Box<dyn Error>> {
        sender.ip(&format!("link add x0 type veth peer name r0 netns {}", receiver.0.id()))?;
        receiver.ip("link set r0 up")?;
        sender.ip("link set x0 up")
    }

    fn packet_socket(interface: &str) -> io::Result<OwnedFd> {
        // SAFETY: no memory is passed; the descriptor is new and owned by nobody else.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: as above.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        let name = std::ffi::CString::new(interface)?;
        // SAFETY: an address of zeros is valid, the name is a C string, and the address lives through the call.
        let status = unsafe {
            let mut address: libc::sockaddr_ll = std::mem::zeroed();
            address.sll_family = u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?;
            address.sll_ifindex = libc::if_nametoindex(name.as_ptr()).cast_signed();
            let len = u32::try_from(size_of_val(&address)).map_err(io::Error::other)?;
            libc::bind(fd, (&raw const address).cast(), len)
        };
        if status < 0 { Err(io::Error::last_os_error()) } else { Ok(socket) }
    }

    struct Sent {
        frames: u64,
        took: Duration,
    }

    /// Sends frames at the rate: after every batch it waits until the clock has caught up.
    fn send(socket: &OwnedFd, frame_len: usize, rate: u32, seconds: u32) -> io::Result<Sent> {
        let mut frame = tcp_frame(frame_len);
        let mut parts: Vec<libc::iovec> = Vec::new();
        for _ in 0..BATCH {
            parts.push(libc::iovec { iov_base: frame.as_mut_ptr().cast(), iov_len: frame.len() });
        }
        let mut messages: Vec<libc::mmsghdr> = Vec::new();
        for part in &mut parts {
            // SAFETY: a message header of zeros is valid; it then points to one part.
            let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
            (message.msg_hdr.msg_iov, message.msg_hdr.msg_iovlen) = (part, 1);
            messages.push(message);
        }
        let total = u64::from(rate) * u64::from(seconds);
        let began = Instant::now();
        let mut frames = 0u64;
        while frames < total {
            // SAFETY: the headers, their parts and the frame live through the call.
            let sent = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    messages.as_mut_ptr(),
                    u32::try_from(BATCH).unwrap_or(1),
                    0,
                )
            };
            if sent < 0 {
                let error = io::Error::last_os_error();
                if error.raw_os_error() != Some(libc::ENOBUFS) {
                    return Err(error);
                }
            }
            frames += u64::try_from(sent).unwrap_or(0);
            let due = Duration::from_nanos(frames * 1_000_000_000 / u64::from(rate.max(1)));
            while let Some(early) = due.checked_sub(began.elapsed()).filter(|early| !early.is_zero()) {
                if early > Duration::from_micros(200) {
                    std::thread::sleep(early / 2);
                } else {
                    std::hint::spin_loop();
                }
            }
        }
        Ok(Sent { frames, took: began.elapsed() })
    }

    /// Ethernet, IPv4, TCP to port 5432, zeros behind.
    fn tcp_frame(len: usize) -> Vec<u8> {
        let mut frame = vec![0xff; 6];
        frame.extend([2, 0, 0, 0, 0, 1, 8, 0]);
        let ip_len = u16::try_from(len.saturating_sub(14)).unwrap_or(u16::MAX).to_be_bytes();
        frame.extend([0x45, 0, ip_len[0], ip_len[1], 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend([0x9c, 0x40, 0x15, 0x38, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 1, 0, 0, 0, 0, 0]);
        frame.resize(len.max(54), 0);
        frame
    }
}
