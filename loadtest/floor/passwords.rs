//! argon2id, on as many threads as there are cores and no more.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use ringback::{
    accounts::{Argon2Cost, Argon2Pool, Password, PasswordHash},
    entropy::SystemEntropy,
};
use tokio::sync::Semaphore;

/// The bounded pool.
#[derive(Clone)]
pub struct Passwords {
    pool: Arc<Argon2Pool>,
    turns: Arc<Semaphore>,
}

impl Passwords {
    pub fn new() -> Self {
        let pool = Argon2Pool::new(Argon2Cost::default(), cores(), Arc::new(SystemEntropy));
        Self {
            pool: Arc::new(pool.expect("argon2 takes the default cost")),
            turns: Arc::new(Semaphore::new(cores())),
        }
    }

    pub fn hash(&self, text: &str) -> String {
        let hash = self.pool.hash(&Password::presented(text));
        hash.expect("argon2 hashes").expose().to_owned()
    }

    pub async fn hash_in_turn(&self, text: String) -> String {
        let passwords = self.clone();
        self.in_turn(move || passwords.hash(&text)).await
    }

    pub async fn verify_in_turn(&self, text: String, stored: String) -> bool {
        let (pool, stored) = (Arc::clone(&self.pool), PasswordHash::from_stored(stored));
        self.in_turn(move || pool.verify(&Password::presented(&text), Some(&stored)).matches)
            .await
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let _turn = self.turns.acquire().await.expect("it is never closed");
        tokio::task::spawn_blocking(work).await.expect("the hash")
    }
}

/// Hashes on every core for a while: what a hash costs with nothing around it.
pub fn measure(seconds: u64) {
    let (passwords, began) = (Passwords::new(), Instant::now());
    let cpu_before = cpu_seconds();
    let threads: Vec<_> = (0..cores())
        .map(|_| {
            let passwords = passwords.clone();
            thread::spawn(move || {
                let mut hashes = 0_u32;
                while began.elapsed() < Duration::from_secs(seconds) {
                    passwords.hash("securepass123");
                    hashes += 1;
                }
                hashes
            })
        })
        .collect();
    let hashes: u32 = threads
        .into_iter()
        .map(|thread| thread.join().expect("a thread"))
        .sum();
    let (hashes, elapsed) = (f64::from(hashes), began.elapsed().as_secs_f64());
    println!(
        "{:.1} {:.3}",
        hashes / elapsed,
        (cpu_seconds() - cpu_before) * 1000.0 / hashes
    );
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// CPU time of this process, user and system, by Linux's hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let (_, fields) = stat.rsplit_once(") ").expect("a name in brackets");
    let ticks = fields
        .split(' ')
        .skip(11)
        .take(2)
        .map(|field| field.parse::<f64>().expect("ticks"));
    ticks.sum::<f64>() / 100.0
}
