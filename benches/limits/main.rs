//! What is promised of limits, in numbers. Each part ends by itself:
//!
//!     scripts/servers run cargo bench --bench limits -- exact    1,000,000 requests over 3 instances, one cluster rule
//!     scripts/servers run cargo bench --bench limits -- memory   bytes for each of 1,000,000 addresses
//!     scripts/servers run cargo bench --bench limits -- cost     CPU of `send` with several sets of rules
//!     cargo bench --bench limits -- forms                        CPU of a question to counters behind locks and in actors

mod forms;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{IpAddr, Ipv4Addr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use ringback::{
    clock::SystemClock,
    entropy::{Entropy, SystemEntropy},
    limits::{
        ClusterCounters, Denied, Limiter, LimiterOptions, MemoryCounters, Operation, RedisCounters, Subject,
        file,
    },
    redis::{RedisLink, RedisOptions, RedisSecurity},
    supervision::Supervision,
};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

const REQUESTS: usize = 1_000_000;
const INSTANCES: usize = 3;
const QUOTA: usize = 1000;
const ADDRESSES: u32 = 1_000_000;
const ROUNDS: u32 = 21;
const SENDS: u32 = 3000;
const CLIENTS: u32 = 64;

fn main() {
    let wanted: Vec<_> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let wants = |part: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == part);
    if wants("exact") {
        actix::System::new().block_on(exact());
    }
    if wants("memory") {
        actix::System::new().block_on(memory());
    }
    if wants("cost") {
        cost();
    }
    if wants("forms") {
        actix::System::new().block_on(forms::compare());
    }
}

fn unique() -> String {
    (&SystemEntropy as &dyn Entropy).uuid().simple().to_string()
}

fn server(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        eprintln!("set {name}, or run: scripts/servers run cargo bench --bench limits");
        std::process::exit(2)
    })
}

fn limiter(rules: &str, counters: Arc<dyn ClusterCounters>) -> Limiter {
    let options = LimiterOptions {
        max_keys: 2_000_000,
        instances: 1,
        shards: 3,
    };
    let rules = file::parse(rules, "bench").unwrap();
    Limiter::start(
        &Supervision::default(),
        options,
        rules,
        counters,
        Arc::new(SystemClock),
    )
}

/// One rule with a thousandth of the room that is asked for, and one with room for all.
async fn exact() {
    let rules = format!(
        "[[rule]]\nid='tight'\non='login'\nby='ip'\nquota={QUOTA}\nper='30d'\n
         [[rule]]\nid='wide'\non='login'\nby='global'\nquota={REQUESTS}\nper='30d'\n"
    );
    let (url, prefix, began) = (server("RINGBACK_TEST_REDIS_URL"), unique(), Instant::now());
    let mut threads = Vec::new();
    for instance in 0..INSTANCES {
        let (url, prefix) = (url.clone(), prefix.clone());
        let options = RedisOptions {
            url,
            security: RedisSecurity::default(),
            prefix,
            lanes: 1,
            timeout: Duration::from_secs(30),
        };
        let counters = Arc::new(RedisCounters::new(Arc::new(RedisLink::open(&options).unwrap())));
        let limiter = limiter(&rules, counters);
        let share = REQUESTS / INSTANCES + usize::from(instance < REQUESTS % INSTANCES);
        threads.push(tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(ask(&limiter, share))
        }));
    }
    let mut admitted = 0;
    for thread in threads {
        admitted += thread.await.unwrap();
    }
    let took = began.elapsed().as_secs_f64();
    println!(
        "exact: {REQUESTS} requests over {INSTANCES} instances, quota {QUOTA}: {admitted} admitted, in {took:.0} s"
    );
    assert_eq!(admitted, QUOTA);
}

