//! The migrations for SQLite, and what is said when one can't be run.

use sqlx::{
    SqlSafeStr, SqlitePool,
    migrate::{MigrateError as SqlxMigrateError, Migration, MigrationType, Migrator},
};

use super::Schema;
use crate::{
    database::{Fault, MigrateError, migrations},
    unavailable::{Part, Unavailable},
};

/// All migrations of this version.
pub(in crate::database) fn migrations() -> Migrator {
    let files = migrations::SQLITE.iter();
    let migrations = files.map(|file| {
        let (description, sql) = (file.description.into(), file.sql.into_sql_str());
        let kind = MigrationType::Simple;
        Migration::new(file.version, description, kind, sql, file.has_no_transaction())
    });
    let mut migrations = Migrator::with_migrations(migrations.collect());
    // A newer version may have migrated already; expand and contract lets this one run on.
    migrations.set_ignore_missing(true);
    migrations
}

/// How far the file is from this version's form.
pub(in crate::database) async fn schema(readers: &SqlitePool) -> Result<Schema, sqlx::Error> {
    let table = sqlx::query("SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations'");
    let applied: Vec<i64> = match table.fetch_optional(readers).await? {
        Some(_) => {
            let applied = "SELECT version FROM _sqlx_migrations WHERE success ORDER BY version";
            sqlx::query_scalar(applied).fetch_all(readers).await?
        }
        None => Vec::new(),
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
        SqlxMigrateError::Execute(error) => unavailable(error).into(),
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
