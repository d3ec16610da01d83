//! The `PasswordHasher` actor: the one place where passwords are hashed, so that hashing can't take the machine.
//!
//! It holds no state that a restart could lose. Why an actor: it is the queue before a bounded number of threads, with
//! the vital signs (depth, restarts) that every other queue of the service shows too.

use std::{io, sync::Arc, time::Duration};

use actix::{Actor, AsyncContext, Context, Handler, Message, ResponseFuture, Supervised};
use tokio::{sync::oneshot, time::Instant};

use super::{Argon2Cost, Argon2Pool, Password, PasswordHash, Verdict, threads::HashingThreads};
use crate::{
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
    /// Hashes that wait for a thread.
    pub queue: usize,
}

/// The way to the hasher. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PasswordHasher(Mailbox<HasherActor>);

impl PasswordHasher {
    /// Starts the actor on this thread, and `threads` more that hash. At most `queue` hashes wait for them.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub fn start(
        supervision: &Supervision,
        pool: Argon2Pool,
        threads: usize,
        queue: usize,
    ) -> io::Result<Self> {
        let actor = HasherActor::new(pool, threads)?;
        Ok(Self(supervision.start(
            "password_hasher",
            threads.max(1) + queue,
            |_| actor,
        )))
    }

    /// Takes a place in the queue. Whoever will need a hash does it before anything else: a request that finds the
    /// queue full has asked no limit and no database.
    ///
    /// # Errors
    /// [`Unavailable`] at once when the queue is full.
    pub fn reserve(&self) -> Result<Turn, Unavailable> {
        let slot = self.0.reserve().map_err(|_| {
            metrics::counter!("ringback_password_hasher_refused_total").increment(1);
            Unavailable::full(Part::PasswordHasher)
        })?;
        Ok(Turn {
            hasher: self.0.clone(),
            slot,
        })
    }
}

/// A place among the hashes that wait or run: good for one of them, and free again when it is dropped.
#[derive(Debug)]
pub struct Turn {
    hasher: Mailbox<HasherActor>,
    slot: Slot,
}

