//! One suite for whatever keeps the cluster's counters.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, TimeDelta};
use ringback::{
    clock::ManualClock,
    limits::{ClusterCounters, Counter, CounterName, MemoryCounters, RedisCounters, Verdict, refuses},
    partition::PARTITIONS,
};

use super::{redis, redis_with_prefix, unique};

pub const HOUR_US: i64 = 3_600_000_000;

pub struct Adapter {
    pub name: &'static str,
    /// As three instances of the service see it.
    pub instances: Vec<Arc<dyn ClusterCounters>>,
    pub advance: Box<dyn Fn(TimeDelta)>,
}

impl Adapter {
    pub fn all() -> Vec<Self> {
        vec![
            Self::memory(),
            Self::redis("RINGBACK_TEST_REDIS_URL"),
            Self::redis("RINGBACK_TEST_REDIS_CLUSTER_URL"),
        ]
    }

    fn memory() -> Self {
        let clock = ManualClock::new(DateTime::from_timestamp_nanos(1_800_000_000_000_000_000));
        let counters: Arc<dyn ClusterCounters> = Arc::new(MemoryCounters::new(Arc::new(clock.clone()), 1000));
        Self {
            name: "memory",
            instances: vec![counters; 3],
            advance: Box::new(move |by| clock.advance(by)),
        }
    }

    fn redis(variable: &'static str) -> Self {
        let (prefix, offset) = (unique(), Arc::new(AtomicI64::new(0)));
        let instance = |_| -> Arc<dyn ClusterCounters> {
            let link = Arc::new(redis_with_prefix(variable, &prefix));
            Arc::new(RedisCounters::with_offset(link, Arc::clone(&offset)))
        };
        Self {
            name: variable,
            instances: (0..3).map(instance).collect(),
            advance: Box::new(move |by| {
                offset.fetch_add(by.num_milliseconds(), Ordering::SeqCst);
            }),
        }
    }

    async fn ask(&self, counters: &[Counter]) -> Vec<Verdict> {
        match self.instances[0].check(counters, false).await {
            Ok(verdicts) => verdicts,
            Err(error) => panic!("{}: {error}", self.name),
        }
    }

    /// How many of 30 requests pass.
    pub async fn admitted(&self, counters: &[Counter]) -> usize {
        let mut admitted = 0;
        for _ in 0..30 {
            admitted += usize::from(!refuses(counters, &self.ask(counters).await));
        }
        admitted
    }
}

/// A counter that takes `burst` at once, and one an hour.
pub fn counter(key: &str, burst: u32) -> Counter {
    Counter {
        partition: key.bytes().last().unwrap_or_default() % PARTITIONS,
        name: CounterName::new("test", key),
        emission_us: HOUR_US,
        burst,
        units: 1,
        by_message: false,
        grows_by: 0,
        worked_by: 0,
        has_worked: false,
        enforce: true,
    }
}

#[actix::test]
async fn a_burst_passes_and_drains_by_the_stores_time() {
    for adapter in Adapter::all() {
        let asked = [counter("k", 3)];
        for remaining in [2, 1, 0] {
            assert_eq!(
                adapter.ask(&asked).await,
                [Verdict::Admitted { remaining }],
                "{}",
                adapter.name
            );
        }
        let Verdict::Refused { retry_after_us } = adapter.ask(&asked).await[0] else {
            panic!("{}: the fourth passed", adapter.name);
        };
        assert!(
            (HOUR_US - 10_000_000..=HOUR_US).contains(&retry_after_us),
            "{retry_after_us}"
        );
        (adapter.advance)(TimeDelta::minutes(59));
        assert_eq!(adapter.admitted(&asked).await, 0, "{}", adapter.name);
        (adapter.advance)(TimeDelta::minutes(1));
        assert_eq!(adapter.admitted(&asked).await, 1, "{}", adapter.name);
        (adapter.advance)(TimeDelta::days(30));
        assert_eq!(adapter.admitted(&asked).await, 3, "{}", adapter.name);
    }
}

#[actix::test]
async fn counters_of_all_partitions_answer_together_and_in_order() {
    for adapter in Adapter::all() {
        let asked: Vec<_> = (0..40_u8)
            .map(|n| Counter {
                partition: n,
                ..counter(&n.to_string(), u32::from(n) + 1)
            })
            .collect();
        let expected: Vec<_> = (0..40).map(|remaining| Verdict::Admitted { remaining }).collect();
        assert_eq!(adapter.ask(&asked).await, expected, "{}", adapter.name);
    }
}

