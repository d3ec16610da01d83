//! What is answered while PostgreSQL is down, and how soon it is over. A small proxy stands between, that a test cuts
//! or freezes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ringback::{
    accounts::{Claimant, Login},
    database::PoolOptions,
    email::EmailAddress,
    unavailable::{Part, Unavailable},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::{RwLock, watch},
};
use url::Url;

use crate::{
    harness::{Store, at, phone, phone_verified, register, session_ended, with_postgres_url},
    sessions::rotation,
};

const TIMEOUT: Duration = Duration::from_millis(800);
const CONNECTIONS: usize = 4;
const PHONE: &str = "+14152000001";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    /// Connections are accepted and nothing passes, as when the server hangs or its machine vanished.
    Frozen,
    /// Connections are ended, as when the server was stopped.
    Cut,
    /// New connections are ended, those that stand go on: what a pooler does at its limit.
    Full,
}

/// A proxy before the database, and a store that goes through it.
struct Behind {
    way: watch::Sender<Way>,
    /// Whoever lets bytes pass holds it for reading.
    passing: Arc<RwLock<()>>,
    store: Store,
}

impl Behind {
    async fn proxy(url: &str) -> Self {
        let mut url = Url::parse(url).unwrap();
        let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let (way, watched) = watch::channel(Way::Open);
        let passing = Arc::default();
        let passes = Arc::clone(&passing);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, server.clone(), watched.clone(), Arc::clone(&passes)));
            }
        });
        let options = PoolOptions {
            max_connections: CONNECTIONS as u32,
            timeout: TIMEOUT,
        };
        let store = Store::open(url.as_str(), options).unwrap();
        Self { way, passing, store }
    }

    /// Blocks the way; nothing passes any more when this returns.
    async fn block(&self, way: Way) {
        self.way.send_replace(way);
        drop(self.passing.write().await);
    }

    fn open(&self) {
        self.way.send_replace(Way::Open);
    }

    /// Uses every connection that the store may have.
    async fn warm_up(&self) {
        for _ in 0..100 {
            if self.store.database.pool_status().size == CONNECTIONS {
                return;
            }
            let calls = (0..40).map(|n| call(&self.store, n));
            for answered in futures_util::future::join_all(calls).await {
                answered.unwrap();
            }
        }
        panic!("{:?}", self.store.database.pool_status());
    }

    /// Each call, many of each at once, answers that the database is down, and in time.
    async fn every_call_is_unavailable(&self) {
        let mut calls = Vec::new();
        for n in 0..40 {
            let store = self.store.clone();
            calls.push(tokio::spawn(async move {
                let began = Instant::now();
                (n, call(&store, n).await, began.elapsed())
            }));
        }
        for call in calls {
            let (n, outcome, took) = call.await.unwrap();
            let failure = outcome.expect_err("nothing can be answered");
            assert_eq!(failure.part, Part::Database);
            assert!(took < TIMEOUT * 4, "call {n} took {took:?}");
            let said = failure.to_string();
            assert!(!said.contains(PHONE) && !said.contains("jane"), "{said}");
        }
    }

    async fn is_back_within(&self, limit: Duration) {
        let began = Instant::now();
        while self.store.database.ping().await.is_err() {
            assert!(began.elapsed() < limit, "not back after {limit:?}");
        }
        for n in 0..40 {
            if let Err(failure) = call(&self.store, n).await {
                assert!(began.elapsed() < limit, "{failure}");
            }
        }
        for n in 0..40 {
            call(&self.store, n).await.expect("back for good");
        }
    }
}

async fn pass(
    mut client: TcpStream,
    server: String,
    mut way: watch::Receiver<Way>,
    passing: Arc<RwLock<()>>,
) {
    let blocked = |way: &Way| !matches!(way, Way::Open | Way::Full);
    let passes = passing.read().await;
    let met = *way.borrow();
    if met == Way::Full {
        return;
    }
    if met == Way::Open {
        let mut server = TcpStream::connect(server).await.unwrap();
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut server) => return,
            _ = way.wait_for(blocked) => {}
        }
    }
    drop(passes);
    // Frozen: the client's socket stays open and silent, until the way is cut or for ever.
    let _ = way.wait_for(|way| *way == Way::Cut).await;
}

