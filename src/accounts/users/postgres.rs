//! Users in PostgreSQL.

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::{
    EmailLoss, Locked, NewUser, PersonName, ProfileChange, RegisterError, User, UserStore,
    row::postgres::{user as user_of, user_columns},
};
use crate::{
    accounts::{administrators::is_last::postgres::is_last_administrator, sessions::NewSession},
    channel::Channel,
    database::{PostgresLink, Session, to_micros},
    events::{
        NewEvent,
        postgres::{event as note, insert_event, notice, parameter},
    },
    unavailable::Unavailable,
};

/// Users in PostgreSQL.
#[derive(Debug)]
pub struct PostgresUsers(PostgresLink);

impl PostgresUsers {
    /// By these connections.
    pub fn new(link: &PostgresLink) -> Self {
        Self(link.clone())
    }
}

#[async_trait]
impl UserStore for PostgresUsers {
    async fn register(&self, user: NewUser, session: NewSession) -> Result<User, RegisterError> {
        let made = self.0.bounded(async {
            let mut lent = self.0.lend().await?;
            insert(lent.session(), &user, &session, false).await
        });
        match made.await? {
            true => Ok(registered(user, &session, false)),
            false => Err(RegisterError::EmailTaken),
        }
    }

    async fn register_proven(
        &self,
        user: NewUser,
        session: NewSession,
        loss: EmailLoss,
    ) -> Result<User, RegisterError> {
        // Nobody takes the address between the two statements: so the INSERT finds only who has it verified.
        const TURN: &str = "SELECT pg_advisory_xact_lock(1382641256, hashtext($1))";
        const LOSE: &str = "UPDATE users SET email = NULL, email_key = NULL, email_owned_at = NULL, updated_at = $2 \
             WHERE email_key = $1 AND NOT email_verified RETURNING id, phone, phone_verified";
        let made = self.0.bounded(async {
            let mut lent = self.0.lend().await?;
            let mut together = lent.begin().await?;
            let key = user.email.key();
            sqlx::query(TURN).bind(key).execute(together.session()).await?;
            let lose = sqlx::query_as(LOSE).bind(key).bind(to_micros(user.now));
            let loser: Option<(Uuid, String, bool)> = lose.fetch_optional(together.session()).await?;
            let mut took = None;
            if let Some((loser, phone, is_proven)) = loser {
                note(&loss.event, Some(loser)).execute(together.session()).await?;
                let told_at = EmailLoss::told_at(phone, is_proven);
                if let Some(address) = &told_at {
                    notice(&loss.notice, loser, address)
                        .execute(together.session())
                        .await?;
                }
                took = Some(told_at.is_some());
            }
            if !insert(together.session(), &user, &session, true).await? {
                return Ok(None);
            }
            together.commit().await?;
            Ok(Some(took))
        });
        let took = made.await?.ok_or(RegisterError::EmailTaken)?;
        if let Some(is_told) = took {
            loss.count(is_told);
        }
        Ok(registered(user, &session, true))
    }

    async fn change_profile(
        &self,
        user: Uuid,
        change: ProfileChange,
        event: NewEvent,
    ) -> Result<Option<User>, Unavailable> {
        const SQL: &str = concat!(
            "WITH changed AS ( \
               UPDATE users SET first_name = coalesce($2, first_name), last_name = coalesce($3, last_name), \
                 last_name_key = coalesce($6, last_name_key), updated_at = $4 \
               WHERE id = $1 RETURNING * \
             ), noted AS (",
            insert_event!("$5", "changed.id", "changed"),
            ") ",
            user_columns!(),
            "1 FROM changed u"
        );
        let query = sqlx::query(SQL)
            .bind(user)
            .bind(change.first_name.as_ref().map(PersonName::expose))
            .bind(change.last_name.as_ref().map(PersonName::expose))
            .bind(to_micros(event.at))
            .bind(parameter(&event))
            .bind(change.last_name.as_ref().map(PersonName::key))
            .try_map(|row: PgRow| user_of(&row));
        let changed = self
            .0
            .bounded(async { query.fetch_optional(self.0.lend().await?.session()).await })
            .await?;
        if changed.is_some() {
            event.count();
        }
        Ok(changed)
    }

    async fn lock(&self, user: Uuid, event: NewEvent) -> Result<Locked, Unavailable> {
        const SQL: &str = "UPDATE users SET locked_at = $2, session_epoch = session_epoch + 1, sessions_ended_at = $2 \
             WHERE id = $1 AND locked_at IS NULL";
        let done = self.0.bounded(async {
            let mut lent = self.0.lend().await?;
            let mut together = lent.begin().await?;
            if is_last_administrator(&mut together, user).await? {
                return Ok(Locked::LastAdministrator);
            }
            let query = sqlx::query(SQL).bind(user).bind(to_micros(event.at));
            if query.execute(together.session()).await?.rows_affected() == 0 {
                return Ok(Locked::Unchanged);
            }
            note(&event, Some(user)).execute(together.session()).await?;
            together.commit().await?;
            Ok(Locked::Locked)
        });
        let done = done.await?;
        if done == Locked::Locked {
            event.count();
        }
        Ok(done)
    }

