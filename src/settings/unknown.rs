//! What to say of keys and variables that there aren't.

use super::{
    fault::Source,
    layers::{ALIASES, CHOOSERS, variable_of},
    value::{Value, one_of},
};

/// What somebody probably had in mind: at most two typing errors away.
pub(super) struct Meant<'a> {
    /// The key; empty for a variable that stands for none.
    pub(super) key: &'a str,
    /// The key, or the variable that stands for it.
    name: String,
}

impl<'a> Meant<'a> {
    /// The nearest of what there is.
    pub(super) fn by(known: &[&'a str], name: &str, source: &Source) -> Option<Self> {
        let mut candidates: Vec<Self> = match source {
            Source::Environment(_) => {
                let ours = known.iter().map(|key| (*key, variable_of(key)));
                let others = ALIASES.map(|(alias, key)| (key, alias.to_owned()));
                let choosers = CHOOSERS.map(|name| ("", name.to_owned()));
                let all = ours.chain(others).chain(choosers);
                all.map(|(key, name)| Self { key, name }).collect()
            }
            _ => known
                .iter()
                .map(|key| Self {
                    key,
                    name: (*key).to_owned(),
                })
                .collect(),
        };
        let typed = match source {
            Source::Environment(variable) => variable,
            _ => name,
        };
        let typed = typed.to_lowercase();
        candidates.retain(|candidate| strsim::levenshtein(&typed, &candidate.name.to_lowercase()) <= 2);
        candidates
            .into_iter()
            .min_by_key(|candidate| strsim::levenshtein(&typed, &candidate.name.to_lowercase()))
    }
}

/// What to say of a key that nobody read; nothing where it is an empty section.
pub(super) fn allowed_instead(
    known: &[&str],
    name: &str,
    source: &Source,
    value: &Value,
    meant: Option<&Meant<'_>>,
) -> Option<String> {
    let keys_of = |section: &str| -> Vec<&str> {
        known
            .iter()
            .filter_map(|key| key.strip_prefix(section)?.strip_prefix('.'))
            .collect()
    };
    if let Source::Environment(_) = source {
        return Some(match meant {
            Some(Meant { name, .. }) => format!("no such variable, did you mean {name}?"),
            None => {
                "no such variable: must be RINGBACK__SECTION__KEY of a key in config/default.toml".to_owned()
            }
        });
    }
    if name == "rule" {
        return Some("rules stand in a file of their own, which limits.file names".to_owned());
    }
    if !name.contains('.') && !keys_of(name).is_empty() {
        return (*value != Value::Table).then(|| format!("must be a section, [{name}]"));
    }
    if let Some(Meant { name, .. }) = meant {
        return Some(format!("no such key, did you mean {name}?"));
    }
    let (section, _) = name.split_once('.').unwrap_or((name, ""));
    Some(match keys_of(section) {
        keys if keys.is_empty() => {
            let mut sections: Vec<_> = known.iter().filter_map(|key| key.split('.').next()).collect();
            sections.dedup();
            format!("no such section: must be {}", one_of(&sections))
        }
        keys => format!("no such key: [{section}] has {}", keys.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_is_told_from_another_word() {
        let near =
            |name| Meant::by(&["otp.ttl", "otp.length"], name, &Source::BuiltIn).map(|meant| meant.key);
        assert_eq!(near("otp.tll"), Some("otp.ttl"));
        assert_eq!(near("otp.lenght"), Some("otp.length"));
        assert_eq!(near("OTP.TTL"), Some("otp.ttl"));
        assert_eq!(near("otp.size"), None);
    }
}
