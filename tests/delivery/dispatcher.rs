//! The dispatcher when all is well, or as well as it gets.

use std::{sync::atomic::Ordering, time::Duration};

use ringback::{
    channel::Channel,
    delivery::{DispatcherOptions, Health},
    phone::Country,
};

use crate::{
    eventually,
    scripted::{Play, accepted, busy, refused},
    stage::{Stage, bounds},
};

#[actix::test]
async fn an_accepted_sms_is_sent_once_and_acknowledged() {
    let stage = Stage::set(bounds(), &[], accepted());
    stage.send(1);
    eventually("it is acknowledged", || {
        stage.outbox.len() == 0 && stage.is_at_rest()
    })
    .await;
    let sent = stage.provider.sent.lock().unwrap();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].to.expose(), "+14152000001");
    assert_eq!(
        sent[0].body.expose(),
        "Ringback code: 654320. It expires in 10 min. Don't share it."
    );
    assert_eq!(sent[0].valid_for, Duration::from_secs(600));
    assert_eq!(
        stage.outbox.renewals.load(Ordering::SeqCst),
        0,
        "its lease is fresh"
    );
}

#[actix::test]
async fn calls_in_flight_are_bounded_and_the_rest_waits() {
    let options = DispatcherOptions {
        in_flight: 3,
        ..bounds()
    };
    let stage = Stage::set(options, &[], Play::Wait);
    (1..=10).for_each(|number| stage.send(number));
    eventually("three calls run", || {
        stage.queue.status().queued == 7 && stage.calls() == 3
    })
    .await;
    assert_eq!(stage.queue.status().in_flight, 3);
    stage.provider.gate.add_permits(10);
    eventually("all are sent", || stage.outbox.len() == 0 && stage.is_at_rest()).await;
    assert_eq!(stage.calls(), 10);
    assert_eq!(stage.provider.peak.load(Ordering::SeqCst), 3);
    let sent = stage.provider.sent.lock().unwrap();
    let order: Vec<_> = sent
        .iter()
        .map(|message| message.to.expose().to_owned())
        .collect();
    assert!(order.is_sorted(), "first come, first sent: {order:?}");
}

#[actix::test]
async fn a_full_queue_says_so_at_once_though_500_calls_hang() {
    let options = DispatcherOptions {
        queue: 600,
        in_flight: 500,
        ..bounds()
    };
    let stage = Stage::set(options, &[], Play::Hang);
    (1..=600).for_each(|number| stage.send(number));
    eventually("500 calls hang", || stage.calls() == 500).await;
    assert_eq!(stage.queue.status().queued, 100);
    let refusal = stage.queue.reserve(Channel::Sms, Country::UNKNOWN).unwrap_err();
    assert_eq!(refusal.to_string(), "delivery_queue is unavailable: full");
}

#[actix::test]
async fn a_place_that_is_not_used_is_given_back() {
    let options = DispatcherOptions { queue: 1, ..bounds() };
    let stage = Stage::set(options, &[], accepted());
    let slot = stage.queue.reserve(Channel::Sms, Country::UNKNOWN).unwrap();
    assert!(stage.queue.reserve(Channel::Sms, Country::UNKNOWN).is_err());
    drop(slot);
    assert!(stage.queue.reserve(Channel::Sms, Country::UNKNOWN).is_ok());
}

#[actix::test]
async fn what_may_be_retried_is_and_asks_the_outbox_each_time() {
    let stage = Stage::set(bounds(), &[busy(None), busy(Some(Duration::ZERO))], accepted());
    stage.send(1);
    eventually("it is acknowledged", || {
        stage.outbox.len() == 0 && stage.is_at_rest()
    })
    .await;
    assert_eq!(stage.calls(), 3);
    assert_eq!(stage.outbox.renewals.load(Ordering::SeqCst), 2);
    assert_eq!(stage.outbox.acknowledged.load(Ordering::SeqCst), 1);
}

#[actix::test]
async fn after_five_tries_an_sms_rests_and_stays_owed() {
    let stage = Stage::set(bounds(), &[], busy(None));
    stage.send(1);
    eventually("it rests", || stage.calls() == 5 && stage.is_at_rest()).await;
    assert_eq!(stage.outbox.len(), 1);
}

#[actix::test]
async fn a_pause_is_kept() {
    let stage = Stage::set(bounds(), &[busy(Some(Duration::from_millis(300)))], accepted());
    let began = std::time::Instant::now();
    stage.send(1);
    eventually("it is acknowledged", || stage.outbox.len() == 0).await;
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!(stage.calls(), 2);
}

