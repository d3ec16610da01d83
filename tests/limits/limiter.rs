//! The limiter as the rest of the service sees it.

use std::{net::IpAddr, sync::Arc, time::Duration};

use chrono::TimeDelta;
use metrics_exporter_prometheus::PrometheusBuilder;
use ringback::{
    channel::Channel,
    clock::SystemClock,
    email::{EmailAddress, EmailDigest},
    limits::{
        CounterName, KeyDimension, Limiter, LimiterOptions, Operation, RedisCounters, RuleSet, Scope,
        Subject, Verdict,
    },
    supervision::Supervision,
    unavailable::Part,
};
use uuid::Uuid;

use super::{
    redis_with_prefix, rules,
    stage::{
        OPTIONS, admitted, admitted_in_parallel, client, client_with_email, client_with_phone, clock, key_of,
        keyring, limiter, refusal, unavailable,
    },
    unique,
};

#[actix::test]
async fn instance_rules_admit_exactly_their_quota_over_all_threads() {
    let rules = rules(
        "[[rule]]\nid='a'\non='me'\nby='ip'\nquota=211\nper='30d'\nscope='instance'\n
         [[rule]]\nid='b'\non='me'\nby='global'\nquota=600\nper='30d'\nscope='instance'",
    );
    let limiter = limiter(OPTIONS, rules.clone(), &clock());
    assert_eq!(
        admitted_in_parallel(std::slice::from_ref(&limiter), Operation::Me).await,
        211
    );
    // The 589 that `a` refused took nothing from `b`, wherever its shard is.
    limiter.replace(RuleSet::new(vec![rules.rules()[1].as_ref().clone()]));
    assert_eq!(admitted_in_parallel(&[limiter], Operation::Me).await, 389);
}

#[actix::test]
async fn cluster_rules_admit_exactly_their_quota_over_three_instances() {
    // `b` has room for all that are on their way at once: until it is given back, what `a` refuses counts there.
    let rules = rules(
        "[[rule]]\nid='a'\non='login'\nby='ip'\nquota=173\nper='30d'\n
         [[rule]]\nid='b'\non='login'\nby='global'\nquota=973\nper='30d'\n
         [[rule]]\nid='c'\non='login'\nby='ip'\nquota=500\nper='30d'\nscope='instance'",
    );
    for variable in ["RINGBACK_TEST_REDIS_URL", "RINGBACK_TEST_REDIS_CLUSTER_URL"] {
        let prefix = unique();
        let mut limiters = Vec::new();
        for _ in 0..3 {
            let counters = Arc::new(RedisCounters::new(Arc::new(redis_with_prefix(variable, &prefix))));
            let clock = Arc::new(SystemClock);
            let rules = rules.clone();
            limiters.push(Limiter::start(
                &Supervision::default(),
                OPTIONS,
                rules,
                counters,
                clock,
            ));
        }
        assert_eq!(
            admitted_in_parallel(&limiters, Operation::Login).await,
            173,
            "{variable}"
        );
    }
}

#[actix::test]
async fn a_refused_request_spends_nothing_whoever_refuses() {
    let wide = "[[rule]]\nid='near'\non='login'\nby='ip'\nquota=9\nper='1h'\nscope='instance'\n
                [[rule]]\nid='far'\non='login'\nby='ip'\nquota=8\nper='1h'\n";
    for tight in [
        "[[rule]]\nid='tight'\non='login'\nby='global'\nquota=2\nper='1h'\nscope='instance'",
        "[[rule]]\nid='tight'\non='login'\nby='global'\nquota=2\nper='1h'\nscope='cluster'",
    ] {
        let limiter = limiter(OPTIONS, rules(&format!("{wide}{tight}")), &clock());
        assert_eq!(admitted(&limiter, Operation::Login, &client()).await, 2);
        limiter.replace(rules(wide));
        assert_eq!(
            admitted(&limiter, Operation::Login, &client()).await,
            6,
            "8 less the 2 that passed: {tight}"
        );
    }
}

