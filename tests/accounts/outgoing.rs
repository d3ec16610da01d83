//! What the store of events that go out promises (`OutgoingStore`).

use ringback::{
    accounts::{Erased, ErasedBy, Erasure},
    events::{EventKind, EventKinds, LeasedEvent},
};
use uuid::Uuid;

use crate::{
    harness::{Stores, at, event, new_session, register},
    races::all_at_once,
};

const HOOK: &str = "crm";
const PHONE: &str = "+14152000001";

fn kinds(names: &[&str]) -> EventKinds {
    EventKinds::parse(names.iter().copied()).unwrap()
}

/// Has the webhook begin before the first event.
async fn begin(stores: &Stores) {
    assert_eq!(stores.one.outgoing.begin(HOOK, 0).await.unwrap(), 0);
}

/// How far the events are settled, once all that were written are: changes of other tests may be under way on the server.
async fn settled(stores: &Stores) -> i64 {
    let last = "SELECT CAST(coalesce(max(seq), 0) AS text) FROM events";
    let last: i64 = stores.text(last.to_owned()).await.parse().unwrap();
    loop {
        let settled = stores.one.outgoing.settled().await.unwrap().unwrap_or_default();
        if settled >= last {
            return settled;
        }
        tokio::task::yield_now().await;
    }
}

/// Makes all events of these kinds due, `step` at a time.
async fn advance(stores: &Stores, names: &[&str], step: u32) {
    let store = &stores.one.outgoing;
    let settled = settled(stores).await;
    let mut position = 0;
    while position < settled {
        let moved = store
            .advance(HOOK, &kinds(names), settled, at(10), step)
            .await
            .unwrap();
        assert!(moved > position || moved == settled, "{moved} after {position}");
        position = moved;
    }
}

/// What is leased at that second, as kinds.
async fn lease(stores: &Stores, second: i64) -> Vec<LeasedEvent> {
    let store = &stores.two.outgoing;
    store.lease(HOOK, at(second), at(second + 60), 10).await.unwrap()
}

fn names(leased: &[LeasedEvent]) -> Vec<&str> {
    leased
        .iter()
        .map(|leased| leased.event.as_ref().unwrap().kind.as_str())
        .collect()
}

async fn done(stores: &Stores, leased: &[LeasedEvent]) {
    let seqs: Vec<_> = leased.iter().map(|leased| leased.seq).collect();
    stores.one.outgoing.done(HOOK, &seqs).await.unwrap();
}

pub async fn events_go_out_one_after_the_other_for_each_account(stores: Stores) {
    begin(&stores).await;
    let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
    let (john, _) = register(&stores.one, "john@example.com", PHONE).await;
    stores.one.sessions.open(new_session(jane.id)).await.unwrap();
    advance(&stores, &[], 2).await;
    assert_eq!(stores.one.outgoing.pending(HOOK, 100).await.unwrap(), 5);
    assert_eq!(stores.one.outgoing.pending(HOOK, 3).await.unwrap(), 3);
    let first = lease(&stores, 20).await;
    assert_eq!(names(&first), ["account.registered"; 2]);
    let users: Vec<_> = first
        .iter()
        .map(|leased| leased.event.as_ref().unwrap().user_id)
        .collect();
    assert_eq!(users, [Some(jane.id), Some(john.id)]);
    assert_eq!(
        (first[0].attempts, first[0].created_at.timestamp()),
        (1, at(10).timestamp())
    );
    // Until the first is done, nothing behind it is anybody's.
    assert_eq!(lease(&stores, 21).await, []);
    done(&stores, &first[..1]).await;
    let second = lease(&stores, 22).await;
    assert_eq!(names(&second), ["session.opened"]);
    assert_eq!(second[0].event.as_ref().unwrap().user_id, Some(jane.id));
    // A lease ends, and somebody else takes over.
    let again = lease(&stores, 80).await;
    assert_eq!(
        (names(&again), again[0].attempts),
        (vec!["account.registered"], 2)
    );
    done(&stores, &[first, second, again].concat()).await;
    assert_eq!(names(&lease(&stores, 200).await), ["session.opened"; 2]);
}

pub async fn what_is_postponed_holds_up_its_account_alone(stores: Stores) {
    begin(&stores).await;
    let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
    register(&stores.one, "john@example.com", PHONE).await;
    advance(&stores, &[], 100).await;
    let first = lease(&stores, 20).await;
    stores
        .one
        .outgoing
        .postpone(HOOK, first[0].seq, at(500))
        .await
        .unwrap();
    done(&stores, &first[1..]).await;
    let next = lease(&stores, 100).await;
    assert_eq!(names(&next), ["session.opened"]);
    assert_ne!(next[0].event.as_ref().unwrap().user_id, Some(jane.id));
    done(&stores, &next).await;
    assert_eq!(lease(&stores, 499).await, []);
    assert_eq!(lease(&stores, 500).await[0].seq, first[0].seq);
}

pub async fn a_webhook_gets_its_kinds_from_where_it_began(stores: Stores) {
    register(&stores.one, "jane@example.com", PHONE).await;
    let settled = settled(&stores).await;
    assert_eq!(stores.one.outgoing.begin(HOOK, settled).await.unwrap(), settled);
    let (john, _) = register(&stores.one, "john@example.com", PHONE).await;
    // It keeps its place, whoever asks.
    assert_eq!(stores.two.outgoing.begin(HOOK, 0).await.unwrap(), settled);
    advance(&stores, &["account.*"], 100).await;
    let leased = lease(&stores, 20).await;
    assert_eq!(names(&leased), ["account.registered"]);
    assert_eq!(leased[0].event.as_ref().unwrap().user_id, Some(john.id));
    assert_eq!(stores.one.outgoing.pending(HOOK, 100).await.unwrap(), 1);
    // Another webhook is another matter.
    assert_eq!(stores.one.outgoing.pending("other", 100).await.unwrap(), 0);
}

