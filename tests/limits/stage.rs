//! What the tests of the limiter share.

use std::net::IpAddr;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use chrono::DateTime;
use ringback::{
    channel::Channel,
    clock::ManualClock,
    email::{EmailAddress, EmailDigest},
    limits::{
        Admission, ClusterCounters, Denied, Holders, KeyError, Limiter, LimiterOptions, MemoryCounters,
        Operation, RedisCounters, Refusal, RuleKey, RuleSet, Subject, keys_of,
    },
    phone::{PhoneCheck, PhoneNumber},
    secrets::{Keyring, SecretKeys},
    supervision::Supervision,
    unavailable::Part,
};

use super::redis_at;

pub const OPTIONS: LimiterOptions = LimiterOptions {
    max_keys: 1000,
    instances: 1,
    shards: 3,
};

pub fn limiter(options: LimiterOptions, rules: RuleSet, clock: &ManualClock) -> Limiter {
    let counters = Arc::new(MemoryCounters::new(Arc::new(clock.clone()), 1000));
    Limiter::start(
        &Supervision::default(),
        options,
        rules,
        counters,
        Arc::new(clock.clone()),
    )
}

pub fn clock() -> ManualClock {
    ManualClock::new(DateTime::from_timestamp_nanos(1_800_000_000_000_000_000))
}

pub fn client() -> Subject {
    Subject::new("203.0.113.7".parse::<IpAddr>().unwrap())
}

pub fn keyring() -> Keyring {
    Keyring::parse("AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=").unwrap()
}

pub fn client_with_phone() -> Subject {
    let keys = keyring();
    let number = PhoneNumber::parse("+14152000001", PhoneCheck::E164).unwrap();
    client().with_phone(number, &keys.current().phone)
}

/// Somebody who has a code sent to an e-mail address.
pub fn client_with_email(text: &str) -> Subject {
    let email = EmailAddress::parse(text).unwrap();
    let digest = EmailDigest::of(&email, &keyring().current().email);
    client().with_email(digest).with_channel(Channel::Email)
}

/// The strangers' counter of a customer, as operators name them.
pub fn key_of(by: RuleKey, text: &str, keys: &SecretKeys, ipv6_prefix: u8) -> Result<String, KeyError> {
    let keys = keys_of(by, text, keys, ipv6_prefix, &Holders::default())?;
    Ok(keys.into_iter().next().unwrap())
}

pub fn refusal(answer: Result<Admission, Denied>) -> Refusal {
    match answer {
        Err(Denied::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

pub fn unavailable(answer: Result<Admission, Denied>) -> Part {
    match answer {
        Err(Denied::Unavailable(unavailable)) => unavailable.part,
        other => panic!("not unavailable: {other:?}"),
    }
}

/// How many of 40 requests pass.
pub async fn admitted(limiter: &Limiter, operation: Operation, subject: &Subject) -> usize {
    let mut admitted = 0;
    for _ in 0..40 {
        match limiter.admit(operation, subject).await {
            Ok(_) => admitted += 1,
            Err(Denied::Refused(_)) => {}
            Err(Denied::Unavailable(error)) => panic!("{error}"),
        }
    }
    admitted
}

/// Asks from eight threads at once, 100 times each, and counts what passes.
pub async fn admitted_in_parallel(limiters: &[Limiter], operation: Operation) -> usize {
    let passed = Arc::new(AtomicUsize::new(0));
    // A thread keeps its runtime going until all are done: others may use a connection that it drives.
    let all_done = Arc::new(tokio::sync::Barrier::new(8));
    let threads = (0..8).map(|n| {
        let (limiter, passed) = (limiters[n % limiters.len()].clone(), Arc::clone(&passed));
        let all_done = Arc::clone(&all_done);
        tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let subject = client();
                let requests = (0..100).map(|_| limiter.admit(operation, &subject));
                for answer in futures_util::future::join_all(requests).await {
                    match answer {
                        Ok(_) => _ = passed.fetch_add(1, Ordering::SeqCst),
                        Err(Denied::Refused(_)) => {}
                        Err(Denied::Unavailable(error)) => panic!("{error}"),
                    }
                }
                all_done.wait().await;
            });
        })
    });
    for thread in threads.collect::<Vec<_>>() {
        thread.await.unwrap();
    }
    passed.load(Ordering::SeqCst)
}

/// Counters in a Redis that isn't there.
pub fn lost_store() -> Arc<dyn ClusterCounters> {
    // Bound and then let go: nobody listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    Arc::new(RedisCounters::new(Arc::new(redis_at(
        format!("redis://127.0.0.1:{port}"),
        "t",
    ))))
}
