//! Tests of `actor.rs`.

use std::{
    net::IpAddr,
    sync::{
        Barrier,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
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
    hasher.reserve(anybody()).unwrap()
}

/// Another network each time: none has its share of the queue.
fn anybody() -> ClientNetwork {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    IpAddr::from(NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes()).into()
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
    let mut actor = HasherActor::new(Argon2Pool::new(cost, 2, Arc::new(SystemEntropy)).unwrap(), 2).unwrap();
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
    let refused = hasher.reserve(anybody()).unwrap_err();
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
    assert!(hasher.reserve(anybody()).is_err());
    drop(held);
    assert!(hasher.reserve(anybody()).is_ok());
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
        assert!(hasher.reserve(anybody()).is_err());
    }
    // Its place is free while the thread is still occupied.
    let place = async {
        while hasher.reserve(anybody()).is_err() {
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

/// With hashes of another system in the database the queue has room for fewer logins, of the same work in all.
#[actix::test]
async fn the_queue_is_bounded_in_work_rather_than_in_passwords() {
    let (hasher, supervision) = start(1, 20);
    let today = HashCost::Argon2(Argon2Cost {
        memory_kib: 64,
        passes: 1,
        lanes: 1,
    });
    // A login that fails is this, and one of today: ten in all.
    let foreign = HashCost::Pbkdf2(9 * 64 * 10 / 3);
    assert_eq!(foreign.work(), 9 * today.work());
    hasher.expect(&[foreign]);
    let logins = [turn(&hasher), turn(&hasher)];
    assert_eq!(supervision.all()[0].depth(), 20);
    assert!(hasher.reserve(anybody()).is_err());
    // One place is left, which a new hash needs.
    let one = hasher.reserve_hash(anybody()).unwrap();
    assert!(hasher.reserve_hash(anybody()).is_err());
    drop(one);
    // Who turns out to hash alone gives the other places back.
    let [first, second] = logins;
    assert!(first.hash(password()).await.is_ok());
    drop(second);
    while supervision.all()[0].depth() > 0 {
        tokio::task::yield_now().await;
    }
    // One that is more than the whole queue still finds room where nobody else is.
    hasher.expect(&[HashCost::Pbkdf2(1_000_000)]);
    let all = turn(&hasher);
    assert!(hasher.reserve_hash(anybody()).is_err());
    drop(all);
    hasher.expect(&[]);
    let many: Vec<_> = (0..21).map(|_| turn(&hasher)).collect();
    assert!(hasher.reserve(anybody()).is_err());
    drop(many);
}
