//! A script's keys and arguments.

use std::cell::RefCell;

use ::redis::{Arg, Cmd, Script, ToRedisArgs};

/// Bytes for the command's name, the digest and the number of keys.
const ROOM_FOR_HEAD: usize = 64;

/// A call of a script that is being put together: keys and arguments, each in their order.
///
/// Each list is one buffer, which a thread uses again for its next call. redis-rs's own `ScriptInvocation` keeps every
/// key and argument in an allocation of its own, which shows where a script has forty.
#[derive(Default)]
pub struct Invocation {
    keys: Cmd,
    arguments: Cmd,
}

thread_local! {
    static SPARE: RefCell<Invocation> = RefCell::default();
}

impl Invocation {
    /// The call of a script with the keys and arguments that `fill` adds. It must not put together another.
    pub(super) fn of(script: &Script, fill: impl FnOnce(&mut Self)) -> Cmd {
        SPARE.with_borrow_mut(|call| {
            call.keys.clear();
            call.arguments.clear();
            fill(call);
            call.command(script)
        })
    }

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
    fn command(&self, script: &Script) -> Cmd {
        let all = || {
            let arguments = self.keys.args_iter().chain(self.arguments.args_iter());
            arguments.filter_map(|argument| match argument {
                Arg::Simple(bytes) => Some(bytes),
                _ => None,
            })
        };
        let bytes: usize = all().map(<[u8]>::len).sum();
        let mut command = Cmd::with_capacity(all().count() + 3, bytes + ROOM_FOR_HEAD);
        command.arg("EVALSHA").arg(script.get_hash());
        command.arg(self.keys.args_iter().count());
        for argument in all() {
            command.arg(argument);
        }
        command
    }
}
