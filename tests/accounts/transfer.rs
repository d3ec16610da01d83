//! The contract of the store of users on the way, and of what is known of their hashes (`TransferStore`,
//! `PasswordStore::foreign_costs`).

use ringback::{
    accounts::{Argon2Cost, HashCost, Login, Probe, TransferredUser, UnusedSince, UserRules},
    email::EmailAddress,
    events::{EventKind, NewEvent},
    phone::PhoneCheck,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Stores, at, event, hash, phone, register};

const HASH: &str = "pbkdf2_sha256$1200$salt$aGFzaGhhc2hoYXNo";

fn user(line: Value) -> (TransferredUser, NewEvent) {
    let rules = UserRules {
        phone_check: PhoneCheck::E164,
        today: Argon2Cost::default(),
        now: at(0),
    };
    let user = TransferredUser::parse(line.to_string().as_bytes(), &rules).unwrap();
    (user, event(EventKind::AccountImported, 0))
}

/// The nth of many.
fn nth(n: u32) -> (TransferredUser, NewEvent) {
    user(json!({
        "email": format!("User-{n}@example.com"), "phone": format!("+1415{n:07}"), "first_name": "Ada", "last_name": "O’Doe \"\\",
        "password_hash": HASH, "phone_verified": n.is_multiple_of(2), "email_verified": n.is_multiple_of(3), "locked": n == 7,
        "phone_owned_at": n.is_multiple_of(4).then_some("2021-01-02T03:04:05.678901Z"),
        "email_owned_at": n.is_multiple_of(6).then_some("2022-01-02T03:04:05.678901Z"),
        "created_at": "2020-01-02T03:04:05.678901Z",
    }))
}

async fn all(stores: &Stores) -> Vec<TransferredUser> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = stores.two.transfer.page(after, 7).await.unwrap();
        let Some(last) = page.last() else { return all };
        after = Some(last.id);
        all.extend(page);
    }
}

pub async fn many_users_come_and_go_as_they_are(stores: Stores) {
    let users: Vec<_> = (0..50).map(nth).collect();
    let made = stores
        .one
        .transfer
        .insert(&users, Argon2Cost::default(), at(0))
        .await;
    assert_eq!(made.unwrap().len(), 50);
    let lines = |users: Vec<TransferredUser>| {
        let mut lines: Vec<_> = users.iter().map(TransferredUser::to_line).collect();
        lines.sort_unstable();
        lines
    };
    let sent = lines(users.into_iter().map(|(user, _)| user).collect());
    assert_eq!(lines(all(&stores).await), sent);

    let login = Login::Email(EmailAddress::parse("user-7@example.com").unwrap());
    let found = stores.two.passwords.credentials(&login).await.unwrap().unwrap();
    assert!(found.locked && found.password == Some(hash(HASH)));
    let by_phone = async |n: u32| {
        let login = Login::Phone(phone(&format!("+1415{n:07}")));
        stores.two.passwords.credentials(&login).await.unwrap().is_some()
    };
    assert!(by_phone(8).await && !by_phone(9).await);

    let count = async |of: &str| {
        stores
            .text(format!("SELECT CAST(count(*) AS text) FROM {of}"))
            .await
    };
    // An address is taken over as verified, and opens nothing until its owner has proven it, here or where it comes from.
    assert_eq!(
        count("users WHERE phone_owned_at IS NULL AND email_owned_at IS NULL").await,
        "33"
    );
    assert_eq!(
        count("users WHERE imported_at IS NOT NULL AND phone_claimed_at = imported_at").await,
        "50"
    );
    let noted = "events JOIN users ON users.id = events.user_id WHERE kind = 'account.imported' AND actor = 'system' \
                 AND details = '{}'";
    assert_eq!(count(noted).await, "50");
}

