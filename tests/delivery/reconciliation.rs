//! What may have been sent already is looked up before it is sent again.

use chrono::TimeDelta;
use ringback::{
    clock::Clock,
    provider::{FailureKind, FailureReason, LookupResult, Outcome, StatusUpdate},
};

use crate::{
    eventually,
    scripted::{Play, Scripted, accepted},
    stage::{Stage, bounds},
};

/// The connection broke after the request was written.
fn broken() -> Play {
    let reason = FailureReason::of(FailureKind::Connection);
    Play::Answer(Outcome::Retryable { after: None, reason })
}

/// A success whose body was cut off.
fn unreadable() -> Play {
    let reason = FailureReason {
        status: Some(200),
        ..FailureReason::of(FailureKind::Unreadable)
    };
    Play::Answer(Outcome::Retryable { after: None, reason })
}

fn taken() -> LookupResult {
    LookupResult::Taken {
        provider_id: "SM9".to_owned(),
    }
}

fn sees(provider: &Scripted, found: LookupResult) {
    *provider.found.lock().unwrap() = found;
}

fn look_ups(provider: &Scripted) -> usize {
    provider.looked_up.lock().unwrap().len()
}

async fn settled(stage: &Stage) {
    eventually("all are acknowledged", || {
        stage.outbox.len() == 0 && stage.is_at_rest()
    })
    .await;
}

#[actix::test]
async fn what_was_taken_though_its_answer_was_lost_is_not_sent_again() {
    let stage = Stage::set(bounds(), &[broken()], accepted());
    sees(&stage.provider, taken());
    stage.send(1);
    settled(&stage).await;
    assert_eq!((stage.calls(), look_ups(&stage.provider)), (1, 1));
    let reported = stage.reports.0.lock().unwrap();
    let states: Vec<_> = reported.iter().map(|report| report.update.clone()).collect();
    let provider_id = "SM9".to_owned();
    assert_eq!(states, [StatusUpdate::sent(provider_id)]);
    let looked_up = stage.provider.looked_up.lock().unwrap();
    let (message, since) = &looked_up[0];
    assert_eq!(message.reference.as_u128(), 1);
    assert!(
        message.body.expose().contains("654320"),
        "the provider finds it by its code"
    );
    assert_eq!(*since, stage.clock.clock.now(), "since it was issued");
}

#[actix::test]
async fn what_was_not_taken_is_sent_again_and_again() {
    let stage = Stage::set(bounds(), &[broken(), broken(), broken()], accepted());
    sees(&stage.provider, LookupResult::NotTaken);
    stage.send(1);
    settled(&stage).await;
    assert_eq!((stage.calls(), look_ups(&stage.provider)), (4, 3));
}

#[actix::test]
async fn what_nobody_can_tell_is_sent_twice_at_most_and_stays_owed() {
    for lost in [broken(), unreadable()] {
        let stage = Stage::set(bounds(), &[], lost.clone());
        stage.send(1);
        eventually("it rests", || stage.calls() > 0 && stage.is_at_rest()).await;
        let counted = (stage.calls(), look_ups(&stage.provider), stage.outbox.len());
        assert_eq!(counted, (2, 2, 1), "{lost:?}");
    }
}

#[actix::test]
async fn what_a_dead_instance_sent_is_not_sent_again() {
    let (first, second) = (
        Scripted::new("first", &[], accepted()),
        Scripted::new("second", &[], accepted()),
    );
    sees(&first, LookupResult::Unknown);
    sees(&second, taken());
    let stage = Stage::routed(bounds(), &[first.route(), second.route()], first.clone());
    let issued = stage.clock.clock.now();
    stage.owe(1, false);
    stage.clock.clock.advance(TimeDelta::seconds(40));
    settled(&stage).await;
    assert_eq!((first.calls(), second.calls()), (0, 0));
    assert_eq!((look_ups(&first), look_ups(&second)), (1, 1));
    assert_eq!(second.looked_up.lock().unwrap()[0].1, issued);
    assert_eq!(stage.reports.0.lock().unwrap()[0].provider, "second");
}

#[actix::test]
async fn what_a_dead_instance_may_have_sent_is_sent_rather_than_lost() {
    let stage = Stage::set(bounds(), &[], accepted());
    stage.owe(1, false);
    settled(&stage).await;
    assert_eq!((stage.calls(), look_ups(&stage.provider)), (1, 1));
}

#[actix::test]
async fn what_was_replaced_meanwhile_is_neither_sent_nor_looked_up() {
    let stage = Stage::set(bounds(), &[broken()], accepted());
    stage.send(1);
    eventually("it was tried", || stage.calls() == 1).await;
    stage.supersede(1);
    settled(&stage).await;
    assert_eq!((stage.calls(), look_ups(&stage.provider)), (1, 0));
}
