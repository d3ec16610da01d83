//! The users' table of a Django project, as lines. Each column that this service knows is taken where it is there:
//! `id` (where it is a UUID), `email`, `password`, `phone`, `first_name`, `last_name`, `phone_verified`, `email_verified`,
//! `is_active` (false: the account is locked), `created_at` or `date_joined`.

mod postgres;
mod row;
mod sqlite;

pub use row::DjangoError;

use super::lines::Rows;

/// The table of the project whose API this service has.
pub const DEFAULT_TABLE: &str = "core_auth_user";

/// Reads the table, and keeps each row as a line. Answers how many there are.
///
/// # Errors
/// [`DjangoError`].
pub async fn read(url: &str, table: &str, to: &mut Rows) -> Result<u64, DjangoError> {
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    if table.is_empty() || table.len() > 63 || !table.chars().all(is_name) {
        return Err(DjangoError::Table);
    }
    if url.starts_with("sqlite:") {
        sqlite::read(url, table, to).await
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        postgres::read(url, table, to).await
    } else {
        Err(DjangoError::Url)
    }
}
