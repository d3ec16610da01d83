use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use uuid::Uuid;

use super::*;
use crate::{
    delivery::CodeSeed,
    language::Language,
    partition::SlotAddress,
    phone::Country,
    provider::{Outcome, Provider},
    sms::SmsMessage,
};

const SECOND: Duration = Duration::from_secs(1);

/// A provider of which nothing but its name matters.
struct Named(&'static str);

#[async_trait]
impl Provider<SmsMessage> for Named {
    fn name(&self) -> &'static str {
        self.0
    }

    async fn send(&self, _: &SmsMessage) -> Outcome {
        unreachable!("no I/O here")
    }
}

struct Bench {
    board: Router,
    load: Vec<usize>,
    now: Instant,
}

impl Bench {
    /// Routes such as `a:US`, each with a pace of 2 a second and a bound of 3 calls.
    fn new(routes: &[(&'static str, &'static str)]) -> Self {
        let route = |&(name, countries): &(&'static str, &'static str)| Route {
            provider: ChannelProvider::Sms(Arc::new(Named(name))),
            countries: match countries {
                "" => Countries::All,
                text => Countries::parse(text).unwrap(),
            },
            max_per_second: 2,
        };
        let routes: Vec<_> = routes.iter().map(route).collect();
        let pauses = Pauses {
            first: 5 * SECOND,
            longest: 60 * SECOND,
        };
        let board = Router::new(&routes, 3, pauses);
        Self {
            load: vec![0; board.count()],
            board,
            now: Instant::now(),
        }
    }

    fn names(&self, providers: &[ProviderId]) -> Vec<&'static str> {
        providers
            .iter()
            .map(|&provider| self.board.name(provider))
            .collect()
    }

    fn want(&self, country: &str, avoid: Option<&str>) -> Option<Want> {
        self.want_after(&[], country, avoid)
    }

    /// What it waits for after these deprioritized it.
    fn want_after(&self, deprioritized: &[&str], country: &str, avoid: Option<&str>) -> Option<Want> {
        self.board.wanted_by(
            &OutboxEntry {
                challenge_id: Uuid::nil(),
                user_id: Some(Uuid::nil()),
                address: SlotAddress::from_bits(0),
                channel: Channel::Sms,
                topic: 0,
                seed: CodeSeed::default(),
                country: Country::parse(country).unwrap(),
                language: Language::default(),
                sealed: None,
                avoid: avoid.map(str::to_owned),
                expires_at_ms: 0,
            },
            &deprioritized.iter().map(|name| self.provider(name)).collect(),
            &BTreeSet::new(),
        )
    }

    /// Who would carry it, or when somebody may.
    fn choice(&self, country: &str, avoid: Option<&str>) -> Result<&'static str, Option<Duration>> {
        self.choice_after(&[], country, avoid)
    }

    fn choice_after(
        &self,
        deprioritized: &[&str],
        country: &str,
        avoid: Option<&str>,
    ) -> Result<&'static str, Option<Duration>> {
        let want = self.want_after(deprioritized, country, avoid).unwrap();
        match self.board.choose(&want, &self.load, self.now) {
            Choice::Provider(provider) => Ok(self.board.name(provider)),
            Choice::NotBefore(at) => Err(Some(at - self.now)),
            Choice::Later => Err(None),
        }
    }

    fn provider(&self, name: &str) -> ProviderId {
        (0..self.board.count())
            .find(|&provider| self.board.name(provider) == name)
            .unwrap()
    }

    fn stop(&mut self, name: &str) {
        self.board
            .observe(self.provider(name), false, Observation::Refused, self.now);
    }

    /// Begins as many calls in this moment as the pace allows.
    fn hurry(&mut self, name: &str) {
        let provider = self.provider(name);
        for _ in 0..2 {
            assert!(!self.board.begin_send(provider, self.now), "no probe");
        }
    }
}

