//! Queries that travel together: what arrives on a thread while its query is in flight goes in the next, all in one.
//!
//! Ringback's own coalescer does this too, and more: bounds, failures, callers that left. This is the least of it.

use std::{cell::RefCell, collections::HashMap, hash::Hash, mem, rc::Rc};

use futures_util::future::LocalBoxFuture;
use tokio::sync::oneshot;

type Query<K, V> = dyn Fn(Vec<K>) -> LocalBoxFuture<'static, Vec<(K, V)>>;

/// One thread's queue for one query.
pub struct Together<K, V>(Rc<Shared<K, V>>);

struct Shared<K, V> {
    query: Box<Query<K, V>>,
    lane: RefCell<Lane<K, V>>,
}

struct Lane<K, V> {
    waiting: Vec<(K, oneshot::Sender<V>)>,
    running: bool,
}

impl<K: Clone + Eq + Hash + 'static, V: Clone + 'static> Together<K, V> {
    pub fn new(query: impl Fn(Vec<K>) -> LocalBoxFuture<'static, Vec<(K, V)>> + 'static) -> Self {
        Self(Rc::new(Shared {
            query: Box::new(query),
            lane: RefCell::new(Lane {
                waiting: Vec::new(),
                running: false,
            }),
        }))
    }

    /// The row for `key`, if there is one.
    pub async fn get(&self, key: K) -> Option<V> {
        let here = self.enqueue(key);
        here.await.ok()
    }

    fn enqueue(&self, key: K) -> oneshot::Receiver<V> {
        let (there, here) = oneshot::channel();
        let mut lane = self.0.lane.borrow_mut();
        lane.waiting.push((key, there));
        if !mem::replace(&mut lane.running, true) {
            actix_web::rt::spawn(Rc::clone(&self.0).drain());
        }
        here
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Shared<K, V> {
    async fn drain(self: Rc<Self>) {
        loop {
            let batch = mem::take(&mut self.lane.borrow_mut().waiting);
            if batch.is_empty() {
                self.lane.borrow_mut().running = false;
                return;
            }
            let keys = batch.iter().map(|(key, _)| key.clone()).collect();
            let rows: HashMap<K, V> = (self.query)(keys).await.into_iter().collect();
            for (key, caller) in batch {
                if let Some(row) = rows.get(&key) {
                    let _ = caller.send(row.clone());
                }
            }
        }
    }
}
