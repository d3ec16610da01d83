//! `spend.lua` written out for given rules: what it would read of them at each call stands in the text, and the counters of a record are
//! read and written as one. Redis runs that in two thirds of the time, and keeps a script for each set of rules that requests meet.
//!
//! Needs and gives what `spend.lua` does, but that the rules at `rules_at` are only what `Signed::varying` has.

mod keep;
mod look;
mod rule;

use std::fmt::Write;

use keep::keep;
use look::look;
use rule::{Rule, list, read};

/// Lua has room for 200 variables; a rule takes seven at most, a record five, and the scripts before them some seventy.
const MOST_RULES: usize = 10;

/// What spends from the counters of these rules, and begins the answer if that `answers`. `None` where there are none, or too many.
pub(super) fn unrolled(signature: &[u8], answers: bool) -> Option<String> {
    let rules = read(signature)?;
    if rules.is_empty() || rules.len() > MOST_RULES {
        return None;
    }
    let mut text = String::with_capacity(1024 * (2 + rules.len()));
    write(&mut text, &rules, answers).ok()?;
    Some(text)
}

fn write(text: &mut String, rules: &[Rule], answers: bool) -> std::fmt::Result {
    let all: Vec<&Rule> = rules.iter().collect();
    let mut records: Vec<u16> = rules.iter().map(|rule| rule.record).collect();
    records.sort_unstable();
    records.dedup();
    let of_record = |record| -> Vec<&Rule> { rules.iter().filter(|rule| rule.record == record).collect() };

    writeln!(text, "local refused, attached, shadowed = false, '', ''\ndo")?;
    let varying: Vec<&Rule> = rules.iter().filter(|rule| rule.room.starts_with('v')).collect();
    if !varying.is_empty() {
        let names = list(&varying, |rule| format!("v{0}, s{0}", rule.at));
        writeln!(
            text,
            "local {names} = read('<{}', rules, rules_at)",
            "dd".repeat(varying.len())
        )?;
    }
    writeln!(text, "local {}", list(&all, |rule| format!("x{}", rule.at)))?;
    for &record in &records {
        look(text, record, &of_record(record))?;
    }
    let enforced = rules.iter().filter(|rule| !rule.is_shadow);
    let refuses: Vec<_> = enforced.map(|rule| format!("x{} < 0", rule.at)).collect();
    if !refuses.is_empty() {
        writeln!(text, "if {} then refused = true end", refuses.join(" or "))?;
    }
    for Rule { at, tag, .. } in rules.iter().filter(|rule| rule.is_shadow) {
        writeln!(
            text,
            "if x{at} < 0 then shadowed = shadowed .. pack('<I4', {tag}) end"
        )?;
    }
    writeln!(text, "if not refused then")?;
    for &record in &records {
        keep(text, record, &of_record(record))?;
    }
    let rooms = list(&all, |rule| format!("x{}", rule.at));
    let (form, count) = ("d".repeat(rules.len()), rules.len());
    let (before, values) = if answers {
        (">c1I6", "refused and 'm' or letter, refused and 0 or number, ")
    } else {
        ("", "")
    };
    writeln!(
        text,
        "end\nattached = pack('{before}<B{form}', {values}{count}, {rooms})\nend"
    )
}
