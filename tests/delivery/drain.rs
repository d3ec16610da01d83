//! The dispatcher when the service ends.

use std::{sync::atomic::Ordering, time::Duration};

use ringback::{channel::Channel, delivery::DispatcherOptions, phone::Country};

use crate::{
    eventually,
    scripted::{Play, accepted, busy},
    stage::{Stage, bounds, recipient},
    within,
};

const SOON: Duration = Duration::from_secs(5);

#[actix::test]
async fn calls_under_way_finish_and_the_rest_is_handed_back() {
    let options = DispatcherOptions {
        in_flight: 2,
        ..bounds()
    };
    let stage = Stage::set(options, &[], Play::Wait);
    (1..=10).for_each(|number| stage.send(number));
    eventually("two calls run", || stage.calls() == 2).await;
    let (queue, gate) = (stage.queue.clone(), &stage.provider.gate);
    let draining = tokio::spawn(async move { queue.drain(SOON).await });
    eventually("eight are handed back", || stage.outbox.unleased() == 8).await;
    assert!(!draining.is_finished(), "two calls are still under way");
    gate.add_permits(2);
    assert_eq!(within(SOON, draining).await.unwrap(), 8);
    assert_eq!(stage.outbox.len(), 8);
    assert_eq!(stage.calls(), 2);
}

#[actix::test]
async fn calls_that_do_not_finish_are_handed_back_at_the_deadline() {
    let options = DispatcherOptions {
        in_flight: 2,
        ..bounds()
    };
    let stage = Stage::set(options, &[], Play::Hang);
    (1..=5).for_each(|number| stage.send(number));
    eventually("two calls hang", || stage.calls() == 2).await;
    let handed_back = within(SOON, stage.queue.drain(Duration::from_millis(50))).await;
    assert_eq!((handed_back, stage.outbox.unleased()), (5, 5));
}

#[actix::test]
async fn what_would_be_tried_again_is_handed_back() {
    let stage = Stage::set(bounds(), &[], busy(Some(Duration::from_secs(30))));
    stage.send(1);
    eventually("it was tried", || {
        stage.calls() == 1 && stage.queue.status().queued == 1
    })
    .await;
    assert_eq!(within(SOON, stage.queue.drain(SOON)).await, 1);
    assert_eq!(stage.outbox.unleased(), 1);
}

#[actix::test]
async fn nothing_new_begins_after_it() {
    let stage = Stage::set(bounds(), &[], accepted());
    let slot = stage.queue.reserve(Channel::Sms, Country::UNKNOWN).unwrap();
    assert_eq!(within(SOON, stage.queue.drain(SOON)).await, 0);
    assert!(stage.queue.status().draining);
    assert!(stage.queue.reserve(Channel::Sms, Country::UNKNOWN).is_err());
    // A request that had its place before hands over what the next start will send.
    let entry = stage.owe(1, true);
    let recipient = recipient(1, Channel::Sms);
    stage.queue.submit(slot, entry, recipient);
    eventually("it is handed back", || stage.outbox.unleased() == 1).await;
    assert_eq!(stage.calls(), 0);
}

#[actix::test]
async fn an_outbox_that_is_away_does_not_hold_the_end_up() {
    let options = DispatcherOptions {
        in_flight: 1,
        ..bounds()
    };
    let stage = Stage::set(options, &[], Play::Hang);
    (1..=20).for_each(|number| stage.send(number));
    eventually("a call hangs", || stage.calls() == 1).await;
    stage.outbox.away_for.store(usize::MAX, Ordering::SeqCst);
    assert_eq!(
        within(SOON, stage.queue.drain(Duration::from_millis(50))).await,
        0
    );
    assert_eq!(stage.outbox.len(), 20, "all are still owed");
}

#[actix::test]
async fn an_outbox_that_comes_back_in_time_is_told_what_was_sent() {
    let stage = Stage::set(bounds(), &[Play::Wait], accepted());
    stage.send(1);
    eventually("it is under way", || stage.calls() == 1).await;
    stage.outbox.away_for.store(6, Ordering::SeqCst);
    let (queue, gate) = (stage.queue.clone(), &stage.provider.gate);
    let draining = tokio::spawn(async move { queue.drain(SOON).await });
    gate.add_permits(1);
    assert_eq!(within(SOON, draining).await.unwrap(), 0);
    assert_eq!((stage.calls(), stage.outbox.len()), (1, 0));
}

#[actix::test]
async fn an_outbox_that_stays_away_is_not_waited_for_beyond_the_deadline() {
    let stage = Stage::set(bounds(), &[Play::Wait], accepted());
    stage.send(1);
    eventually("it is under way", || stage.calls() == 1).await;
    stage.outbox.away_for.store(usize::MAX, Ordering::SeqCst);
    stage.provider.gate.add_permits(1);
    let short = Duration::from_millis(50);
    assert_eq!(within(SOON, stage.queue.drain(short)).await, 0);
    assert_eq!(stage.outbox.len(), 1, "still owed");
}