#[actix::test]
async fn a_refused_request_spends_nothing_and_a_shadow_refuses_none() {
    for adapter in Adapter::all() {
        let shadow = Counter {
            enforce: false,
            ..counter("shadow", 1)
        };
        let all = [
            counter("wide", 9),
            shadow.clone(),
            counter("tight", 2),
            counter("other", 9),
        ];
        assert_eq!(adapter.admitted(&all).await, 2, "{}", adapter.name);
        assert_eq!(adapter.admitted(&all[..1]).await, 7, "{}", adapter.name);
        assert_eq!(adapter.admitted(&all[3..]).await, 7, "{}", adapter.name);
        assert!(adapter.ask(&[shadow]).await[0].is_refused(), "{}", adapter.name);
    }
}

#[actix::test]
async fn what_is_given_back_can_be_spent_again() {
    for adapter in Adapter::all() {
        let asked = [counter("a", 4), counter("b", 9)];
        assert_eq!(adapter.admitted(&asked).await, 4);
        for _ in 0..2 {
            adapter.instances[1].give_back(&asked).await.unwrap();
        }
        assert_eq!(adapter.admitted(&asked).await, 2, "{}", adapter.name);
        adapter.instances[2]
            .give_back(&[counter("never-seen", 2)])
            .await
            .unwrap();
        assert_eq!(
            adapter.admitted(&[counter("never-seen", 2)]).await,
            2,
            "{}",
            adapter.name
        );
        // A bucket that is emptied by it is as good as new.
        let one = [counter("one", 1)];
        for _ in 0..5 {
            assert!(!adapter.ask(&one).await[0].is_refused(), "{}", adapter.name);
            adapter.instances[0].give_back(&one).await.unwrap();
        }
    }
}

#[actix::test]
async fn a_counter_from_a_longer_rule_counts_as_full_and_no_more() {
    for adapter in Adapter::all() {
        let long = [counter("k", 10)];
        adapter.admitted(&long).await;
        let short = [Counter {
            emission_us: 1_000_000,
            ..counter("k", 2)
        }];
        let verdict = adapter.ask(&short).await[0];
        assert_eq!(
            verdict,
            Verdict::Refused {
                retry_after_us: 1_000_000
            },
            "{}",
            adapter.name
        );
    }
}

#[actix::test]
async fn with_other_numbers_as_many_requests_are_spent_as_before() {
    for adapter in Adapter::all() {
        assert_eq!(adapter.admitted(&[counter("k", 10)]).await, 10);
        let doubled = [Counter {
            emission_us: HOUR_US / 2,
            ..counter("k", 20)
        }];
        assert_eq!(adapter.admitted(&doubled).await, 10, "{}", adapter.name);
    }
}

#[test]
fn parallel_requests_over_three_instances_admit_exactly_the_quota() {
    for make in [
        Adapter::memory as fn() -> Adapter,
        || Adapter::redis("RINGBACK_TEST_REDIS_URL"),
        || Adapter::redis("RINGBACK_TEST_REDIS_CLUSTER_URL"),
    ] {
        let adapter = make();
        let asked = [
            counter("exact", 137),
            Counter {
                enforce: false,
                ..counter("beside", 5)
            },
        ];
        // A thread keeps its runtime going until all are done: others may use a connection that it drives.
        let all_done = Arc::new(tokio::sync::Barrier::new(8));
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let (counters, asked) = (Arc::clone(&adapter.instances[n % 3]), asked.clone());
                let all_done = Arc::clone(&all_done);
                std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .unwrap();
                    runtime.block_on(async {
                        let requests = (0..100).map(|_| counters.check(&asked, false));
                        let answers = futures_util::future::join_all(requests).await;
                        all_done.wait().await;
                        let passed = |verdicts: &[Verdict]| !refuses(&asked, verdicts);
                        answers
                            .into_iter()
                            .filter(|verdicts| passed(verdicts.as_ref().unwrap()))
                            .count()
                    })
                })
            })
            .collect();
        let admitted: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(admitted, 137, "{}", adapter.name);
    }
}

#[actix::test]
async fn a_counter_in_redis_goes_by_itself() {
    let link = Arc::new(redis("RINGBACK_TEST_REDIS_URL"));
    let counters = RedisCounters::new(Arc::clone(&link));
    let asked = [counter("ttl", 3)];
    counters.check(&asked, false).await.unwrap();
    counters.check(&asked, false).await.unwrap();
    let key = link.key(asked[0].partition, &asked[0].record());
    let pttl = || async {
        let mut pipeline = redis::pipe();
        pipeline.cmd("PTTL").arg(&key);
        link.pipeline::<(i64,)>(&pipeline).await.unwrap().0
    };
    let two_hours_ms = 2 * 3_600_000;
    assert!((two_hours_ms - 10_000..=two_hours_ms * 9 / 8).contains(&pttl().await));
    counters.give_back(&asked).await.unwrap();
    counters.give_back(&asked).await.unwrap();
    assert_eq!(pttl().await, -2, "an empty bucket needs no key");
}

