//! What many callers at once see. They wait for each other, then all go, half of them on either store.

use std::{collections::HashMap, fmt::Debug, hash::Hash, sync::Arc, time::Duration};

use ringback::accounts::{Claimant, RegisterError, Rotated, Verification};
use sqlx::{Connection, PgConnection};
use tokio::{sync::Barrier, time::timeout};

use crate::{
    harness::{Store, Stores, at, new_session, new_user, phone, phone_verified, register, with_postgres_url},
    sessions::rotation,
};

const PHONE: &str = "+14152000001";

/// Starts `callers` at once and gives what each got.
pub async fn all_at_once<T, F>(
    stores: &Stores,
    callers: usize,
    mut call: impl FnMut(usize, Store) -> F,
) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(callers));
    let tasks = (0..callers).map(|n| {
        let (start, call) = (Arc::clone(&start), call(n, stores.either(n)));
        tokio::spawn(async move {
            start.wait().await;
            call.await
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let mut outcomes = Vec::with_capacity(callers);
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

pub fn tally<T: Eq + Hash + Debug>(outcomes: impl IntoIterator<Item = T>) -> HashMap<T, usize> {
    let mut tally = HashMap::new();
    for outcome in outcomes {
        *tally.entry(outcome).or_default() += 1;
    }
    tally
}

fn verdict(verification: Verification) -> &'static str {
    match verification {
        Verification::Verified(_) => "verified",
        Verification::AlreadyVerified(_) => "already",
        Verification::Taken => "taken",
        Verification::Ambiguous => "ambiguous",
        Verification::NoClaim => "no claim",
    }
}

pub async fn two_accounts_race_for_one_phone(stores: Stores) {
    for round in 0..5 {
        let number = format!("+1415200{round:04}");
        let (jane, _) = register(&stores.one, &format!("jane{round}@example.com"), &number).await;
        let (john, _) = register(&stores.one, &format!("john{round}@example.com"), &number).await;
        let outcomes = all_at_once(&stores, 50, |n, store| {
            let (user, number) = (if n % 4 < 2 { jane.id } else { john.id }, phone(&number));
            async move {
                let verified = store
                    .proofs
                    .verify_phone(&number, &Claimant::User(user), phone_verified(1))
                    .await;
                (user, verified.unwrap())
            }
        })
        .await;
        let winner = stores
            .two
            .proofs
            .claims(&phone(&number), at(100))
            .await
            .unwrap()
            .verified_by
            .unwrap();
        for (user, outcome) in &outcomes {
            match outcome {
                Verification::Verified(owner) | Verification::AlreadyVerified(owner) => {
                    assert_eq!((owner, user), (&winner, &winner));
                }
                other => assert_eq!((verdict(*other), *user == winner), ("taken", false)),
            }
        }
        let tally = tally(outcomes.into_iter().map(|(_, outcome)| verdict(outcome)));
        assert_eq!(tally["verified"], 1, "{tally:?}");
        assert_eq!(
            tally["verified"] + tally["already"] + tally["taken"],
            50,
            "{tally:?}"
        );
    }
}

pub async fn a_sole_claim_is_verified_once(stores: Stores) {
    let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
    let outcomes = all_at_once(&stores, 50, |_, store| async move {
        store
            .proofs
            .verify_phone(&phone(PHONE), &Claimant::Anyone, phone_verified(1))
            .await
            .unwrap()
    })
    .await;
    let tally = tally(outcomes.into_iter().map(|outcome| match outcome {
        Verification::Verified(user) | Verification::AlreadyVerified(user) if user != jane.id => "another's",
        outcome => verdict(outcome),
    }));
    assert_eq!(tally, HashMap::from([("verified", 1), ("already", 49)]));
}

/// Whether the second account comes before the verification or after it, at most one has the phone.
pub async fn a_second_claim_races_with_a_verification(stores: Stores) {
    for round in 0..10 {
        let number = format!("+1415200{round:04}");
        let (jane, _) = register(&stores.one, &format!("jane{round}@example.com"), &number).await;
        let john = new_user(&format!("john{round}@example.com"), &number);
        let johns = john.id;
        let outcomes = all_at_once(&stores, 12, |n, store| {
            let (john, number) = (john.clone(), phone(&number));
            async move {
                match n % 3 {
                    0 if n == 0 => {
                        let session = new_session(john.id);
                        store.users.register(john, session).await.unwrap();
                        None
                    }
                    0 => Some(
                        store
                            .proofs
                            .verify_phone(&number, &Claimant::User(johns), phone_verified(1))
                            .await
                            .unwrap(),
                    ),
                    _ => Some(
                        store
                            .proofs
                            .verify_phone(&number, &Claimant::Anyone, phone_verified(1))
                            .await
                            .unwrap(),
                    ),
                }
            }
        })
        .await;
        let verified: Vec<_> = outcomes
            .into_iter()
            .flatten()
            .filter_map(|outcome| match outcome {
                Verification::Verified(user) => Some(user),
                _ => None,
            })
            .collect();
        let claims = stores.one.proofs.claims(&phone(&number), at(100)).await.unwrap();
        assert!(verified.len() <= 1, "{verified:?}");
        assert_eq!(verified.first().copied(), claims.verified_by);
        assert!(
            claims
                .verified_by
                .is_none_or(|user| [jane.id, johns].contains(&user))
        );
    }
}

pub async fn registrations_of_one_email_make_one_account(stores: Stores) {
    let outcomes = all_at_once(&stores, 40, |n, store| {
        let email = ["jane@example.com", "JANE@example.com", "Jane@Example.Com"][n % 3];
        let user = new_user(email, PHONE);
        let session = new_session(user.id);
        async move {
            match store.users.register(user, session).await {
                Ok(_) => "made",
                Err(RegisterError::EmailTaken) => "taken",
                Err(RegisterError::Unavailable(_)) => "unavailable",
            }
        }
    })
    .await;
    assert_eq!(tally(outcomes), HashMap::from([("made", 1), ("taken", 39)]));
    assert_eq!(
        (stores.count("users").await, stores.count("sessions").await),
        (1, 1)
    );
}

pub async fn rotations_of_one_token_make_one_successor(stores: Stores) {
    let (_, session) = register(&stores.one, "jane@example.com", PHONE).await;
    for generation in 0..5 {
        let outcomes = all_at_once(&stores, 40, |_, store| async move {
            match store
                .sessions
                .rotate(rotation(session, generation, 100))
                .await
                .unwrap()
            {
                Rotated::Rotated { .. } => "rotated",
                Rotated::Replayed { current_hash, .. } if current_hash == [generation + 1; 32] => "replayed",
                other => panic!("{other:?}"),
            }
        })
        .await;
        assert_eq!(tally(outcomes), HashMap::from([("rotated", 1), ("replayed", 39)]));
    }
}

pub async fn reuse_in_parallel_revokes_once_and_for_all(stores: Stores) {
    let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
    for _ in 0..10 {
        let opened = new_session(jane.id);
        let session = opened.id;
        stores.one.sessions.open(opened).await.unwrap();
        for generation in 0..3 {
            stores
                .one
                .sessions
                .rotate(rotation(session, generation, 100))
                .await
                .unwrap();
        }
        // The thief shows an old token while its owner shows the current one.
        let outcomes = all_at_once(&stores, 40, |n, store| async move {
            let generation = if n % 20 < 2 { 3 } else { 0 };
            match store
                .sessions
                .rotate(rotation(session, generation, 200))
                .await
                .unwrap()
            {
                Rotated::Rotated { .. } => "rotated",
                Rotated::Replayed { .. } => "replayed",
                Rotated::Reused { .. } => "reused",
                Rotated::Revoked => "revoked",
                other => panic!("{other:?}"),
            }
        })
        .await;
        let tally = tally(outcomes);
        assert_eq!(tally["reused"], 1, "{tally:?}");
        assert!(
            tally.get("rotated").copied().unwrap_or_default() <= 1,
            "{tally:?}"
        );
        assert!(stores.two.sessions.view(session).await.unwrap().unwrap().revoked);
    }
}

/// A client that hangs up ends the call of its request wherever that stands.
pub async fn callers_that_left_leave_nothing_half_done(stores: Stores) {
    let outcomes = all_at_once(&stores, 60, |n, store| async move {
        let user = new_user(&format!("user{n}@example.com"), PHONE);
        let session = new_session(user.id);
        let id = session.id;
        let patience = Duration::from_micros(200 * (n as u64 % 30));
        let _ = timeout(patience, store.users.register(user, session)).await;
        let _ = timeout(patience, store.sessions.rotate(rotation(id, 0, 100))).await;
        let _ = timeout(patience, store.sessions.rotate(rotation(id, 7, 100))).await;
        let _ = timeout(
            patience,
            store
                .proofs
                .verify_phone(&phone(PHONE), &Claimant::Anyone, phone_verified(1)),
        )
        .await;
        let _ = timeout(patience, store.sessions.view(id)).await;
    })
    .await;
    assert_eq!(outcomes.len(), 60);
    for n in [0, 1] {
        register(&stores.either(n), &format!("late{n}@example.com"), PHONE).await;
    }
    assert_eq!(stores.count("users").await, stores.count("sessions").await);
}

pub async fn lookups_in_parallel_find_their_own(stores: Stores) {
    let mut users = Vec::new();
    for n in 0..20 {
        let (user, session) = register(
            &stores.one,
            &format!("user{n}@example.com"),
            &format!("+1415200{n:04}"),
        )
        .await;
        users.push((user, session));
    }
    let users = Arc::new(users);
    all_at_once(&stores, 400, |n, store| {
        let users = Arc::clone(&users);
        async move {
            let (user, session) = &users[n % users.len()];
            let seen = store.sessions.view(*session).await.unwrap().unwrap();
            assert_eq!(seen.user, *user);
            let claims = store.proofs.claims(&user.phone, at(100)).await.unwrap();
            assert_eq!(claims.sole_claimant, Some(user.id));
            let nobody = store.sessions.view(user.id).await.unwrap();
            assert!(nobody.is_none());
        }
    })
    .await;
}

/// PostgreSQL writes a statement that hurts a constraint to its log, with the values that hurt it: an e-mail address, a
/// phone. So callers that lose a race must lose it without an error.
#[test]
fn lost_races_leave_no_error_in_the_servers_log() {
    with_postgres_url(|url| async move {
        let stores = Stores::open(url.clone()).await;
        two_accounts_race_for_one_phone(stores.clone()).await;
        stores.sql("DELETE FROM users".to_owned()).await;
        registrations_of_one_email_make_one_account(stores.clone()).await;
        stores.one.database.close().await;
        stores.two.database.close().await;
        let mut by_hand = PgConnection::connect(&url).await.unwrap();
        let count = "SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()";
        let failed: i64 = sqlx::query_scalar(count).fetch_one(&mut by_hand).await.unwrap();
        assert_eq!(failed, 0, "transactions that failed");
    });
}

/// PostgreSQL's planner may think that hardly any phone is verified, and be wrong for a while.
#[test]
fn to_verify_a_phone_reads_no_other_phones_accounts() {
    const VERIFIED: i64 = 200;
    with_postgres_url(|url| async move {
        let stores = Stores::open(url.clone()).await;
        let users = "INSERT INTO users (id, email, email_key, phone, first_name, last_name, password_hash, created_at, \
             updated_at) SELECT gen_random_uuid(), n, n, '+1415' || 2000000 + n, '', '', '', now(), now() \
             FROM generate_series(1, 2000) AS n; ANALYZE users";
        stores.sql(users.to_owned()).await;
        for number in 1..=VERIFIED {
            let phone = phone(&format!("+1415{}", 2_000_000 + number));
            let outcome = stores
                .one
                .proofs
                .verify_phone(&phone, &Claimant::Anyone, phone_verified(5))
                .await;
            assert_eq!(verdict(outcome.unwrap()), "verified");
        }
        stores.one.database.close().await;
        stores.two.database.close().await;
        drop(stores);
        let mut by_hand = PgConnection::connect(&url).await.unwrap();
        let told = "SELECT n_tup_upd, seq_tup_read + (SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes i \
             WHERE i.relid = t.relid) FROM pg_stat_user_tables t WHERE relname = 'users'";
        let read = loop {
            // A connection tells what it did when it has ended.
            match sqlx::query_as(told).fetch_one(&mut by_hand).await.unwrap() {
                (VERIFIED, read) => break read,
                (0..VERIFIED, _) => tokio::time::sleep(Duration::from_millis(10)).await,
                (more, _) => panic!("{more} users were changed"),
            }
        };
        let read: i64 = read;
        assert!(read < 10 * VERIFIED, "{read} rows were read");
    });
}
