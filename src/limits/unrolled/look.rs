//! Reads the counters of a record, and finds what room they have.

use std::fmt::Write;

use super::rule::{COUNTER, GROWTH, HEAD, Rule, form, list};

/// Reads a record, and finds what room its counters have. Most begin with the counters of these rules, and are read in one go; in others
/// each counter is looked for (`how` is 3 then).
pub(super) fn look(text: &mut String, record: u16, rules: &[&Rule]) -> std::fmt::Result {
    let growing: Vec<&Rule> = rules
        .iter()
        .copied()
        .filter(|rule| rule.grows.is_some())
        .collect();
    let size = HEAD + COUNTER * rules.len();
    let tats = list(rules, |rule| format!("a{}", rule.at));
    writeln!(text, "local r{record} = stored[first + {record}]")?;
    writeln!(text, "local how{record}, last{record}, others{record}, {tats}")?;
    for Rule { at, .. } in &growing {
        writeln!(text, "local g{at}, h{at}, e{at} = 0, 0, 0")?;
    }
    let grown_size = size + GROWTH * growing.len();
    writeln!(text, "if r{record} then")?;
    let found = list(rules, |rule| format!("t{0}, c{0}", rule.at));
    writeln!(text, "  local size, {found} = #r{record}")?;
    if growing.is_empty() {
        writeln!(text, "  if size >= {size} and size <= LONG then")?;
        whole(text, record, rules, false, size)?;
    } else {
        // Where its cost is below zero, by the highest bit of a double.
        let first = rules
            .iter()
            .position(|rule| rule.grows.is_some())
            .unwrap_or_default();
        let sign = HEAD + COUNTER * (first + 1);
        writeln!(
            text,
            "  if size == {grown_size} or size > {grown_size} and size <= LONG and byte(r{record}, {sign}) >= 128 then"
        )?;
        whole(text, record, rules, true, grown_size)?;
        writeln!(text, "  elseif size >= {size} and size <= LONG then")?;
        whole(text, record, rules, false, size)?;
    }
    writeln!(text, "  end")?;
    one_by_one(text, record, rules)?;
    for Rule {
        at,
        emission,
        room,
        grows,
        has_worked,
        ..
    } in rules
    {
        if grows.is_none() {
            writeln!(text, "  if a{at} < now_us then a{at} = now_us end")?;
            writeln!(text, "  x{at} = {room} + now_us - a{at}")?;
            continue;
        }
        writeln!(text, "  if a{at} <= now_us then a{at}, h{at} = now_us, 0 end")?;
        if *has_worked {
            writeln!(
                text,
                "  x{at} = {room} + {emission} * (g{at} + h{at}) + now_us - a{at}"
            )?;
        } else {
            // Who passes with a proof of work, since the ceiling is raised, lacks no more than who passes below it.
            writeln!(text, "  x{at} = {room} + {emission} * g{at} + now_us - a{at}")?;
            writeln!(
                text,
                "  if x{at} < 0 and h{at} > 0 then x{at} = min(-1, x{at} + {emission} * h{at}) end"
            )?;
        }
    }
    let rooms = list(rules, |rule| format!("x{}", rule.at));
    let blank = list(rules, |rule| rule.room.clone());
    let now = list(rules, |_| "now_us".to_owned());
    writeln!(text, "else\n  {tats} = {now}\n  {rooms} = {blank}\nend")
}

/// Looks for each counter in a record that does not begin with all of them. No function of `gcra.lua` does it, since Redis would make it
/// anew.
fn one_by_one(text: &mut String, record: u16, rules: &[&Rule]) -> std::fmt::Result {
    let unknown = list(rules, |rule| format!("a{}", rule.at));
    let form = "    local at
    how{record}, last{record}, at = 3, read('<d', r{record})
    {unknown} = nil
{blank}    while at <= size do
      local tag, tat, cost, to = read('<I4dd', r{record}, at)
      local growth, raised, ends = 0, 0, 0
      if cost < 0 then
        cost = -cost
        growth, raised, ends, to = read('<I4I4d', r{record}, to)
      end
";
    let growing = rules.iter().filter(|rule| rule.grows.is_some());
    let blank: String = growing
        .map(|rule| format!("    g{0}, h{0}, e{0} = 0, 0, 0\n", rule.at))
        .collect();
    let form = form
        .replace("{record}", &record.to_string())
        .replace("{blank}", &blank);
    write!(
        text,
        "  if not how{record} then\n{}",
        form.replace("{unknown}", &unknown)
    )?;
    for (index, Rule { at, tag, grows, .. }) in rules.iter().enumerate() {
        let condition = if index == 0 { "if" } else { "elseif" };
        let growth = grows.map_or(String::new(), |_| {
            format!(" g{at}, h{at}, e{at} = growth, raised, ends")
        });
        writeln!(
            text,
            "      {condition} tag == {tag} then a{at}, c{at} = tat, cost{growth}"
        )?;
    }
    writeln!(text, "      end\n      at = to\n    end")?;
    for Rule {
        at, emission, grows, ..
    } in rules
    {
        writeln!(text, "    if not a{at} then a{at} = now_us")?;
        writeln!(
            text,
            "    elseif a{at} > now_us and c{at} ~= {emission} then a{at} = now_us + floor((a{at} - now_us) * {emission} / c{at} + 0.5) end"
        )?;
        if let Some(grows) = grows {
            writeln!(
                text,
                "    if e{at} <= now_us then g{at}, e{at} = 0, 0 elseif g{at} > {grows} then g{at} = {grows} end"
            )?;
        }
    }
    writeln!(text, "  end")
}

/// Reads a record that begins with all of the counters, each as `grown` says.
fn whole(text: &mut String, record: u16, rules: &[&Rule], grown: bool, size: usize) -> std::fmt::Result {
    let has_grown = |rule: &Rule| grown && rule.grows.is_some();
    let names = list(rules, |rule| {
        let growth = if has_grown(rule) { ", g{0}, h{0}, e{0}" } else { "" };
        ["t{0}, a{0}, c{0}", growth]
            .concat()
            .replace("{0}", &rule.at.to_string())
    });
    writeln!(
        text,
        "    last{record}, {names} = read('{}', r{record})",
        form(rules, grown)
    )?;
    let fits = rules.iter().map(|rule| {
        let Rule {
            at, tag, emission, ..
        } = rule;
        if has_grown(rule) {
            format!("t{at} == {tag} and c{at} == -{emission} and g{at} > 0 and e{at} > now_us")
        } else {
            format!("t{at} == {tag} and c{at} == {emission}")
        }
    });
    writeln!(text, "    if {} then", fits.collect::<Vec<_>>().join(" and "))?;
    writeln!(text, "      how{record} = {}", if grown { 2 } else { 1 })?;
    for (at, grows) in rules
        .iter()
        .filter(|_| grown)
        .filter_map(|rule| Some((rule.at, rule.grows?)))
    {
        writeln!(text, "      if g{at} > {grows} then g{at} = {grows} end")?;
    }
    writeln!(
        text,
        "      if size > {size} then others{record} = sub(r{record}, {}) end",
        size + 1
    )?;
    writeln!(text, "    end")
}
