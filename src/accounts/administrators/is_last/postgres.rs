//! The same in PostgreSQL.

use uuid::Uuid;

use crate::database::Together;

/// Whether it is. Asked first in a transaction that takes an administrator away: of several at once, each waits for the one
/// before, and sees what it did. About somebody who is no administrator nobody waits.
pub(in crate::accounts) async fn is_last_administrator(
    together: &mut Together<'_>,
    user: Uuid,
) -> Result<bool, sqlx::Error> {
    const HOLD: &str = "SELECT user_id FROM administrators WHERE EXISTS (SELECT FROM administrators WHERE user_id = $1) \
         ORDER BY user_id FOR UPDATE";
    // A statement of its own: its snapshot is taken once the lock is held.
    const LAST: &str = "SELECT EXISTS (SELECT FROM administrators WHERE user_id = $1 AND role = 'admin') AND NOT EXISTS ( \
           SELECT FROM administrators a JOIN users u ON u.id = a.user_id \
           WHERE a.user_id <> $1 AND a.role = 'admin' AND u.locked_at IS NULL)";
    sqlx::query(HOLD).bind(user).execute(together.session()).await?;
    sqlx::query_scalar(LAST)
        .bind(user)
        .fetch_one(together.session())
        .await
}
