//! A single-threaded executor without a clock: it runs what is ready and returns.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

/// What a task is.
type Job = Pin<Box<dyn Future<Output = ()>>>;

/// Says that a task is ready. Wakers must be `Send`, hence the atomic, although there is one thread.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Entry {
    job: Job,
    flag: Arc<Flag>,
}

/// Every task that has not ended.
#[derive(Default)]
pub(crate) struct Tasks {
    entries: Vec<Entry>,
}

impl Tasks {
    /// Take a task; it is ready.
    pub(crate) fn add(&mut self, job: Job) {
        self.entries.push(Entry { job, flag: Arc::new(Flag(AtomicBool::new(true))) });
    }

    /// How many have not ended.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Take out one that is ready. It is not here while it runs, so that it may add others.
    fn take_ready(&mut self) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.flag.0.load(Ordering::Relaxed))?;
        let entry = self.entries.remove(at);
        entry.flag.0.store(false, Ordering::Relaxed);
        Some(entry)
    }
}

/// Run one ready task; false if there is none. `with` gives access to the table for a moment at a time.
pub(crate) fn run_one(with: impl Fn(&mut dyn FnMut(&mut Tasks))) -> bool {
    let mut taken = None;
    with(&mut |tasks| taken = tasks.take_ready());
    let Some(mut entry) = taken else { return false };
    let waker = Waker::from(entry.flag.clone());
    if entry.job.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        let mut back = Some(entry);
        with(&mut |tasks| tasks.entries.extend(back.take()));
    }
    true
}
