//! Spends from the counters of a record, and writes it.

use std::fmt::Write;

use super::rule::{Rule, form, list};

/// Spends, and writes the record, if anything is spent.
pub(super) fn keep(text: &mut String, record: u16, rules: &[&Rule]) -> std::fmt::Result {
    let spending: Vec<(&Rule, &String)> = rules
        .iter()
        .filter_map(|rule| Some((*rule, rule.spent.as_ref()?)))
        .collect();
    let Some((first, _)) = spending.first() else {
        return Ok(());
    };
    for (Rule { at, is_shadow, .. }, spent) in &spending {
        if *is_shadow {
            writeln!(text, "  if x{at} >= 0 then a{at} = a{at} + {spent} end")?;
        } else {
            writeln!(text, "  a{at} = a{at} + {spent}")?;
        }
    }
    writeln!(text, "  local until{record} = a{}", first.at)?;
    for (Rule { at, .. }, _) in &spending[1..] {
        writeln!(text, "  if a{at} > until{record} then until{record} = a{at} end")?;
    }
    // Shadow rules spend nothing where they would refuse.
    let are_shadows = spending.iter().all(|(rule, _)| rule.is_shadow);
    let new = if are_shadows {
        format!("not r{record} and until{record} > now_us")
    } else {
        format!("not r{record}")
    };
    let plain = packed(record, rules, false);
    let expiry = expiry_of_new(&spending).unwrap_or_else(|| expiry("until", record));
    // `GET` of nothing: so Redis answers nil, where it would make a table that says OK.
    writeln!(
        text,
        "  if {new} then call('SET', KEYS[first + {record}], {}, {expiry}, 'GET')",
        plain.replace(&format!("last{record}"), &format!("until{record}")),
    )?;
    writeln!(text, "  elseif r{record} then")?;
    overwrite(text, record, rules, are_shadows)?;
    writeln!(text, "  end")
}

/// Writes a record over the one that was read. `may_spend_nothing`: all rules are shadows, and each may refuse. Then the record may be over
/// within this millisecond, and is not written for longer.
fn overwrite(text: &mut String, record: u16, rules: &[&Rule], may_spend_nothing: bool) -> std::fmt::Result {
    for Rule { at, .. } in rules.iter().filter(|rule| rule.grows.is_some()) {
        writeln!(
            text,
            "    if g{at} > 0 and e{at} > until{record} then until{record} = e{at} end"
        )?;
    }
    // A little longer than it has to, so that the next ones needn't say it again.
    let form = "    local record, is_longer = nil, until{record} > last{record}{matters}
    if is_longer then last{record} = until{record} + (until{record} - now_us) / 8 end
    if how{record} == 1 then record = {plain}
    elseif how{record} == 2 then record = {grown}
    else
";
    let matters = if may_spend_nothing {
        " and until{record} > now_us"
    } else {
        ""
    };
    let form = form.replace("{matters}", matters);
    let of_record = |form: &str| form.replace("{record}", &record.to_string());
    let forms = [("{plain}", false), ("{grown}", true)];
    let form = forms.iter().fold(of_record(&form), |form, (name, grown)| {
        form.replace(name, &packed(record, rules, *grown))
    });
    text.push_str(&form);
    writeln!(text, "      --cold\n      record = pack('<d', last{record})")?;
    for rule in rules {
        let Rule {
            at, tag, emission, ..
        } = rule;
        let plain = format!("pack('<I4dd', {tag}, a{at}, {emission})");
        if rule.grows.is_some() {
            let grown = format!("pack('<I4ddI4I4d', {tag}, a{at}, -{emission}, g{at}, h{at}, e{at})");
            writeln!(
                text,
                "      if g{at} + h{at} > 0 then record = record .. {grown} else record = record .. {plain} end"
            )?;
        } else {
            writeln!(text, "      record = record .. {plain}")?;
        }
    }
    let tags = list(rules, |rule| format!("[{}] = true", rule.tag));
    writeln!(
        text,
        "      others{record} = gcra_others(r{record}, {{{tags}}}, now_us)"
    )?;
    // Over what is there, which is less work than `SET`. Not where it is longer, since Redis would make room for as much again.
    let form = "      --end
    end
    if others{record} then record = record .. others{record} end
    if is_longer then call('SET', KEYS[first + {record}], record, {expiry})
    elseif #record == #r{record} then call('SETRANGE', KEYS[first + {record}], '0', record)
    else call('SET', KEYS[first + {record}], record, 'KEEPTTL') end
";
    text.push_str(&of_record(form).replace("{expiry}", &expiry("last", record)));
    Ok(())
}

/// A record of these counters alone, each as `grown` says.
fn packed(record: u16, rules: &[&Rule], grown: bool) -> String {
    let counters = list(rules, |rule| {
        let Rule {
            at, tag, emission, ..
        } = rule;
        if grown && rule.grows.is_some() {
            format!("{tag}, a{at}, -{emission}, g{at}, h{at}, e{at}")
        } else {
            format!("{tag}, a{at}, {emission}")
        }
    });
    format!("pack('{}', last{record}, {counters})", form(rules, grown))
}

/// For how long a record matters that there was none of, where that is always the same: as long as the dearest of what it spends.
fn expiry_of_new(spending: &[(&Rule, &String)]) -> Option<String> {
    let mut longest_us: f64 = 0.0;
    for (rule, spent) in spending {
        // A shadow may spend nothing.
        let spent: f64 = spent.parse().ok().filter(|_| !rule.is_shadow)?;
        longest_us = longest_us.max(spent);
    }
    Some(format!("'PX', '{}'", ((longest_us + 999.0) / 1000.0).floor()))
}

fn expiry(until: &str, record: u16) -> String {
    format!("'PX', format('%d', ({until}{record} - now_us + 999) / 1000)")
}
