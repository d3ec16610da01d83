//! A script's keys and arguments.

use std::io::Write;

use ::redis::{Cmd, RedisWrite, Script, ToRedisArgs};

use super::heads::Heads;

/// Room for the command's name, the digest, the number of keys and most arguments, and for most keys.
const ROOM: usize = 256;
const ROOM_FOR_KEY: usize = 64;
/// Arguments beside the keys, the command's own among them.
const ARGUMENTS: usize = 8;

/// A call of a script that is being put together: its keys, then its arguments, each in their order.
///
/// It is one buffer. redis-rs's own `ScriptInvocation` keeps every key and argument in an allocation of its own, which
/// shows where a script has forty.
pub struct Call<'a> {
    heads: &'a Heads,
    command: Cmd,
    keys_to_come: usize,
}

impl<'a> Call<'a> {
    /// The call of a script by its digest, with the keys and arguments that `fill` adds: `keys` of them, and these first.
    pub(super) fn of(heads: &'a Heads, script: &Script, keys: usize, fill: impl FnOnce(&mut Self)) -> Cmd {
        let mut command = Cmd::with_capacity(keys + ARGUMENTS, ROOM + keys * ROOM_FOR_KEY);
        command.arg("EVALSHA").arg(script.get_hash()).arg(keys);
        let mut call = Self {
            heads,
            command,
            keys_to_come: keys,
        };
        fill(&mut call);
        debug_assert_eq!(
            call.keys_to_come, 0,
            "a call names another number of keys than it said"
        );
        call.command
    }

    /// Adds to `KEYS` the key of `partition` whose name the parts make, as [`RedisLink::key`](super::RedisLink::key) has it.
    pub fn key<const N: usize>(&mut self, partition: u8, name: [&str; N]) {
        self.keys_to_come = self.keys_to_come.saturating_sub(1);
        let mut key = self.command.writer_for_next_arg();
        // A buffer takes everything.
        let _ = key.write_all(self.heads.of_partition(partition).as_bytes());
        for part in name {
            let _ = key.write_all(part.as_bytes());
        }
    }

    /// Adds to `ARGV`.
    pub fn arg(&mut self, argument: impl ToRedisArgs) -> &mut Self {
        debug_assert_eq!(self.keys_to_come, 0, "keys come before arguments");
        self.command.arg(argument);
        self
    }
}
