use std::{sync::Weak, time::Duration};

use futures_util::future::join_all;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

use super::*;

const FAILS: u32 = 100_001;
const PANICS: u32 = 100_002;

/// A table of squares that answers when it is let to, and remembers what it was asked.
#[derive(Clone)]
struct Squares {
    let_go: Arc<Semaphore>,
    asked: Arc<AsyncMutex<Vec<Vec<u32>>>>,
}

impl Squares {
    fn new() -> Self {
        Self {
            let_go: Arc::new(Semaphore::new(0)),
            asked: Arc::default(),
        }
    }

    fn coalescer(&self, batch: usize, queue: usize) -> Coalescer<u32, u64> {
        let squares = self.clone();
        let bounds = Bounds {
            lanes: 1,
            batch,
            queue,
        };
        Coalescer::new("squares", Part::Database, bounds, move |keys| {
            squares.clone().query(keys)
        })
    }

    /// [`FAILS`] fails, [`PANICS`] panics, numbers over 1 million aren't there.
    async fn query(self, mut keys: Vec<u32>) -> Result<Vec<(u32, u64)>, Unavailable> {
        keys.sort_unstable();
        self.asked.lock().await.push(keys.clone());
        self.let_go.acquire().await.unwrap().forget();
        if keys.contains(&FAILS) {
            return Err(Unavailable::timed_out(Part::Database));
        }
        assert!(!keys.contains(&PANICS), "as the test wants it");
        let found = keys.into_iter().filter(|&key| key <= 1_000_000);
        Ok(found.map(|key| (key, u64::from(key).pow(2))).collect())
    }