const WITH_ATTACHED: &str = "
    [[rule]]\nid='near'\non='otp.send'\nby='ip'\nquota=9\nper='1h'\nscope='instance'\n
    [[rule]]\nid='far'\non='otp.send'\nby='country'\nquota=3\nper='1h'\n
    [[rule]]\nid='hour'\non='otp.send'\nby='phone'\nquota=5\nper='1h'\n
    [[rule]]\nid='day'\non='any'\nby='phone'\nquota=10\nper='1d'\nmode='shadow'\n
    [[rule]]\nid='not-here'\non='login'\nby='phone'\nquota=1\nper='1d'";

#[actix::test]
async fn where_all_counters_lie_together_every_cluster_rule_is_attached() {
    let limiter = limiter(OPTIONS, rules(WITH_ATTACHED), &clock());
    let subject = client_with_phone();
    let digest = subject.phone_digest().unwrap();
    for _ in 0..20 {
        let admission = limiter.admit(Operation::OtpSend, &subject).await.unwrap();
        let attached = admission.attached.iter();
        let attached: Vec<_> = attached.map(|r| (r.name.clone(), r.enforce)).collect();
        let name = |rule| CounterName::new(rule, digest.encode());
        assert_eq!(
            attached,
            [
                (CounterName::new("far", "US"), true),
                (name("hour"), true),
                (name("day"), false)
            ]
        );
        assert_eq!(admission.attached[1].partition, digest.partition(64));
        assert_eq!(admission.attached[1].emission_us, 720_000_000);
        // The script would say: two quotas are spent. What `near` has counted is given back, or it would refuse.
        let refused = |retry_after_us| Verdict::Refused { retry_after_us };
        let said = [refused(7), refused(1_500_001), Verdict::Admitted { remaining: 3 }];
        let refusal = limiter.settle(admission, &said).await.unwrap();
        assert_eq!(
            (&*refusal.rule, refusal.scope, refusal.retry_after_seconds()),
            ("hour", Scope::Cluster, 2)
        );
        assert_eq!((refusal.quota, refusal.per), (5, Duration::from_secs(3600)));
    }
}

#[actix::test]
async fn codes_by_email_are_counted_by_their_address_and_by_channel() {
    let rules = rules(
        "[[rule]]\nid='own'\non='otp.send'\nby='email'\nquota=3\nper='1h'\nscope='instance'\n
         [[rule]]\nid='mail'\non='otp.send'\nby='global'\nquota=4\nper='1h'\nscope='instance'\nchannel='email'\n
         [[rule]]\nid='sms'\non='otp.send'\nby='global'\nquota=2\nper='1h'\nscope='instance'\nchannel='sms'\n
         [[rule]]\nid='both'\non='otp.send'\nby='ip'\nquota=5\nper='1h'\nscope='instance'",
    );
    let limiter = limiter(OPTIONS, rules, &clock());
    let send = async |subject: &Subject| match limiter.admit(Operation::OtpSend, subject).await {
        Ok(_) => "sent".to_owned(),
        Err(denied) => refusal(Err(denied)).rule.to_string(),
    };
    let (jane, john) = (
        client_with_email("Jane@Example.com"),
        client_with_email("john@example.com"),
    );
    let phone = client_with_phone().with_channel(Channel::Sms);
    for _ in 0..3 {
        assert_eq!(send(&client_with_email("jane@example.com")).await, "sent");
    }
    assert_eq!(send(&jane).await, "own", "however it is typed");
    assert_eq!(send(&john).await, "sent");
    assert_eq!(send(&john).await, "mail");
    assert_eq!(send(&phone).await, "sent", "another channel");
    assert_eq!(send(&phone).await, "both", "one address, both channels");
}

