//! Several providers: which one carries what, and what happens when one fails, refuses, or all do.

use std::time::{Duration, Instant};

use ringback::{
    channel::Channel,
    delivery::{Countries, DispatcherOptions, Health, Route},
    phone::Country,
};

use crate::{
    eventually,
    scripted::{Play, Scripted, accepted, busy, misconfigured, refused},
    stage::{Stage, bounds, recipient},
};

/// Long enough that nobody is probed while a test lasts.
const NEVER: Duration = Duration::from_secs(3600);

fn patient() -> DispatcherOptions {
    DispatcherOptions {
        probe_after: NEVER,
        probe_every: NEVER,
        ..bounds()
    }
}

async fn settled(stage: &Stage) {
    eventually("all are acknowledged", || stage.outbox.len() == 0).await;
}

#[actix::test]
async fn what_one_refuses_to_this_account_the_next_carries_at_once() {
    let (first, second) = (
        Scripted::new("first", &[], misconfigured()),
        Scripted::new("second", &[], accepted()),
    );
    let stage = Stage::routed(patient(), &[first.route(), second.route()], first.clone());
    stage.send(1);
    settled(&stage).await;
    assert_eq!(stage.health(), Health::Stopped);
    stage.send(2);
    settled(&stage).await;
    assert_eq!((first.calls(), second.calls()), (1, 2));
    let reported = stage.reports.0.lock().unwrap();
    assert!(
        reported.iter().all(|report| report.provider == "second"),
        "{reported:?}"
    );
    assert_eq!(reported.len(), 2);
}

#[actix::test]
async fn what_one_fails_over_again_and_again_the_next_carries() {
    let (first, second) = (
        Scripted::new("first", &[], busy(None)),
        Scripted::new("second", &[], accepted()),
    );
    let stage = Stage::routed(patient(), &[first.route(), second.route()], first.clone());
    (1..=20).for_each(|number| stage.send(number));
    settled(&stage).await;
    assert_eq!(stage.health(), Health::Failing);
    assert!(
        (8..12).contains(&first.calls()),
        "{} calls: some were under way",
        first.calls()
    );
    assert_eq!(second.calls(), 20);
}

#[actix::test]
async fn what_is_said_of_a_number_is_for_good() {
    let (first, second) = (
        Scripted::new("first", &[], refused()),
        Scripted::new("second", &[], accepted()),
    );
    let stage = Stage::routed(patient(), &[first.route(), second.route()], first.clone());
    stage.send(1);
    settled(&stage).await;
    assert_eq!((first.calls(), second.calls()), (1, 0));
}

#[actix::test]
async fn countries_and_the_last_sms_that_did_not_arrive_decide_who_carries_one() {
    let (first, second) = (
        Scripted::new("first", &[], accepted()),
        Scripted::new("second", &[], accepted()),
    );
    let abroad = Route {
        countries: Countries::parse("!US+ZZ").unwrap(),
        ..second.route()
    };
    let routes = [abroad, first.route(), second.route()];
    let stage = Stage::routed(patient(), &routes, first.clone());
    for (number, country, avoid) in [
        (1, "US", None),
        (2, "FR", None),
        (3, "FR", Some("second")),
        (4, "US", Some("first")),
    ] {
        let mut entry = stage.owe(number, true);
        entry.country = Country::parse(country).unwrap();
        entry.avoid = avoid.map(str::to_owned);
        let slot = stage.queue.reserve(Channel::Sms, entry.country).unwrap();
        let recipient = recipient(number, Channel::Sms);
        stage.queue.submit(slot, entry, recipient);
    }
    settled(&stage).await;
    let numbers = |provider: &Scripted| {
        let sent = provider.sent.lock().unwrap();
        let last = |to: &str| to[to.len() - 1..].to_owned();
        let mut numbers: Vec<_> = sent.iter().map(|message| last(message.to.expose())).collect();
        numbers.sort();
        numbers.join(",")
    };
    assert_eq!((numbers(&first), numbers(&second)), ("1,3".into(), "2,4".into()));
}

