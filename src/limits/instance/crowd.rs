//! Questions for shards that live on other threads: those that one thread has for a shard at a time travel together.
//!
//! To wake another thread takes a system call. Were each question a message, each answer would wake the thread that waits for it once
//! more, and what asked would go on one by one as well, with a query of its own to each store.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use super::{
    actor::{DecideAll, Moved},
    place::{Places, unavailable},
    shard::Request,
};
use crate::{
    lane::lane_of_this_thread,
    unavailable::{Part, Unavailable},
};

/// A question, and who waits for its answer.
type Waiting = (Request, oneshot::Sender<Result<Request, Unavailable>>);

/// What waits to be sent.
pub struct Crowds {
    places: Arc<Places>,
    /// By thread, and by shard. Where threads share one, whichever was first sends for both.
    waiting: Vec<Vec<Mutex<Vec<Waiting>>>>,
}

impl Crowds {
    /// As many threads have shards as there are.
    pub fn new(places: &Arc<Places>) -> Self {
        let of_thread = |_| (0..places.len()).map(|_| Mutex::default()).collect();
        Self {
            places: Arc::clone(places),
            waiting: (0..places.len()).map(of_thread).collect(),
        }
    }

    /// Asks a shard, together with whatever else this thread asks it before it looks for more work. Runs inside a Tokio runtime.
    ///
    /// # Errors
    /// [`Unavailable`] when too many wait at the shard, or it failed over this crowd.
    pub async fn ask(self: &Arc<Self>, at: usize, request: Request) -> Result<Request, Unavailable> {
        let answer = self.join(at, request).await;
        answer.unwrap_or_else(|_| Err(Unavailable::new(Part::RateLimiter, "its runtime ended")))
    }

    fn join(
        self: &Arc<Self>,
        at: usize,
        request: Request,
    ) -> oneshot::Receiver<Result<Request, Unavailable>> {
        let thread = lane_of_this_thread() % self.waiting.len();
        let (there, here) = oneshot::channel();
        let mut waiting = self.waiting(thread, at);
        if waiting.is_empty() {
            let unsent = Unsent {
                crowds: Arc::clone(self),
                thread,
                at,
                is_taken: false,
            };
            tokio::spawn(unsent.send());
        }
        waiting.push((request, there));
        here
    }

    fn waiting(&self, thread: usize, at: usize) -> MutexGuard<'_, Vec<Waiting>> {
        let waiting = &self.waiting[thread][at];
        waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A crowd that is to be sent. Dropped before (its runtime ends), whoever waits hears that there will be no answer, and whoever asks next
/// begins a crowd of their own.
struct Unsent {
    crowds: Arc<Crowds>,
    thread: usize,
    at: usize,
    is_taken: bool,
}

impl Unsent {
    fn take(&mut self) -> Vec<Waiting> {
        self.is_taken = true;
        mem::take(&mut *self.crowds.waiting(self.thread, self.at))
    }

    /// Sends it, and tells each their answer.
    async fn send(mut self) {
        let (mut requests, waiting): (Vec<_>, Vec<_>) = self.take().into_iter().unzip();
        let decided = loop {
            let asked =
                (self.crowds.places.of(self.at).mailbox()).ask_as_many(DecideAll(requests), waiting.len());
            match asked.await {
                Ok(Ok(decided)) => break Ok(decided),
                Ok(Err(Moved(back))) => requests = back,
                Err(error) => break Err(error),
            }
        };
        match decided {
            Ok(decided) => {
                for (request, waiting) in decided.into_iter().zip(waiting) {
                    let _ = waiting.send(Ok(request));
                }
            }
            Err(error) => {
                for waiting in waiting {
                    let _ = waiting.send(Err(unavailable(error)));
                }
            }
        }
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        if !self.is_taken {
            drop(self.take());
        }
    }
}
