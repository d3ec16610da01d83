//! Accounts that never proved anything and that nobody uses (`RecordStore::unused`, `erase_unused`).

use ringback::{
    accounts::{Claimant, NewSession, UnusedSince},
    events::EventKind,
};
use uuid::Uuid;

use crate::{
    harness::{
        Stores, at, email_verified, event, new_session, phone, phone_verified, register, session_ended,
    },
    races::{all_at_once, tally},
};

const PHONE: &str = "+14152000001";
/// Sessions of tests end at second 1000.
const LATER: i64 = 5_000;
const NOBODY: [Uuid; 0] = [];

fn since(idle: i64, opened: i64) -> UnusedSince {
    UnusedSince {
        idle: at(idle),
        opened: at(opened),
    }
}

/// Erases what is unused; answers whose accounts those were.
async fn erase(stores: &Stores, since: UnusedSince) -> Vec<Uuid> {
    let records = &stores.one.records;
    let page = records.unused(since, Uuid::nil(), 100).await.unwrap();
    assert_eq!(page.next, None);
    for &user in &page.unused {
        let deleted = event(EventKind::AccountDeleted, LATER);
        assert!(records.erase_unused(user, since, deleted).await.unwrap());
    }
    page.unused
}

pub async fn whoever_never_proved_anything_and_is_idle_goes(stores: Stores) {
    let store = &stores.one;
    let (idle, _) = register(store, "idle@example.com", PHONE).await;
    let (by_phone, _) = register(store, "phone@example.com", "+14152000002").await;
    let (by_email, _) = register(store, "email@example.com", "+14152000003").await;
    let (moved, _) = register(store, "moved@example.com", "+14152000004").await;
    let (locked, _) = register(store, "locked@example.com", "+14152000005").await;
    let claimant = Claimant::User(by_phone.id);
    let number = phone("+14152000002");
    store
        .proofs
        .verify_phone(&number, &claimant, phone_verified(1))
        .await
        .unwrap();
    let email = by_email.email.as_ref().unwrap();
    store
        .proofs
        .verify_email(email, &Claimant::Anyone, email_verified(1))
        .await
        .unwrap();
    // It had proven a phone, which another account has now.
    stores
        .sql(match stores.is_sqlite() {
            true => format!("UPDATE users SET phone_claimed_at = 0 WHERE id = '{}'", moved.id),
            false => format!(
                "UPDATE users SET phone_claimed_at = to_timestamp(0) WHERE id = '{}'",
                moved.id
            ),
        })
        .await;
    stores
        .sql(format!(
            "UPDATE users SET locked_at = created_at WHERE id = '{}'",
            locked.id
        ))
        .await;
    assert_eq!(erase(&stores, since(LATER, 2_000)).await, [idle.id]);
    assert_eq!(stores.count("users").await, 4);
    let left = format!(
        "SELECT CAST(count(*) AS text) FROM events WHERE user_id = '{0}' OR actor_id = '{0}'",
        idle.id
    );
    assert_eq!(stores.text(left).await, "0");
    let deleted = "SELECT CAST(count(*) AS text) FROM events WHERE kind = 'account.deleted'";
    assert_eq!(stores.text(deleted.to_owned()).await, "1");
}

pub async fn an_account_is_counted_from_its_last_use(stores: Stores) {
    let (jane, session) = register(&stores.one, "jane@example.com", PHONE).await;
    // Its session could have been used until second 1000.
    assert_eq!(erase(&stores, since(1_000, 1)).await, NOBODY);
    assert_eq!(erase(&stores, since(1_001, 0)).await, NOBODY);
    // Whoever signed out was there.
    stores
        .one
        .sessions
        .revoke(session, session_ended(500))
        .await
        .unwrap();
    assert_eq!(erase(&stores, since(500, 1)).await, NOBODY);
    // They came again.
    let second = NewSession {
        now: at(800),
        expires_at: at(900),
        ..new_session(jane.id)
    };
    stores.one.sessions.open(second).await.unwrap();
    assert_eq!(erase(&stores, since(901, 800)).await, NOBODY);
    // Who was imported and never came has no session that could have been used.
    stores
        .sql(match stores.is_sqlite() {
            true => format!(
                "UPDATE users SET imported_at = {}, signed_in_at = NULL WHERE id = '{}'",
                at(950).timestamp_micros(),
                jane.id
            ),
            false => format!(
                "UPDATE users SET imported_at = to_timestamp({}), signed_in_at = NULL WHERE id = '{}'",
                at(950).timestamp(),
                jane.id
            ),
        })
        .await;
    assert_eq!(erase(&stores, since(949, -9_000)).await, NOBODY);
    assert_eq!(erase(&stores, since(951, -9_000)).await, [jane.id]);
}

pub async fn accounts_are_looked_at_so_many_at_a_time(stores: Stores) {
    let mut all = Vec::new();
    for n in 0..5 {
        let (user, _) = register(&stores.one, &format!("u{n}@example.com"), PHONE).await;
        all.push(user.id);
    }
    all.sort();
    let look = async |after| {
        let records = &stores.one.records;
        records.unused(since(LATER, 2_000), after, 2).await.unwrap()
    };
    let (mut found, mut after) = (Vec::new(), Some(Uuid::nil()));
    while let Some(from) = after {
        let page = look(from).await;
        found.push(page.unused);
        after = page.next;
    }
    assert_eq!(found, [&all[..2], &all[2..4], &all[4..]]);
}

pub async fn erasure_races_with_proofs_and_logins(stores: Stores) {
    for _ in 0..20 {
        let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
        let outcomes = all_at_once(&stores, 12, move |n, store| async move {
            let done = match n % 3 {
                0 => {
                    let deleted = event(EventKind::AccountDeleted, LATER);
                    let unused = since(LATER, 2_000);
                    store
                        .records
                        .erase_unused(jane.id, unused, deleted)
                        .await
                        .unwrap()
                }
                1 => {
                    let claimant = Claimant::User(jane.id);
                    let proven = store
                        .proofs
                        .verify_phone(&phone(PHONE), &claimant, phone_verified(1))
                        .await;
                    matches!(proven.unwrap(), ringback::accounts::Verification::Verified(_))
                }
                _ => {
                    let late = NewSession {
                        now: at(LATER),
                        expires_at: at(LATER + 1_000),
                        ..new_session(jane.id)
                    };
                    store.sessions.open(late).await.unwrap().is_some()
                }
            };
            (n % 3, done)
        });
        let counts = tally(outcomes.await);
        let of = |outcome: (usize, bool)| counts.get(&outcome).copied().unwrap_or_default();
        let (erased, used) = (of((0, true)), of((1, true)) + of((2, true)));
        assert!(erased == 1 && used == 0 || erased == 0 && used >= 1, "{counts:?}");
        stores.sql("DELETE FROM users".to_owned()).await;
    }
}
