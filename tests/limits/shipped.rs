//! The rules that are shipped.

use std::{net::IpAddr, sync::Arc};

use ringback::{
    clock::ManualClock,
    limits::{
        KeyDimension, Limiter, LimiterOptions, LoginDigest, MemoryCounters, Operation, Subject, file::load,
    },
    supervision::Supervision,
};
use uuid::Uuid;

use super::stage::{keyring, refusal};

/// What a newcomer and a load test from one address do must pass under the rules that are shipped.
#[actix::test]
async fn the_shipped_limits_leave_ordinary_use_alone() {
    let shipped = load(std::path::Path::new("config/limits.toml"), None).unwrap();
    let clock = ManualClock::new(chrono::DateTime::UNIX_EPOCH);
    let limiter = Limiter::start(
        &Supervision::default(),
        LimiterOptions {
            max_keys: 1000,
            instances: 1,
            shards: 3,
        },
        shipped,
        Arc::new(MemoryCounters::new(Arc::new(clock.clone()), 1000)),
        Arc::new(clock.clone()),
    );
    let keyring = keyring();
    let jane = LoginDigest::of("email", "jane@example.com", &keyring.current().login);
    let laptop = Subject::new("127.0.0.1".parse::<IpAddr>().unwrap());
    let signing_in = laptop.clone().with_login(jane);
    let laptop = laptop.with_user(Some(Uuid::from_u128(7)));
    for _ in 0..50 {
        let _ = limiter.admit(Operation::Register, &laptop).await.unwrap();
        let spent = limiter.admit(Operation::Login, &signing_in).await.unwrap();
        limiter.give_back(spent.only(KeyDimension::User)).await; // as after a right password
    }
    for (waits, seconds) in [(5, 12), (1, 12)] {
        for _ in 0..waits {
            let _ = limiter.admit(Operation::Login, &signing_in).await.unwrap();
        }
        let told = refusal(limiter.admit(Operation::Login, &signing_in).await);
        assert_eq!(
            (&*told.rule, told.retry_after_seconds()),
            ("login-guess-minute", seconds)
        );
        clock.advance(chrono::TimeDelta::seconds(12));
    }
    let mut guesses = 6;
    for _ in 0..24 * 60 {
        guesses += u32::from(limiter.admit(Operation::Login, &signing_in).await.is_ok());
        clock.advance(chrono::TimeDelta::minutes(1));
    }
    assert!((50..=60).contains(&guesses), "a day of guessing: {guesses}");
    for _ in 0..60 * 50 {
        clock.advance(chrono::TimeDelta::milliseconds(20));
        for operation in [Operation::Me, Operation::TokenRefresh] {
            assert!(
                limiter.admit(operation, &laptop).await.is_ok(),
                "{}",
                operation.name()
            );
        }
    }
    let mut flood = 0;
    while limiter.admit(Operation::Me, &laptop).await.is_ok() {
        flood += 1;
        assert!(flood < 10_000, "a flood is refused at last");
    }
}
