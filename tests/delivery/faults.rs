//! The dispatcher when its neighbours fail, or itself.

use std::{sync::atomic::Ordering, time::Duration};

use metrics_exporter_prometheus::PrometheusBuilder;
use ringback::delivery::DispatcherOptions;

use crate::{
    eventually,
    log::Log,
    scripted::{Play, accepted, busy, misconfigured, refused},
    stage::{Stage, bounds},
};

#[actix::test]
async fn a_panic_of_the_provider_costs_one_try_of_one_job() {
    let options = DispatcherOptions {
        in_flight: 1,
        ..bounds()
    };
    let stage = Stage::set(options, &[Play::Panic, Play::Panic], accepted());
    (1..=3).for_each(|number| stage.send(number));
    eventually("all are sent", || stage.outbox.len() == 0 && stage.is_at_rest()).await;
    assert_eq!(stage.calls(), 5);
    assert_eq!(
        stage.supervision.all()[0].restarts(),
        0,
        "it did not even reach the actor"
    );
}

#[actix::test]
async fn a_panic_of_the_actor_keeps_its_queue() {
    let options = DispatcherOptions {
        in_flight: 2,
        ..bounds()
    };
    let stage = Stage::set(options, &[Play::Wait, Play::Wait], accepted());
    (1..=10).for_each(|number| stage.send(number));
    eventually("two calls run", || stage.calls() == 2).await;
    // The report of a call that ends now meets a clock that fails.
    stage.clock.panics.store(true, Ordering::SeqCst);
    stage.provider.gate.add_permits(1);
    eventually("it was restarted", || stage.supervision.all()[0].restarts() == 1).await;
    stage.provider.gate.add_permits(1);
    eventually("the others are sent", || stage.outbox.len() == 1).await;
    assert_eq!(stage.calls(), 10);
    assert_eq!(stage.supervision.all()[0].restarts(), 1);
    // The sweep goes on, too.
    stage.owe(11, false);
    eventually("it takes over", || stage.calls() == 11).await;
}

#[actix::test]
async fn a_provider_that_hangs_is_cut_off_after_half_a_lease() {
    let options = DispatcherOptions {
        lease: Duration::from_millis(400),
        ..bounds()
    };
    let stage = Stage::set(options, &[Play::Hang], accepted());
    let began = std::time::Instant::now();
    stage.send(1);
    eventually("it is sent", || stage.outbox.len() == 0).await;
    assert_eq!(stage.calls(), 2);
    assert!(began.elapsed() >= Duration::from_millis(200));
}

#[actix::test]
async fn an_acknowledgement_is_tried_again_and_the_sms_is_not() {
    let stage = Stage::set(bounds(), &[Play::Wait], accepted());
    stage.send(1);
    eventually("it is under way", || stage.calls() == 1).await;
    stage.outbox.away_for.store(3, Ordering::SeqCst);
    stage.provider.gate.add_permits(1);
    eventually("it is acknowledged", || {
        stage.outbox.len() == 0 && stage.is_at_rest()
    })
    .await;
    assert_eq!(stage.calls(), 1);
}

#[actix::test]
async fn an_outbox_that_stays_away_is_told_when_it_is_back() {
    let stage = Stage::set(bounds(), &[Play::Wait], accepted());
    stage.send(1);
    eventually("it is under way", || stage.calls() == 1).await;
    let is_told_of = |tries: usize| usize::MAX - stage.outbox.away_for.load(Ordering::SeqCst) >= tries;
    stage.outbox.away_for.store(usize::MAX, Ordering::SeqCst);
    stage.provider.gate.add_permits(1);
    eventually("it was told more than once", || is_told_of(8)).await;
    stage.outbox.away_for.store(0, Ordering::SeqCst);
    eventually("it is acknowledged", || {
        stage.outbox.len() == 0 && stage.is_at_rest()
    })
    .await;
    assert_eq!(stage.calls(), 1);
}

#[actix::test]
async fn nothing_is_sent_again_while_nobody_knows_whether_it_should() {
    let stage = Stage::set(bounds(), &[Play::Wait], accepted());
    stage.send(1);
    eventually("it is under way", || stage.calls() == 1).await;
    // The call panics by its gate's end; then the outbox is away for good.
    stage.outbox.away_for.store(usize::MAX, Ordering::SeqCst);
    stage.provider.gate.close();
    eventually("it is left to its lease", || stage.is_at_rest()).await;
    assert_eq!(stage.calls(), 1);
    assert_eq!(stage.outbox.len(), 1, "still owed");
}