/// Counters of several rules by one address are one record, in which each counts for itself.
#[actix::test]
async fn what_one_address_has_spent_of_several_rules_counts_for_each() {
    let of = |rule: &str, burst| Counter {
        name: CounterName::new(rule, "jane"),
        ..counter("jane", burst)
    };
    for adapter in Adapter::all() {
        let all = [of("hour", 3), of("day", 5), of("week", 9)];
        assert_eq!(all[0].record(), all[2].record());
        assert_eq!(adapter.admitted(&all).await, 3, "{}", adapter.name);
        assert_eq!(adapter.admitted(&all[1..]).await, 2, "{}", adapter.name);
        let left = async || {
            let standing = adapter.instances[1].look(&all).await.unwrap();
            standing.iter().map(|one| one.remaining).collect::<Vec<_>>()
        };
        assert_eq!(left().await, [0, 0, 4], "{}", adapter.name);
        adapter.instances[0].reset(&all[1]).await.unwrap();
        assert_eq!(left().await, [0, 5, 4], "{}", adapter.name);
        adapter.instances[2]
            .give_back(&[all[0].clone(), all[2].clone()])
            .await
            .unwrap();
        assert_eq!(left().await, [1, 5, 5], "{}", adapter.name);
        // One that the others have no room beside: it was added last, and goes first.
        let minute = Counter {
            emission_us: 60_000_000,
            ..of("minute", 2)
        };
        let asked = [minute, all[2].clone(), all[1].clone()];
        assert_eq!(adapter.admitted(&asked).await, 2, "{}", adapter.name);
        assert_eq!(left().await, [1, 3, 3], "{}", adapter.name);
        (adapter.advance)(TimeDelta::minutes(2));
        assert_eq!(adapter.admitted(&asked).await, 2, "{}", adapter.name);
        (adapter.advance)(TimeDelta::hours(9));
        assert_eq!(left().await, [3, 5, 9], "{}", adapter.name);
    }
}

/// Rules come and go: what is left of those that are gone doesn't fill a record that lasts.
#[actix::test]
async fn a_record_forgets_rules_that_are_gone() {
    let (link, offset) = (
        Arc::new(redis("RINGBACK_TEST_REDIS_URL")),
        Arc::new(AtomicI64::new(0)),
    );
    let counters = RedisCounters::with_offset(Arc::clone(&link), Arc::clone(&offset));
    let of = |rule: &str| Counter {
        name: CounterName::new(rule, "everybody"),
        ..counter("everybody", 9)
    };
    for n in 0..100 {
        let stays = Counter {
            burst: 99,
            ..of("stays")
        };
        let asked = [of(&format!("rule-{n}")), stays];
        counters.check(&asked, false).await.unwrap();
        offset.fetch_add(1_900_000, Ordering::SeqCst);
    }
    let mut pipeline = redis::pipe();
    pipeline
        .cmd("STRLEN")
        .arg(link.key(of("").partition, &of("").record()));
    let (length,): (usize,) = link.pipeline(&pipeline).await.unwrap();
    assert!(length < 400, "{length}");
    let stays = Counter {
        burst: 99,
        ..of("stays")
    };
    let standing = counters.look(&[stays, of("rule-99")]).await.unwrap();
    let left: Vec<_> = standing.iter().map(|one| one.remaining).collect();
    assert_eq!(left, [51, 8]);
}

#[actix::test]
async fn a_script_that_a_server_does_not_know_runs_once_all_the_same() {
    for variable in ["RINGBACK_TEST_REDIS_URL", "RINGBACK_TEST_REDIS_CLUSTER_URL"] {
        let link = redis(variable);
        // No server has seen this text before.
        let text = format!("return redis.call('INCRBY', KEYS[1], ARGV[1]) -- {}", unique());
        let script = redis::Script::new(&text);
        let calls: Vec<_> = (0..40_u8).map(|n| (link.key(n, "n"), [i64::from(n)])).collect();
        let first: Vec<i64> = link.eval_each(&script, &calls).await.unwrap();
        assert_eq!(first, (0..40).collect::<Vec<_>>(), "{variable}");
        let second: Vec<i64> = link.eval_each(&script, &calls).await.unwrap();
        assert_eq!(second, (0..40).map(|n| 2 * n).collect::<Vec<_>>(), "{variable}");
    }
}
