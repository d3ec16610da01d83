//! An actor that restarts without end takes the service out of the load balancer's hands, until it has calmed down.

use std::{sync::Arc, time::Duration};

use actix::{Actor, Context, Handler, Supervised};
use async_trait::async_trait;
use chrono::TimeDelta;
use ringback::{
    challenges::{MemoryChallenges, OtpRules},
    clock::{Clock, ShiftedClock, SystemClock},
    database::{Database, PoolOptions, SqliteLink},
    delivery::{
        ChannelProvider, Countries, DeliveryQueue, DispatcherOptions, DispatcherParts, Message, Messages,
        OutboxEntry, Recipient, Route,
    },
    entropy::SystemEntropy,
    inbox::DevInbox,
    limits::MemoryCounters,
    readiness::Readiness,
    supervision::Supervision,
    unavailable::Unavailable,
};

struct Faulty;

impl Actor for Faulty {
    type Context = Context<Self>;
}

impl Supervised for Faulty {}

#[derive(actix::Message)]
#[rtype(result = "()")]
struct Fail;

impl Handler<Fail> for Faulty {
    type Result = ();

    fn handle(&mut self, _: Fail, _: &mut Self::Context) {
        panic!("as the test wants it");
    }
}

/// Nobody's codes.
struct NoCodes;

#[async_trait]
impl Messages for NoCodes {
    async fn recipient(&self, _: &OutboxEntry) -> Result<Option<Recipient>, Unavailable> {
        Ok(None)
    }

    fn compose(&self, _: &OutboxEntry, _: &Recipient, _: Duration) -> Message {
        unreachable!("nobody gets a message")
    }
}

/// Everything on embedded parts.
async fn readiness(folder: &std::path::Path, supervision: &Supervision) -> Readiness {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let url = format!("sqlite://{}", folder.join("users.db").display()).into();
    let options = PoolOptions {
        max_connections: 2,
        timeout: Duration::from_secs(2),
    };
    let database = SqliteLink::open(&url, options).unwrap();
    database.migrate().await.unwrap();
    let rules = OtpRules {
        ttl: Duration::from_secs(600),
        max_attempts: 3,
        length: 6,
        resend_cooldown: Duration::from_secs(60),
        max_failures: 10,
        max_failures_in_day: 20,
        failure_window: Duration::from_secs(3600),
        require_challenge_id: false,
    };
    let lease = Duration::from_secs(30);
    let counters = Arc::new(MemoryCounters::new(Arc::clone(&clock), 10));
    let challenges = Arc::new(MemoryChallenges::new(counters, rules, lease, Arc::clone(&clock)));
    let queue = DeliveryQueue::start(
        supervision,
        DispatcherOptions {
            queue: 10,
            in_flight: 1,
            lease,
            max_tries: 5,
            retry_for: Duration::from_secs(60),
            probe_after: Duration::from_secs(5),
            probe_every: Duration::from_secs(60),
            ttl: Duration::from_secs(600),
        },
        DispatcherParts {
            routes: vec![Route {
                provider: ChannelProvider::Sms(Arc::new(DevInbox::new(10, Arc::clone(&clock)))),
                countries: Countries::All,
                max_per_second: 0,
            }],
            outbox: Arc::clone(&challenges) as _,
            messages: Arc::new(NoCodes),
            reports: Arc::new(()),
            clock,
            entropy: Arc::new(SystemEntropy),
        },
    );
    Readiness {
        database: Arc::new(database),
        months_ahead: Default::default(),
        challenges,
        queue,
        watcher: Arc::default(),
        limiter: None,
        wants_rules: false,
        supervision: supervision.clone(),
        draining: Arc::default(),
        last: Arc::default(),
    }
}

async fn becomes(readiness: &Readiness, status: &str) {
    for _ in 0..100 {
        if readiness.report().await.status == status {
            return;
        }
        actix::clock::sleep(Duration::from_millis(10)).await;
    }
    panic!("not {status}: {:?}", readiness.report().await);
}

#[actix::test]
async fn a_storm_of_restarts_fails_readiness_until_it_is_over() {
    let folder = std::env::temp_dir().join(format!("ringback-readiness-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let clock = ShiftedClock::new(Arc::new(SystemClock));
    let supervision = Supervision::new(Arc::new(clock.clone()));
    let readiness = readiness(&folder, &supervision).await;
    let faulty = supervision.start("faulty", 10, |_| Faulty);
    assert!(faulty.ask(Fail).await.is_err());
    let report = readiness.report().await;
    assert_eq!(
        (report.status, report.down.as_slice()),
        ("ready", [].as_slice()),
        "one is no storm"
    );
    for _ in 0..7 {
        assert!(faulty.ask(Fail).await.is_err());
    }
    // A report may be a quarter of a second old.
    becomes(&readiness, "not_ready").await;
    assert_eq!(readiness.report().await.down, ["actor:faulty"]);
    clock.advance(TimeDelta::seconds(11));
    becomes(&readiness, "ready").await;
    readiness.database.close().await;
    std::fs::remove_dir_all(folder).unwrap();
}
