//! What the store of notices promises (`NoticeStore`), and that what a change inserts comes out of it as it went in.

use chrono::TimeDelta;
use ringback::{
    email::EmailAddress,
    entropy::SystemEntropy,
    events::{NewNotice, NoticeAddress, NoticeKind},
    language::Language,
};
use uuid::Uuid;

use crate::{
    harness::{Stores, at, phone},
    races::all_at_once,
};

const USER: Uuid = Uuid::from_u128(7);

/// Inserts a notice of that second.
async fn insert(stores: &Stores, second: i64, language: Option<&str>, to: &NoticeAddress) -> NewNotice {
    let language = language.and_then(Language::parse);
    let notice = NewNotice::new(NoticeKind::PhoneMoved, language, at(second), &SystemEntropy);
    stores.insert_notice(&notice, USER, to).await;
    notice
}

fn jane() -> NoticeAddress {
    NoticeAddress::Email(EmailAddress::parse("Jane.O'Doe@Example.com").unwrap())
}

pub async fn a_notice_comes_out_as_it_went_in(stores: Stores) {
    let by_phone = NoticeAddress::Phone(phone("+14152000001"));
    let first = insert(&stores, 1, Some("pt-BR"), &jane()).await;
    let second = insert(&stores, 2, None, &by_phone).await;
    let leased = stores.one.notices.lease(at(5), at(65), 10).await.unwrap();
    assert_eq!(leased.len(), 2);
    for (leased, (notice, to)) in leased.iter().zip([(&first, &jane()), (&second, &by_phone)]) {
        assert_eq!(
            (leased.id, leased.user, leased.kind),
            (notice.id, USER, notice.kind)
        );
        assert_eq!((&leased.to, &leased.language), (to, &notice.language));
        assert_eq!(leased.expires_at - leased.created_at, TimeDelta::days(1));
        assert_eq!(leased.attempts, 1);
    }
}

pub async fn a_lease_is_one_instances_until_it_ends(stores: Stores) {
    let notice = insert(&stores, 1, None, &jane()).await;
    let lease = |second: i64| {
        let store = stores.two.notices.clone();
        async move { store.lease(at(second), at(second + 60), 10).await.unwrap() }
    };
    assert_eq!(lease(5).await.len(), 1);
    assert_eq!(lease(64).await.len(), 0);
    assert_eq!(lease(65).await[0].attempts, 2);
    stores.one.notices.postpone(notice.id, at(80)).await.unwrap();
    assert_eq!(lease(79).await.len(), 0);
    assert_eq!(lease(80).await.len(), 1);
    stores.one.notices.delete(notice.id).await.unwrap();
    assert_eq!(lease(1_000).await.len(), 0);
    assert_eq!(stores.count("notices").await, 0);
}

pub async fn of_many_that_ask_at_once_each_notice_goes_to_one(stores: Stores) {
    for second in 0..40 {
        insert(&stores, second, None, &jane()).await;
    }
    let leased = all_at_once(&stores, 20, |_, store| async move {
        let mut ids = Vec::new();
        // Rows that another is about to lease are passed over, so one may come away with none.
        for _ in 0..40 {
            let leased = store.notices.lease(at(100), at(160), 3).await.unwrap();
            ids.extend(leased.iter().map(|notice| notice.id));
        }
        ids
    });
    let mut ids = leased.await.concat();
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert_eq!((all, ids.len()), (40, 40));
}

pub async fn what_is_unknown_or_over_goes_to_nobody(stores: Stores) {
    let unknown = insert(&stores, 1, None, &jane()).await;
    let set = |column: &str, id: Uuid| format!("UPDATE notices SET {column} WHERE id = '{id}'");
    stores.sql(set("kind = 'of_a_later_version'", unknown.id)).await;
    let strange = insert(&stores, 2, None, &jane()).await;
    stores.sql(set("channel = 'pigeon'", strange.id)).await;
    insert(&stores, 3, None, &jane()).await;
    let day = 24 * 3600;
    let notices = &stores.one.notices;
    // Those that this version can't send don't hold up what stands behind them.
    assert_eq!(notices.lease(at(5), at(6), 1).await.unwrap().len(), 1);
    assert_eq!(notices.expire(at(day), 10).await.unwrap(), 0);
    assert_eq!(
        notices.lease(at(day + 3), at(day + 60), 10).await.unwrap().len(),
        0
    );
    assert_eq!(notices.expire(at(day + 3), 2).await.unwrap(), 2);
    assert_eq!(notices.expire(at(day + 3), 2).await.unwrap(), 1);
}
