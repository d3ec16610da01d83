//! One script to issue a code, one to judge it, by one connection for each thread.

use ::redis::{Script, aio::MultiplexedConnection};
use uuid::Uuid;

/// A thread's way to Redis.
pub struct Challenges {
    connection: MultiplexedConnection,
    issue: Script,
    judge: Script,
}

/// What became of a code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Right,
    /// With so many attempts left.
    Wrong(u8),
    Expired,
}

impl Challenges {
    pub async fn connect(url: &str) -> Self {
        let client = ::redis::Client::open(url).expect("REDIS_URL");
        let connection = client.get_multiplexed_async_connection().await;
        Self {
            connection: connection.expect("Redis answers"),
            issue: Script::new(
                "redis.call('HSET', KEYS[1], 'i', ARGV[1], 'd', ARGV[2], 'a', 0, 'u', 0) \
                 return redis.call('PEXPIRE', KEYS[1], 600000)",
            ),
            judge: Script::new(
                "local digest, attempts, used = unpack(redis.call('HMGET', KEYS[1], 'd', 'a', 'u')) \
                 if not digest or used ~= '0' then return -1 end \
                 if tonumber(attempts) >= 3 then return 0 end \
                 if digest == ARGV[1] then redis.call('HSET', KEYS[1], 'u', 1) return 3 end \
                 return 3 - redis.call('HINCRBY', KEYS[1], 'a', 1)",
            ),
        }
    }

    pub async fn issue(&self, phone: &str, challenge: Uuid, code: &str) {
        let mut call = self.issue.key(key(phone));
        let _: i64 = call
            .arg(challenge.as_bytes())
            .arg(code)
            .invoke_async(&mut self.connection.clone())
            .await
            .expect("the script runs");
    }

    pub async fn judge(&self, phone: &str, code: &str) -> Verdict {
        let mut call = self.judge.key(key(phone));
        let answer: i64 = call
            .arg(code)
            .invoke_async(&mut self.connection.clone())
            .await
            .expect("the script runs");
        match answer {
            3 => Verdict::Right,
            -1 => Verdict::Expired,
            left => Verdict::Wrong(u8::try_from(left).unwrap_or_default()),
        }
    }
}

fn key(phone: &str) -> String {
    format!("floor:{phone}")
}
