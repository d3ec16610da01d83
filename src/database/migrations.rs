//! The migrations of each database, compiled in. `build.rs` lists the files of `migrations/`.

/// One file.
pub struct File {
    /// What its name begins with.
    pub version: i64,
    /// The rest of its name.
    pub description: &'static str,
    pub sql: &'static str,
}

impl File {
    /// Whether it runs outside of a transaction: `CREATE INDEX CONCURRENTLY`, in a file of its own.
    pub fn has_no_transaction(&self) -> bool {
        self.sql.starts_with("-- no-transaction")
    }
}

include!(concat!(env!("OUT_DIR"), "/migrations.rs"));
