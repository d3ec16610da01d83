//! A user from a row of PostgreSQL.

use sqlx::{Row, postgres::PgRow};

use crate::{
    accounts::users::{PersonName, User, row::email},
    phone::PhoneNumber,
};

/// Begins a statement whose rows [`user`] reads.
macro_rules! user_columns {
    () => {
        "SELECT u.id, u.email, u.email_key, u.phone, u.first_name, u.last_name, u.phone_verified, \
         u.email_verified, u.created_at, u.updated_at, "
    };
}
pub(in crate::accounts) use user_columns;

/// The first column after those of `user_columns!`.
pub(in crate::accounts) const AFTER_USER: usize = 10;

/// A user from a row that begins with the columns of `user_columns!`.
pub(in crate::accounts) fn user(row: &PgRow) -> Result<User, sqlx::Error> {
    Ok(User {
        id: row.try_get(0)?,
        email: email(row.try_get(1)?, row.try_get(2)?),
        phone: PhoneNumber::from_stored(row.try_get(3)?),
        first_name: PersonName::from_stored(row.try_get(4)?),
        last_name: PersonName::from_stored(row.try_get(5)?),
        phone_verified: row.try_get(6)?,
        email_verified: row.try_get(7)?,
        created_at: row.try_get(8)?,
        updated_at: row.try_get(9)?,
    })
}