/// So many requests of one client, 256 at a time; how many pass.
async fn ask(limiter: &Limiter, requests: usize) -> usize {
    let client = Subject::new(IpAddr::from(Ipv4Addr::LOCALHOST));
    let lanes = (0..256).map(|lane| {
        let client = &client;
        async move {
            let mut admitted = 0;
            for _ in (lane..requests).step_by(256) {
                match limiter.admit(Operation::Login, client).await {
                    Ok(_) => admitted += 1,
                    Err(Denied::Refused(_)) => {}
                    Err(Denied::Unavailable(error)) => panic!("{error}"),
                }
            }
            admitted
        }
    });
    join_all(lanes).await.into_iter().sum()
}

async fn memory() {
    for scope in ["instance", "cluster"] {
        let counters = Arc::new(MemoryCounters::new(Arc::new(SystemClock), 2_000_000));
        let rule =
            format!("[[rule]]\nid='per-address'\non='login'\nby='ip'\nquota=5\nper='1d'\nscope='{scope}'");
        let limiter = limiter(&rule, counters);
        let _ = limiter
            .admit(Operation::Login, &Subject::new(IpAddr::from(Ipv4Addr::LOCALHOST)))
            .await;
        let before = resident_bytes();
        for address in 0..ADDRESSES {
            let client = Subject::new(IpAddr::from(Ipv4Addr::from_bits(0x0A00_0000 + address)));
            assert!(limiter.admit(Operation::Login, &client).await.is_ok());
        }
        let each = resident_bytes().saturating_sub(before) / u64::from(ADDRESSES);
        println!("memory: {ADDRESSES} addresses, {scope} rule in this process: {each} bytes each");
        std::mem::forget(limiter); // or what it frees would be the next one's
    }
    redis_memory().await;
}

