//! What a script costs by each way to Redis: a pooled connection for each request, or a lane of its own for each thread.
//!
//! `scripts/servers run cargo bench --bench redis_paths`. Rounds are interleaved; only ratios within a run mean
//! anything.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use deadpool_redis::{PoolConfig, Runtime, redis::Script};
use ringback::redis::{RedisLink, RedisOptions, RedisSecurity};

const THREADS: usize = 2;
const TASKS_PER_THREAD: usize = 32;
const ROUND: Duration = Duration::from_secs(3);
const ROUNDS: usize = 3;
/// As much work as judging a code is: a few fields read, one written.
const SCRIPT: &str =
    "redis.call('HMGET', KEYS[1], 'i', 'd', 'e', 'a') return redis.call('HINCRBY', KEYS[1], 'a', 1)";

#[derive(Clone)]
enum Way {
    Lanes(Arc<RedisLink>),
    Pool(deadpool_redis::Pool),
}

impl Way {
    async fn once(&self, script: &Script) {
        match self {
            Self::Lanes(link) => {
                let _: i64 = link.eval(script, 1, |call| call.key(0, ["bench"])).await.unwrap();
            }
            Self::Pool(pool) => {
                let mut connection = pool.get().await.unwrap();
                let _: i64 = script.key("bench").invoke_async(&mut connection).await.unwrap();
            }
        }
    }
}

/// Requests a second, and CPU milliseconds of this process per 1000 of them.
fn round(way: &Way) -> (f64, f64) {
    let (began, cpu) = (Instant::now(), cpu_seconds());
    // A thread keeps its runtime going until all are done: others may use a pooled connection that it drives.
    let all_done = Arc::new(tokio::sync::Barrier::new(THREADS));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (way, all_done) = (way.clone(), Arc::clone(&all_done));
            // One runtime a thread, as actix-web's workers are.
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    let tasks = (0..TASKS_PER_THREAD).map(|_| async {
                        let script = Script::new(SCRIPT);
                        let mut done = 0_u64;
                        while began.elapsed() < ROUND {
                            way.once(&script).await;
                            done += 1;
                        }
                        done
                    });
                    let done = futures_util::future::join_all(tasks)
                        .await
                        .into_iter()
                        .sum::<u64>();
                    all_done.wait().await;
                    done
                })
            })
        })
        .collect();
    let done: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    let (elapsed, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    (done as f64 / elapsed, cpu * 1_000_000.0 / done as f64)
}

/// User and system time of this process (proc(5), in clock ticks of 10 ms).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let Ok(url) = std::env::var("RINGBACK_TEST_REDIS_URL") else {
        eprintln!("set RINGBACK_TEST_REDIS_URL, or run: scripts/servers run cargo bench --bench redis_paths");
        std::process::exit(2);
    };
    let pool = |size| {
        let manager = deadpool_redis::Manager::new(url.as_str()).unwrap();
        let config = PoolConfig {
            max_size: size,
            ..PoolConfig::default()
        };
        Way::Pool(
            deadpool_redis::Pool::builder(manager)
                .config(config)
                .runtime(Runtime::Tokio1)
                .build()
                .unwrap(),
        )
    };
    let lanes = || {
        let options = RedisOptions {
            url: url.clone(),
            security: RedisSecurity::default(),
            prefix: "bench".to_owned(),
            lanes: 64,
            timeout: Duration::from_secs(1),
        };
        Way::Lanes(Arc::new(RedisLink::open(&options).unwrap()))
    };
    // A connection belongs to the runtime of the thread that made it, so every round begins with new ones.
    let mut results = vec![(Vec::new(), Vec::new()); 3];
    for _ in 0..ROUNDS {
        for (index, way) in [lanes(), pool(16), pool(64)].iter().enumerate() {
            let (rate, cpu) = round(way);
            results[index].0.push(rate);
            results[index].1.push(cpu);
        }
    }
    let base = (median(results[0].0.clone()), median(results[0].1.clone()));
    println!("way                  requests/s   CPU ms/1000   CPU beside lanes");
    for (name, (rates, cpus)) in ["lane a thread", "pool of 16", "pool of 64"].iter().zip(results) {
        let (rate, cpu) = (median(rates), median(cpus));
        println!("{name:<18} {rate:>12.0} {cpu:>13.1} {:>17.2}", cpu / base.1);
    }
}
