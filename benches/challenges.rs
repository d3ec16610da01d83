//! What live challenges weigh in Redis, outbox included: all together as Redis's `used_memory` grows, and each kind of
//! key as `MEMORY USAGE` reckons it.
//!
//! `scripts/servers run cargo bench --bench challenges`

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use redis::{AsyncCommands, aio::MultiplexedConnection};
use ringback::{
    entropy::{Entropy, SystemEntropy},
    limits::Shadowed,
    otp::{
        ChallengeStore, CodeDigest, Course, Delivery, Issue, IssueOutcome, OtpRules, RedisChallenges, Slot,
        challenge_id,
    },
    phone::{Country, PhoneDigest},
    redis::{RedisLink, RedisOptions},
    sms::Language,
};

const CHALLENGES: usize = 10_000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let Ok(url) = std::env::var("RINGBACK_TEST_REDIS_URL") else {
        eprintln!("set RINGBACK_TEST_REDIS_URL, or run: scripts/servers run cargo bench --bench challenges");
        std::process::exit(2)
    };
    let client = redis::Client::open(url.as_str()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let store = store(url);
    issue(&store).await; // makes the tables, loads the script
    let _: () = redis::cmd("FLUSHDB").query_async(&mut connection).await.unwrap();
    issue(&store).await;
    let before = used_memory(&mut connection).await;
    for _ in 0..CHALLENGES {
        issue(&store).await;
    }
    let each = (used_memory(&mut connection).await - before) / CHALLENGES as u64;
    println!("challenges: {CHALLENGES} live ones, each with its SMS in the outbox: {each} bytes each");
    let mut kinds = BTreeMap::new();
    let keys: Vec<String> = connection.keys("*").await.unwrap();
    for key in keys {
        let mut usage = redis::cmd("MEMORY");
        usage.arg("USAGE").arg(&key).arg("SAMPLES").arg(0);
        let bytes: u64 = usage.query_async(&mut connection).await.unwrap();
        let kind = key.split(':').nth(2).unwrap_or_default().to_owned();
        let (count, sum) = kinds.entry(kind).or_insert((0, 0));
        (*count, *sum) = (*count + 1, *sum + bytes);
    }
    for (kind, (count, sum)) in kinds {
        println!(
            "challenges: {count} keys of kind {kind}: {} bytes a challenge",
            sum / (CHALLENGES as u64 + 1)
        );
    }
}

fn store(url: String) -> RedisChallenges {
    let options = RedisOptions {
        url,
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
        failure_window: Duration::from_secs(3600),
        require_challenge_id: false,
    };
    let link = Arc::new(RedisLink::open(&options).unwrap());
    RedisChallenges::new(link, rules, Duration::from_secs(30), Arc::new(AtomicI64::new(0)))
}

/// A public challenge of a phone that one account claims.
async fn issue(store: &RedisChallenges) {
    let entropy: &dyn Entropy = &SystemEntropy;
    let phone = PhoneDigest::from_bytes(entropy.bytes());
    let user_id = entropy.uuid();
    let issue = Issue {
        phone,
        slot: Slot::Public,
        challenge_id: challenge_id(phone, entropy),
        digest: CodeDigest::unmatchable(entropy.bytes()),
        subject: Some(user_id),
        deliver: Some(Delivery {
            user_id,
            key_id: "4fQx81Zd",
            country: Country::UNKNOWN,
            language: &Language::default(),
            lease: Duration::from_secs(600),
        }),
        course: Course::default(),
        riders: &[],
        shadowed: &Shadowed::default(),
    };
    let issued = store.issue(&issue).await.unwrap();
    assert!(matches!(issued.outcome, IssueOutcome::Written { .. }));
}

async fn used_memory(connection: &mut MultiplexedConnection) -> u64 {
    let info: String = redis::cmd("INFO")
        .arg("memory")
        .query_async(connection)
        .await
        .unwrap();
    let line = info
        .lines()
        .find(|line| line.starts_with("used_memory:"))
        .unwrap();
    line.split(':').nth(1).unwrap().trim().parse().unwrap()
}