/// What a counter and a challenge weigh in Redis, as it reckons itself.
async fn redis_memory() {
    let prefix = unique();
    let options = RedisOptions {
        url: server("RINGBACK_TEST_REDIS_URL"),
        security: RedisSecurity::default(),
        prefix: prefix.clone(),
        lanes: 1,
        timeout: Duration::from_secs(5),
    };
    let link = Arc::new(RedisLink::open(&options).unwrap());
    let rule = "[[rule]]\nid='login-per-address'\non='login'\nby='ip'\nquota=5\nper='1d'";
    let limiter = limiter(rule, Arc::new(RedisCounters::new(Arc::clone(&link))));
    let _ = limiter
        .admit(
            Operation::Login,
            &Subject::new("2001:db8:1:2::1".parse::<IpAddr>().unwrap()),
        )
        .await
        .unwrap();
    let client = redis::Client::open(options.url.as_str()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg(format!("{prefix}:*"))
        .query_async(&mut connection)
        .await
        .unwrap();
    let usage: u64 = redis::cmd("MEMORY")
        .arg("USAGE")
        .arg(&keys[0])
        .query_async(&mut connection)
        .await
        .unwrap();
    println!("memory: one counter in Redis: {usage} bytes, key and all");
}

fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Rules for `send` of which none refuses, as a limits file: what they count by, and where.
fn rules_for_send(rules: &[(&str, &str)]) -> String {
    let rule = |(n, (by, scope)): (usize, &(&str, &str))| {
        format!("[[rule]]\nid='r{n}'\non='otp.send'\nby={by}\nquota=1000000\nper='1h'\nscope='{scope}'\n")
    };
    rules.iter().enumerate().map(rule).collect()
}

/// The same service with several sets of rules, on PostgreSQL and Redis, asked in turns: what a send costs each in CPU.
fn cost() {
    let phones = [("'phone'", "cluster"); 3];
    let others = ["'ip'", "'prefix'", "'country'", "'global'"].map(|by| (by, "cluster"));
    let near = ["'ip'", "'prefix:4'", "['ip', 'country']"].map(|by| (by, "instance"));
    let sets = [
        ("no rule", Vec::new()),
        ("three by phone", phones.to_vec()),
        ("four other cluster rules", others.to_vec()),
        ("three instance rules", near.to_vec()),
        ("all ten", [phones.as_slice(), &others, &near].concat()),
    ];
    let services = sets
        .each_ref()
        .map(|(_, rules)| Service::start(&rules_for_send(rules)));
    let mut micros = sets.each_ref().map(|_| Vec::new());
    for round in 0..=ROUNDS {
        for (service, micros) in services.iter().zip(&mut micros) {
            let before = service.cpu_seconds();
            service.send_many(round);
            let cpu = (service.cpu_seconds() - before) * 1e6 / f64::from(SENDS);
            if round > 0 {
                micros.push(cpu); // the first round warms everything up
            }
        }
    }
    let base = micros[0].clone();
    for ((name, _), micros) in sets.iter().zip(micros) {
        let more = micros
            .iter()
            .zip(&base)
            .map(|(with, without)| with / without - 1.0);
        println!(
            "cost: CPU of the service for a send, {name}: {:.1} us, {:+.1} % in the median round of {micros:.0?}",
            median(micros.clone()),
            median(more.collect()) * 100.0
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

struct Service {
    child: Child,
    address: String,
    folder: PathBuf,
}

impl Service {
    fn start(rules: &str) -> Self {
        let name = unique();
        let folder = std::env::temp_dir().join(format!("ringback-bench-{name}"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("limits.toml"), rules).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_ringback"))
            .env_clear()
            .env("RINGBACK_CONFIG_DIR", &folder)
            .env("RINGBACK__DATA__DIR", folder.join("data"))
            .env("RINGBACK__SERVER__BIND", "127.0.0.1:0")
            .env("RINGBACK__SERVER__OPS_BIND", "127.0.0.1:0")
            .env("RINGBACK__ADMIN__BIND", "127.0.0.1:0")
            .env("RINGBACK__SERVER__WORKERS", "2")
            .env("RINGBACK__TELEMETRY__LOG", "warn")
            .env("RINGBACK__REDIS__PREFIX", &name)
            .env("DATABASE_URL", fresh_database(&name))
            .env("REDIS_URL", server("RINGBACK_TEST_REDIS_URL"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let line = lines.into_iter().find(|line| line.contains("API")).unwrap();
        let address = line
            .split("http://")
            .nth(1)
            .unwrap()
            .split('/')
            .next()
            .unwrap()
            .to_owned();
        Self {
            child,
            address,
            folder,
        }
    }

    /// Codes for phones that nobody claims: all of a send but the SMS.
    fn send_many(&self, round: u32) {
        let threads: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let address = self.address.clone();
                std::thread::spawn(move || {
                    let mut stream = TcpStream::connect(&address).unwrap();
                    stream.set_nodelay(true).unwrap();
                    let mut answer = [0; 4096];
                    for n in (client..SENDS).step_by(CLIENTS as usize) {
                        let body = format!("{{\"phone\":\"+1415{:07}\"}}", round * SENDS + n);
                        let length = body.len();
                        let request = format!("POST /api/users/send-phone-otp/ HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
                        stream.write_all(request.as_bytes()).unwrap();
                        let read = stream.read(&mut answer).unwrap();
                        assert!(answer[..read].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..read]));
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }

    /// What the service's threads have spent on a CPU (the first field of their `schedstat`, in nanoseconds).
    fn cpu_seconds(&self) -> f64 {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let spent = |thread: PathBuf| {
            let stat = fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
            stat.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok())
        };
        let nanos: f64 = threads.flatten().filter_map(|thread| spent(thread.path())).sum();
        nanos / 1e9
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn fresh_database(name: &str) -> String {
    let url = server("RINGBACK_TEST_DATABASE_URL");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut server = PgConnection::connect(&url).await.unwrap();
        server
            .execute(sqlx::raw_sql(AssertSqlSafe(format!(
                "CREATE DATABASE \"b{name}\""
            ))))
            .await
            .unwrap();
    });
    let (server, _) = url.rsplit_once('/').unwrap();
    format!("{server}/b{name}")
}
