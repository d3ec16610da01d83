//! Proofs of work, as ALTCHA has them (version 1): over the quota of some rules a request passes that brings one.
//!
//! The service picks a number below a bound, and tells the SHA-256 of a salt and the number. Whoever finds the number has tried
//! half of them. The salt says until when the proof is good and for what address, and the signature is HMAC-SHA256 of the
//! hash: so nothing is kept of a challenge until it is solved, and then no more than that it was used.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{key::KeyDimension, rule::Rule, store::Verdict};
use crate::{entropy::Entropy, problem::WorkChallenge, secrets::MacKey};

/// For how long a proof is good.
pub const PROOF_TTL: Duration = Duration::from_secs(120);
/// Numbers that are tried at most where the asker's network has used nothing of its quota: a quarter of a second in a browser.
const LEAST: u32 = 20_000;
/// How many more for each hundredth of the quota that it has used.
const EACH: u32 = 2_000;
/// The most: some ten seconds in a browser.
const MOST: u32 = 1_000_000;
const ALGORITHM: &str = "SHA-256";

/// How much work is asked for, by how much the asker's own network has used of its quota, in hundredths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Work(u32);

impl Work {
    /// What a rule by network says to it, of what may come at once; nothing by another rule.
    fn by(rule: &Rule, verdict: Verdict, has_worked: bool) -> Self {
        if rule.by != KeyDimension::Ip.into() || rule.burst == 0 {
            return Self(0);
        }
        let burst = i64::from(rule.burst);
        let used = match verdict {
            Verdict::Admitted { remaining } => {
                let larger = if has_worked {
                    i64::from(rule.worked_by())
                } else {
                    0
                };
                burst + larger - i64::from(remaining)
            }
            Verdict::Refused { retry_after_us } => burst + retry_after_us / rule.emission_us().max(1),
        };
        Self(u32::try_from((used * 100 / burst).max(0)).unwrap_or(u32::MAX))
    }

    /// The most that rules by network say.
    pub(super) fn of<'a>(asked: impl Iterator<Item = (&'a Rule, Verdict)>, has_worked: bool) -> Self {
        asked
            .map(|(rule, verdict)| Self::by(rule, verdict, has_worked))
            .max()
            .unwrap_or_default()
    }

    /// The bound of the number that has to be found.
    fn max_number(self) -> u32 {
        LEAST.saturating_add(self.0.saturating_mul(EACH)).min(MOST)
    }
}

/// A fresh challenge, good for an address, by its digest; `now` in seconds since the Unix epoch.
pub fn work_challenge(
    address: &str,
    work: Work,
    now: i64,
    key: &MacKey,
    entropy: &dyn Entropy,
) -> WorkChallenge {
    let max_number = work.max_number();
    let number = entropy.up_to(max_number.into());
    let random = hex(&entropy.bytes::<12>());
    let until = now.saturating_add_unsigned(PROOF_TTL.as_secs());
    let salt = format!("{random}?expires={until}&for={}&", bound_to(address, key));
    let challenge = hash(&salt, number);
    WorkChallenge {
        algorithm: ALGORITHM.to_owned(),
        max_number,
        signature: hex(&key.sign(challenge.as_bytes())),
        salt,
        challenge,
    }
}

/// A solution as it comes in the header `X-Proof`.
#[derive(Debug, Clone, Deserialize)]
pub struct SolvedWork {
    algorithm: String,
    challenge: String,
    number: u64,
    salt: String,
    signature: String,
}

impl SolvedWork {
    /// What the header may weigh: twice what a solution does.
    pub const MAX_HEADER: usize = 1024;

    /// Reads the header: JSON in base64, as the widget gives it. `None` where it is anything else.
    pub fn parse(header: &[u8]) -> Option<Self> {
        if header.len() > Self::MAX_HEADER {
            return None;
        }
        let json = BASE64_STANDARD.decode(header.trim_ascii()).ok()?;
        serde_json::from_slice(&json).ok()
    }

    /// What it is remembered by once it was used.
    pub(super) fn name(&self) -> &str {
        self.challenge.get(..32).unwrap_or_default()
    }

    /// Whether it solves a challenge that was made with this key for the address, and is in time.
    pub fn is_good(&self, address: &str, now: i64, key: &MacKey) -> bool {
        self.algorithm == ALGORITHM
            && self.is_in_time(now, &bound_to(address, key))
            && hash(&self.salt, self.number) == self.challenge
            && key.has_signed(self.challenge.as_bytes(), &unhex(&self.signature))
    }

    /// The salt reads as it was made: no other reading of it has the same hash.
    fn is_in_time(&self, now: i64, bound_to: &str) -> bool {
        let until = || -> Option<i64> {
            let (_, rest) = self.salt.split_once("?expires=")?;
            let (until, rest) = rest.split_once("&for=")?;
            let until = until.parse().ok()?;
            (rest.strip_suffix('&') == Some(bound_to)).then_some(until)
        };
        until().is_some_and(|until| until >= now)
    }
}

/// What stands for the address that a proof is good for.
fn bound_to(address: &str, key: &MacKey) -> String {
    let tag = key.tag(&[b"for", address.as_bytes()]);
    BASE64_URL_SAFE_NO_PAD.encode(&tag[..16])
}

fn hash(salt: &str, number: u64) -> String {
    let mut hasher = Sha256::new();
    hasher.update(salt);
    hasher.update(number.to_string());
    hex(&hasher.finalize())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;

    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |character: u8| char::from(character).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    };
    pairs.map(byte).collect::<Option<_>>().unwrap_or_default()
}
