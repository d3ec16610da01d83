//! A script's keys and arguments.

use ::redis::{Arg, Cmd, Script, ToRedisArgs, cmd};

/// A call of a script that is being put together: keys and arguments, each in their order.
///
/// Each list is one buffer. redis-rs's own `ScriptInvocation` keeps every key and argument in an allocation of its own,
/// which shows where a script has forty.
#[derive(Default)]
pub struct Invocation {
    keys: Cmd,
    arguments: Cmd,
}

impl Invocation {
    /// Adds to `KEYS`.
    pub fn key(&mut self, key: impl ToRedisArgs) -> &mut Self {
        self.keys.arg(key);
        self
    }

    /// Adds to `ARGV`.
    pub fn arg(&mut self, argument: impl ToRedisArgs) -> &mut Self {
        self.arguments.arg(argument);
        self
    }

    /// The call by the script's digest.
    pub(super) fn command(&self, script: &Script) -> Cmd {
        let mut command = cmd("EVALSHA");
        command.arg(script.get_hash()).arg(self.keys.args_iter().count());
        for argument in self.keys.args_iter().chain(self.arguments.args_iter()) {
            if let Arg::Simple(bytes) = argument {
                command.arg(bytes);
            }
        }
        command
    }
}