pub async fn what_is_erased_or_gone_says_so(stores: Stores) {
    begin(&stores).await;
    let (jane, session) = register(&stores.one, "jane@example.com", PHONE).await;
    advance(&stores, &[], 100).await;
    let erasure = Erasure {
        user: jane.id,
        by: ErasedBy::Owner { epoch: 0, session },
        event: event(EventKind::AccountDeleted, 11),
    };
    assert_eq!(stores.one.records.erase(erasure).await.unwrap(), Erased::Erased);
    let first = lease(&stores, 20).await;
    let registered = first[0].event.as_ref().unwrap();
    assert_eq!((registered.user_id, registered.actor_id), (None, None));
    assert!(!registered.body().contains(&jane.id.to_string()));
    done(&stores, &first).await;
    assert_eq!(stores.one.events.purge(at(100), 100).await.unwrap(), 3);
    assert_eq!(lease(&stores, 30).await[0].event, None);
}

pub async fn many_instances_make_each_event_due_once(stores: Stores) {
    begin(&stores).await;
    for n in 0..10 {
        register(&stores.one, &format!("u{n}@example.com"), PHONE).await;
    }
    let leased = all_at_once(&stores, 12, |_, store| async move {
        let mut ids = Vec::new();
        for _ in 0..8 {
            let settled = store.outgoing.settled().await.unwrap().unwrap_or_default();
            store
                .outgoing
                .advance(HOOK, &kinds(&[]), settled, at(10), 3)
                .await
                .unwrap();
            let leased = store.outgoing.lease(HOOK, at(20), at(80), 2).await.unwrap();
            let seqs: Vec<_> = leased.iter().map(|leased| leased.seq).collect();
            store.outgoing.done(HOOK, &seqs).await.unwrap();
            ids.extend(leased.iter().map(|leased| leased.event.as_ref().unwrap().id));
        }
        ids
    });
    let mut ids = leased.await.concat();
    // Whoever passed a row over that another was about to lease may have left some.
    settled(&stores).await;
    loop {
        advance_on(&stores).await;
        let left = lease(&stores, 20).await;
        if left.is_empty() {
            break;
        }
        done(&stores, &left).await;
        ids.extend(left.iter().map(|leased| leased.event.as_ref().unwrap().id));
    }
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((all, ids.len()), (20, 20));
}

async fn advance_on(stores: &Stores) {
    let store = &stores.one.outgoing;
    let settled = store.settled().await.unwrap().unwrap_or_default();
    store
        .advance(HOOK, &kinds(&[]), settled, at(10), 100)
        .await
        .unwrap();
}

// An event that commits late is not passed over: this is what a cursor over a sequence gets wrong.
pub async fn events_of_changes_under_way_are_not_passed_over(stores: Stores) {
    begin(&stores).await;
    let mut seen: Vec<Uuid> = Vec::new();
    for round in 0..5 {
        let store = stores.clone();
        let writing = tokio::spawn(async move {
            all_at_once(&store, 20, move |n, store| async move {
                register(&store, &format!("r{round}n{n}@example.com"), PHONE).await;
            })
            .await;
        });
        while !writing.is_finished() {
            advance_on(&stores).await;
            let leased = lease(&stores, 20).await;
            seen.extend(leased.iter().map(|leased| leased.event.as_ref().unwrap().id));
            done(&stores, &leased).await;
        }
        writing.await.unwrap();
    }
    settled(&stores).await;
    for _ in 0..40 {
        advance_on(&stores).await;
        let leased = lease(&stores, 20).await;
        seen.extend(leased.iter().map(|leased| leased.event.as_ref().unwrap().id));
        done(&stores, &leased).await;
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 200);
}

pub async fn a_replay_sends_what_went_out_since(stores: Stores) {
    begin(&stores).await;
    let (jane, _) = register(&stores.one, "jane@example.com", PHONE).await;
    for second in [5, 6, 7] {
        let mut later = new_session(jane.id);
        later.event = event(EventKind::SessionOpened, second);
        stores.one.sessions.open(later).await.unwrap();
    }
    advance(&stores, &[], 100).await;
    loop {
        let leased = lease(&stores, 20).await;
        if leased.is_empty() {
            break;
        }
        done(&stores, &leased).await;
    }
    let replay = async |names: &[&str], second, limit| {
        let (mut queued, mut after) = (0, Some(0));
        while let Some(from) = after {
            let store = &stores.one.outgoing;
            let step = store
                .replay(HOOK, &kinds(names), at(second), from, at(30), limit)
                .await
                .unwrap();
            queued += step.queued;
            after = step.next;
        }
        queued
    };
    assert_eq!(replay(&["session.*"], 6, 1).await, 2);
    // What waits already goes out once.
    assert_eq!(replay(&["session.*"], 5, 100).await, 1);
    assert_eq!(replay(&["password.*"], 0, 100).await, 0);
    assert_eq!(replay(&[], 1_000, 100).await, 0);
    let first = lease(&stores, 40).await;
    assert_eq!(first[0].event.as_ref().unwrap().at.timestamp(), at(5).timestamp());
}
