//! How much runs side by side. A lab whose middlebox gets no processor is no lab.

use std::sync::{Condvar, Mutex};

/// Labs, or programs under test, at the same time: the machines that check changes have two processors.
const AT_ONCE: usize = 2;

static FREE: Mutex<usize> = Mutex::new(AT_ONCE);
static RETURNED: Condvar = Condvar::new();

/// The right to keep a processor busy.
#[derive(Debug)]
pub struct Permit(());

impl Permit {
    /// Waits for one.
    pub fn take() -> Self {
        let free = FREE.lock().expect("nobody panics while counting");
        let mut free = RETURNED.wait_while(free, |free| *free == 0).expect("nobody panics while counting");
        *free -= 1;
        Self(())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Ok(mut free) = FREE.lock() {
            *free += 1;
        }
        RETURNED.notify_one();
    }
}

/// Does `work` for every item, as many at once as there are permits, and gives what came out, in the order of the
/// items.
pub fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    in_parallel(AT_ONCE, items, work)
}

/// Does `work` for every item, `workers` at once, and gives what came out, in the order of the items.
pub fn in_parallel<T: Sync, R: Send>(workers: usize, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..workers.max(1) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    let result = work(item);
                    done.lock().expect("no worker panics while it holds the lock").push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no worker panics while it holds the lock");
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}