#[actix::test]
async fn a_refusal_for_good_is_one_call() {
    let stage = Stage::set(bounds(), &[], refused());
    stage.send(1);
    eventually("it is acknowledged", || {
        stage.outbox.len() == 0 && stage.is_at_rest()
    })
    .await;
    assert_eq!(stage.calls(), 1);
    assert_eq!(stage.health(), Health::Working);
}

#[actix::test]
async fn a_superseded_code_is_not_sent_again() {
    let stage = Stage::set(bounds(), &[busy(Some(Duration::from_millis(100)))], accepted());
    stage.send(1);
    eventually("it was tried", || stage.calls() == 1).await;
    stage.supersede(1);
    eventually("it is dropped", || stage.outbox.len() == 0 && stage.is_at_rest()).await;
    assert_eq!(stage.calls(), 1);
}

#[actix::test]
async fn what_waited_long_is_asked_after_and_dropped_if_superseded() {
    // A third of no lease is no time: every job counts as having waited long.
    let options = DispatcherOptions {
        lease: Duration::from_nanos(2),
        ..bounds()
    };
    let stage = Stage::set(options, &[], accepted());
    stage.send(1);
    stage.supersede(1);
    eventually("it is dropped", || stage.outbox.len() == 0 && stage.is_at_rest()).await;
    assert_eq!(stage.calls(), 0);
}

#[actix::test]
async fn an_expired_code_is_not_sent() {
    let stage = Stage::set(bounds(), &[], accepted());
    let slot = stage.queue.reserve(Channel::Sms, Country::UNKNOWN).unwrap();
    let entry = stage.owe(1, true);
    stage.clock.clock.advance(chrono::Duration::minutes(10));
    stage.supersede(1); // by the clock of the store
    let recipient = crate::stage::recipient(1, Channel::Sms);
    stage.queue.submit(slot, entry, recipient);
    eventually("it is dropped", || stage.outbox.len() == 0 && stage.is_at_rest()).await;
    assert_eq!(stage.calls(), 0);
}

#[actix::test]
async fn a_late_sms_says_what_is_left_of_its_codes_life() {
    let stage = Stage::set(bounds(), &[], accepted());
    let slot = stage.queue.reserve(Channel::Sms, Country::UNKNOWN).unwrap();
    let entry = stage.owe(1, true);
    stage.clock.clock.advance(chrono::Duration::seconds(8 * 60 + 1));
    let recipient = crate::stage::recipient(1, Channel::Sms);
    stage.queue.submit(slot, entry, recipient);
    eventually("it is sent", || stage.calls() == 1).await;
    let sent = stage.provider.sent.lock().unwrap();
    assert!(sent[0].body.expose().contains("expires in 2 min."));
    assert_eq!(sent[0].valid_for, Duration::from_secs(119));
}

#[actix::test]
async fn what_nobody_holds_is_taken_over_and_the_code_book_says_where_it_goes() {
    let stage = Stage::set(bounds(), &[], accepted());
    (1..=3).for_each(|number| drop(stage.owe(number, false)));
    let held_elsewhere = stage.owe(4, true);
    *stage.messages.nobody.lock().unwrap() = Some(uuid::Uuid::from_u128(1_002));
    eventually("three are gone", || stage.outbox.len() == 1 && stage.is_at_rest()).await;
    let sent = stage.provider.sent.lock().unwrap();
    let mut numbers: Vec<_> = sent.iter().map(|message| message.to.expose()).collect();
    numbers.sort_unstable();
    assert_eq!(
        numbers,
        ["+14152000001", "+14152000003"],
        "number 2 has no claim any more"
    );
    assert!(sent[0].body.expose().starts_with("Ringback code: 65"));
    assert!(
        stage
            .outbox
            .rows
            .lock()
            .unwrap()
            .contains_key(&held_elsewhere.challenge_id)
    );
}

#[actix::test]
async fn taking_over_leaves_room_for_those_who_ask_now() {
    let options = DispatcherOptions {
        queue: 10,
        ..bounds()
    };
    let stage = Stage::set(options, &[], Play::Hang);
    (1..=50).for_each(|number| drop(stage.owe(number, false)));
    eventually("some are taken over", || stage.calls() == 4).await;
    assert_eq!(stage.outbox.unleased(), 45);
    assert!(stage.queue.reserve(Channel::Sms, Country::UNKNOWN).is_ok());
}
