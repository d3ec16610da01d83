//! An account as administrators see it.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    accounts::{AccountDetails, OpenSession},
    http::{account::me::rfc3339, kit::docs::PHONE},
};

/// An account as administrators see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminUser)]
pub struct AdminUserView {
    id: Uuid,
    #[schema(required, example = "test@example.com")]
    email: Option<String>,
    /// E.164.
    #[schema(example = "+14155552671")]
    phone: String,
    #[schema(example = "Test")]
    first_name: String,
    #[schema(example = "User")]
    last_name: String,
    phone_verified: bool,
    email_verified: bool,
    /// `active` or `locked`.
    #[schema(example = "active")]
    status: &'static str,
    /// What it may administer: `support` or `admin`.
    #[schema(required, example = json!(null))]
    role: Option<&'static str>,
    has_password: bool,
    /// When its owner last typed a code for the phone: it opens the account then.
    #[serde(serialize_with = "rfc3339_or_null")]
    #[schema(required)]
    phone_owned_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "rfc3339_or_null")]
    #[schema(required)]
    email_owned_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "rfc3339_or_null")]
    #[schema(required)]
    signed_in_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "rfc3339_or_null")]
    #[schema(required)]
    imported_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "rfc3339_or_null")]
    #[schema(required)]
    password_reset_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "rfc3339_or_null")]
    #[schema(required)]
    locked_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "rfc3339")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "rfc3339")]
    updated_at: DateTime<Utc>,
}

impl From<AccountDetails> for AdminUserView {
    fn from(account: AccountDetails) -> Self {
        let (status, role) = (account.status().name(), account.role.map(|role| role.name()));
        let user = account.user;
        Self {
            id: user.id,
            email: user.email.map(Into::into),
            phone: user.phone.expose().to_owned(),
            first_name: user.first_name.into(),
            last_name: user.last_name.into(),
            phone_verified: user.phone_verified,
            email_verified: user.email_verified,
            status,
            role,
            has_password: account.has_password,
            phone_owned_at: account.phone_owned_at,
            email_owned_at: account.email_owned_at,
            signed_in_at: account.signed_in_at,
            imported_at: account.imported_at,
            password_reset_at: account.password_reset_at,
            locked_at: account.locked_at,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

impl AdminUserView {
    /// As the documents show it.
    pub fn example() -> Self {
        let time = DateTime::from_timestamp(1_780_000_000, 0).unwrap_or_default();
        Self {
            id: Uuid::from_u128(0x0199_a2f4_6c1e_7b52_9d3e_4f5a_6b7c_8d9e),
            email: Some("test@example.com".to_owned()),
            phone: PHONE.to_owned(),
            first_name: "Test".to_owned(),
            last_name: "User".to_owned(),
            phone_verified: true,
            email_verified: false,
            status: "active",
            role: None,
            has_password: true,
            phone_owned_at: Some(time),
            email_owned_at: None,
            signed_in_at: Some(time),
            imported_at: None,
            password_reset_at: None,
            locked_at: None,
            created_at: time,
            updated_at: time,
        }
    }
}

/// A live session of an account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminSession)]
pub struct AdminSessionView {
    id: Uuid,
    #[serde(serialize_with = "rfc3339")]
    created_at: DateTime<Utc>,
    /// To within some moments.
    #[serde(serialize_with = "rfc3339")]
    last_used_at: DateTime<Utc>,
    #[serde(serialize_with = "rfc3339")]
    expires_at: DateTime<Utc>,
    /// What the client said of itself.
    #[schema(required, example = "Chrome on Android")]
    client: Option<String>,
    /// /24 of IPv4, /48 of IPv6.
    #[schema(required, example = "203.0.113.0/24")]
    network: Option<String>,
}

impl From<OpenSession> for AdminSessionView {
    fn from(session: OpenSession) -> Self {
        Self {
            id: session.id,
            created_at: session.created_at,
            last_used_at: session.used_at,
            expires_at: session.expires_at,
            client: session.client,
            network: session.network,
        }
    }
}

impl AdminSessionView {
    /// As the documents show it.
    pub fn example() -> Self {
        let time = |seconds: i64| DateTime::from_timestamp(1_780_000_000 + seconds, 0).unwrap_or_default();
        Self {
            id: Uuid::from_u128(0x0199_a2f4_6c1e_7b52_9d3e_4f5a_6b7c_8d9f),
            created_at: time(0),
            last_used_at: time(86_400),
            expires_at: time(30 * 86_400),
            client: Some("Chrome on Android".to_owned()),
            network: Some("203.0.113.0/24".to_owned()),
        }
    }
}

/// A time that may be missing.
pub fn rfc3339_or_null<S: Serializer>(
    time: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.map(|time| time.to_rfc3339_opts(SecondsFormat::Micros, true))
        .serialize(serializer)
}
