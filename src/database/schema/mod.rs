//! Which migrations a database has, beside those that this version brings.

pub(super) mod postgres;
pub(super) mod sqlite;

/// How far a database is from this version's form. Migrations are named by their numbers, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema {
    /// What this version needs and has not run there.
    pub missing: Vec<i64>,
    /// What has run there and this version does not know: a newer one has been at work.
    pub newer: Vec<i64>,
    /// Nothing has ever run there.
    pub is_new: bool,
}

impl Schema {
    fn of(known: impl IntoIterator<Item = i64>, applied: &[i64]) -> Self {
        let known: Vec<i64> = known.into_iter().collect();
        let without = |all: &[i64], others: &[i64]| {
            let mut left: Vec<i64> = all.to_vec();
            left.retain(|version| !others.contains(version));
            left
        };
        Self {
            missing: without(&known, applied),
            newer: without(applied, &known),
            is_new: applied.is_empty(),
        }
    }
}