impl Turn {
    /// Hashes a password under a fresh salt.
    ///
    /// # Errors
    /// [`Unavailable`] when the hashing failed.
    pub async fn hash(self, password: Password) -> Result<PasswordHash, Unavailable> {
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
            slot: self.slot,
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

/// One piece of work. Its slot stays taken until it is done, or its caller has left before it began.
#[derive(Message)]
#[rtype(result = "()")]
struct Job {
    operation: &'static str,
    asked: Instant,
    /// Closed once the caller has left.
    caller: oneshot::Sender<()>,
    work: Box<dyn FnOnce(&Argon2Pool) + Send>,
    slot: Slot,
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
                slot,
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
            drop(slot);
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    };

    use futures_util::{FutureExt, future::join_all};
    use tokio::sync::Semaphore;

    use super::*;
    use crate::{accounts::Argon2Cost, entropy::SystemEntropy};

    fn start(threads: usize, queue: usize) -> (PasswordHasher, Supervision) {
        let cost = Argon2Cost {
            memory_kib: 64,
            passes: 1,
            lanes: 1,
        };
        let pool = Argon2Pool::new(cost, threads, Arc::new(SystemEntropy)).unwrap();
        let supervision = Supervision::default();
        (
            PasswordHasher::start(&supervision, pool, threads, queue).unwrap(),
            supervision,
        )
    }

    fn turn(hasher: &PasswordHasher) -> Turn {
        hasher.reserve().unwrap()
    }

    fn password() -> Password {
        Password::presented("geheim78")
    }

    /// Occupies every thread until the answer is dropped.
    async fn occupy(hasher: &PasswordHasher, threads: usize) -> Arc<Barrier> {
        let leave = Arc::new(Barrier::new(threads + 1));
        let entered = Arc::new(Semaphore::new(0));
        for _ in 0..threads {
            let (hasher, leave, entered) = (hasher.clone(), Arc::clone(&leave), Arc::clone(&entered));
            actix::spawn(async move {
                let work = move |_: &Argon2Pool| {
                    entered.add_permits(1);
                    leave.wait();
                };
                turn(&hasher).run("test", work).await
            });
        }
        entered
            .acquire_many(u32::try_from(threads).unwrap())
            .await
            .unwrap()
            .forget();
        leave
    }

    #[actix::test]
    async fn passwords_are_hashed_and_compared() {
        let (hasher, _) = start(2, 8);
        let hash = turn(&hasher).hash(password()).await.unwrap();
        let right = turn(&hasher)
            .verify(password(), Some(hash.clone()))
            .await
            .unwrap();
        assert!(right.matches);
        let wrong = Password::presented("wrong");
        assert!(!turn(&hasher).verify(wrong, Some(hash)).await.unwrap().matches);
        assert!(!turn(&hasher).verify(password(), None).await.unwrap().matches);
    }

    #[test]
    fn memory_is_kept_between_hashes_and_let_go_when_there_are_none() {
        let cost = Argon2Cost {
            memory_kib: 64,
            passes: 1,
            lanes: 1,
        };
        let mut actor =
            HasherActor::new(Argon2Pool::new(cost, 2, Arc::new(SystemEntropy)).unwrap(), 2).unwrap();
        assert_eq!(actor.pool.kept(), 0);
        actor.pool.hash(&password()).unwrap();
        actor.jobs = 1;
        assert!(actor.is_in_use());
        assert_eq!(actor.pool.kept(), 1);
        assert!(!actor.is_in_use());
        assert_eq!(actor.pool.kept(), 0);
    }

    #[actix::test]
    async fn no_more_run_at_once_than_there_are_threads() {
        let (hasher, _) = start(3, 100);
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let trio = Arc::new(Barrier::new(3)); // that three do run at once: none goes on alone
        let jobs = (0..60).map(|_| {
            let (running, most, trio) = (Arc::clone(&running), Arc::clone(&most), Arc::clone(&trio));
            turn(&hasher).run("test", move |_| {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                trio.wait();
                running.fetch_sub(1, Ordering::SeqCst);
            })
        });
        for done in join_all(jobs).await {
            done.unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 3);
    }

    #[actix::test]
    async fn a_full_queue_refuses_at_once_and_is_free_again_afterwards() {
        let (hasher, supervision) = start(2, 3);
        let leave = occupy(&hasher, 2).await;
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(turn(&hasher).hash(password()))).collect();
        for job in &mut waiting {
            assert!(job.as_mut().now_or_never().is_none());
        }
        let refused = hasher.reserve().unwrap_err();
        assert_eq!(refused.part, Part::PasswordHasher);
        assert_eq!(supervision.all()[0].depth(), 5);
        leave.wait();
        for hash in join_all(waiting).await {
            hash.unwrap();
        }
        assert!(turn(&hasher).verify(password(), None).await.is_ok());
    }

    #[actix::test]
    async fn a_place_that_is_not_used_is_free_again() {
        let (hasher, _) = start(1, 1);
        let held = [turn(&hasher), turn(&hasher)];
        assert!(hasher.reserve().is_err());
        drop(held);
        assert!(hasher.reserve().is_ok());
    }

    #[actix::test]
    async fn a_caller_that_left_gives_up_its_place_and_costs_no_hash() {
        let (hasher, supervision) = start(1, 1);
        let leave = occupy(&hasher, 1).await;
        let hashed = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&hashed);
        {
            let work = move |_: &Argon2Pool| counted.fetch_add(1, Ordering::SeqCst);
            let mut abandoned = Box::pin(turn(&hasher).run("test", work));
            assert!(abandoned.as_mut().now_or_never().is_none());
            assert!(hasher.reserve().is_err());
        }
        // Its place is free while the thread is still occupied.
        let place = async {
            while hasher.reserve().is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), place)
            .await
            .unwrap();
        leave.wait();
        let idle = async {
            while supervision.all()[0].depth() > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), idle).await.unwrap();
        assert_eq!(hashed.load(Ordering::SeqCst), 0);
    }

    #[actix::test]
    async fn a_panic_fails_its_own_caller_alone() {
        let (hasher, supervision) = start(1, 8);
        let panics = turn(&hasher).run("test", |_| -> () { panic!("as the test wants it") });
        let (panicked, hashed) = tokio::join!(panics, turn(&hasher).hash(password()));
        assert_eq!(panicked.unwrap_err().part, Part::PasswordHasher);
        assert!(hashed.is_ok());
        assert_eq!(supervision.all()[0].restarts(), 0);
        assert!(turn(&hasher).verify(password(), None).await.is_ok());
    }
}
