//! What the load generator sends: tokens of users, codes of challenges.

use std::{
    fmt::Write,
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use ringback::{
    challenges::{
        ChallengeStore, CodeDigest, DestinationDigest, Issue, OtpCode, OtpRules, Place, Purpose,
        RedisChallenges, Slot, Whose, challenge_id,
    },
    clock::{Clock, SystemClock},
    delivery::{CodeSeed, Destination},
    entropy::SystemEntropy,
    limits::Shadowed,
    phone::PhoneNumber,
    redis::{RedisLink, RedisOptions, RedisSecurity},
    secrets::Keyring,
    tokens::{AccessGrant, AccessOptions, AccessTokens, Amr, RefreshTokens},
};
use uuid::Uuid;

use crate::{keyring, postgres::reset_refresh, redis::Challenges, variable};

const TTL: Duration = Duration::from_secs(900);
/// Scripts in flight.
const AT_ONCE: usize = 256;

/// Access tokens as Ringback makes them by default.
pub fn access_tokens(keyring: &Keyring) -> AccessTokens {
    let named = || "ringback".to_owned();
    let options = AccessOptions {
        issuer: named(),
        audience: named(),
        ttl: TTL,
        cache: 0,
    };
    AccessTokens::new(keyring, options)
}

/// What a token says after a login by password.
pub fn grant(user: Uuid, session: Uuid) -> AccessGrant {
    AccessGrant {
        user,
        session,
        generation: 0,
        phone_verified: false,
        email_verified: false,
        amr: Amr::Password,
        authenticated_at: SystemClock.now(),
        role: None,
    }
}

/// Tokens of `count` of the first `users` users, for the session that each has.
pub fn tokens(count: u64, users: u64) {
    print!(
        "{}",
        signed(count, users)
            .map(|(_, token)| token + "\n")
            .collect::<String>()
    );
}

/// The phones of these users as well.
pub fn owners(count: u64, users: u64) {
    let line = |(number, token)| format!("{} {token}\n", phone_of(number));
    print!("{}", signed(count, users).map(line).collect::<String>());
}

fn signed(count: u64, users: u64) -> impl Iterator<Item = (u64, String)> {
    let (access, count) = (access_tokens(&keyring()), count.min(users));
    (0..count).map(move |index| {
        let number = index * (users / count);
        let [user, session] = [0x8000, 0x9000].map(|kind| row_id(kind, number.into()));
        let grant = grant(user, session);
        (
            number,
            access.sign(&grant, Uuid::from_u128(number.into()), SystemClock.now()),
        )
    })
}

/// The identifier of a user (0x8000) or session (0x9000), as `loadtest/users.sql` has it.
fn row_id(kind: u128, number: u128) -> Uuid {
    Uuid::from_u128(0x7000 << 64 | kind << 48 | number)
}

/// Refresh tokens that the sessions of the first `count` users begin anew with.
pub fn refresh(count: u64) {
    let (tokens, mut lines) = (RefreshTokens::new(keyring()), String::new());
    let mut hashes = Vec::new();
    for number in 0..u128::from(count) {
        let token = tokens.make(row_id(0x9000, number), 0);
        hashes.push((token.session, token.hash()));
        let _ = writeln!(lines, "{}", token.expose());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let url = variable("DATABASE_URL");
    runtime.expect("a runtime").block_on(reset_refresh(&url, hashes));
    print!("{lines}");
}

/// Challenges for users from number `first` on, and their codes.
pub fn challenges(first: u64, count: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let codes = runtime.expect("a runtime").block_on(async {
        let issuer = Issuer::connect().await;
        let issuer = &issuer;
        let issued = stream::iter(first..first + count).map(|number| issuer.issue(number));
        issued.buffer_unordered(AT_ONCE).collect::<String>().await
    });
    print!("{codes}");
}

/// Issues to both stores.
struct Issuer {
    keyring: Arc<Keyring>,
    ringback: RedisChallenges,
    floor: Challenges,
}

impl Issuer {
    async fn connect() -> Self {
        let url = variable("REDIS_URL");
        let link = RedisLink::open(&RedisOptions {
            url: url.clone(),
            security: RedisSecurity::default(),
            prefix: "rb".to_owned(),
            lanes: 1,
            timeout: Duration::from_secs(10),
        });
        let rules = OtpRules {
            ttl: Duration::from_secs(600),
            max_attempts: 3,
            length: 6,
            resend_cooldown: Duration::ZERO,
            max_failures: 1000,
            max_failures_in_day: 1000,
            failure_window: Duration::from_secs(3600),
            require_challenge_id: false,
        };
        let link = Arc::new(link.expect("REDIS_URL"));
        Self {
            keyring: keyring(),
            ringback: RedisChallenges::new(link, rules, Duration::ZERO, Arc::new(AtomicI64::new(0))),
            floor: Challenges::connect(&url).await,
        }
    }

    /// A line for the load generator, and the challenge's id for the ledger.
    async fn issue(&self, number: u64) -> String {
        let keys = self.keyring.current();
        let phone = PhoneNumber::from_stored(phone_of(number));
        let destination = Destination::Phone(phone.clone());
        let slot = Slot {
            purpose: Purpose::VerifyPhone,
            destination: DestinationDigest::of(&destination, keys),
            whose: Whose::Public,
        };
        let challenge_id = challenge_id(keys, slot.address(), SystemClock.now(), &SystemEntropy);
        let seed = CodeSeed::default();
        let code = OtpCode::derive(&keys.code, slot.purpose, challenge_id, seed, 6);
        let shadowed = Shadowed::default();
        let issue = Issue {
            place: Place {
                slot,
                challenge_id,
                digest: CodeDigest::of(keys, slot.purpose, &slot.destination, &code),
            },
            others: &[],
            subject: None,
            message: None,
            attached: &[],
            shadowed: &shadowed,
        };
        self.ringback.issue(&issue).await.expect("Redis answers");
        self.floor
            .issue(phone.expose(), challenge_id, code.expose())
            .await;
        format!("{} {} {challenge_id}\n", phone.expose(), code.expose())
    }
}

/// The phone of the user with this number, as `loadtest/users.sql` has it: eight million in each of three cities.
fn phone_of(number: u64) -> String {
    const CITIES: [&str; 3] = ["415", "212", "312"];
    let (city, line) = (number / 8_000_000, number % 8_000_000);
    format!(
        "+1{}{}",
        CITIES[usize::try_from(city).unwrap_or_default()],
        2_000_000 + line
    )
}
