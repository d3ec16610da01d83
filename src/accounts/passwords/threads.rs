//! Threads that hash and do nothing else: as many as may hash at once, and behind all other work of the machine.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use tokio::sync::{Semaphore, oneshot};

/// How far hashing stands back (Linux's nice value of these threads alone). A request that needs no hash is answered
/// in the middle of one, rather than after it; a machine with nothing else to do hashes as fast as ever.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

type Work = Box<dyn FnOnce() + Send>;

/// A fixed number of threads. They end when this is dropped.
#[derive(Debug)]
pub struct HashingThreads {
    free: Semaphore,
    work: SyncSender<Work>,
}

/// The work panicked.
#[derive(Debug)]
pub struct Panicked;

impl HashingThreads {
    /// Starts so many threads, one at least.
    ///
    /// # Errors
    /// When the system doesn't give them.
    pub fn start(count: usize) -> io::Result<Self> {
        let count = count.max(1);
        let (work, waiting) = sync_channel(count);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..count {
            let waiting = Arc::clone(&waiting);
            thread::Builder::new()
                .name("hash".to_owned())
                .spawn(move || work_off(&waiting))?;
        }
        Ok(Self {
            free: Semaphore::new(count),
            work,
        })
    }

    /// Waits for a thread, first come, first served. Dropped while it waits, it has cost nothing.
    pub async fn wait(&self) -> Thread<'_> {
        Thread {
            // The semaphore is never closed.
            _free: self.free.acquire().await.ok(),
            work: &self.work,
        }
    }
}

/// A thread that is free.
pub struct Thread<'a> {
    _free: Option<tokio::sync::SemaphorePermit<'a>>,
    work: &'a SyncSender<Work>,
}

impl Thread<'_> {
    /// Runs the work. Once begun it is finished, whether or not anybody waits for it.
    ///
    /// # Errors
    /// [`Panicked`]; the thread goes on.
    pub async fn run(self, work: impl FnOnce() + Send + 'static) -> Result<(), Panicked> {
        let (there, here) = oneshot::channel();
        let work = Box::new(move || {
            let outcome = catch_unwind(AssertUnwindSafe(work));
            let _ = there.send(outcome.map_err(|_| Panicked));
        });
        // There is room: a place for each thread, and this one is ours.
        self.work.try_send(work).map_err(|_| Panicked)?;
        here.await.unwrap_or(Err(Panicked))
    }
}

fn work_off(waiting: &Mutex<Receiver<Work>>) {
    step_back();
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(work) => work(),
            Err(_) => return,
        }
    }
}

/// Lets everything else run first. On Linux a nice value is the thread's own; elsewhere it would be the process's.
fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::warn!(%error, "password hashes have the priority of requests");
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    use std::{
        fs,
        sync::{Barrier, mpsc},
    };

    use super::*;

    /// The nice value of the thread that asks, as the kernel tells it (proc_pid_stat(5), field 19).
    #[cfg(target_os = "linux")]
    fn nice() -> i32 {
        let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.split(' ').nth(16).unwrap().parse().unwrap()
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn they_stand_back_and_nobody_else_does() {
        let before = nice();
        let threads = Arc::new(HashingThreads::start(2).unwrap());
        let (told, seen) = mpsc::channel();
        let both = Arc::new(Barrier::new(2));
        let work = || async {
            let (told, both) = (told.clone(), Arc::clone(&both));
            let work = move || {
                both.wait(); // one on each thread
                told.send(nice()).unwrap();
            };
            threads.wait().await.run(work).await.unwrap();
        };
        tokio::join!(work(), work());
        assert_eq!([seen.recv().unwrap(), seen.recv().unwrap()], [before + NICE; 2]);
        assert_eq!(nice(), before);
    }

    #[tokio::test]
    async fn a_panic_costs_no_thread() {
        let threads = HashingThreads::start(1).unwrap();
        let panics = || panic!("as the test wants it");
        assert!(threads.wait().await.run(panics).await.is_err());
        assert!(threads.wait().await.run(|| ()).await.is_ok());
    }
}
