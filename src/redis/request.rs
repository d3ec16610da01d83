//! What can be asked for by a connection, and what comes of it.

use ::redis::{Cmd, Pipeline, RedisError, Script, ToRedisArgs, Value};

use super::{connection::Connection, failure::doubts_the_connection};

pub(super) enum Request<'a> {
    /// The script is loaded where a server doesn't know it.
    Script(&'a Script, &'a Cmd),
    Pipeline(&'a Pipeline),
    Each(&'a Script, &'a [Cmd]),
    Possible(&'a Script, &'a [Cmd]),
}

/// What came, and whether some of what did not come doubts the connection.
pub(super) struct Answered {
    pub value: Value,
    pub is_doubtful: bool,
}

impl From<Value> for Answered {
    fn from(value: Value) -> Self {
        Self {
            value,
            is_doubtful: false,
        }
    }
}

impl Request<'_> {
    /// What is rare is put on the heap: a future is as large as its largest branch, and each request moves it.
    pub(super) async fn run(self, mut connection: Connection) -> Result<Answered, RedisError> {
        match self {
            Self::Script(script, command) => connection.run(script, command).await.map(Answered::from),
            Self::Pipeline(commands) => {
                let answers: Value = Box::pin(commands.query_async(&mut connection)).await?;
                Ok(answers.into())
            }
            Self::Each(script, commands) => {
                let answers = Box::pin(connection.each(script, commands)).await?;
                Ok(Value::Array(answers).into())
            }
            Self::Possible(script, commands) => {
                let answers = Box::pin(connection.each_for_itself(script, commands)).await?;
                let is_doubtful = answers
                    .iter()
                    .any(|answer| answer.as_ref().is_err_and(doubts_the_connection));
                Ok(Answered {
                    value: Value::Array(answers.into_iter().flatten().collect()),
                    is_doubtful,
                })
            }
        }
    }
}

pub(super) fn evalsha<K: ToRedisArgs, A>(script: &Script, calls: &[(K, A)]) -> Vec<Cmd>
where
    for<'a> &'a A: ToRedisArgs,
{
    let command = |(keys, arguments): &(K, A)| {
        let mut command = ::redis::cmd("EVALSHA");
        command.arg(script.get_hash());
        command.arg(keys.num_of_args()).arg(keys).arg(arguments);
        command
    };
    calls.iter().map(command).collect()
}
