//! Changes of addresses in SQLite. The statements are those of `postgres.rs`; the one writer makes them come one after the
//! other.

use async_trait::async_trait;
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use super::{
    ChangeStore, Changed, EmailChange, PhoneChange,
    change::{Change, Decision, Found},
};
use crate::{
    accounts::users::{
        User,
        row::sqlite::{AFTER_USER, user, user_columns},
    },
    database::SqliteLink,
    events::sqlite::{event, notice},
    unavailable::Unavailable,
};

const PHONE_FIND: &str = concat!(
    user_columns!(),
    "u.locked_at IS NOT NULL FROM users u WHERE u.id = ?1 OR u.phone = ?2 AND u.phone_verified"
);
const EMAIL_FIND: &str = concat!(
    user_columns!(),
    "u.locked_at IS NOT NULL FROM users u WHERE u.id = ?1 OR u.email_key = ?2"
);

const PHONE_LOSE: &str = "UPDATE users SET phone_verified = 0, phone_owned_at = NULL, phone_claimed_at = 0, \
     updated_at = ?2 WHERE id = ?1";
const EMAIL_LOSE: &str = "UPDATE users SET email = NULL, email_key = NULL, email_verified = 0, \
     email_owned_at = NULL, updated_at = ?2 WHERE id = ?1";

const PHONE_CHANGE: &str = "UPDATE users SET phone = ?3, phone_verified = 1, phone_claimed_at = ?2, \
     phone_owned_at = CASE WHEN ?4 THEN ?2 END, address_changed_at = ?2, updated_at = ?2 WHERE id = ?1";
const EMAIL_CHANGE: &str = "UPDATE users SET email = ?3, email_key = ?4, email_verified = 1, email_owned_at = ?2, \
     address_changed_at = ?2, updated_at = ?2 WHERE id = ?1";

const READ: &str = concat!(
    user_columns!(),
    "u.locked_at IS NOT NULL FROM users u WHERE u.id = ?1"
);

/// Changes in an SQLite file.
#[derive(Debug)]
pub struct SqliteChanges(SqliteLink);

impl SqliteChanges {
    /// By these connections.
    pub fn new(link: &SqliteLink) -> Self {
        Self(link.clone())
    }

    async fn apply(&self, change: Change<'_>) -> Result<Changed, Unavailable> {
        let done = self.0.bounded(async {
            let mut together = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
            let all = find(&mut together, change).await?;
            let made = match change.decide(&all) {
                Decision::Change { me, loser } => {
                    for (notice_of_it, address) in change.notices(me) {
                        let told = notice(notice_of_it, me.id, &address);
                        told.execute(&mut *together).await?;
                    }
                    if let Some(loser) = loser {
                        lose(&mut together, change, loser).await?;
                    }
                    (loser.is_some(), change.queued(me, loser))
                }
                Decision::Done(me) => return Ok((Changed::Changed(me.clone()), None)),
                Decision::Void => return Ok((Changed::Void, None)),
                Decision::Taken => return Ok((Changed::Taken, None)),
            };
            let changed = set(&mut together, change).await?;
            together.commit().await?;
            Ok((Changed::Changed(changed), Some(made)))
        });
        let (changed, made) = done.await?;
        change.count(made);
        Ok(changed)
    }
}

#[async_trait]
impl ChangeStore for SqliteChanges {
    async fn change_phone(&self, change: &PhoneChange) -> Result<Changed, Unavailable> {
        self.apply(Change::Phone(change)).await
    }

    async fn change_email(&self, change: &EmailChange) -> Result<Changed, Unavailable> {
        self.apply(Change::Email(change)).await
    }
}

type Together = Transaction<'static, Sqlite>;

/// The accounts that have to do with a change.
async fn find(together: &mut Together, change: Change<'_>) -> Result<Vec<Found>, sqlx::Error> {
    let find = match change {
        Change::Phone(_) => PHONE_FIND,
        Change::Email(_) => EMAIL_FIND,
    };
    let query = sqlx::query(find)
        .bind(change.user().hyphenated())
        .bind(change.key().to_owned());
    query.try_map(found).fetch_all(&mut **together).await
}

/// Takes the address from whoever has it.
async fn lose(together: &mut Together, change: Change<'_>, loser: &User) -> Result<(), sqlx::Error> {
    let lose = match change {
        Change::Phone(_) => PHONE_LOSE,
        Change::Email(_) => EMAIL_LOSE,
    };
    let now = change.event().at.timestamp_micros();
    let query = sqlx::query(lose).bind(loser.id.hyphenated()).bind(now);
    query.execute(&mut **together).await?;
    event(change.loss(), Some(loser.id))
        .execute(&mut **together)
        .await?;
    if let Some((told, address)) = change.loss_notice(loser) {
        notice(told, loser.id, &address).execute(&mut **together).await?;
    }
    Ok(())
}

/// Gives the account its new address.
async fn set(together: &mut Together, change: Change<'_>) -> Result<User, sqlx::Error> {
    let (id, now) = (change.user().hyphenated(), change.event().at.timestamp_micros());
    let query = match change {
        Change::Phone(to) => sqlx::query(PHONE_CHANGE)
            .bind(id)
            .bind(now)
            .bind(to.new.expose().to_owned())
            .bind(to.opens),
        Change::Email(to) => {
            let query = sqlx::query(EMAIL_CHANGE).bind(id).bind(now);
            query
                .bind(to.new.expose().to_owned())
                .bind(to.new.key().to_owned())
        }
    };
    query.execute(&mut **together).await?;
    event(change.event(), Some(change.user()))
        .execute(&mut **together)
        .await?;
    let query = sqlx::query(READ).bind(id).try_map(found);
    Ok(query.fetch_one(&mut **together).await?.user)
}

fn found(row: SqliteRow) -> Result<Found, sqlx::Error> {
    Ok(Found {
        user: user(&row)?,
        is_locked: row.try_get(AFTER_USER)?,
    })
}
