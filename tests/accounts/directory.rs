//! Accounts as administrators find them: by a beginning, a phone, an id; page by page; by an index.

use ringback::accounts::{AccountStatus, Search, SearchBy, SearchPlace, User};
use uuid::Uuid;

use crate::harness::{Store, Stores, at, event, name, new_session, new_user};

async fn person(store: &Store, email: &str, phone: &str, last_name: &str) -> User {
    let mut user = new_user(email, phone);
    user.last_name = name(last_name);
    let session = new_session(user.id);
    store.users.register(user, session).await.unwrap()
}

fn search(text: &str, limit: u32) -> Search {
    Search {
        by: SearchBy::parse(text).unwrap(),
        status: None,
        after: None,
        limit,
    }
}

/// All that is found, page by page.
async fn all(store: &Store, mut search: Search) -> Vec<Uuid> {
    let mut found = Vec::new();
    loop {
        let page = store.directory.search(&search).await.unwrap();
        assert!(page.len() <= search.limit as usize);
        found.extend(page.iter().map(|(account, _)| account.user.id));
        match page.last() {
            Some(&(_, place)) => search.after = Some(place),
            None => return found,
        }
    }
}

pub async fn what_begins_alike_is_found_page_by_page(stores: Stores) {
    let mut expected = Vec::new();
    // By e-mail address first, in its order; then by last name.
    for email in ["abe@example.com", "abel@example.com", "ABÉ@example.com"] {
        expected.push(person(&stores.one, email, "+14152000001", "Abel").await.id);
    }
    for (email, last) in [
        ("x1@example.com", "Abe"),
        ("x2@example.com", "ABEL"),
        ("x3@example.com", "abel"),
    ] {
        expected.push(person(&stores.one, email, "+14152000001", last).await.id);
    }
    person(&stores.one, "ac@example.com", "+14152000001", "Acorn").await;
    person(&stores.one, "x4@example.com", "+14152000001", "Aabe").await;
    for limit in [1, 2, 3, 5, 100] {
        assert_eq!(all(&stores.two, search("ab", limit)).await, expected, "{limit}");
    }
    assert_eq!(all(&stores.two, search("ABÉ", 10)).await, [expected[2]]);
    assert_eq!(all(&stores.two, search("", 3)).await.len(), 8, "all");
    assert!(all(&stores.two, search("_b", 3)).await.is_empty());
    assert!(all(&stores.two, search("a%", 3)).await.is_empty());
}

pub async fn a_status_leaves_the_others_out(stores: Stores) {
    let one = person(&stores.one, "abe@example.com", "+14152000001", "Abel").await;
    let two = person(&stores.one, "abel@example.com", "+14152000001", "Abel").await;
    let locked = event(ringback::events::EventKind::AccountLocked, 1);
    stores.one.users.lock(two.id, locked).await.unwrap();
    for text in ["", "ab", "+1 415 200 0001", "Abel"] {
        for (status, expected) in [(AccountStatus::Active, one.id), (AccountStatus::Locked, two.id)] {
            let search = Search {
                status: Some(status),
                ..search(text, 10)
            };
            assert_eq!(all(&stores.two, search).await, [expected], "{text} {status:?}");
        }
    }
    let by_id = Search {
        status: Some(AccountStatus::Active),
        ..search(&two.id.to_string(), 10)
    };
    assert!(all(&stores.two, by_id).await.is_empty());
    let found = stores.two.directory.find(two.id).await.unwrap().unwrap();
    assert_eq!(found.locked_at, Some(in_micros(at(1))));
    let email = two.email.as_ref().unwrap();
    let by_email = stores.two.directory.find_by_email(email).await.unwrap().unwrap();
    assert_eq!(by_email, found);
}

pub async fn a_name_that_changed_is_found_by_the_new_one(stores: Stores) {
    let jane = person(&stores.one, "jane@example.com", "+14152000001", "Old").await;
    let change = ringback::accounts::ProfileChange {
        first_name: None,
        last_name: Some(name("Ｎew")),
    };
    let updated = event(ringback::events::EventKind::AccountUpdated, 1);
    stores
        .one
        .users
        .change_profile(jane.id, change, updated)
        .await
        .unwrap();
    assert_eq!(all(&stores.two, search("new", 10)).await, [jane.id]);
    assert!(all(&stores.two, search("old", 10)).await.is_empty());
    // Behind an account that is gone, the list ends.
    let gone = Search {
        after: Some(SearchPlace {
            by_name: true,
            id: Uuid::nil(),
        }),
        ..search("new", 10)
    };
    assert!(stores.two.directory.search(&gone).await.unwrap().is_empty());
}

/// As databases keep it.
fn in_micros(time: chrono::DateTime<chrono::Utc>) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap()
}
