//! A rule as it stands in a text of Lua.

use crate::limits::records::{GROWS, RULE_BYTES, SHADOW, VARIES, WORKS};

/// Bytes of a record before its counters, of a counter, and of what it has more once it has grown.
pub(super) const HEAD: usize = 8;
pub(super) const COUNTER: usize = 20;
pub(super) const GROWTH: usize = 16;

/// A rule, as numbers and names of Lua.
pub(super) struct Rule {
    /// Its place among the rules, from 1, which its variables end in.
    pub at: usize,
    pub record: u16,
    pub tag: u32,
    pub emission: f64,
    pub room: String,
    /// `None` if it is asked alone.
    pub spent: Option<String>,
    /// By how much it may grow, if it may.
    pub grows: Option<f64>,
    pub is_shadow: bool,
    /// Whether the request brought a proof of work, and may find the ceiling raised.
    pub has_worked: bool,
}

pub(super) fn read(mut signature: &[u8]) -> Option<Vec<Rule>> {
    fn taken<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
        let (taken, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        Some(*taken)
    }
    let mut rules = Vec::with_capacity(signature.len() / RULE_BYTES);
    while !signature.is_empty() {
        let at = rules.len() + 1;
        let flags = u16::from_le_bytes(taken(&mut signature)?);
        let tag = u32::from_le_bytes(taken(&mut signature)?);
        let [emission, room, spent] = [
            taken(&mut signature)?,
            taken(&mut signature)?,
            taken(&mut signature)?,
        ]
        .map(f64::from_le_bytes);
        let grows = match flags & GROWS {
            0 => None,
            _ => Some(f64::from_le_bytes(taken(&mut signature)?)),
        };
        let varies = room == VARIES;
        rules.push(Rule {
            at,
            record: flags & !(GROWS | SHADOW | WORKS),
            tag,
            emission,
            room: if varies {
                format!("v{at}")
            } else {
                room.to_string()
            },
            spent: (spent > 0.0).then(|| {
                if varies {
                    format!("s{at}")
                } else {
                    spent.to_string()
                }
            }),
            grows,
            is_shadow: flags & SHADOW != 0,
            has_worked: flags & WORKS != 0,
        });
    }
    Some(rules)
}

/// Lists what `of` says of each.
pub(super) fn list(rules: &[&Rule], of: impl Fn(&Rule) -> String) -> String {
    rules.iter().map(|rule| of(rule)).collect::<Vec<_>>().join(", ")
}

/// How a record is read or written whose counters are these alone, grown or not.
pub(super) fn form(rules: &[&Rule], grown: bool) -> String {
    let counter = |rule: &&Rule| {
        if grown && rule.grows.is_some() {
            "I4ddI4I4d"
        } else {
            "I4dd"
        }
    };
    ["<d", &rules.iter().map(counter).collect::<String>()].concat()
}
