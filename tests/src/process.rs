//! A child process with all that it says and takes.
#![expect(
    unsafe_code,
    reason = "the standard library neither tells a child's peak memory nor interrupts one"
)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A process that has ended.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Absent if a signal ended it.
    pub status: Option<i32>,
    /// All of its standard output.
    pub stdout: Vec<u8>,
    /// All of its standard error.
    pub stderr: String,
    /// Largest resident memory in octets. Not below that of this process when it started the other: the kernel
    /// counts the moments before `exec` too.
    pub peak_bytes: u64,
    /// From its start to its end.
    pub took: Duration,
    /// Processor time, its own and the kernel's for it.
    pub worked: Duration,
    /// It was killed because it did not end in time.
    pub was_killed: bool,
}

/// A process that runs. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    pid: libc::pid_t,
    started: Instant,
    ended: Receiver<Ended>,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<String>>,
    said: Receiver<String>,
    reaped: bool,
}

impl Running {
    /// Starts it; what it writes is read at once.
    pub fn start(command: &mut Command) -> Self {
        Self::start_into(command, Stdio::piped())
    }

    /// Starts it with its standard output elsewhere.
    #[expect(clippy::zombie_processes, reason = "a thread of its own waits for it, by wait4")]
    pub fn start_into(command: &mut Command, stdout: Stdio) -> Self {
        let started = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let (out, err) = (child.stdout.take(), child.stderr.take().expect("piped"));
        let (say, said) = channel();
        let stdout = std::thread::spawn(move || {
            let mut all = Vec::new();
            if let Some(mut out) = out {
                out.read_to_end(&mut all).expect("read a pipe");
            }
            all
        });
        let stderr = std::thread::spawn(move || {
            let (mut all, mut line, mut err) = (String::new(), Vec::new(), BufReader::new(err));
            while err.read_until(b'\n', &mut line).expect("read a pipe") > 0 {
                let text = String::from_utf8_lossy(&line).into_owned();
                line.clear();
                all.push_str(&text);
                // Mostly nobody listens.
                let _ = say.send(text);
            }
            all
        });
        let pid = libc::pid_t::try_from(child.id()).expect("a process id");
        let (end, ended) = channel();
        std::thread::spawn(move || {
            let _ = end.send(wait(&child));
        });
        Self { pid, started, ended, stdout: Some(stdout), stderr: Some(stderr), said, reaped: false }
    }

    /// Waits until it has said a line on standard error that begins with `start`; false if it ended before.
    pub fn until_it_says(&self, start: &str, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            match self.said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line.starts_with(start) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }

    /// Waits until a line on standard error has `part` in it; gives the line, or nothing if it ended before.
    pub fn until_a_line_has(&self, part: &str, limit: Duration) -> Option<String> {
        let deadline = Instant::now() + limit;
        loop {
            let line = self.said.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()?;
            if line.contains(part) {
                return Some(line);
            }
        }
    }

    /// As Ctrl-C does.
    pub fn interrupt(&self) {
        self.signal(libc::SIGINT);
    }

    /// As service managers do.
    pub fn terminate(&self) {
        self.signal(libc::SIGTERM);
    }

    /// Without a word of warning.
    pub fn kill(self) -> Ran {
        self.signal(libc::SIGKILL);
        self.finish(Duration::from_secs(10))
    }

    /// Waits for its end and kills it when it takes longer than `limit` from now.
    pub fn finish(mut self, limit: Duration) -> Ran {
        let ended = self.ended.recv_timeout(limit);
        let was_killed = ended.is_err();
        let Ended { status, peak_bytes, worked } = ended.unwrap_or_else(|_| {
            self.signal(libc::SIGKILL);
            self.ended.recv().expect("a killed process ends")
        });
        self.reaped = true;
        let took = self.started.elapsed();
        let stdout = self.stdout.take().map(JoinHandle::join).expect("once").expect("no panic");
        let stderr = self.stderr.take().map(JoinHandle::join).expect("once").expect("no panic");
        Ran { status, stdout, stderr, peak_bytes, took, worked, was_killed }
    }

    fn signal(&self, signal: i32) {
        // SAFETY: plain numbers; the process is not reaped yet, so the number is still its own.
        unsafe { libc::kill(self.pid, signal) };
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.reaped && self.ended.try_recv().is_err() {
            self.signal(libc::SIGKILL);
            let _ = self.ended.recv();
        }
    }
}

/// What the kernel tells of a process that has ended.
#[derive(Debug, Clone, Copy)]
struct Ended {
    status: Option<i32>,
    peak_bytes: u64,
    worked: Duration,
}

fn wait(child: &Child) -> Ended {
    let pid = libc::pid_t::try_from(child.id()).expect("a process id");
    let mut status = 0;
    // SAFETY: all fields of `rusage` are numbers, for which zeros are valid.
    let mut usage: libc::rusage = unsafe { core::mem::zeroed() };
    // SAFETY: both pointers are to live values of the right types.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    assert_eq!(waited, pid, "wait for a child: {}", std::io::Error::last_os_error());
    let span = |time: libc::timeval| {
        let (seconds, micros) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_usec));
        Duration::from_secs(seconds.unwrap_or(0)) + Duration::from_micros(micros.unwrap_or(0))
    };
    Ended {
        status: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        peak_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
        worked: span(usage.ru_utime) + span(usage.ru_stime),
    }
}

impl Ran {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}
