//! The migrations for PostgreSQL, and what is said when one can't be run.

use sqlx::{
    SqlSafeStr,
    migrate::{MigrateError as SqlxMigrateError, Migration, MigrationType, Migrator},
};

use super::Schema;
use crate::{
    database::{Fault, MigrateError, NOT_ALLOWED, code_of, migrations},
    unavailable::{Part, Unavailable},
};

/// What is in a table that the first migration makes.
pub(in crate::database) const APPLIED: &str =
    "SELECT version FROM _sqlx_migrations WHERE success ORDER BY version";
/// SQLSTATE: there is no such table.
const NO_TABLE: &str = "42P01";

/// All migrations of this version.
pub(in crate::database) fn migrations() -> Migrator {
    let files = migrations::POSTGRES.iter();
    let migrations = files.map(|file| {
        let (description, sql) = (file.description.into(), file.sql.into_sql_str());
        let kind = MigrationType::Simple;
        Migration::new(file.version, description, kind, sql, file.has_no_transaction())
    });
    let mut migrations = Migrator::with_migrations(migrations.collect());
    // A newer version may have migrated already; expand and contract lets this one run on beside it.
    migrations.set_ignore_missing(true);
    migrations
}

/// What [`APPLIED`] says of the database.
pub(in crate::database) fn schema(applied: Result<Vec<i64>, sqlx::Error>) -> Result<Schema, sqlx::Error> {
    let applied = match applied {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NO_TABLE) => Vec::new(),
        read => read?,
    };
    let migrations = migrations();
    Ok(Schema::of(
        migrations.iter().map(|migration| migration.version),
        &applied,
    ))
}

/// `unavailable` has the words of the database for what it refused.
pub(in crate::database) fn refused(
    error: &SqlxMigrateError,
    unavailable: impl Fn(&sqlx::Error) -> Unavailable,
) -> MigrateError {
    match error {
        SqlxMigrateError::Execute(error) => match unavailable(error) {
            error if code_of(&error) == Some(NOT_ALLOWED) => MigrateError::NotAllowed(error),
            error => error.into(),
        },
        SqlxMigrateError::ExecuteMigration(error, version) => MigrateError::Failed {
            version: *version,
            cause: unavailable(error),
        },
        SqlxMigrateError::VersionMismatch(version) => MigrateError::Changed(*version),
        SqlxMigrateError::Dirty(version) => MigrateError::Halfway(*version),
        _ => {
            let fault = Fault::Other("the list of migrations can't be read".to_owned());
            Unavailable::new(Part::Database, fault).into()
        }
    }
}
