//! A user on the way: a line in, a line out.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::fields::{Fields, Members};
use crate::{
    accounts::{
        passwords::{Argon2Cost, HashCost, PasswordHash},
        users::PersonName,
    },
    email::EmailAddress,
    phone::{PhoneCheck, PhoneNumber},
};

/// By what lines are judged.
#[derive(Debug, Clone, Copy)]
pub struct UserRules {
    pub phone_check: PhoneCheck,
    /// What this service's own hashes cost: those of others are kept apart.
    pub today: Argon2Cost,
    pub now: DateTime<Utc>,
}

/// A user who comes from another system or goes to one.
#[derive(Debug, Clone)]
pub struct TransferredUser {
    pub id: Uuid,
    /// `None` where somebody else has proven it since: then the line has an id.
    pub email: Option<EmailAddress>,
    pub phone: PhoneNumber,
    pub first_name: PersonName,
    pub last_name: PersonName,
    /// `None`: no password signs in.
    pub password: Option<PasswordHash>,
    pub phone_verified: bool,
    pub email_verified: bool,
    /// When its user last entered a code for it, signed in or at registration: it opens the account then.
    pub phone_owned_at: Option<DateTime<Utc>>,
    pub email_owned_at: Option<DateTime<Utc>>,
    /// Whether it had proven the phone and had to give it to another account: it claims it no more.
    pub phone_lost: bool,
    pub locked: bool,
    pub created_at: DateTime<Utc>,
}

impl TransferredUser {
    /// Reads a line.
    ///
    /// # Errors
    /// Everything that is wrong with it, as `field: reason`, without a word of what it says.
    pub fn parse(line: &[u8], rules: &UserRules) -> Result<Self, Vec<String>> {
        let Ok(Members { object, repeated }) = serde_json::from_slice(line) else {
            return Err(vec!["not an object of JSON in one line".to_owned()]);
        };
        let mut fields = Fields {
            object,
            faults: Vec::new(),
        };
        for name in FIELDS {
            if repeated.iter().any(|key| key == name) {
                fields.fault(name, "stands there more than once");
            }
        }
        let email = fields.text("email", EmailAddress::parse);
        let phone = fields.text("phone", |text| PhoneNumber::parse(text, rules.phone_check));
        let first_name = fields.text("first_name", PersonName::parse_or_absent);
        let last_name = fields.text("last_name", PersonName::parse_or_absent);
        let password = fields.password();
        let (phone_verified, email_verified) = (fields.flag("phone_verified"), fields.flag("email_verified"));
        let (phone_lost, locked) = (fields.flag("phone_lost"), fields.flag("locked"));
        let [created_at, phone_owned_at, email_owned_at] =
            ["created_at", "phone_owned_at", "email_owned_at"].map(|name| fields.time(name, rules.now));
        let id = fields.text("id", id_in);
        if phone.is_none() && !fields.has_fault("phone") {
            fields.fault("phone", "is missing");
        }
        if email.is_none() && !fields.has_fault("email") && id.is_none() {
            fields.fault("email", "is missing, and no id stands in for it");
        }
        // Unknown fields are ignored. This one would leave everybody without a password.
        if fields.object.contains_key("password") {
            fields.fault("password", "is no field; its hash goes into password_hash");
        }
        if email.is_none() && email_verified {
            fields.fault("email_verified", "without an e-mail address");
        }
        if phone_owned_at.is_some() && !phone_verified {
            fields.fault("phone_owned_at", "of a phone that isn't verified");
        }
        if email_owned_at.is_some() && !email_verified {
            fields.fault("email_owned_at", "of an e-mail address that isn't verified");
        }
        if phone_lost && phone_verified {
            fields.fault("phone_lost", "of a phone that is verified");
        }
        let made_id = || email.as_ref().map(|email| id_of(email, created_at));
        match (fields.faults.is_empty(), phone, id.or_else(made_id)) {
            (true, Some(phone), Some(id)) => Ok(Self {
                id,
                email,
                phone,
                first_name: first_name.unwrap_or(PersonName::ABSENT),
                last_name: last_name.unwrap_or(PersonName::ABSENT),
                password,
                phone_verified,
                email_verified,
                phone_owned_at,
                email_owned_at,
                phone_lost,
                locked,
                created_at: created_at.unwrap_or(rules.now),
            }),
            _ => Err(fields.faults),
        }
    }