    async fn unlock(&self, user: Uuid, event: NewEvent) -> Result<bool, Unavailable> {
        // The epoch once more, for those who were locked by hand.
        const SQL: &str = concat!(
            "WITH unlocked AS ( \
               UPDATE users SET locked_at = NULL, session_epoch = session_epoch + 1, sessions_ended_at = $2 \
               WHERE id = $1 AND locked_at IS NOT NULL RETURNING id \
             ), noted AS (",
            insert_event!("$3", "unlocked.id", "unlocked"),
            ") SELECT count(*) FROM unlocked"
        );
        self.noted(SQL, user, event).await
    }

    async fn confirm(&self, user: Uuid, channel: Channel, event: NewEvent) -> Result<bool, Unavailable> {
        macro_rules! confirms {
            ($address:literal) => {
                concat!(
                    "WITH confirmed AS (UPDATE users SET ",
                    $address,
                    "_owned_at = $2, updated_at = $2 WHERE id = $1 AND ",
                    $address,
                    "_verified AND ",
                    $address,
                    "_owned_at IS NULL RETURNING id), noted AS (",
                    insert_event!("$3", "confirmed.id", "confirmed"),
                    ") SELECT count(*) FROM confirmed"
                )
            };
        }
        let sql = match channel {
            Channel::Sms => confirms!("phone"),
            Channel::Email => confirms!("email"),
        };
        self.noted(sql, user, event).await
    }

    async fn end_sessions(&self, user: Uuid, event: NewEvent) -> Result<bool, Unavailable> {
        const SQL: &str = concat!(
            "WITH ended AS ( \
               UPDATE users SET session_epoch = session_epoch + 1, sessions_ended_at = $2 WHERE id = $1 RETURNING id \
             ), noted AS (",
            insert_event!("$3", "ended.id", "ended"),
            ") SELECT count(*) FROM ended"
        );
        self.noted(SQL, user, event).await
    }
}

impl PostgresUsers {
    /// Runs a statement that answers how many accounts it changed, and notes the event.
    async fn noted(&self, sql: &'static str, user: Uuid, event: NewEvent) -> Result<bool, Unavailable> {
        let query = sqlx::query_scalar(sql)
            .bind(user)
            .bind(to_micros(event.at))
            .bind(parameter(&event));
        let changed: i64 = self
            .0
            .bounded(async { query.fetch_one(self.0.lend().await?.session()).await })
            .await?;
        if changed > 0 {
            event.count();
        }
        Ok(changed > 0)
    }
}

/// Makes an account and opens its session, unless an account has the e-mail address.
async fn insert(
    at: Session<'_>,
    user: &NewUser,
    session: &NewSession,
    is_proven: bool,
) -> Result<bool, sqlx::Error> {
    // ON CONFLICT rather than the constraint's error: PostgreSQL would write that to its log, with the e-mail. Whoever is
    // about to take the address from an account is waited for.
    const SQL: &str = concat!(
        "WITH turn AS MATERIALIZED ( \
           SELECT pg_advisory_xact_lock_shared(1382641256, hashtext($3)) \
         ), made AS ( \
           INSERT INTO users (id, email, email_key, phone, first_name, last_name, password_hash, email_verified, \
             email_owned_at, created_at, updated_at, last_name_key) \
           SELECT $1, $2, $3, $4, $5, $6, $7, $20, CASE WHEN $20 THEN $8 END, $8, $8, $21 FROM turn \
           ON CONFLICT (email_key) DO NOTHING RETURNING id \
         ), opened AS ( \
           INSERT INTO sessions (id, user_id, refresh_hash, epoch, amr, authenticated_at, client, network, \
             created_at, expires_at) \
           SELECT $9, made.id, $10, $11, $12, $13, $14, $15, $16, $17 FROM made \
         ), noted_session AS (",
        // Such parts are run from the last to the first: the account's event has the place before the session's.
        insert_event!("$19", "made.id", "made"),
        "), noted AS (",
        insert_event!("$18", "made.id", "made"),
        ") SELECT count(*) FROM made"
    );
    let query = sqlx::query_scalar(SQL)
        .bind(user.id)
        .bind(user.email.expose())
        .bind(user.email.key())
        .bind(user.phone.expose())
        .bind(user.first_name.expose())
        .bind(user.last_name.expose())
        .bind(user.password.expose())
        .bind(to_micros(user.now))
        .bind(session.id)
        .bind(&session.refresh_hash[..])
        .bind(session.epoch)
        .bind(session.amr.stored())
        .bind(session.authenticated_at)
        .bind(&session.client)
        .bind(&session.network)
        .bind(session.now)
        .bind(session.expires_at)
        .bind(parameter(&user.event))
        .bind(parameter(&session.event))
        .bind(is_proven)
        .bind(user.last_name.key());
    let made: i64 = query.fetch_one(at).await?;
    Ok(made == 1)
}

/// The account as it is now that it was made.
fn registered(user: NewUser, session: &NewSession, is_proven: bool) -> User {
    user.event.count();
    session.event.count();
    let now = to_micros(user.now);
    user.registered(now, is_proven)
}
