//! What stands between this service and PostgreSQL: nothing, a pooler that keeps a server connection for each of ours, or
//! one that gives each transaction another. The last forgets what was prepared and set before.

pub(super) mod postgres;

/// Whether statements are prepared once for each connection (`database.prepared_statements`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PreparedStatements {
    /// Unless a pooler gives each transaction another server connection.
    #[default]
    Auto,
    /// Always: where such a pooler keeps track of them (PgBouncer's `max_prepared_statements`).
    On,
    /// Never.
    Off,
}