#[actix::test]
async fn on_a_cluster_the_counters_of_an_email_lie_where_its_challenge_lies() {
    let link = redis_with_prefix("RINGBACK_TEST_REDIS_CLUSTER_URL", &unique());
    let rule = "[[rule]]\nid='own'\non='otp.send'\nby='email'\nquota=3\nper='1h'";
    let limiter = Limiter::start(
        &Supervision::default(),
        OPTIONS,
        rules(rule),
        Arc::new(RedisCounters::new(Arc::new(link))),
        Arc::new(SystemClock),
    );
    let subject = client_with_email("jane@example.com");
    let admission = limiter.admit(Operation::OtpSend, &subject).await.unwrap();
    let digest = EmailDigest::of(
        &EmailAddress::parse("jane@example.com").unwrap(),
        &keyring().current().email,
    );
    let attached = &admission.attached[0];
    assert_eq!(attached.name, CounterName::new("own", digest.encode()));
    assert_eq!(attached.partition, digest.partition(64));
    let name = key_of(
        KeyDimension::Email.into(),
        "Jane@example.com",
        keyring().current(),
        64,
    )
    .unwrap();
    assert_eq!(name, digest.encode(), "as operators name it");
}

#[actix::test]
async fn where_counters_lie_apart_an_attached_refusal_gives_the_others_back() {
    let clock = Arc::new(SystemClock);
    let link = redis_with_prefix("RINGBACK_TEST_REDIS_CLUSTER_URL", &unique());
    let counters = Arc::new(RedisCounters::new(Arc::new(link)));
    let limiter = Limiter::start(
        &Supervision::default(),
        OPTIONS,
        rules(WITH_ATTACHED),
        counters,
        clock,
    );
    let subject = client_with_phone();
    let refused = Verdict::Refused { retry_after_us: 7 };
    let admitted = Verdict::Admitted { remaining: 3 };
    for _ in 0..20 {
        let admission = limiter.admit(Operation::OtpSend, &subject).await.unwrap();
        assert_eq!(admission.attached.len(), 2);
        assert!(limiter.settle(admission, &[refused, admitted]).await.is_some());
    }
    // A shadow attached refuses nothing, so the three of `far` are spent now and no more.
    for _ in 0..3 {
        let admission = limiter.admit(Operation::OtpSend, &subject).await.unwrap();
        assert_eq!(limiter.settle(admission, &[admitted, refused]).await, None);
    }
    assert_eq!(
        &*refusal(limiter.admit(Operation::OtpSend, &subject).await).rule,
        "far"
    );
}

#[actix::test]
async fn of_several_refusals_the_longest_wait_is_told() {
    let rules = rules(
        "[[rule]]\nid='short'\non='login'\nby='ip'\nquota=1\nper='1m'\n
         [[rule]]\nid='long'\non='login'\nby='ip'\nquota=1\nper='1h'\n
         [[rule]]\nid='middle'\non='login'\nby='ip'\nquota=1\nper='10m'",
    );
    let limiter = limiter(OPTIONS, rules, &clock());
    let _ = limiter.admit(Operation::Login, &client()).await.unwrap();
    let refusal = refusal(limiter.admit(Operation::Login, &client()).await);
    assert_eq!((&*refusal.rule, refusal.retry_after_seconds()), ("long", 3600));
}

#[actix::test]
async fn a_shadow_rule_is_counted_and_never_refuses() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let shown = recorder.handle();
    let _here = metrics::set_default_local_recorder(&recorder);
    let rules = rules(
        "[[rule]]\nid='tried'\non='me'\nby='ip'\nquota=3\nper='1h'\nscope='instance'\nmode='shadow'\n
         [[rule]]\nid='tried-far'\non='me'\nby='ip'\nquota=4\nper='1h'\nmode='shadow'\n
         [[rule]]\nid='bites'\non='me'\nby='ip'\nquota=30\nper='1h'\n
         [[rule]]\nid='idle'\non='me'\nby='ip'\nquota=1\nper='1h'\nmode='off'",
    );
    let limiter = limiter(OPTIONS, rules, &clock());
    assert_eq!(admitted(&limiter, Operation::Me, &client()).await, 30);
    let shown = shown.render();
    for (rule, outcome, times) in [
        ("tried", "admitted", 3),
        ("tried", "shadow_refused", 37),
        ("tried-far", "shadow_refused", 36),
        ("bites", "admitted", 30),
        ("bites", "refused", 10),
    ] {
        let line =
            format!("ringback_limiter_decisions_total{{rule=\"{rule}\",outcome=\"{outcome}\"}} {times}\n");
        assert!(shown.contains(&line), "{line}{shown}");
    }
    assert!(
        !shown.contains("rule=\"idle\",outcome=\"admitted\"} 1"),
        "{shown}"
    );
}

