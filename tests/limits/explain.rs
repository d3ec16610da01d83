//! What operators ask.

use std::net::IpAddr;

use chrono::TimeDelta;
use ringback::limits::{KeyDimension, KeyError, Operation, Preview, RuleKey, Subject};

use super::{
    redis_with_prefix, rules,
    stage::{OPTIONS, admitted, client, client_with_phone, clock, key_of, keyring},
    unique,
};
use ringback::{
    clock::SystemClock,
    limits::{ClusterCounters, Limiter, MemoryCounters, RedisCounters},
    supervision::Supervision,
};
use std::sync::Arc;

const LIMITS: &str = "
    [[rule]]\nid='near'\non='otp.send'\nby='ip'\nquota=50\nper='1m'\nscope='instance'\n
    [[rule]]\nid='far'\non='otp.send'\nby=['ip', 'country']\nquota=20\nper='1h'\n
    [[rule]]\nid='own'\non='any'\nby='phone'\nquota=4\nper='1h'\nburst=3\n
    [[rule]]\nid='tried'\non='otp.send'\nby='global'\nquota=1\nper='1h'\nmode='shadow'\n
    [[rule]]\nid='idle'\non='otp.send'\nby='ip'\nquota=1\nper='1h'\nmode='off'\n
    [[rule]]\nid='signed-in'\non='otp.send'\nby='user'\nquota=1\nper='1h'\n
    [[rule]]\nid='elsewhere'\non='login'\nby='phone'\nquota=2\nper='1h'\n";

#[actix::test]
async fn each_rule_that_applies_is_told_and_nothing_is_spent() {
    let clock = clock();
    let counters = Arc::new(MemoryCounters::new(Arc::new(clock.clone()), 1000));
    let limiter = Limiter::start(
        &Supervision::default(),
        OPTIONS,
        rules(LIMITS),
        counters.clone(),
        Arc::new(clock.clone()),
    );
    let admission = limiter.admit(Operation::OtpSend, &client_with_phone()).await;
    counters.check(&admission.unwrap().attached, false).await.unwrap(); // as the issuing script does
    for _ in 0..100 {
        let told = limiter.explain(Operation::OtpSend, &client_with_phone()).await;
        let rows = told
            .rules
            .iter()
            .map(|rule| (rule.rule.as_str(), rule.remaining.unwrap(), rule.verdict));
        let expected = [
            ("near", 49, Preview::Pass),
            ("far", 19, Preview::Pass),
            ("own", 2, Preview::Pass),
            ("tried", 0, Preview::WouldRefuse),
        ];
        assert_eq!(rows.collect::<Vec<_>>(), expected);
        assert_eq!((told.refused_by, told.unavailable), (None, false));
    }
    let told = limiter.explain(Operation::OtpSend, &client_with_phone()).await;
    assert_eq!(told.rules[1].full_in_ms, Some(180_000));
    clock.advance(TimeDelta::seconds(179));
    let told = limiter.explain(Operation::OtpSend, &client_with_phone()).await;
    assert_eq!(
        (told.rules[1].full_in_ms, told.rules[1].by.as_str()),
        (Some(1000), "ip+country")
    );

    assert_eq!(
        admitted(&limiter, Operation::Login, &client_with_phone()).await,
        2
    );
    let told = limiter.explain(Operation::Login, &client_with_phone()).await;
    assert_eq!(told.refused_by.as_deref(), Some("elsewhere"));
    assert_eq!(told.rules[1].wait_ms, Some(1_800_000));
    let bare = limiter.explain(Operation::Login, &client()).await;
    assert!(bare.rules.is_empty(), "no phone, no rule by phone");
}

/// Over the burst a proof of work lets a request pass, over the ceiling none does; what is explained is what is answered.
#[actix::test]
async fn a_rule_that_asks_for_work_is_explained_as_it_answers() {
    let clock = clock();
    let counters = Arc::new(MemoryCounters::new(Arc::new(clock.clone()), 1000));
    let limiter = Limiter::start(
        &Supervision::default(),
        OPTIONS,
        rules("[[rule]]\nid='own'\non='otp.send'\nby='ip'\nquota=5\nper='50s'\nmode='prove'\nceiling=9\n"),
        counters.clone(),
        Arc::new(clock.clone()),
    );
    let ask = async |subject: &Subject| {
        let admission = limiter.admit(Operation::OtpSend, subject).await.unwrap();
        let attached = counters.check(&admission.attached, false).await.unwrap();
        limiter.settle(admission, &attached).await
    };
    let (plain, worked) = (client_with_phone(), client_with_phone().after_work());
    let explained = async || {
        let told = limiter.explain(Operation::OtpSend, &plain).await;
        let rule = &told.rules[0];
        (rule.verdict, rule.wait_ms.unwrap(), told.refused_by.is_some())
    };
    for asked in 0..5 {
        assert_eq!(explained().await, (Preview::Pass, 0, false), "{asked}");
        assert!(ask(&plain).await.is_none());
    }
    for asked in 0..4 {
        let refusal = ask(&plain).await.unwrap();
        assert!(refusal.work.is_some());
        let wait = (asked + 1) * 10_000;
        assert_eq!(u128::from(wait), refusal.retry_after.as_millis());
        assert_eq!(explained().await, (Preview::AskForWork, wait, false));
        assert!(ask(&worked).await.is_none());
    }
    let refusal = ask(&plain).await.unwrap();
    assert!(refusal.work.is_none());
    assert_eq!(refusal.retry_after.as_secs(), 10);
    assert_eq!(explained().await, (Preview::Refuse, 10_000, true));
    clock.advance(TimeDelta::seconds(10));
    assert_eq!(explained().await, (Preview::AskForWork, 40_000, false));
}