    /// Waits until so many queries have begun.
    async fn begun(&self, queries: usize) {
        let begun = async {
            while self.asked.lock().await.len() < queries {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), begun)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn lookups_that_arrive_during_a_query_travel_in_the_next() {
    let squares = Squares::new();
    let coalescer = squares.coalescer(512, 1_000);
    let mut first = Box::pin(coalescer.get(7));
    assert!(first.as_mut().now_or_never().is_none());
    squares.begun(1).await;
    let mut rest: Vec<_> = (0..200).map(|n| Box::pin(coalescer.get(n % 100))).collect();
    for lookup in &mut rest {
        assert!(lookup.as_mut().now_or_never().is_none());
    }
    squares.let_go.add_permits(2);
    assert_eq!(first.await.unwrap(), Some(49));
    for (n, found) in (0_u64..).zip(join_all(rest).await) {
        assert_eq!(found.unwrap(), Some((n % 100).pow(2)));
    }
    let asked = squares.asked.lock().await;
    assert_eq!(
        *asked,
        [vec![7], (0..100).collect()],
        "7 again: the answer under way was too old"
    );
}

#[tokio::test]
async fn what_is_not_there_is_none_and_a_lone_lookup_waits_for_nothing() {
    let squares = Squares::new();
    squares.let_go.add_permits(2);
    let coalescer = squares.coalescer(512, 10);
    assert_eq!(coalescer.get(1_000_001).await.unwrap(), None);
    assert_eq!(coalescer.get(3).await.unwrap(), Some(9));
    assert_eq!(squares.asked.lock().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_callers_at_once_get_their_own_answers_with_few_queries() {
    let squares = Squares::new();
    let coalescer = Arc::new(squares.coalescer(512, 10_000));
    let mut first = Box::pin(coalescer.get(0));
    assert!(first.as_mut().now_or_never().is_none());
    let callers = (1..=4_000_u32).map(|n| {
        let coalescer = Arc::clone(&coalescer);
        tokio::spawn(async move { (n, coalescer.get(n).await) })
    });
    let callers: Vec<_> = callers.collect();
    squares.begun(1).await;
    squares.let_go.add_permits(Semaphore::MAX_PERMITS / 2);
    for caller in callers {
        let (n, found) = caller.await.unwrap();
        assert_eq!(found.unwrap(), Some(u64::from(n).pow(2)));
    }
    first.await.unwrap();
    let queries = squares.asked.lock().await.len();
    assert!(queries < 400, "{queries}");
}

#[tokio::test]
async fn a_batch_has_its_bound_and_the_rest_follows() {
    let squares = Squares::new();
    let coalescer = squares.coalescer(3, 100);
    squares.let_go.add_permits(100);
    let found = join_all((0..10).map(|n| coalescer.get(n))).await;
    assert!(found.into_iter().all(|found| found.unwrap().is_some()));
    let sizes: Vec<_> = squares.asked.lock().await.iter().map(Vec::len).collect();
    assert_eq!(sizes, [3, 3, 3, 1]);
}

#[tokio::test]
async fn a_failed_query_fails_its_batch_alone() {
    for poison in [FAILS, PANICS] {
        let squares = Squares::new();
        squares.let_go.add_permits(100);
        let coalescer = squares.coalescer(2, 100);
        let found = join_all([1, 2, poison, 4, 5, 6].map(|n| coalescer.get(n))).await;
        let failed: Vec<_> = found.iter().map(Result::is_err).collect();
        assert_eq!(failed, [false, false, true, true, false, false], "{poison}");
        assert_eq!(coalescer.get(7).await.unwrap(), Some(49));
    }
}

#[tokio::test]
async fn callers_that_left_cost_nothing() {
    let squares = Squares::new();
    let coalescer = squares.coalescer(512, 100);
    let mut first = Box::pin(coalescer.get(1));
    assert!(first.as_mut().now_or_never().is_none());
    squares.begun(1).await;
    for n in 2..50 {
        let mut leaves = Box::pin(coalescer.get(n));
        assert!(leaves.as_mut().now_or_never().is_none());
    }
    let mut stays = Box::pin(coalescer.get(50));
    assert!(stays.as_mut().now_or_never().is_none());
    drop(first);
    squares.let_go.add_permits(100);
    assert_eq!(stays.await.unwrap(), Some(2_500));
    assert_eq!(*squares.asked.lock().await, [[1], [50]]);
}

#[tokio::test]
async fn the_queue_has_its_bound_and_places_of_those_who_left_are_free() {
    let squares = Squares::new();
    let coalescer = squares.coalescer(512, 3);
    let mut first = Box::pin(coalescer.get(1));
    assert!(first.as_mut().now_or_never().is_none());
    squares.begun(1).await;
    let mut waiting: Vec<_> = (2..5).map(|n| Box::pin(coalescer.get(n))).collect();
    for lookup in &mut waiting {
        assert!(lookup.as_mut().now_or_never().is_none());
    }
    assert_eq!(coalescer.get(5).await.unwrap_err().part, Part::Database);
    drop(waiting.pop());
    let mut last = Box::pin(coalescer.get(5));
    assert!(last.as_mut().now_or_never().is_none());
    squares.let_go.add_permits(100);
    assert_eq!(last.await.unwrap(), Some(25));
}

#[tokio::test]
async fn dropping_it_leaves_nothing_behind() {
    let squares = Squares::new();
    let coalescer = squares.coalescer(512, 100);
    let mut lookup = Box::pin(coalescer.get(1));
    assert!(lookup.as_mut().now_or_never().is_none());
    squares.begun(1).await;
    drop(lookup);
    let shared: Weak<_> = Arc::downgrade(&coalescer.shared);
    drop(coalescer);
    squares.let_go.add_permits(1);
    let gone = async {
        while shared.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
}

#[test]
fn a_runtime_that_ends_fails_its_lookups_and_blocks_nobody_elses() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let squares = Squares::new();
    let coalescer = Arc::new(squares.coalescer(512, 100));
    let first = runtime();
    let mut lookup = Box::pin(coalescer.get(1));
    first.block_on(async {
        assert!(lookup.as_mut().now_or_never().is_none());
        squares.begun(1).await;
    });
    drop(first);
    let second = runtime();
    assert!(second.block_on(lookup).is_err());
    squares.let_go.add_permits(1);
    assert_eq!(second.block_on(coalescer.get(2)).unwrap(), Some(4));
}
