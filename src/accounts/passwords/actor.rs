//! The `PasswordHasher` actor: the one place where passwords are hashed, so that hashing can't take the machine.
//!
//! It holds no state that a restart could lose. Why an actor: it is the queue before a bounded number of threads, with
//! the vital signs (depth, restarts) that every other queue of the service shows too.

use std::{io, sync::Arc, time::Duration};

use actix::{Actor, AsyncContext, Context, Handler, Message, ResponseFuture, Supervised};
use tokio::{sync::oneshot, time::Instant};

use super::{
    Argon2Cost, Argon2Pool, HashCost, Password, PasswordHash, Verdict,
    dearest::Dearest,
    shares::{Share, Shares},
    threads::HashingThreads,
};
use crate::{
    limits::ClientNetwork,
    supervision::{Mailbox, Slot, Supervision},
    unavailable::{Part, Unavailable},
};

/// After so long without a hash, the memory that is kept for the next one is freed: to map it anew costs a tenth of a
/// hash.
const IDLE: Duration = Duration::from_secs(5);

/// What hashing may take of the machine.
#[derive(Debug, Clone, Copy)]
pub struct HasherOptions {
    pub cost: Argon2Cost,
    /// Threads that hash, at least 1.
    pub threads: usize,
    /// Hashes of this cost that wait for a thread.
    pub queue: usize,
}

/// The way to the hasher. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PasswordHasher {
    mailbox: Mailbox<HasherActor>,
    dearest: Arc<Dearest>,
    shares: Arc<Shares>,
}

impl PasswordHasher {
    /// Starts the actor on this thread, and `threads` more that hash. At most `queue` hashes of today's cost wait for them,
    /// or fewer dearer ones.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub fn start(
        supervision: &Supervision,
        pool: Argon2Pool,
        threads: usize,
        queue: usize,
    ) -> io::Result<Self> {
        let dearest = pool.dearest();
        let actor = HasherActor::new(pool, threads)?;
        let places = threads.max(1) + queue;
        let mailbox = supervision.start("password_hasher", places, |_| actor);
        Ok(Self {
            mailbox,
            dearest,
            shares: Shares::of(places),
        })
    }

    /// Takes note of which hashes the database holds beside those of today: what a login costs that fails, for everybody.
    pub fn expect(&self, held: &[HashCost]) {
        self.dearest.set(held);
        metrics::gauge!("ringback_password_hasher_login_weight").set(self.dearest.weight() as f64);
    }

    /// Takes places in the queue: as many as a login costs hashes of today, where it fails. So the queue is bounded in work,
    /// whatever hashes there are. Whoever will need a hash does it before anything else: a request that finds the queue full
    /// has asked no limit of the cluster and no database.
    ///
    /// # Errors
    /// [`Unavailable`] at once when the queue is full, or the client's network holds its share of it.
    pub fn reserve(&self, client: ClientNetwork) -> Result<Turn, Unavailable> {
        self.places(client, self.dearest.weight())
    }

    /// Takes the one place that a new hash needs.
    ///
    /// # Errors
    /// As for [`PasswordHasher::reserve`].
    pub fn reserve_hash(&self, client: ClientNetwork) -> Result<Turn, Unavailable> {
        self.places(client, 1)
    }

    fn places(&self, client: ClientNetwork, places: usize) -> Result<Turn, Unavailable> {
        let taken = self.shares.take(client, places).and_then(|share| {
            let slot = self.mailbox.reserve_many(places).ok()?;
            Some(Places { slot, share })
        });
        let places = taken.ok_or_else(|| {
            metrics::counter!("ringback_password_hasher_refused_total").increment(1);
            Unavailable::full(Part::PasswordHasher)
        })?;
        Ok(Turn {
            hasher: self.mailbox.clone(),
            places,
        })
    }
}

/// Places among the hashes that wait or run: good for one of them, and free again when it is dropped.
#[derive(Debug)]
pub struct Turn {
    hasher: Mailbox<HasherActor>,
    places: Places,
}

#[derive(Debug)]
struct Places {
    slot: Slot,
    share: Share,
}

impl Places {
    fn keep(&mut self, places: usize) {
        self.slot.keep(places);
        self.share.keep(places);
    }
}

