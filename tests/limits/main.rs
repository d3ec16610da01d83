//! Limits from outside: the file's format, the stores' contract, the limiter under load, the file while it changes.

mod alike;
mod counts;
mod explain;
mod file;
mod limiter;
mod messages;
mod networks;
mod pauses;
mod pumping;
mod pumping_day;
mod shipped;
mod stage;
mod store;
mod store_lost;
mod watch;
mod written;

use std::{sync::Arc, time::Duration};

use ringback::{
    entropy::{Entropy, SystemEntropy},
    limits::{RuleSet, file::parse},
    redis::{RedisLink, RedisOptions, RedisSecurity},
};

/// Rules from the text of a file.
fn rules(text: &str) -> RuleSet {
    parse(text, "limits.toml").unwrap()
}

/// A way to the Redis that `variable` names, with keys that no other test has.
fn redis(variable: &str) -> RedisLink {
    redis_with_prefix(variable, &unique())
}

fn redis_with_prefix(variable: &str, prefix: &str) -> RedisLink {
    let Ok(url) = std::env::var(variable) else {
        panic!("set {variable}, or run scripts/test");
    };
    redis_at(url, prefix)
}

fn redis_at(url: String, prefix: &str) -> RedisLink {
    let options = RedisOptions {
        url,
        security: RedisSecurity::default(),
        prefix: prefix.to_owned(),
        lanes: 8,
        timeout: Duration::from_secs(5),
    };
    RedisLink::open(&options).unwrap()
}

fn unique() -> String {
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    entropy.uuid().simple().to_string()
}
