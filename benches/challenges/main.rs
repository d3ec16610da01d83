//! What live challenges cost Redis: memory, as `used_memory` grows by them and split by kind of key as `MEMORY USAGE`
//! estimates it; and CPU, with the calls that a script makes.
//!
//! `scripts/servers run cargo bench --bench challenges`; with `-- shipped` what the scripts cost by the shipped rules alone, a
//! minute. What Redis takes doesn't depend on how this program is built: `cargo bench --profile dev` needs no release build.
//! `cargo bench --profile dev --bench challenges -- instructions` counts the same in instructions, by valgrind and a Redis of its own.

mod instructions;
mod shipped;

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use instructions::CountedRedis;
use redis::{AsyncCommands, aio::MultiplexedConnection};
use ringback::{
    challenges::{
        Attempt, ChallengeStore, CodeDigest, Issue, IssueOutcome, IssuedMessage, OtpRules, Place, Purpose,
        RedisChallenges, Slot, Whose, challenge_id,
    },
    clock::{Clock, SystemClock},
    delivery::{CodeSeed, Outbox, OutboxEntry},
    entropy::{Entropy, SystemEntropy},
    language::Language,
    limits::{RedisCounters, Shadowed},
    partition::PARTITIONS,
    phone::{Country, PhoneDigest},
    provider::DeliveryStatus,
    redis::{RedisLink, RedisOptions, RedisSecurity},
    secrets::Keyring,
};

const CHALLENGES: usize = 10_000;
const CALLS: usize = 100_000;
/// Requests in flight.
const ABREAST: usize = 64;
const CODE: [u8; 16] = [1; 16];

fn main() {
    actix::System::new().block_on(run());
}

async fn run() {
    let wants = |part: &str| std::env::args().any(|argument| argument == part);
    if wants("instructions") {
        let counted = CountedRedis::start();
        let client = redis::Client::open(counted.url.as_str()).unwrap();
        let mut redis = client.get_multiplexed_async_connection().await.unwrap();
        let (link, bench) = Bench::new(counted.url.clone());
        let counters = Arc::new(RedisCounters::new(link));
        shipped::measure(&bench, &mut redis, counters, Some(&counted)).await;
        return;
    }
    let Ok(url) = std::env::var("RINGBACK_TEST_REDIS_URL") else {
        eprintln!("set RINGBACK_TEST_REDIS_URL, or run: scripts/servers run cargo bench --bench challenges");
        std::process::exit(2)
    };
    let client = redis::Client::open(url.as_str()).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let (link, bench) = Bench::new(url);
    if !wants("shipped") {
        bench.run(&mut redis).await;
    }
    shipped::measure(&bench, &mut redis, Arc::new(RedisCounters::new(link)), None).await;
    flush(&mut redis).await;
}

/// How a challenge stands when it is weighed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pending,
    Delivered,
    Users,
    Decoy,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Pending => "public, its message pending",
            Self::Delivered => "public, its message delivered",
            Self::Users => "a user's, its message pending, the phone in its cooldown",
            Self::Decoy => "a decoy",
        }
    }
}

struct Bench {
    store: RedisChallenges,
    keyring: Keyring,
    language: Language,
}

impl Bench {
    async fn run(&self, redis: &mut MultiplexedConnection) {
        for kind in [Kind::Pending, Kind::Delivered, Kind::Users, Kind::Decoy] {
            self.memory(redis, kind).await;
        }
        for _ in 0..2 {
            self.cpu(redis).await;
        }
    }

