//! One suite for whatever keeps the cluster's counters.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, TimeDelta};
use proptest::test_runner::{Config, TestRunner};
use ringback::{
    clock::ManualClock,
    limits::{
        ClusterCounters, Counter, GCRA_LUA, MemoryCounters, RedisCounters, Verdict,
        gcra::{self, Bucket, Decision, Growth},
        refuses,
    },
    partition::PARTITIONS,
    redis::RedisLink,
};

use super::{redis, redis_with_prefix, unique};

const HOUR_US: i64 = 3_600_000_000;

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
        key: format!("l:test:{key}"),
        emission_us: HOUR_US,
        burst,
        units: 1,
        by_message: false,
        grows_by: 0,
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
async fn each_counter_in_redis_is_one_key_that_goes_by_itself() {
    let link = Arc::new(redis("RINGBACK_TEST_REDIS_URL"));
    let counters = RedisCounters::new(Arc::clone(&link));
    let asked = [counter("ttl", 3)];
    counters.check(&asked, false).await.unwrap();
    counters.check(&asked, false).await.unwrap();
    let key = link.key(asked[0].partition, &asked[0].key);
    let pttl = || async {
        let mut pipeline = redis::pipe();
        pipeline.cmd("PTTL").arg(&key);
        link.pipeline::<(i64,)>(&pipeline).await.unwrap().0
    };
    let two_hours_ms = 2 * 3_600_000;
    assert!((two_hours_ms - 10_000..=two_hours_ms).contains(&pttl().await));
    counters.give_back(&asked).await.unwrap();
    counters.give_back(&asked).await.unwrap();
    assert_eq!(pttl().await, -2, "an empty bucket needs no key");
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

/// Random costs, bursts and pauses: where Redis counts, each answer and each counter is the one that `gcra.rs` gives.
#[test]
fn lua_and_rust_decide_alike() {
    // PERSIST: the time here is made up, so Redis must not let a key expire by its own.
    const STEP_LUA: &str = "
        local now, cost, burst, grows = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[5])
        local rule = struct.pack('>I6I4I4I3BI4', cost, burst, 0, tonumber(ARGV[6]), 0, grows)
        local said, rest = 2, 0
        if ARGV[4] == '0' then
          gcra_give_back(KEYS[1], now, cost, 1, grows)
        elseif ARGV[4] == '1' then
          gcra_refund(KEYS[1], rule, 1, now)
        else
          local _, verdict = gcra_all(1, rule, now)
          said, rest = struct.unpack('>xBI6', verdict)
        end
        redis.call('PERSIST', KEYS[1])
        local stored, text = redis.call('GET', KEYS[1]), ''
        if stored then
          text = string.format('%.0f:%.0f', struct.unpack('<dd', stored))
          if #stored > 16 then text = text .. string.format(':%.0f:%.0f', struct.unpack('<dd', stored, 17)) end
        end
        return {said, rest, text}";
    let script = redis::Script::new(&format!("{GCRA_LUA}{STEP_LUA}"));
    let link = redis("RINGBACK_TEST_REDIS_URL");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let costs = (1_i64..90_000_000_000, 1_i64..1_000_000);
    let steps = proptest::collection::vec((-20_000_000_i64..300_000_000, 0_u8..8), 1..40);
    let mut runner = TestRunner::new(Config {
        cases: 64,
        failure_persistence: None,
        ..Config::default()
    });
    let numbers = (1_u32..20, 0_u32..9, 1_u32..4);
    let outcome = runner.run(
        &(costs, numbers, steps),
        |(costs, (burst, grows_by, units), steps)| {
            let key = unique();
            let (mut now, mut bucket, mut growth) = (1_800_000_000_123_457, None, Growth::default());
            for (pause, what) in steps {
                now += pause;
                let emission_us = if what % 4 == 1 { costs.1 } else { costs.0 };
                let larger = burst + growth.at(now, grows_by);
                let (expected, tat) =
                    match (what, gcra::decide_units(bucket, now, emission_us, larger, units)) {
                        (0, _) => {
                            let tat = bucket.and_then(|bucket| gcra::give_back(bucket, now, emission_us));
                            ((2, 0), Some(tat))
                        }
                        (1, _) => {
                            let (tat, grown) = gcra::refund(bucket, growth, now, emission_us, grows_by);
                            growth = grown;
                            ((2, 0), Some(Some(tat).filter(|&tat| tat > now)))
                        }
                        (_, Decision::Allow { new_tat, remaining }) => {
                            ((1, i64::from(remaining)), Some(Some(new_tat)))
                        }
                        (_, Decision::Refuse { retry_after_us }) => ((0, retry_after_us), None),
                    };
                // A counter without anything in it is gone, unless it has grown.
                let is_grown = growth.at(now, grows_by) > 0;
                bucket = match tat {
                    None => bucket,
                    Some(tat) => tat
                        .or(is_grown.then_some(now))
                        .map(|tat| Bucket { tat, emission_us }),
                };
                let arguments = [
                    now,
                    emission_us,
                    burst.into(),
                    what.into(),
                    grows_by.into(),
                    units.into(),
                ];
                let (said, rest, stored) = runtime.block_on(step(&link, &script, &key, &arguments));
                proptest::prop_assert_eq!((said, rest), expected);
                let mut expected = bucket.map_or(String::new(), |bucket| {
                    format!("{}:{}", bucket.tat, bucket.emission_us)
                });
                if is_grown {
                    expected.push_str(&format!(":{}:{}", growth.by, growth.until_us));
                }
                proptest::prop_assert_eq!(stored, expected);
            }
            Ok(())
        },
    );
    outcome.unwrap();
}

async fn step(link: &RedisLink, script: &redis::Script, key: &str, arguments: &[i64]) -> (i64, i64, String) {
    link.eval(script, 1, |call| {
        call.key(0, [key]);
        for argument in arguments {
            call.arg(*argument);
        }
    })
    .await
    .unwrap()
}
