//! Walking a script at one end of a connection.

use super::flow::{Side, Step};
use crate::rng::Rng;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// Octets written or read at once.
const CHUNK: usize = 64 * 1024;

/// A script being walked by one side.
#[derive(Debug)]
pub(super) struct Walk {
    side: Side,
    stream: Arc<TcpStream>,
    payload: Arc<[u8]>,
    pub(super) sent: u64,
    pub(super) received: u64,
}

impl Walk {
    /// A walk whose payload follows from `seed`.
    pub(super) fn new(side: Side, stream: Arc<TcpStream>, io_timeout_ms: u64, seed: u64) -> io::Result<Self> {
        let timeout = Some(Duration::from_millis(io_timeout_ms.max(1)));
        stream.set_read_timeout(timeout)?;
        stream.set_write_timeout(timeout)?;
        stream.set_nodelay(true)?;
        let mut rng = Rng::new(seed, side as u64);
        let payload = (0..CHUNK / 8).flat_map(|_| rng.next_u64().to_ne_bytes()).collect();
        Ok(Self { side, stream, payload, sent: 0, received: 0 })
    }

    /// Walks all steps, then closes in order.
    pub(super) fn walk(&mut self, script: &[Step]) -> io::Result<()> {
        for step in script {
            match *step {
                Step::Send(side, octets) if side == self.side => self.send(octets, None)?,
                Step::SendPaced(side, octets, rate) if side == self.side => self.send(octets, Some(rate))?,
                Step::Send(_, octets) | Step::SendPaced(_, octets, _) => self.read(octets)?,
                Step::Exchange(client, server) => match self.side {
                    Side::Client => self.exchange(client, server)?,
                    Side::Server => self.exchange(server, client)?,
                },
                Step::Wait(side, ms) if side == self.side => std::thread::sleep(Duration::from_millis(ms)),
                Step::Wait(..) => {}
                Step::ShutDown(side) if side == self.side => self.shut_down()?,
                Step::ShutDown(_) => self.read_to_end()?,
                Step::ShutDownBoth => {
                    self.shut_down()?;
                    self.read_to_end()?;
                }
                Step::Reset(side) if side == self.side => {
                    // Closing with no time to linger sends a reset.
                    return socket2::SockRef::from(&*self.stream).set_linger(Some(Duration::ZERO));
                }
                Step::Reset(_) => return self.read_to_end(),
            }
        }
        match self.side {
            Side::Client => {
                self.shut_down()?;
                self.read_to_end()
            }
            Side::Server => self.read_to_end(),
        }
    }

    /// Closes the own direction. That the connection is over already is no error.
    fn shut_down(&self) -> io::Result<()> {
        match self.stream.shutdown(Shutdown::Write) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn send(&mut self, octets: usize, octets_per_ms: Option<usize>) -> io::Result<()> {
        let mut left = octets;
        while left > 0 {
            let most = octets_per_ms.map_or(CHUNK, |rate| rate.clamp(1, CHUNK));
            let chunk = left.min(most);
            (&*self.stream).write_all(&self.payload[..chunk])?;
            self.sent += count(chunk);
            left -= chunk;
            if octets_per_ms.is_some() {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }

    fn read(&mut self, octets: usize) -> io::Result<()> {
        let mut left = octets;
        let mut buffer = vec![0; CHUNK];
        while left > 0 {
            let room = left.min(CHUNK);
            let got = (&*self.stream).read(&mut buffer[..room])?;
            if got == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.received += count(got);
            left -= got;
        }
        Ok(())
    }

    fn read_to_end(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK];
        loop {
            match (&*self.stream).read(&mut buffer)? {
                0 => return Ok(()),
                got => self.received += count(got),
            }
        }
    }

    /// Sends and reads at the same time.
    fn exchange(&mut self, send: usize, read: usize) -> io::Result<()> {
        let (stream, payload) = (Arc::clone(&self.stream), Arc::clone(&self.payload));
        let mut sender = Self { stream, payload, ..*self };
        self.sent = std::thread::scope(|scope| {
            let writer = scope.spawn(move || sender.send(send, None).map(|()| sender.sent));
            let received = self.read(read);
            let written =
                writer.join().unwrap_or_else(|_| Err(io::Error::other("the sending thread panicked")));
            received.and(written)
        })?;
        Ok(())
    }
}

fn count(octets: usize) -> u64 {
    u64::try_from(octets).unwrap_or(u64::MAX)
}
