//! How to reach Redis.

use std::{fmt, time::Duration};

use super::RedisSecurity;

/// How to reach Redis, and for how long to wait for it.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://…`, `rediss://…`, a comma-separated list for a Cluster, or `redis+sentinel://…/master-name`;
    /// `rediss+sentinel://…` with TLS.
    pub url: String,
    pub security: RedisSecurity,
    /// Begins every key.
    pub prefix: String,
    /// Connections at most; threads beyond that share one.
    pub lanes: usize,
    /// How long Redis may be silent before a request is given up, connecting included.
    pub timeout: Duration,
}

/// The URL may hold a password.
impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisOptions(prefix {}, {} lanes)", self.prefix, self.lanes)
    }
}
