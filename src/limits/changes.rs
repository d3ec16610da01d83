//! What another limits file would change.

use super::{
    asker::Claimants,
    operation::Operation,
    rule::{Counts, IfStoreLost, Mode, Rule, RuleSet, per_text},
};
use crate::channel::Channel;

/// A line for each rule that `to` adds (`+`), removes (`-`) or changes (`~`); none if they are the same.
pub fn changes(from: &RuleSet, to: &RuleSet) -> Vec<String> {
    let mut lines = Vec::new();
    for rule in to.rules() {
        match from.find(&rule.id) {
            None => lines.push(format!("+ {}: {}", rule.id, told(rule))),
            Some(old) if old != rule => lines.push(format!("~ {}: {}", rule.id, difference(old, rule))),
            Some(_) => {}
        }
    }
    let removed = from.rules().iter().filter(|rule| to.find(&rule.id).is_none());
    lines.extend(removed.map(|rule| format!("- {}: {}", rule.id, told(rule))));
    lines
}

fn told(rule: &Rule) -> String {
    let mode = match rule.mode {
        Mode::Enforce => String::new(),
        Mode::Prove => format!(", prove up to {}", rule.told(rule.ceiling)),
        Mode::Shadow => ", shadow".to_owned(),
        Mode::Off => ", off".to_owned(),
    };
    let (on, per) = (on(rule), per_text(rule.per));
    let channel = rule
        .channel
        .map_or(String::new(), |channel| format!(" for {}", channel.name()));
    let counts = match rule.counts {
        Counts::Requests => String::new(),
        other => format!(" {}", other.name()),
    };
    let claimants = match rule.claimants {
        Claimants::Apart => "",
        Claimants::Together => " with claimants together",
    };
    let excepted = match rule.except.is_empty() {
        true => String::new(),
        false => format!(" except {}", except(rule)),
    };
    let grows = match rule.grows_to == rule.burst {
        true => String::new(),
        false => format!(" to {}", rule.grows_to),
    };
    format!(
        "{on}{channel} by {}{claimants}{excepted}, {}{counts} in {per}, burst {}{grows}, {}{mode}",
        rule.by,
        rule.told(rule.quota),
        rule.told(rule.burst),
        rule.scope.name()
    )
}

fn difference(old: &Rule, new: &Rule) -> String {
    let told = fields(old)
        .into_iter()
        .zip(fields(new))
        .filter(|(old, new)| old != new);
    let changed: Vec<_> = told
        .map(|((name, old), (_, new))| format!("{name} {old} -> {new}"))
        .collect();
    let anew = match old.by == new.by && old.scope == new.scope {
        true => "",
        false => " (counted anew)",
    };
    format!("{}{anew}", changed.join(", "))
}

fn fields(rule: &Rule) -> [(&'static str, String); 14] {
    let grows_to = match rule.grows_to == rule.burst {
        true => "burst".to_owned(),
        false => rule.grows_to.to_string(),
    };
    let ceiling = match rule.ceiling == rule.burst {
        true => "burst".to_owned(),
        false => rule.told(rule.ceiling),
    };
    let lost = rule.if_store_lost.map_or("as usual", IfStoreLost::name);
    [
        ("on", on(rule)),
        ("by", rule.by.to_string()),
        ("channel", rule.channel.map_or("any", Channel::name).to_owned()),
        ("counts", rule.counts.name().to_owned()),
        ("claimants", rule.claimants.name().to_owned()),
        ("except", except(rule)),
        ("quota", rule.told(rule.quota)),
        ("per", per_text(rule.per)),
        ("burst", rule.told(rule.burst)),
        ("grows_to", grows_to),
        ("ceiling", ceiling),
        ("scope", rule.scope.name().to_owned()),
        ("mode", rule.mode.name().to_owned()),
        ("if_store_lost", lost.to_owned()),
    ]
}

fn except(rule: &Rule) -> String {
    match rule.except.is_empty() {
        true => "none".to_owned(),
        false => rule.except.join(", "),
    }
}

fn on(rule: &Rule) -> String {
    rule.on.map_or("any", Operation::name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::file::parse;

    fn rules(text: &str) -> RuleSet {
        parse(text, "limits.toml").unwrap()
    }

    #[test]
    fn what_is_added_removed_or_changed_is_told_and_nothing_else() {
        let old = "[[rule]]\nid='same'\non='me'\nby='ip'\nquota=9\nper='1h'\n
                   [[rule]]\nid='numbers'\non='login'\nby='ip'\nquota=9\nper='60m'\n
                   [[rule]]\nid='place'\non='any'\nby='ip'\nquota=9\nper='1h'\n
                   [[rule]]\nid='gone'\non='otp.send'\nby=['ip', 'prefix']\nquota=9\nper='1d'\nmode='shadow'";
        let new = "[[rule]]\nid='new'\non='any'\nby='global'\nquota=7\nper='90s'\nburst=2\n
                   [[rule]]\nid='numbers'\non='login'\nby='ip'\nquota=8\nper='1h'\nif_store_lost='local'\n
                   [[rule]]\nid='place'\non='any'\nby='ip'\nquota=9\nper='1h'\nscope='instance'\nmode='off'\n
                   [[rule]]\nid='same'\non='me'\nby='ip'\nquota=9\nper='60m'";
        assert_eq!(
            changes(&rules(old), &rules(new)),
            [
                "+ new: any by global, 7 in 90s, burst 2, cluster",
                "~ numbers: quota 9 -> 8, burst 9 -> 8, if_store_lost as usual -> local",
                "~ place: scope cluster -> instance, mode enforce -> off (counted anew)",
                "- gone: otp.send by ip+prefix:6, 9 in 1d, burst 9, cluster, shadow",
            ]
        );
        assert!(changes(&rules(old), &rules(old)).is_empty());
    }

    #[test]
    fn rules_are_told_as_a_file_that_reads_the_same() {
        let shipped = rules(include_str!("../../config/limits.toml"));
        assert_eq!(rules(&shipped.to_string()), shipped);
        let odd = rules(
            "[[rule]]\nid='r'\non='any'\nby=['prefix:9', 'user']\nquota=7\nper='90s'\nburst=2\nmode='off'\nif_store_lost='refuse'",
        );
        assert_eq!(rules(&odd.to_string()), odd);
    }
}