    /// Whether there is a way into the account: a password, an address that opens it, or an e-mail address by which it is begun anew,
    /// since nothing is verified.
    pub fn has_way_in(&self) -> bool {
        let opens = self.phone_owned_at.is_some() || self.email_owned_at.is_some();
        self.password.is_some() || opens || self.email.is_some() && !self.phone_verified
    }

    /// Whether there is a password, but nothing to type beside it until the phone is verified: only a verified one signs in.
    pub fn has_to_verify_phone(&self) -> bool {
        self.password.is_some() && self.email.is_none() && !self.phone_verified
    }

    /// From when it claims the phone, where this is written `now`. Accounts that lost theirs have 1970, here as there.
    pub fn phone_claimed_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self.phone_lost {
            true => DateTime::UNIX_EPOCH,
            false => now,
        }
    }

    /// The cost of a hash that this service would not make.
    pub fn foreign_cost(&self, today: Argon2Cost) -> Option<HashCost> {
        let cost = self.password.as_ref()?.cost().ok()?;
        (cost != HashCost::Argon2(today)).then_some(cost)
    }

    /// The line.
    pub fn to_line(&self) -> String {
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Micros, true);
        let mut line = json!({
            "id": self.id,
            "email": self.email.as_ref().map(EmailAddress::expose),
            "phone": self.phone.expose(),
            "first_name": self.first_name.expose(),
            "last_name": self.last_name.expose(),
            "password_hash": self.password.as_ref().map(PasswordHash::expose),
            "phone_verified": self.phone_verified,
            "email_verified": self.email_verified,
            "phone_owned_at": self.phone_owned_at.map(time),
            "email_owned_at": self.email_owned_at.map(time),
            "locked": self.locked,
            "created_at": time(self.created_at),
        });
        // Few have it.
        if self.phone_lost {
            line["phone_lost"] = true.into();
        }
        line.to_string()
    }
}

/// RFC 9562, sections 5.9 and 5.10: all zeros and all ones name nobody. Lists of accounts begin and end there.
fn id_in(text: &str) -> Result<Uuid, &'static str> {
    match Uuid::parse_str(text) {
        Ok(id) if id.is_nil() || id.is_max() => Err("names nobody"),
        Ok(id) => Ok(id),
        Err(_) => Err("must be a UUID"),
    }
}

/// An id for a line without one: always the same, so that an import can be run again. It sorts by the account's age, as
/// all ids do.
fn id_of(email: &EmailAddress, created_at: Option<DateTime<Utc>>) -> Uuid {
    let digest = Sha256::new_with_prefix("ringback import\0")
        .chain_update(email.key())
        .finalize();
    let millis = created_at.map_or(0, |time| time.timestamp_millis());
    let mut rest = [0; 10];
    rest.copy_from_slice(&digest[..10]);
    Builder::from_unix_timestamp_millis(u64::try_from(millis).unwrap_or(0), &rest).into_uuid()
}