    fn new(url: String) -> (Arc<RedisLink>, Self) {
        let options = RedisOptions {
            url,
            security: RedisSecurity::default(),
            prefix: "ringback".to_owned(),
            lanes: 1,
            timeout: Duration::from_secs(5),
        };
        let rules = OtpRules {
            ttl: Duration::from_secs(600),
            max_attempts: 3,
            length: 6,
            resend_cooldown: Duration::from_secs(600), // or it would be gone before all are there
            max_failures: 10,
            max_failures_in_day: 20,
            failure_window: Duration::from_secs(3600),
            require_challenge_id: false,
        };
        let link = Arc::new(RedisLink::open(&options).unwrap());
        let offset = Arc::new(AtomicI64::new(0));
        let bench = Self {
            store: RedisChallenges::new(Arc::clone(&link), rules, Duration::from_secs(30), offset),
            keyring: Keyring::parse("AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=").unwrap(),
            language: Language::default(),
        };
        (link, bench)
    }

    async fn memory(&self, redis: &mut MultiplexedConnection, kind: Kind) {
        self.weighed(random_phone(), kind).await; // makes the tables, loads the scripts
        flush(redis).await;
        self.weighed(random_phone(), kind).await;
        let before = used_memory(redis).await;
        for _ in 0..CHALLENGES {
            self.weighed(random_phone(), kind).await;
        }
        let each = (used_memory(redis).await - before) / CHALLENGES as u64;
        println!("challenges: {}: {each} bytes each", kind.name());
        let mut kinds = BTreeMap::new();
        let keys: Vec<Vec<u8>> = redis.keys("*").await.unwrap();
        for key in keys {
            let mut usage = redis::cmd("MEMORY");
            usage.arg("USAGE").arg(&key).arg("SAMPLES").arg(0);
            let bytes: u64 = usage.query_async(redis).await.unwrap();
            let kind = String::from_utf8_lossy(&key)
                .split(':')
                .nth(2)
                .unwrap_or_default()[..1]
                .to_owned();
            let (count, sum) = kinds.entry(kind).or_insert((0, 0));
            (*count, *sum) = (*count + 1, *sum + bytes);
        }
        for (kind, (count, sum)) in kinds {
            let each = sum / (CHALLENGES as u64 + 1);
            println!("challenges:   {count} keys of kind {kind}: {each} bytes a challenge");
        }
    }

    /// A challenge as it is to be weighed.
    async fn weighed(&self, phone: PhoneDigest, kind: Kind) {
        let whose = match kind {
            Kind::Users => Whose::User(entropy().uuid()),
            _ => Whose::Public,
        };
        let entry = self.issue(phone, whose, kind != Kind::Decoy).await;
        if kind == Kind::Delivered {
            let entry = entry.unwrap();
            self.store.acknowledge(&entry).await.unwrap();
            for status in [DeliveryStatus::Sent, DeliveryStatus::Delivered] {
                let noted = self
                    .store
                    .note_status(entry.address, entry.challenge_id, status, "twilio");
                assert!(noted.await.unwrap());
            }
        }
    }

    /// A challenge of a phone that one account claims.
    async fn issue(&self, phone: PhoneDigest, whose: Whose, has_message: bool) -> Option<OutboxEntry> {
        let user_id = match whose {
            Whose::User(id) => id,
            Whose::Public | Whose::Candidate(_) | Whose::Known(_) => entropy().uuid(),
        };
        let slot = slot(phone, whose);
        let issue = Issue {
            place: Place {
                slot,
                challenge_id: challenge_id(
                    self.keyring.current(),
                    slot.address(),
                    SystemClock.now(),
                    entropy(),
                ),
                digest: CodeDigest::unmatchable(entropy().bytes()),
            },
            others: &[],
            subject: Some(user_id),
            message: has_message.then_some(IssuedMessage {
                user_id: Some(user_id),
                seed: CodeSeed::from_bytes(entropy().bytes()),
                country: Country::UNKNOWN,
                language: &self.language,
                sealed: None,
                has_worked: false,
                lease: Duration::from_secs(600),
            }),
            attached: &[],
            shadowed: &Shadowed::default(),
        };
        match self.store.issue(&issue).await.unwrap().outcome {
            IssueOutcome::Written { entry, .. } => entry,
            outcome => panic!("{outcome:?}"),
        }
    }