#[test]
fn the_order_of_the_routes_is_that_of_preference_in_each_country() {
    let bench = Bench::new(&[("a", "US+CA"), ("b", "!IN"), ("a", "")]);
    let towards = |country| {
        bench.names(
            &bench
                .board
                .towards(Channel::Sms, Country::parse(country).unwrap()),
        )
    };
    assert_eq!(towards("CA"), ["a", "b"]);
    assert_eq!(towards("FR"), ["b", "a"]);
    assert_eq!(towards("IN"), ["a"]);
    assert_eq!(towards("ZZ"), ["b", "a"]);
    assert_eq!(
        bench.board.count(),
        2,
        "a provider is one provider in all its routes"
    );
    assert_eq!(
        (bench.choice("CA", None), bench.choice("FR", None)),
        (Ok("a"), Ok("b"))
    );
    let nowhere = Bench::new(&[("a", "US")]);
    assert_eq!(nowhere.want("FR", None), None);
}

#[test]
fn whose_sms_did_not_arrive_is_avoided_unless_all_others_are_shut() {
    let mut bench = Bench::new(&[("a", ""), ("b", "")]);
    assert_eq!(bench.choice("US", Some("a")), Ok("b"));
    assert_eq!(bench.choice("US", Some("b")), Ok("a"));
    assert_eq!(bench.choice("US", Some("gone")), Ok("a"));
    bench.hurry("b");
    assert_eq!(bench.choice("US", Some("a")), Err(Some(SECOND)), "waited for");
    bench.stop("b");
    assert_eq!(bench.choice("US", Some("a")), Ok("a"));
    let only = Bench::new(&[("a", "")]);
    assert_eq!(only.choice("US", Some("a")), Ok("a"));
}

#[test]
fn who_was_deprioritized_comes_after_whose_last_one_did_not_arrive() {
    let mut bench = Bench::new(&[("a", ""), ("b", "")]);
    assert_eq!(bench.choice_after(&["a"], "US", None), Ok("b"));
    assert_eq!(bench.choice_after(&["a"], "US", Some("b")), Ok("b"));
    bench.hurry("b");
    assert_eq!(
        bench.choice_after(&["a"], "US", Some("b")),
        Err(Some(SECOND)),
        "waited for"
    );
    assert_eq!(bench.choice_after(&["a", "b"], "US", None), Ok("a"));
    bench.stop("b");
    assert_eq!(bench.choice_after(&["a"], "US", Some("b")), Ok("a"));
}

#[test]
fn a_shut_breaker_sends_on_to_the_next() {
    let mut bench = Bench::new(&[("a", ""), ("b", "")]);
    bench.stop("a");
    assert_eq!(bench.choice("US", None), Ok("b"));
    bench.stop("b");
    assert_eq!(bench.choice("US", None), Err(Some(5 * SECOND)));
    bench.now += 5 * SECOND;
    assert_eq!(bench.choice("US", None), Ok("a"), "a probe");
    assert!(bench.board.begin_send(bench.provider("a"), bench.now));
    assert_eq!(bench.choice("US", None), Ok("b"), "a probe, too");
    assert!(bench.board.begin_send(bench.provider("b"), bench.now));
    assert_eq!(bench.choice("US", None), Err(None));
}

#[test]
fn who_has_no_room_is_not_waited_for_while_another_has() {
    let mut bench = Bench::new(&[("a", ""), ("b", "")]);
    bench.hurry("a");
    assert_eq!(bench.choice("US", None), Ok("b"), "a is out of pace");
    bench.now += SECOND / 4;
    bench.hurry("b");
    assert_eq!(bench.choice("US", None), Err(Some(SECOND * 3 / 4)));
    bench.now += SECOND * 3 / 4;
    assert_eq!(bench.choice("US", None), Ok("a"));
    bench.load[0] = 3;
    assert_eq!(bench.choice("US", None), Err(Some(SECOND / 4)), "a has 3 calls");
    bench.load[1] = 3;
    bench.now += SECOND;
    assert_eq!(bench.choice("US", None), Err(None), "until a call ends");
}

#[test]
fn who_is_stopped_can_be_asked_for_what_it_took() {
    let mut bench = Bench::new(&[("a", "")]);
    bench.stop("a");
    let choose = |bench: &Bench| bench.board.choose(&Want::LookUp(0), &bench.load, bench.now);
    assert_eq!(choose(&bench), Choice::Provider(0));
    bench.board.begin_look_up(0, bench.now);
    bench.board.begin_look_up(0, bench.now);
    assert_eq!(
        choose(&bench),
        Choice::NotBefore(bench.now + SECOND),
        "at its pace"
    );
}
