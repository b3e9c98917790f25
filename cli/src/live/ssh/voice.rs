//! Listens to the standard error of `ssh` on a thread of its own.

use super::beat::Said;
use crate::output;
use std::io::{BufRead, BufReader, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Longest line that is read as one, in octets.
const LONGEST: u64 = 4_096;

#[derive(Debug, Default)]
struct Heard {
    said: Said,
    closed: bool,
}

#[derive(Debug, Default)]
struct Shared {
    heard: Mutex<Heard>,
    news: Condvar,
    loud: AtomicBool,
}

/// What is heard so far.
#[derive(Debug, Clone)]
pub(super) struct Voice(Arc<Shared>);

impl Voice {
    /// Listens to `source` until it ends. What is meant for people is kept, and passed on once that is
    /// [asked for](Self::speak_up), behind `named`.
    pub(super) fn listen(named: String, source: impl Read + Send + 'static) -> std::io::Result<Self> {
        let voice = Self(Arc::default());
        let listening = voice.clone();
        let thread = std::thread::Builder::new().name("ssh says".to_owned());
        thread.spawn(move || listening.hear(&named, BufReader::new(source)))?;
        Ok(voice)
    }

    /// From now on people hear what is meant for them.
    pub(super) fn speak_up(&self) {
        self.0.loud.store(true, Ordering::Relaxed);
    }

    /// What was said so far.
    pub(super) fn said(&self) -> Said {
        self.lock().said.clone()
    }

    /// Waits until what was said is `enough`, or nothing more can be; false if that takes longer than `limit`.
    pub(super) fn wait(&self, limit: Duration, enough: impl Fn(&Said) -> bool) -> bool {
        let until = Instant::now() + limit;
        let mut heard = self.lock();
        while !heard.closed && !enough(&heard.said) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            heard = self.0.news.wait_timeout(heard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn hear(&self, named: &str, mut source: impl BufRead) {
        let mut line = Vec::new();
        while matches!((&mut source).take(LONGEST).read_until(b'\n', &mut line), Ok(read) if read > 0) {
            let text = String::from_utf8_lossy(&line).into_owned();
            line.clear();
            let for_people = self.lock().said.line(&text).map(str::to_owned);
            self.0.news.notify_all();
            if let Some(words) = for_people.filter(|_| self.0.loud.load(Ordering::Relaxed)) {
                output::say(&format!("{named}: {words}"));
            }
        }
        self.lock().closed = true;
        self.0.news.notify_all();
    }

    /// Nothing panics while it holds the lock, so what is in it is whole.
    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.0.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
