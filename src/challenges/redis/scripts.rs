//! The scripts.

use std::sync::LazyLock;

use ::redis::Script;

use crate::{
    limits::{GCRA_LUA, with_spend},
    redis::lua,
};

/// A script of this room, of one file or several.
macro_rules! script {
    ($($file:literal),+) => {
        LazyLock::new(|| {
            script_of(concat!($(include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/src/challenges/redis/",
                $file
            ))),+))
        })
    };
}
pub(super) use script;

/// A script with what all of this room share before it.
pub fn script_of(text: &str) -> Script {
    lua::script(&[GCRA_LUA, include_str!("slot.lua")], &with_spend(text))
}

pub static ISSUE: LazyLock<Script> = script!("issue_place.lua", "issue.lua");
pub static ISSUE_CANDIDATE: LazyLock<Script> = script!("issue_candidate.lua", "issue.lua");
pub static JUDGE: LazyLock<Script> = script!("judge.lua");
pub static JUDGE_BY_ID: LazyLock<Script> = script!("judge_by_id.lua");
pub static REINSTATE: LazyLock<Script> = script!("reinstate.lua");
pub static LOOK: LazyLock<Script> = script!("look.lua");
pub static NOTE_STATUS: LazyLock<Script> = script!("note_status.lua");