#[actix::test]
async fn what_all_refuse_is_issued_no_more_until_a_probe_is_taken() {
    let stage = Stage::set(bounds(), &[misconfigured()], accepted());
    stage.send(1);
    eventually("it shows", || stage.health() == Health::Stopped).await;
    let refusal = stage.queue.reserve(Channel::Sms, Country::UNKNOWN).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "provider is unavailable: stopped, until it takes messages again"
    );
    settled(&stage).await;
    eventually("it is over", || {
        stage.health() == Health::Working && stage.is_at_rest()
    })
    .await;
    assert_eq!(stage.calls(), 2, "the one that it refused was the probe");
}

#[actix::test]
async fn where_nothing_is_owed_the_next_code_is_the_probe() {
    let stage = Stage::set(bounds(), &[misconfigured()], accepted());
    stage.send(1);
    eventually("it shows", || stage.health() == Health::Stopped).await;
    stage.supersede(1);
    eventually("a code may be issued", || {
        stage.queue.reserve(Channel::Sms, Country::UNKNOWN).is_ok()
    })
    .await;
    assert_eq!(
        (stage.calls(), stage.health()),
        (1, Health::Stopped),
        "nobody was asked meanwhile"
    );
    stage.send(2);
    eventually("it is over", || stage.health() == Health::Working).await;
}

#[actix::test]
async fn only_countries_that_nobody_is_left_for_are_refused() {
    let (first, second) = (
        Scripted::new("first", &[], misconfigured()),
        Scripted::new("second", &[], accepted()),
    );
    let home = Route {
        countries: Countries::parse("US+FR+ZZ").unwrap(),
        ..first.route()
    };
    let france = Route {
        countries: Countries::parse("FR").unwrap(),
        ..second.route()
    };
    let stage = Stage::routed(patient(), &[home, france], first);
    stage.send(1);
    eventually("it shows", || stage.health() == Health::Stopped).await;
    let admits = |country| {
        stage
            .queue
            .reserve(Channel::Sms, Country::parse(country).unwrap())
            .is_ok()
    };
    assert_eq!((admits("US"), admits("FR")), (false, true));
    let refusal = stage
        .queue
        .reserve(Channel::Sms, Country::parse("DE").unwrap())
        .unwrap_err();
    assert!(refusal.to_string().contains("no route leads to this country"));
}

#[actix::test]
async fn a_provider_that_merely_fails_is_still_issued_codes_for() {
    let stage = Stage::set(patient(), &[], busy(None));
    (1..=4).for_each(|number| stage.send(number));
    eventually("it is left alone", || stage.health() == Health::Failing).await;
    stage.send(5);
    eventually("they wait", || stage.queue.status().queued == 5).await;
    assert_eq!(stage.queue.drain(Duration::from_secs(5)).await, 5);
    assert_eq!(stage.outbox.unleased(), 5, "and are handed back in the end");
}

#[actix::test]
async fn a_pace_is_kept() {
    let provider = Scripted::new("scripted", &[], accepted());
    let route = Route {
        max_per_second: 5,
        ..provider.route()
    };
    let stage = Stage::routed(bounds(), &[route], provider);
    let began = Instant::now();
    (1..=11).for_each(|number| stage.send(number));
    settled(&stage).await;
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(stage.calls(), 11);
}

#[actix::test]
async fn a_provider_that_hangs_does_not_hold_up_what_another_carries() {
    let (first, second) = (
        Scripted::new("first", &[], Play::Hang),
        Scripted::new("second", &[], accepted()),
    );
    let stage = Stage::routed(patient(), &[first.route(), second.route()], first.clone());
    (1..=20).for_each(|number| stage.send(number));
    eventually("the rest is sent", || stage.outbox.len() == 4).await;
    assert_eq!((first.calls(), second.calls()), (4, 16));
}
