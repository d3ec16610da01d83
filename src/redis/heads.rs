//! How keys begin.

use crate::partition::PARTITIONS;

/// How the keys of each partition begin: `prefix:{17}:`. What is in braces is all that a Cluster looks at.
pub(super) struct Heads(Vec<String>);

impl Heads {
    pub fn of(prefix: &str) -> Self {
        let head = |partition| format!("{prefix}:{{{partition}}}:");
        Self((0..PARTITIONS).map(head).collect())
    }

    pub fn of_partition(&self, partition: u8) -> &str {
        &self.0[usize::from(partition % PARTITIONS)]
    }
}