impl Turn {
    /// Hashes a password under a fresh salt.
    ///
    /// # Errors
    /// [`Unavailable`] when the hashing failed.
    pub async fn hash(mut self, password: Password) -> Result<PasswordHash, Unavailable> {
        self.places.keep(1);
        self.run("hash", move |pool| pool.hash(&password))
            .await?
            .ok_or_else(failed)
    }

    /// Compares a password with the stored hash; with none it takes the same time and answers no.
    ///
    /// # Errors
    /// As for [`Turn::hash`].
    pub async fn verify(
        self,
        password: Password,
        stored: Option<PasswordHash>,
    ) -> Result<Verdict, Unavailable> {
        self.run("verify", move |pool| pool.verify(&password, stored.as_ref()))
            .await
    }

    /// A caller that goes away before its turn has come leaves its place, and costs no hash.
    async fn run<T: Send + 'static>(
        self,
        operation: &'static str,
        work: impl FnOnce(&Argon2Pool) -> T + Send + 'static,
    ) -> Result<T, Unavailable> {
        let (there, here) = oneshot::channel();
        let (caller, _stays) = oneshot::channel();
        self.hasher.tell(Job {
            operation,
            asked: Instant::now(),
            caller,
            // A panic drops this end of the answer, which tells the caller.
            work: Box::new(move |pool| drop(there.send(work(pool)))),
            places: self.places,
        });
        here.await.map_err(|_| failed())
    }
}

fn failed() -> Unavailable {
    Unavailable::new(Part::PasswordHasher, "hashing failed")
}

#[derive(Debug)]
struct HasherActor {
    pool: Arc<Argon2Pool>,
    threads: Arc<HashingThreads>,
    /// Jobs that were taken since the last look.
    jobs: u64,
    /// Whether there will be a next look.
    watched: bool,
}

impl Actor for HasherActor {
    type Context = Context<Self>;

    /// Called at each restart, too, which has cancelled the next look.
    fn started(&mut self, context: &mut Self::Context) {
        self.watch(context);
    }
}

impl HasherActor {
    fn new(pool: Argon2Pool, threads: usize) -> io::Result<Self> {
        Ok(Self {
            pool: Arc::new(pool),
            threads: Arc::new(HashingThreads::start(threads)?),
            jobs: 0,
            watched: false,
        })
    }

    fn watch(&mut self, context: &mut Context<Self>) {
        self.watched = true;
        context.run_later(IDLE, |this, context| {
            this.watched = false;
            if this.is_in_use() {
                this.watch(context);
            }
        });
    }

    /// Whether there was a job since the last look. If there was none, memory is let go.
    fn is_in_use(&mut self) -> bool {
        let in_use = std::mem::take(&mut self.jobs) > 0;
        if !in_use {
            self.pool.let_go();
        }
        in_use
    }
}

impl Supervised for HasherActor {}

/// One piece of work. Its places stay taken until it is done, or its caller has left before it began.
#[derive(Message)]
#[rtype(result = "()")]
struct Job {
    operation: &'static str,
    asked: Instant,
    /// Closed once the caller has left.
    caller: oneshot::Sender<()>,
    work: Box<dyn FnOnce(&Argon2Pool) + Send>,
    places: Places,
}

impl Handler<Job> for HasherActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, job: Job, context: &mut Context<Self>) -> Self::Result {
        self.jobs += 1;
        if !self.watched {
            self.watch(context);
        }
        let (pool, threads) = (Arc::clone(&self.pool), Arc::clone(&self.threads));
        Box::pin(async move {
            let Job {
                operation,
                asked,
                mut caller,
                work,
                places,
            } = job;
            let thread = tokio::select! {
                biased;
                () = caller.closed() => return,
                thread = threads.wait() => thread,
            };
            metrics::histogram!("ringback_password_hasher_wait_seconds", "operation" => operation)
                .record(asked.elapsed());
            if thread.run(move || work(&pool)).await.is_err() {
                tracing::error!(operation, "a password hash panicked");
            }
            drop(places);
        })
    }
}

#[cfg(test)]
#[path = "actor_tests.rs"]
mod tests;
