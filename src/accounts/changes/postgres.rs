//! Changes of addresses in PostgreSQL: a transaction of several statements each, since they are rare and touch two accounts.
//!
//! Whoever changes or verifies one phone comes one after the other (as in `verify_phones`), and likewise for one e-mail
//! address: else the error of a lost race would be written to the server's log, address and all. The rows are locked in the
//! order of their ids, so that no two changes wait for each other.

use async_trait::async_trait;
use sqlx::{Row, postgres::PgRow};

use super::{
    ChangeStore, Changed, EmailChange, PhoneChange,
    change::{Change, Decision, Found},
};
use crate::{
    accounts::users::{
        User,
        row::postgres::{AFTER_USER, user, user_columns},
    },
    database::{PostgresLink, Together, to_micros},
    events::postgres::{event, notice},
    unavailable::Unavailable,
};

const PHONE_TURN: &str = "SELECT pg_advisory_xact_lock(1382641255, hashtext($1))";
const EMAIL_TURN: &str = "SELECT pg_advisory_xact_lock(1382641256, hashtext($1))";

const PHONE_FIND: &str = concat!(
    user_columns!(),
    "u.locked_at IS NOT NULL FROM users u WHERE u.id = $1 OR u.phone = $2 AND u.phone_verified \
     ORDER BY u.id FOR UPDATE"
);
const EMAIL_FIND: &str = concat!(
    user_columns!(),
    "u.locked_at IS NOT NULL FROM users u WHERE u.id = $1 OR u.email_key = $2 ORDER BY u.id FOR UPDATE"
);

const PHONE_LOSE: &str = "UPDATE users SET phone_verified = false, phone_owned_at = NULL, \
     phone_claimed_at = to_timestamp(0), updated_at = $2 WHERE id = $1";
const EMAIL_LOSE: &str = "UPDATE users SET email = NULL, email_key = NULL, email_verified = false, \
     email_owned_at = NULL, updated_at = $2 WHERE id = $1";

const PHONE_CHANGE: &str = "UPDATE users SET phone = $3, phone_verified = true, phone_claimed_at = $2, \
     phone_owned_at = CASE WHEN $4 THEN $2 END, address_changed_at = $2, updated_at = $2 WHERE id = $1";
const EMAIL_CHANGE: &str = "UPDATE users SET email = $3, email_key = $4, email_verified = true, \
     email_owned_at = $2, address_changed_at = $2, updated_at = $2 WHERE id = $1";

const READ: &str = concat!(
    user_columns!(),
    "u.locked_at IS NOT NULL FROM users u WHERE u.id = $1"
);

/// Changes in PostgreSQL.
#[derive(Debug)]
pub struct PostgresChanges(PostgresLink);

impl PostgresChanges {
    /// By these connections.
    pub fn new(link: &PostgresLink) -> Self {
        Self(link.clone())
    }

    async fn apply(&self, change: Change<'_>) -> Result<Changed, Unavailable> {
        let done = self.0.bounded(async {
            let mut lent = self.0.lend().await?;
            let mut together = lent.begin().await?;
            let all = find(&mut together, change).await?;
            let made = match change.decide(&all) {
                Decision::Change { me, loser } => {
                    for (notice_of_it, address) in change.notices(me) {
                        let told = notice(notice_of_it, me.id, &address);
                        told.execute(together.session()).await?;
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
impl ChangeStore for PostgresChanges {
    async fn change_phone(&self, change: &PhoneChange) -> Result<Changed, Unavailable> {
        self.apply(Change::Phone(change)).await
    }

    async fn change_email(&self, change: &EmailChange) -> Result<Changed, Unavailable> {
        self.apply(Change::Email(change)).await
    }
}

/// The accounts that have to do with a change, locked.
async fn find(together: &mut Together<'_>, change: Change<'_>) -> Result<Vec<Found>, sqlx::Error> {
    let (turn, find) = match change {
        Change::Phone(_) => (PHONE_TURN, PHONE_FIND),
        Change::Email(_) => (EMAIL_TURN, EMAIL_FIND),
    };
    sqlx::query(turn)
        .bind(change.key())
        .execute(together.session())
        .await?;
    let query = sqlx::query(find)
        .bind(change.user())
        .bind(change.key())
        .try_map(found);
    query.fetch_all(together.session()).await
}

/// Takes the address from whoever has it.
async fn lose(together: &mut Together<'_>, change: Change<'_>, loser: &User) -> Result<(), sqlx::Error> {
    let lose = match change {
        Change::Phone(_) => PHONE_LOSE,
        Change::Email(_) => EMAIL_LOSE,
    };
    let query = sqlx::query(lose)
        .bind(loser.id)
        .bind(to_micros(change.event().at));
    query.execute(together.session()).await?;
    event(change.loss(), Some(loser.id))
        .execute(together.session())
        .await?;
    if let Some((told, address)) = change.loss_notice(loser) {
        notice(told, loser.id, &address)
            .execute(together.session())
            .await?;
    }
    Ok(())
}

/// Gives the account its new address.
async fn set(together: &mut Together<'_>, change: Change<'_>) -> Result<User, sqlx::Error> {
    let now = to_micros(change.event().at);
    let query = match change {
        Change::Phone(to) => sqlx::query(PHONE_CHANGE)
            .bind(to.user)
            .bind(now)
            .bind(to.new.expose())
            .bind(to.opens),
        Change::Email(to) => {
            let query = sqlx::query(EMAIL_CHANGE).bind(to.user).bind(now);
            query.bind(to.new.expose()).bind(to.new.key())
        }
    };
    query.execute(together.session()).await?;
    event(change.event(), Some(change.user()))
        .execute(together.session())
        .await?;
    let query = sqlx::query(READ).bind(change.user()).try_map(found);
    Ok(query.fetch_one(together.session()).await?.user)
}

fn found(row: PgRow) -> Result<Found, sqlx::Error> {
    Ok(Found {
        user: user(&row)?,
        is_locked: row.try_get(AFTER_USER)?,
    })
}