/// The fields of a line.
const FIELDS: [&str; 13] = [
    "id",
    "email",
    "phone",
    "first_name",
    "last_name",
    "password_hash",
    "phone_verified",
    "email_verified",
    "phone_owned_at",
    "email_owned_at",
    "phone_lost",
    "locked",
    "created_at",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> UserRules {
        UserRules {
            phone_check: PhoneCheck::E164,
            today: Argon2Cost::default(),
            now: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
        }
    }

    fn parse(line: &str) -> Result<TransferredUser, Vec<String>> {
        TransferredUser::parse(line.as_bytes(), &rules())
    }

    #[test]
    fn a_line_comes_out_as_it_went_in() {
        let line = r#"{"created_at":"2026-01-02T03:04:05.678901Z","email":"Ada@example.com","email_owned_at":null,"email_verified":false,"first_name":"Ada","id":"0191e0c0-0000-7000-8000-000000000001","last_name":"","locked":true,"password_hash":"pbkdf2_sha256$1200$salt$aGFzaGhhc2hoYXNo","phone":"+14152000001","phone_owned_at":"2026-02-02T03:04:05.678901Z","phone_verified":true}"#;
        let user = parse(line).unwrap();
        assert_eq!(user.to_line(), line);
        assert_eq!(user.foreign_cost(rules().today), Some(HashCost::Pbkdf2(1200)));
    }

    #[test]
    fn little_is_enough_and_the_id_is_the_same_each_time() {
        let line = r#"{"email":"ada@example.com","phone":"+1 415 200 0001"}"#;
        let [one, two] = [(); 2].map(|()| parse(line).unwrap());
        assert_eq!((one.id, one.id.get_version_num()), (two.id, 7));
        assert!(one.password.is_none() && !one.phone_verified && !one.locked);
        let other = parse(r#"{"email":"bob@example.com","phone":"+14152000001"}"#).unwrap();
        assert_ne!(one.id, other.id);
    }

    #[test]
    fn what_django_has_for_no_password_is_none() {
        for none in ["\"!LnLdgz01pzfkQMqtfr7yDH2ZrLOxDyazeyVC54x0\"", "\"\"", "null"] {
            let line =
                format!(r#"{{"email":"a@example.com","phone":"+14152000001","password_hash":{none}}}"#);
            assert!(parse(&line).unwrap().password.is_none(), "{none}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_named_without_what_it_says() {
        let line = r#"{"email":"sesame","phone":7,"first_name":"a\nsesame","password_hash":"md5$sesame$sesame",
            "phone_verified":"sesame","created_at":"2999-01-01T00:00:00Z","id":"sesame"}"#;
        let faults = parse(line).unwrap_err();
        let fields: Vec<_> = faults
            .iter()
            .map(|fault| fault.split(':').next().unwrap())
            .collect();
        let all = [
            "email",
            "phone",
            "first_name",
            "password_hash",
            "phone_verified",
            "created_at",
            "id",
        ];
        assert_eq!(fields, all);
        assert!(!faults.concat().contains("sesame"), "{faults:?}");
        for (line, reason) in [
            ("[]", "not an object"),
            ("sesame", "not an object"),
            (r#"{"email":"a@example.com"}"#, "phone: is missing"),
            (r#"{"phone":"+14152000001"}"#, "email: is missing"),
            (
                r#"{"email":"a@example.com","phone":"+14152000001","x":1,"x":2,"email":"b@example.com"}"#,
                "email: stands there more than once",
            ),
            (
                r#"{"phone":"+14152000001","phone_verified":true}"#,
                "email: is missing",
            ),
            (
                r#"{"email":"a@example.com","phone":"+14152000001","phone_owned_at":"2020-01-01T00:00:00Z"}"#,
                "phone_owned_at: of a phone that isn't",
            ),
            (
                r#"{"email":"a@example.com","phone":"+14152000001","phone_verified":true,"phone_lost":true}"#,
                "phone_lost: of a phone that is",
            ),
            (
                r#"{"email":"a@example.com","phone":"+14152000001","email_verified":true,"email_owned_at":"2999-01-01T00:00:00Z"}"#,
                "email_owned_at: lies in the future",
            ),
            (
                r#"{"email":"a@example.com","phone":"+14152000001","password":"pbkdf2_sha256$1200$salt$aGFzaGhhc2hoYXNo"}"#,
                "password: is no field",
            ),
        ] {
            assert!(parse(line).unwrap_err()[0].starts_with(reason), "{line}");
        }
        for by_id in [
            r#"{"phone":"+14152000001","phone_verified":true,"id":"0191e0c0-0000-7000-8000-000000000001"}"#,
            r#"{"phone":"+14152000001","email":null,"id":"0191e0c0-0000-7000-8000-000000000001"}"#,
        ] {
            assert!(parse(by_id).unwrap().email.is_none());
        }
    }
}
