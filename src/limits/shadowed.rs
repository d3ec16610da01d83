//! Which shadow rules would have refused a request: remembered beside its challenge, so that a right code tells whom
//! the rule would have wronged.

use super::{
    store::{Counter, Verdict},
    tag::RuleTag,
};

/// The shadow rules that would have refused a request. Of more than 16 the first are remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shadowed(String);

impl Shadowed {
    /// Beyond 64 bytes Redis would keep a challenge in a larger form (`hash-max-listpack-value`).
    const MAX_BYTES: usize = 64;

    /// Takes back what [`Shadowed::as_str`] gave.
    pub fn from_stored(tags: String) -> Self {
        Self(tags)
    }

    /// The tags, one after another.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a rule.
    pub fn push(&mut self, tag: RuleTag) {
        if self.0.len() < Self::MAX_BYTES {
            self.0.push_str(tag.as_str());
        }
    }

    /// The same, and those of `counters` that said no and are not enforced.
    #[must_use]
    pub fn and(&self, counters: &[Counter], verdicts: &[Verdict]) -> Self {
        let mut all = self.clone();
        let refused = counters
            .iter()
            .zip(verdicts)
            .filter(|(_, verdict)| verdict.is_refused());
        for tag in refused.filter_map(|(counter, _)| counter.shadow_tag()) {
            all.push(tag);
        }
        all
    }

    /// Whether the rule is among them.
    pub fn names(&self, tag: RuleTag) -> bool {
        self.0
            .as_bytes()
            .chunks(4)
            .any(|named| named == tag.as_str().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_found_again_and_nothing_else() {
        let mut shadowed = Shadowed::default();
        for n in 0..20 {
            shadowed.push(RuleTag::of(&format!("rule-{n}")));
        }
        let again = Shadowed::from_stored(shadowed.as_str().to_owned());
        let found = (0..40).filter(|n| again.names(RuleTag::of(&format!("rule-{n}"))));
        assert_eq!(found.collect::<Vec<_>>(), (0..16).collect::<Vec<_>>());
        assert_eq!(again.as_str().len(), 64);
    }
}