#[actix::test]
async fn other_rules_keep_the_counters_of_those_that_stay() {
    for scope in ["instance", "cluster"] {
        let rule = |id: &str, by: &str, quota: u32| {
            format!("[[rule]]\nid='{id}'\non='me'\nby='{by}'\nquota={quota}\nper='1h'\nscope='{scope}'\n")
        };
        let subject = client().with_user(Some(Uuid::from_u128(7)));
        let limiter = limiter(OPTIONS, rules(&rule("r", "ip", 10)), &clock());
        assert_eq!(admitted(&limiter, Operation::Me, &subject).await, 10);
        limiter.replace(rules(&(rule("r", "ip", 10) + &rule("new", "ip", 30))));
        assert_eq!(
            admitted(&limiter, Operation::Me, &subject).await,
            0,
            "{scope}: unchanged"
        );
        limiter.replace(rules(&rule("r", "ip", 20)));
        assert_eq!(
            admitted(&limiter, Operation::Me, &subject).await,
            10,
            "{scope}: numbers alone changed"
        );
        limiter.replace(rules(&rule("r", "user", 20)));
        assert_eq!(
            admitted(&limiter, Operation::Me, &subject).await,
            20,
            "{scope}: counts by another thing"
        );
        limiter.replace(RuleSet::default());
        assert_eq!(
            admitted(&limiter, Operation::Me, &subject).await,
            40,
            "{scope}: no rule, no limit"
        );
    }
}

#[actix::test]
async fn when_no_key_fits_any_more_strict_operations_wait_and_others_go_on() {
    let rules = rules("[[rule]]\nid='r'\non='any'\nby='ip'\nquota=1\nper='1h'\nscope='instance'");
    let clock = clock();
    let limiter = limiter(
        LimiterOptions {
            max_keys: 10,
            ..OPTIONS
        },
        rules,
        &clock,
    );
    let client = |n: u32| Subject::new(IpAddr::from(n.to_be_bytes()));
    for n in 0..10 {
        assert!(limiter.admit(Operation::Login, &client(n)).await.is_ok());
    }
    for n in 10..100 {
        assert_eq!(
            unavailable(limiter.admit(Operation::Login, &client(n)).await),
            Part::RateLimiter
        );
        assert!(limiter.admit(Operation::Me, &client(n)).await.is_ok());
    }
    let _ = refusal(limiter.admit(Operation::Login, &client(3)).await);
    clock.advance(TimeDelta::hours(1));
    assert!(limiter.admit(Operation::Login, &client(50)).await.is_ok());
}

#[actix::test]
async fn ten_thousand_addresses_of_one_network_are_one_client() {
    let rules = rules(
        "[[rule]]\nid='near'\non='login'\nby='ip'\nquota=30\nper='30d'\nscope='instance'\n
         [[rule]]\nid='far'\non='me'\nby='ip'\nquota=30\nper='30d'",
    );
    let limiter = limiter(
        LimiterOptions {
            max_keys: 2,
            ..OPTIONS
        },
        rules,
        &clock(),
    );
    let network = u128::from("2001:db8:1:2::".parse::<std::net::Ipv6Addr>().unwrap());
    for operation in [Operation::Login, Operation::Me] {
        let mut admitted = 0;
        for host in 0..10_000_u128 {
            let address = std::net::Ipv6Addr::from(network + host * 0x0001_d157_9bdf_2468);
            admitted += usize::from(
                limiter
                    .admit(operation, &Subject::new(IpAddr::from(address)))
                    .await
                    .is_ok(),
            );
        }
        assert_eq!(admitted, 30, "{}", operation.name());
    }
}