pub async fn whoever_is_in_the_way_is_left_out_and_no_other(stores: Stores) {
    let (jane, _) = register(&stores.one, "user-1@example.com", "+14150000001").await;
    let first = [nth(2)];
    let insert = async |users: &[_]| {
        let made = stores
            .one
            .transfer
            .insert(users, Argon2Cost::default(), at(0))
            .await;
        made.unwrap()
    };
    assert_eq!(insert(&first).await.len(), 1);
    let mut same_phone = nth(4);
    same_phone.0.phone = phone("+14150000002");
    let mut same_id = nth(6);
    same_id.0.id = first[0].0.id;
    // A claim on a phone that another has verified is a claim.
    let mut claim = nth(3);
    claim.0.phone = phone("+14150000002");
    let users = [nth(1), nth(2), same_phone, same_id, claim, nth(5)];
    let probe = || Probe::of(users.iter().map(|(user, _)| user));
    let known = stores.two.transfer.known(probe()).await.unwrap();
    assert!(known.ids.contains(&first[0].0.id));
    assert_eq!(known.emails.get("user-1@example.com"), Some(&jane.id));
    assert_eq!(known.phones.get("+14150000002"), Some(&first[0].0.id));
    assert_eq!(known.phones.len(), 1);
    let made = insert(&users).await;
    assert_eq!(made, [users[4].0.id, users[5].0.id].into());
    assert_eq!(stores.count("events WHERE kind = 'account.imported'").await, 3);
    assert!(insert(&users).await.is_empty());
}

pub async fn whoever_lost_a_phone_has_lost_it_elsewhere_too(stores: Stores) {
    let lines = async || -> Vec<_> { all(&stores).await.iter().map(TransferredUser::to_line).collect() };
    let import = async |users: &[_]| {
        let transfer = &stores.one.transfer;
        let made = transfer.insert(users, Argon2Cost::default(), at(0)).await;
        assert_eq!(made.unwrap().len(), users.len());
    };
    let [lost, idle] = [1, 5].map(nth);
    let ids = [lost.0.id, idle.0.id];
    import(&[lost, idle]).await;
    let losing = match stores.is_sqlite() {
        true => "phone_claimed_at = 0",
        false => "phone_claimed_at = to_timestamp(0)",
    };
    stores
        .sql(format!("UPDATE users SET {losing} WHERE id = '{}'", ids[0]))
        .await;
    let exported = lines().await;
    for line in &exported {
        let is_lost = line.contains(&ids[0].to_string());
        assert_eq!(line.contains("\"phone_lost\":true"), is_lost, "{line}");
        assert_eq!(line.contains("phone_lost"), is_lost, "{line}");
    }

    stores.sql("DELETE FROM users".to_owned()).await;
    let users = exported
        .iter()
        .map(|line| user(serde_json::from_str(line).unwrap()));
    import(&users.collect::<Vec<_>>()).await;
    // It claims the phone no more, and is not taken for one that never proved anything.
    assert_eq!(stores.count("users WHERE phone_claimed_at < created_at").await, 1);
    let since = UnusedSince {
        idle: at(9_000),
        opened: at(9_000),
    };
    let unused = stores.two.records.unused(since, Uuid::nil(), 10).await.unwrap();
    assert_eq!(unused.unused, [ids[1]]);
    assert_eq!(lines().await, exported);
}

pub async fn each_cost_of_a_foreign_hash_is_known_once_and_until_it_is_replaced(stores: Stores) {
    let costs = async || {
        let mut costs = stores.two.passwords.foreign_costs().await.unwrap();
        costs.sort_unstable_by_key(|cost| cost.work());
        costs
    };
    assert_eq!(costs().await, []);
    register(&stores.one, "own@example.com", "+14150009999").await;
    let mut users: Vec<_> = (0..20).map(nth).collect();
    let other = "pbkdf2_sha256$1000000$salt$aGFzaGhhc2hoYXNo";
    users[3].0.password = Some(hash(other));
    users[4].0.password = None;
    let today = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNo";
    users[5].0.password = Some(hash(today));
    let made = stores
        .one
        .transfer
        .insert(&users, Argon2Cost::default(), at(0))
        .await;
    assert_eq!(made.unwrap().len(), 20);
    assert_eq!(
        costs().await,
        [HashCost::Pbkdf2(1_200), HashCost::Pbkdf2(1_000_000)]
    );
    let id = users[3].0.id;
    let (old, new) = (hash(other), hash(today));
    let replaced = stores.one.passwords.replace_hash(id, &old, &new).await;
    replaced.unwrap();
    assert_eq!(costs().await, [HashCost::Pbkdf2(1_200)]);
}