    async fn judge_wrong(&self, phone: PhoneDigest) {
        let attempt = Attempt {
            slots: &[slot(phone, Whose::Public)],
            claimants_at: None,
            challenge_id: None,
            digest: CodeDigest::unmatchable(CODE),
            attached: &[],
            refund: None,
        };
        self.store.judge(&attempt).await.unwrap();
    }

    async fn cpu(&self, redis: &mut MultiplexedConnection) {
        flush(redis).await;
        let sweeps = async {
            for _ in 0..CALLS / usize::from(PARTITIONS) {
                self.store.take_over(1000).await.unwrap();
            }
        };
        spent(redis, "partitions swept for nothing", CALLS, sweeps).await;
        let phones: Vec<_> = (0..CALLS).map(|_| random_phone()).collect();
        let phones = || stream::iter(phones.iter().copied());
        let issued = phones().for_each_concurrent(ABREAST, async |phone| {
            let entry = self.issue(phone, Whose::Public, true).await.unwrap();
            self.store.acknowledge(&entry).await.unwrap();
        });
        spent(redis, "codes issued, their messages acknowledged", CALLS, issued).await;
        let judged = phones().for_each_concurrent(ABREAST, async |phone| self.judge_wrong(phone).await);
        spent(redis, "wrong codes judged", CALLS, judged).await;
    }
}

fn entropy() -> &'static dyn Entropy {
    &SystemEntropy
}

fn slot(phone: PhoneDigest, whose: Whose) -> Slot {
    Slot {
        purpose: Purpose::VerifyPhone,
        destination: phone.into(),
        whose,
    }
}

fn random_phone() -> PhoneDigest {
    PhoneDigest::from_bytes(entropy().bytes())
}

async fn flush(redis: &mut MultiplexedConnection) {
    redis::cmd("FLUSHDB").query_async(redis).await.unwrap()
}

/// Says what Redis spends on so many calls of a kind, as it measures itself.
async fn spent(redis: &mut MultiplexedConnection, what: &str, calls: usize, work: impl Future<Output = ()>) {
    let _: () = redis::cmd("CONFIG")
        .arg("RESETSTAT")
        .query_async(redis)
        .await
        .unwrap();
    let before = cpu_seconds(redis).await;
    work.await;
    let all = (cpu_seconds(redis).await - before) * 1e6 / calls as f64;
    let stats = info(redis, "commandstats").await;
    let (mut script, mut inner) = (0.0, 0.0);
    for line in stats.lines().filter_map(|line| line.strip_prefix("cmdstat_")) {
        let (name, fields) = line.split_once(':').unwrap();
        let field = |wanted: &str| {
            let mut fields = fields.split(',').filter_map(|field| field.split_once('='));
            let (_, value) = fields.find(|(name, _)| *name == wanted).unwrap();
            value.parse::<f64>().unwrap()
        };
        match name {
            "evalsha" => script = field("usec_per_call"),
            "info" | "config|resetstat" => {}
            _ => inner += field("calls") / calls as f64,
        }
    }
    println!(
        "challenges: {calls} {what}: {all:.1} µs of Redis's CPU each; {script:.1} µs in the script, which makes {inner:.1} calls"
    );
}

async fn cpu_seconds(redis: &mut MultiplexedConnection) -> f64 {
    let info = info(redis, "cpu").await;
    let field = |name: &str| number::<f64>(&info, name);
    field("used_cpu_user:") + field("used_cpu_sys:")
}

async fn used_memory(redis: &mut MultiplexedConnection) -> u64 {
    number(&info(redis, "memory").await, "used_memory:")
}

async fn info(redis: &mut MultiplexedConnection, section: &str) -> String {
    redis::cmd("INFO").arg(section).query_async(redis).await.unwrap()
}

fn number<T: std::str::FromStr>(info: &str, name: &str) -> T {
    let value = info.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    value.trim().parse().unwrap_or_else(|_| panic!("{name}{value}"))
}
