//! Every column of every table that has something about a user, and what becomes of it in an export.
//!
//! `tests/accounts/records.rs` compares this with the tables themselves: a new column needs a place here.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Given as it is.
    Plain,
    /// A point in time.
    Time,
    Flag,
    /// A JSON object as text.
    Object,
    /// Whoever did it: given where it is the user, not where it is somebody else.
    Actor,
    /// From which network it was done: given as with an actor, and where nobody was signed in.
    Origin,
    /// Proves who somebody is, or tells how: never given.
    Secret,
}

/// A column by its name.
pub type Column = (&'static str, Kept);

/// A table that has something about a user.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    pub name: &'static str,
    /// The column that says whose a row is.
    pub whose: &'static str,
    /// Which of these are given.
    pub only: &'static str,
    /// By what the newest rows come first.
    pub newest_by: &'static str,
    pub columns: &'static [Column],
}

/// Rows of a table that an export has at most: the newest.
pub(super) const MAX_ROWS: u32 = 10_000;

use Kept::{Actor, Flag, Object, Origin, Plain, Secret, Time};

/// All rows of a user are given.
const ALL: &str = "1 = 1";

/// Every table that has something about a user, the user's own first.
pub const TABLES: [Table; 6] = [
    Table {
        name: "users",
        whose: "id",
        only: ALL,
        newest_by: "id",
        columns: &[
            ("id", Plain),
            ("email", Plain),
            ("email_key", Plain),
            ("phone", Plain),
            ("first_name", Plain),
            ("last_name", Plain),
            ("last_name_key", Plain),
            ("password_hash", Secret),
            ("hash_cost", Secret),
            ("phone_verified", Flag),
            ("email_verified", Flag),
            ("phone_claimed_at", Time),
            ("phone_owned_at", Time),
            ("email_owned_at", Time),
            ("session_epoch", Plain),
            ("sessions_ended_at", Time),
            ("password_reset_at", Time),
            ("address_changed_at", Time),
            ("signed_in_at", Time),
            ("imported_at", Time),
            ("locked_at", Time),
            ("created_at", Time),
            ("updated_at", Time),
        ],
    },
    Table {
        name: "sessions",
        whose: "user_id",
        only: ALL,
        newest_by: "id",
        columns: &[
            ("id", Plain),
            ("user_id", Plain),
            ("generation", Plain),
            ("refresh_hash", Secret),
            ("previous_hash", Secret),
            ("spent", Plain),
            ("shown", Plain),
            ("epoch", Plain),
            ("amr", Plain),
            ("authenticated_at", Time),
            ("role", Plain),
            ("client", Plain),
            ("network", Plain),
            ("last_used_at", Time),
            ("created_at", Time),
            ("expires_at", Time),
            ("revoked_at", Time),
        ],
    },
    Table {
        name: "administrators",
        whose: "user_id",
        only: ALL,
        newest_by: "granted_at",
        columns: &[
            ("user_id", Plain),
            ("role", Plain),
            ("granted_by", Actor),
            ("granted_at", Time),
        ],
    },
    Table {
        name: "events",
        whose: "user_id",
        only: ALL,
        newest_by: "id",
        columns: &[
            ("id", Plain),
            ("at", Time),
            ("kind", Plain),
            ("actor", Plain),
            ("actor_id", Actor),
            ("user_id", Plain),
            ("network", Origin),
            ("reason", Plain),
            ("details", Object),
            ("times", Plain),
            ("seq", Plain),
        ],
    },
    Table {
        name: "verifications",
        whose: "user_id",
        // Of a change of e-mail address a row says that a message went out, and so that no other account has proven the address. Whoever
        // entered its code knows that.
        only: "(purpose <> 'change_email' OR verified_at IS NOT NULL)",
        newest_by: "created_at",
        columns: &[
            ("challenge_id", Plain),
            ("user_id", Plain),
            ("purpose", Plain),
            ("channel", Plain),
            ("country", Plain),
            ("provider", Plain),
            ("message_id", Plain),
            ("status", Plain),
            ("failure", Plain),
            ("attempts", Plain),
            ("error_code", Plain),
            ("price_micros", Plain),
            ("currency", Plain),
            ("created_at", Time),
            ("sent_at", Time),
            ("settled_at", Time),
            ("verified_at", Time),
        ],
    },
    Table {
        name: "notices",
        whose: "user_id",
        only: ALL,
        newest_by: "id",
        columns: &[
            ("id", Plain),
            ("user_id", Plain),
            ("kind", Plain),
            ("channel", Plain),
            ("address", Plain),
            ("address_key", Plain),
            ("language", Plain),
            ("created_at", Time),
            ("expires_at", Time),
            ("leased_until", Time),
            ("attempts", Plain),
        ],
    },
];

impl Table {
    /// The columns that are given.
    pub(super) fn given(&self) -> impl Iterator<Item = &'static Column> + use<> {
        self.columns.iter().filter(|(_, kept)| *kept != Secret)
    }

    /// A row as both databases give it, in one form.
    pub(super) fn row(&self, stored: &str, user: &str) -> Value {
        let mut stored: Map<String, Value> = serde_json::from_str(stored).unwrap_or_default();
        let is_others = match stored.get("actor").and_then(Value::as_str) {
            Some("user") => stored.get("actor_id").and_then(Value::as_str) != Some(user),
            actor => actor != Some("anyone"),
        };
        let given = self.given().map(|&(name, kept)| {
            let value = stored.remove(name).unwrap_or_default();
            let value = match kept {
                Origin if is_others => Value::Null,
                kept => in_one_form(kept, value, user),
            };
            (name.to_owned(), value)
        });
        Value::Object(given.collect())
    }
}

/// A time is a text of PostgreSQL's, or microseconds since 1970; a flag is one, or a number.
fn in_one_form(kept: Kept, value: Value, user: &str) -> Value {
    match (kept, &value) {
        (Time, Value::Number(micros)) => {
            let time = micros.as_i64().and_then(DateTime::from_timestamp_micros);
            time.map_or(Value::Null, rfc3339)
        }
        (Time, Value::String(text)) => {
            DateTime::parse_from_rfc3339(text).map_or(Value::Null, |time| rfc3339(time.into()))
        }
        (Flag, Value::Number(number)) => Value::from(number.as_i64() != Some(0)),
        (Object, Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
        (Actor, Value::String(actor)) if actor != user => Value::Null,
        _ => value,
    }
}

fn rfc3339(time: DateTime<Utc>) -> Value {
    Value::from(time.to_rfc3339_opts(SecondsFormat::Micros, true))
}