#[actix::test]
async fn a_clock_that_runs_ahead_drops_nothing_that_the_outbox_holds_good() {
    let (log, _logging) = Log::of_this_thread();
    let stage = Stage::set(bounds(), &[], accepted());
    let owed: Vec<_> = (1..=3).map(|number| stage.owe(number, false)).collect();
    stage.clock.clock.advance(chrono::Duration::minutes(10));
    eventually("they are left to their leases", || {
        stage.outbox.renewals.load(Ordering::SeqCst) == owed.len() && stage.is_at_rest()
    })
    .await;
    assert_eq!((stage.calls(), stage.outbox.len()), (0, 3), "all are still owed");
    assert_eq!(stage.outbox.acknowledged.load(Ordering::SeqCst), 0);
    let told = log.text().matches("clock runs ahead").count();
    assert_eq!(told, 0, "by no more than a moment, as far as is known");

    stage.clock.clock.advance(chrono::Duration::minutes(1));
    for entry in &owed {
        stage
            .outbox
            .rows
            .lock()
            .unwrap()
            .get_mut(&entry.challenge_id)
            .unwrap()
            .leased = false;
    }
    eventually("they are left again", || {
        stage.outbox.renewals.load(Ordering::SeqCst) == 2 * owed.len() && stage.is_at_rest()
    })
    .await;
    assert_eq!(stage.outbox.len(), 3);
    let told = log.text().matches("clock runs ahead").count();
    assert_eq!(told, 1, "once in a while");
}

#[actix::test]
async fn a_code_book_that_is_away_is_asked_again() {
    let stage = Stage::set(bounds(), &[], accepted());
    stage.messages.away_for.store(2, Ordering::SeqCst);
    stage.owe(1, false);
    eventually("it is sent", || stage.outbox.len() == 0 && stage.is_at_rest()).await;
    assert_eq!(stage.calls(), 1);
    let asked = stage.messages.asked.load(Ordering::SeqCst);
    assert_eq!(asked, 4, "twice in vain, for the look-up and for the SMS");
}

#[actix::test]
async fn outcomes_are_counted() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let script = [accepted(), refused(), misconfigured(), busy(None), accepted()];
    let options = DispatcherOptions {
        in_flight: 1,
        ..bounds()
    };
    let stage = Stage::set(options, &script, accepted());
    (1..=4).for_each(|number| stage.send(number));
    eventually("all are answered", || {
        stage.outbox.len() == 0 && stage.is_at_rest()
    })
    .await;
    let metrics = recorder.handle().render();
    for line in [
        r#"ringback_deliveries_total{provider="scripted",channel="sms",outcome="accepted"} 3"#,
        r#"ringback_deliveries_total{provider="scripted",channel="sms",outcome="failed"} 1"#,
        r#"ringback_delivery_calls_total{provider="scripted",channel="sms",result="accepted"} 3"#,
        r#"ringback_delivery_calls_total{provider="scripted",channel="sms",result="refused"} 1"#,
        r#"ringback_delivery_calls_total{provider="scripted",channel="sms",result="misconfigured"} 1"#,
        r#"ringback_delivery_calls_total{provider="scripted",channel="sms",result="failed"} 1"#,
        r#"ringback_delivery_breaker_turns_total{provider="scripted",channel="sms",to="stopped"} 2"#,
        r#"ringback_delivery_breaker_turns_total{provider="scripted",channel="sms",to="working"} 1"#,
        r#"ringback_delivery_breaker_state{provider="scripted",channel="sms"} 0"#,
        r#"ringback_delivery_retries_total{provider="scripted",channel="sms"} 1"#,
        r#"ringback_delivery_provider_seconds_count{provider="scripted",channel="sms"} 6"#,
        r#"ringback_delivery_in_flight{provider="scripted",channel="sms"} 0"#,
        "ringback_delivery_queue_depth 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in:\n{metrics}");
    }
}

#[actix::test]
async fn no_number_and_no_code_is_logged() {
    let (log, _logging) = Log::of_this_thread();
    let script = [accepted(), refused(), misconfigured(), busy(None), Play::Panic];
    let stage = Stage::set(bounds(), &script, accepted());
    (1..=6).for_each(|number| stage.send(number));
    eventually("all are answered", || {
        stage.outbox.len() == 0 && stage.is_at_rest()
    })
    .await;
    let text = log.text();
    assert!(text.contains("NO MESSAGE GOES OUT"), "{text}");
    for secret in ["4152000", "65431", "65432"] {
        assert!(!text.contains(secret), "{secret} is in:\n{text}");
    }
}