#[actix::test]
async fn a_reset_gives_one_customer_all_of_it_back_whatever_counts_him() {
    let limits = "[[rule]]\nid='near'\non='login'\nby='ip'\nquota=3\nper='1h'\nscope='instance'\n
                  [[rule]]\nid='far'\non='register'\nby=['ip', 'phone']\nquota=3\nper='1h'\n
                  [[rule]]\nid='all'\non='token.refresh'\nby='global'\nquota=3\nper='1h'";
    let keyring = keyring();
    for variable in ["RINGBACK_TEST_REDIS_URL", "RINGBACK_TEST_REDIS_CLUSTER_URL"] {
        let counters = Arc::new(RedisCounters::new(Arc::new(redis_with_prefix(
            variable,
            &unique(),
        ))));
        let limiter = Limiter::start(
            &Supervision::default(),
            OPTIONS,
            rules(limits),
            counters,
            Arc::new(SystemClock),
        );
        let another = Subject::new("203.0.113.8".parse::<IpAddr>().unwrap());
        for (rule, operation, key) in [
            ("near", Operation::Login, "203.0.113.7"),
            ("far", Operation::Register, "203.0.113.7, +1 415 200 0001"),
            ("all", Operation::TokenRefresh, "*"),
        ] {
            assert_eq!(
                admitted(&limiter, operation, &client_with_phone()).await,
                3,
                "{rule}"
            );
            let _ = admitted(&limiter, operation, &another).await;
            let rules = limiter.rules();
            let rule = rules.find(rule).unwrap();
            let name = key_of(rule.by, key, keyring.current(), 64).unwrap();
            limiter.reset(rule, &name).await.unwrap();
            assert_eq!(
                admitted(&limiter, operation, &client_with_phone()).await,
                3,
                "{} {variable}",
                rule.id
            );
        }
        assert_eq!(
            admitted(&limiter, Operation::Login, &another).await,
            0,
            "another customer's is his own"
        );
    }
}

#[test]
fn customers_are_named_as_operators_know_them() {
    let keyring = keyring();
    let key = |by: RuleKey, text: &str| key_of(by, text, keyring.current(), 64);
    let ip = RuleKey::from(KeyDimension::Ip);
    assert_eq!(key(ip, "::ffff:203.0.113.7").unwrap(), "203.0.113.7");
    assert_eq!(key(ip, "2001:db8:1:2::/64"), key(ip, "2001:db8:1:2:3::1"));
    let digest = client_with_phone().phone_digest().unwrap().encode();
    assert_eq!(
        key(KeyDimension::Phone.into(), "+1 (415) 200-0001").unwrap(),
        digest
    );
    let pair = RuleKey::pair(KeyDimension::Country, KeyDimension::Prefix(4)).unwrap();
    assert_eq!(key(pair, "US, +14152000001").unwrap(), "US,1415");
    assert_eq!(
        key(KeyDimension::Prefix(9).into(), "+14152000001"),
        key(KeyDimension::Prefix(9).into(), "141520000")
    );
    let login = key(KeyDimension::User.into(), "Jane@Example.com").unwrap();
    assert_eq!(login, key(KeyDimension::User.into(), "jane@example.com").unwrap());
    assert!(!login.contains("jane"));
    assert_eq!(key(KeyDimension::Global.into(), "*").unwrap(), "*");
    for (by, text, fault) in [
        (ip, "203.0.113.300", KeyError::Ip),
        (ip, "203.0.113.7,x", KeyError::Parts { by: ip, wanted: 1 }),
        (
            RuleKey::pair(KeyDimension::Ip, KeyDimension::Country).unwrap(),
            "US, 203.0.113.7",
            KeyError::Order(RuleKey::pair(KeyDimension::Ip, KeyDimension::Country).unwrap()),
        ),
        (pair, "US", KeyError::Parts { by: pair, wanted: 2 }),
        (KeyDimension::User.into(), "jane", KeyError::User),
        (KeyDimension::Country.into(), "us", KeyError::Country),
        (KeyDimension::Prefix(6).into(), "1415", KeyError::Prefix(6)),
        (KeyDimension::Prefix(6).into(), "1415x0", KeyError::Prefix(6)),
        (KeyDimension::Global.into(), "", KeyError::Global),
    ] {
        assert_eq!(key(by, text), Err(fault), "{by} {text}");
    }
    assert!(matches!(
        key(KeyDimension::Phone.into(), "4152000001"),
        Err(KeyError::Phone(_))
    ));
}
