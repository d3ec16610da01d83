//! The scripts.

use std::sync::LazyLock;

use ::redis::Script;

use crate::{
    challenges::{millis::millis, store::OtpRules},
    limits::{GCRA_LUA, RuledScript, with_spend},
    redis::lua,
};

/// The text of one file of this room or several.
macro_rules! text_of {
    ($($file:literal),+) => {
        concat!($(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/challenges/redis/",
            $file
        ))),+)
    };
}
pub(super) use text_of;

/// A script of this room, of one file or several.
macro_rules! script {
    ($($file:literal),+) => {
        LazyLock::new(|| script_of($crate::challenges::redis::scripts::text_of!($($file),+)))
    };
}
pub(super) use script;

/// A script with what all of this room share before it.
pub fn script_of(text: &str) -> Script {
    shared_script(&with_spend(text))
}

fn shared_script(text: &str) -> Script {
    lua::script(&[GCRA_LUA, include_str!("slot.lua")], text)
}

/// The scripts that issue, written for the times that are set.
pub struct Issuing {
    pub place: RuledScript,
    pub candidate: RuledScript,
}

impl Issuing {
    pub fn new(rules: &OtpRules) -> Self {
        let (ttl, cooldown) = (millis(rules.ttl), millis(rules.resend_cooldown));
        let times = format!(
            "local ttl, cooldown, lasts = {ttl}, {cooldown}, '{}'\n",
            ttl.max(cooldown)
        );
        let script = |text: &str| RuledScript::new([times.as_str(), text].concat(), shared_script);
        Self {
            place: script(text_of!("issue_place.lua", "issue.lua")),
            candidate: script(text_of!("issue_candidate.lua", "issue.lua")),
        }
    }
}

pub static JUDGE: LazyLock<Script> = script!("judge.lua");
pub static JUDGE_BY_ID: LazyLock<Script> = script!("judge_by_id.lua");
pub static REINSTATE: LazyLock<Script> = script!("reinstate.lua");
pub static LOOK: LazyLock<Script> = script!("look.lua");
pub static NOTE_STATUS: LazyLock<Script> = script!("note_status.lua");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::with_spend_of;

    /// Lua has room for 200 variables of a script.
    #[test]
    fn the_longest_script_for_given_rules_has_room_for_its_variables() {
        // Rules that grow, each in a record of its own.
        let rule = |place: u16| {
            let numbers = [1.0, 1.0, 1.0, 1.0].map(f64::to_le_bytes).concat();
            [&(2048 | place).to_le_bytes()[..], b"abcd", &numbers].concat()
        };
        let rules = |most: u16| (1..=most).flat_map(rule).collect::<Vec<u8>>();
        let text = text_of!("issue_candidate.lua", "issue.lua");
        let most = (1..=64).rev().find_map(|most| with_spend_of(&rules(most), text));
        let text = ["local ttl, cooldown, lasts = 1, 1, '1'\n", &most.unwrap()].concat();
        let text = lua::text_of(&[GCRA_LUA, include_str!("slot.lua")], &text);
        // Those of the rules are gone behind them.
        let before = text.lines().take_while(|line| !line.starts_with("attached = "));
        let variables = before.filter_map(|line| line.strip_prefix("local "));
        let named = |names: &str| {
            names
                .split('=')
                .next()
                .map_or(0, |names| names.split(',').count())
        };
        let count: usize = variables
            .map(|names| {
                if names.starts_with("function ") {
                    1
                } else {
                    named(names)
                }
            })
            .sum();
        assert!((150..=195).contains(&count), "{count} variables");
    }
}