/// One of each call.
async fn call(store: &Store, n: usize) -> Result<(), Unavailable> {
    let nobody = uuid::Uuid::nil();
    match n % 8 {
        0 => store.sessions.view(nobody).await.map(drop),
        1 => store.proofs.claims(&phone(PHONE), at(100)).await.map(drop),
        2 => {
            let login = Login::Email(EmailAddress::parse("jane@example.com").unwrap());
            store.passwords.credentials(&login).await.map(drop)
        }
        3 => store
            .proofs
            .verify_phone(&phone("+14152000009"), &Claimant::Anyone, phone_verified(1))
            .await
            .map(drop),
        4 => store.sessions.rotate(rotation(nobody, 0, 1)).await.map(drop),
        5 => store.sessions.revoke(nobody, session_ended(1)).await,
        6 => store.proofs.phone_of(nobody).await.map(drop),
        _ => store.database.ping().await,
    }
}

#[test]
fn a_server_that_hangs_is_unavailable_in_time_and_forgotten_when_it_is_back() {
    with_postgres_url(|url| async move {
        let behind = Behind::proxy(&url).await;
        behind.store.database.migrate().await.unwrap();
        register(&behind.store, "jane@example.com", PHONE).await;
        behind.warm_up().await;
        behind.block(Way::Frozen).await;
        behind.every_call_is_unavailable().await;
        // The frozen connections stay so for ever: nothing but giving them up helps.
        behind.open();
        behind.is_back_within(Duration::from_secs(5)).await;
    });
}

#[test]
fn a_server_that_went_away_is_unavailable_and_forgotten_when_it_is_back() {
    with_postgres_url(|url| async move {
        let behind = Behind::proxy(&url).await;
        behind.store.database.migrate().await.unwrap();
        behind.warm_up().await;
        behind.block(Way::Cut).await;
        behind.every_call_is_unavailable().await;
        behind.open();
        behind.is_back_within(Duration::from_secs(5)).await;
    });
}

#[test]
fn a_server_that_is_away_at_the_start_is_found_when_it_comes() {
    with_postgres_url(|url| async move {
        let behind = Behind::proxy(&url).await;
        behind.block(Way::Cut).await;
        behind.every_call_is_unavailable().await;
        assert!(behind.store.database.migrate().await.is_err());
        behind.open();
        behind.store.database.migrate().await.unwrap();
        behind.is_back_within(Duration::from_secs(5)).await;
    });
}

/// What could not be connected says nothing of what is: nobody else loses a connection by it, and needs another.
#[test]
fn a_connection_that_was_refused_breaks_none_that_stands() {
    with_postgres_url(|url| async move {
        // A lane of lookups and the pool, and the other way round.
        for (stands, is_new) in [(0, 6), (6, 0)] {
            let behind = Behind::proxy(&url).await;
            behind.store.database.migrate().await.unwrap();
            call(&behind.store, stands).await.unwrap();
            behind.way.send_replace(Way::Full);
            for _ in 0..5 {
                let failure = call(&behind.store, is_new).await.expect_err("it has none yet");
                assert_eq!(failure.part, Part::Database);
                call(&behind.store, stands).await.expect("it has one");
            }
            behind.open();
            behind.is_back_within(Duration::from_secs(5)).await;
        }
    });
}

/// A caller that goes away in the middle of a call takes no connection with it.
#[test]
fn callers_that_left_give_their_connections_back() {
    with_postgres_url(|url| async move {
        let behind = Behind::proxy(&url).await;
        behind.store.database.migrate().await.unwrap();
        for n in 0..400 {
            let in_a_moment = Duration::from_micros(50 * (n as u64 % 20));
            let _ = tokio::time::timeout(in_a_moment, call(&behind.store, n)).await;
        }
        behind.is_back_within(Duration::from_secs(5)).await;
        assert!(behind.store.database.pool_status().size <= CONNECTIONS);
    });
}
