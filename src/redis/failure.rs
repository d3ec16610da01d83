//! Why a request to Redis failed, in words for the log, and whether its connection is to blame.

use ::redis::{ParsingError, RedisError};
use deadpool::managed::PoolError;
use thiserror::Error;

/// What a server says that can't take writes, whoever asks: a master that became a replica, a replica without its master,
/// one that reads its data, a Cluster without some of its slots. Redis before 7 says it of a script in the middle of
/// another error's text.
const UNFIT: [&str; 4] = ["READONLY", "MASTERDOWN", "LOADING", "CLUSTERDOWN"];
/// Room for the longest that a server says, in characters.
const MAX_WORDS: usize = 240;

#[derive(Debug, Error)]
pub(super) enum Failure {
    #[error("no answer in time")]
    Late,
    #[error("no connection: {}", words_of_pool(.0))]
    Connect(PoolError<RedisError>),
    #[error("{}", words(.0))]
    Redis(RedisError),
}

impl Failure {
    /// Whether the next request had better have another connection: after a time-out too, since a peer that
    /// vanished without a word is not noticed for minutes otherwise.
    pub(super) fn doubts_the_connection(&self) -> bool {
        match self {
            Self::Late => true,
            Self::Connect(_) => false,
            Self::Redis(error) => doubts_the_connection(error),
        }
    }
}

impl From<ParsingError> for Failure {
    fn from(error: ParsingError) -> Self {
        Self::Redis(error.into())
    }
}

/// Whether an error says something of the connection or the server behind it, not of the request.
pub(super) fn doubts_the_connection(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        || error.is_cluster_error()
        || error.code().is_some_and(|code| UNFIT.contains(&code))
        || error.detail().is_some_and(repeats_unfit)
        // Of several commands at once, each with what it got.
        || repeats_unfit(&error.to_string())
}

/// Whether it stands within what a script's error says, as `-READONLY …`.
fn repeats_unfit(text: &str) -> bool {
    let is_marked = |word: &&str| text.match_indices(*word).any(|(at, _)| text[..at].ends_with('-'));
    UNFIT.iter().any(is_marked)
}

fn words_of_pool(error: &PoolError<RedisError>) -> String {
    match error {
        PoolError::Backend(error) => words(error),
        PoolError::Timeout(_) => "no answer in time".to_owned(),
        other => other.to_string(),
    }
}

/// The error in the server's own words, for the log. What a server repeats of a command, its keys and arguments, is
/// left out.
fn words(error: &RedisError) -> String {
    let text = match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        _ => error.to_string(),
    };
    let said = text
        .split(", with args beginning with")
        .next()
        .unwrap_or_default();
    let mut words: String = said
        .chars()
        .take(MAX_WORDS)
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect();
    // Of a failed connection, what stands behind it: a certificate, a name, a refusal.
    let mut source = std::error::Error::source(error).filter(|_| error.is_io_error());
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !words.contains(&cause_text) {
            words.push_str(": ");
            words.push_str(&cause_text);
        }
        source = cause.source();
    }
    words.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use ::redis::{Value, parse_redis_value};

    use super::*;

    fn server_error(line: &str) -> RedisError {
        let value = parse_redis_value(format!("-{line}\r\n").as_bytes());
        let answer = value.and_then(|value| Ok(::redis::from_redis_value::<Value>(value)?));
        match answer {
            Err(error) => error,
            Ok(Value::ServerError(error)) => error.into(),
            Ok(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_server_that_takes_no_writes_is_left_however_it_says_so() {
        for line in [
            "READONLY You can't write against a read only replica.",
            "ERR Error running script (call to f_0): @user_script:1: @user_script: 1: -READONLY You can't write against a \
             read only replica.",
            "ERR Error running script (call to f_0): @user_script:1: @user_script: 1: -MASTERDOWN Link with MASTER is down \
             and replica-serve-stale-data is set to 'no'.",
            "READONLY You can't write against a read only replica. script: 0, on @user_script:1.",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "LOADING Redis is loading the dataset in memory",
            "CLUSTERDOWN The cluster is down",
            "CLUSTERDOWN Hash slot not served",
        ] {
            let error = server_error(line);
            assert!(doubts_the_connection(&error), "{line}");
            assert!(
                words(&error).contains(line.split(' ').next().unwrap()),
                "{}",
                words(&error)
            );
        }
        for line in [
            "ERR Error running script (call to f_0): @user_script:1: attempt to index a nil value",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "NOSCRIPT No matching script. Please use EVAL.",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "NOPERM User ringback has no permissions to run the 'evalsha' command",
        ] {
            assert!(!doubts_the_connection(&server_error(line)), "{line}");
        }
    }

    #[test]
    fn the_log_has_the_servers_words_and_none_of_the_request() {
        let error = server_error("OOM command not allowed when used memory > 'maxmemory'.");
        assert!(
            words(&error).contains("command not allowed when used memory"),
            "{}",
            words(&error)
        );
        let error = server_error(
            "ERR unknown command 'EVALSHA', with args beginning with: 'f00' '1' 'rb:{1}:secret' ",
        );
        let said = words(&error);
        assert!(
            said.contains("unknown command 'EVALSHA'") && !said.contains("secret"),
            "{said}"
        );
        let refused = std::io::Error::other("invalid peer certificate: UnknownIssuer");
        let failure = Failure::Connect(RedisError::from(refused).into());
        assert!(failure.to_string().contains("UnknownIssuer"), "{failure}");
    }
}
