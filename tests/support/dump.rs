//! Everything that a service keeps, as an intruder with a copy of it would read it.

use redis::{AsyncCommands, Client, aio::MultiplexedConnection};

use crate::{TestApp, variable};

/// A key of Redis, in whole.
#[derive(Debug)]
pub struct Kept {
    pub key: String,
    /// Seconds until it is dropped; `None` if it stays.
    pub expires_in: Option<i64>,
    /// All names and values in it.
    pub content: Vec<Vec<u8>>,
}

impl Kept {
    /// Whether it is a share of the outbox.
    pub fn is_outbox(&self) -> bool {
        // An address or a digest may begin with an x as well.
        let name = self.key.split_once("}:").map(|(_, name)| name);
        name.is_some_and(|name| name.starts_with('x') && !name.contains(':'))
    }
}

impl TestApp {
    /// Every key of this service in Redis.
    pub async fn dump_redis(&self) -> Vec<Kept> {
        let client = Client::open(variable("RINGBACK_TEST_REDIS_URL")).unwrap();
        let mut redis = client.get_multiplexed_async_connection().await.unwrap();
        let prefix = self.variable("RINGBACK__REDIS__PREFIX").unwrap();
        let pattern = format!("{prefix}:*");
        let mut keys: Vec<String> = Vec::new();
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(1000);
            let (next, found): (u64, Vec<String>) = scan.query_async(&mut redis).await.unwrap();
            keys.extend(found);
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        keys.sort();
        keys.dedup();
        let mut kept = Vec::new();
        for key in keys {
            let expires_in: i64 = redis.ttl(&key).await.unwrap();
            let content = content(&mut redis, &key).await;
            if expires_in != -2 {
                kept.push(Kept {
                    key,
                    expires_in: (expires_in >= 0).then_some(expires_in),
                    content,
                });
            }
        }
        kept
    }

    /// Every row of every table in PostgreSQL, but for the phone and the e-mail address that an account has.
    pub async fn dump_database(&self) -> String {
        let tables =
            "SELECT coalesce(string_agg(tablename, ' '), '') FROM pg_tables WHERE schemaname = 'public'";
        let mut dump = String::new();
        for table in self.sql_text(tables.to_owned()).await.split(' ') {
            let hidden = match table {
                "users" => " - 'phone' - 'email' - 'email_key'",
                _ => "",
            };
            let rows = format!(
                "SELECT coalesce(string_agg((to_jsonb(t){hidden})::text, E'\\n'), '') FROM \"{table}\" t"
            );
            dump += &format!("{table}\n{}\n", self.sql_text(rows).await);
        }
        dump
    }

    /// The names and labels of `/metrics`, without the values: a long decimal may hold any digits.
    pub async fn metrics_text(&self) -> String {
        let answer = self.client.get(format!("{}/metrics", self.ops)).send().await;
        let text = answer.unwrap().text().await.unwrap();
        let names = text
            .lines()
            .map(|line| line.rsplit_once(' ').map_or(line, |(name, _)| name));
        names.collect::<Vec<_>>().join("\n")
    }
}

async fn content(redis: &mut MultiplexedConnection, key: &str) -> Vec<Vec<u8>> {
    let kind: String = redis::cmd("TYPE").arg(key).query_async(redis).await.unwrap();
    match kind.as_str() {
        "string" => vec![redis.get(key).await.unwrap()],
        "hash" => redis::cmd("HGETALL")
            .arg(key)
            .query_async::<Vec<(Vec<u8>, Vec<u8>)>>(redis)
            .await
            .unwrap()
            .into_iter()
            .flat_map(|(name, value)| [name, value])
            .collect(),
        "zset" => redis.zrange(key, 0, -1).await.unwrap(),
        "list" => redis.lrange(key, 0, -1).await.unwrap(),
        "set" => redis.smembers(key).await.unwrap(),
        // Expired since it was found.
        "none" => Vec::new(),
        other => panic!("{key} is a {other}, which this dump can't read"),
    }
}
