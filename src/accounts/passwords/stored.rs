//! A stored hash, read: this service's own, or one that another system made of a password.
//!
//! | of | looks like |
//! |---|---|
//! | this service | `$argon2id$v=19$m=19456,t=2,p=1$salt$hash` |
//! | Django | `pbkdf2_sha256$1000000$salt$hash`, `pbkdf2_sha1$…`, `argon2$argon2id$…`, `bcrypt_sha256$$2b$12$…`, `bcrypt$$2b$12$…`, `scrypt$16384$salt$8$5$hash` |
//! | others | `$2a$…`, `$2b$…`, `$2y$…`, `$scrypt$ln=14,r=8,p=1$salt$hash`, `$argon2i$…`, `$argon2d$…` |

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use thiserror::Error;

use super::cost::{Argon2Cost, HashCost, ScryptCost};

/// As PHC strings (without padding) and Django (with it) have it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// As bcrypt has it: in an order of its own, and some programs leave bits in the last character.
const BCRYPT64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::BCRYPT,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);
/// What is longer is no hash.
const MAX_CHARS: usize = 512;

/// Why a text is no hash that a password can be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HashError {
    #[error("a kind of hash that is not known here")]
    Kind,
    #[error("a hash that is not well formed")]
    Form,
    #[error("a hash that costs too much to compute")]
    Cost,
}

/// How the hash was made of the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recipe {
    /// argon2id of the password's NFKC form: this service's.
    Own,
    Argon2id,
    Argon2i,
    Argon2d,
    Pbkdf2,
    Bcrypt,
    /// bcrypt of the SHA-256 in hexadecimal, for passwords of more than 72 bytes.
    BcryptOfSha256,
    Scrypt,
}

/// A stored hash, read. Its cost is one that is computed.
pub(super) struct StoredHash {
    pub cost: HashCost,
    pub recipe: Recipe,
    pub salt: Vec<u8>,
    pub output: Vec<u8>,
}

impl StoredHash {
    pub fn parse(text: &str) -> Result<Self, HashError> {
        if text.len() > MAX_CHARS {
            return Err(HashError::Form);
        }
        let (kind, rest) = text.split_once('$').ok_or(HashError::Kind)?;
        let hash = match kind {
            "" => Self::modular(rest, true),
            "argon2" => Self::modular(rest, false),
            "bcrypt" => Self::bcrypt(rest.strip_prefix('$').ok_or(HashError::Form)?, Recipe::Bcrypt),
            "bcrypt_sha256" => {
                let rest = rest.strip_prefix('$').ok_or(HashError::Form)?;
                Self::bcrypt(rest, Recipe::BcryptOfSha256)
            }
            "pbkdf2_sha256" => Self::pbkdf2(rest, HashCost::Pbkdf2),
            "pbkdf2_sha1" => Self::pbkdf2(rest, HashCost::Pbkdf2Sha1),
            "scrypt" => Self::scrypt(rest),
            _ => Err(HashError::Kind),
        }?;
        if hash.cost.is_absurd() {
            return Err(HashError::Cost);
        }
        if hash.output.len() < 12 || hash.salt.is_empty() {
            return Err(HashError::Form);
        }
        Ok(hash)
    }

    /// What begins with its kind between two `$`. `is_bare`: nothing stands before that says who made it.
    fn modular(text: &str, is_bare: bool) -> Result<Self, HashError> {
        let (kind, rest) = text.split_once('$').ok_or(HashError::Kind)?;
        match (kind, is_bare) {
            ("argon2id", true) => Self::argon2(rest, Recipe::Own),
            ("argon2id", false) => Self::argon2(rest, Recipe::Argon2id),
            ("argon2i", _) => Self::argon2(rest, Recipe::Argon2i),
            ("argon2d", _) => Self::argon2(rest, Recipe::Argon2d),
            ("2a" | "2b" | "2y", true) => Self::bcrypt(text, Recipe::Bcrypt),
            ("scrypt", true) => {
                let (cost, salt, output) = phc(rest)?;
                let [log_n, r, p] = parameters(cost, ["ln", "r", "p"])?;
                let log_n = log_n.try_into().map_err(|_| HashError::Cost)?;
                Ok(Self {
                    cost: HashCost::Scrypt(ScryptCost { log_n, r, p }),
                    recipe: Recipe::Scrypt,
                    salt,
                    output,
                })
            }
            _ => Err(HashError::Kind),
        }
    }

    fn argon2(text: &str, recipe: Recipe) -> Result<Self, HashError> {
        let rest = text.strip_prefix("v=19$").ok_or(HashError::Kind)?;
        let (cost, salt, output) = phc(rest)?;
        let [memory_kib, passes, lanes] = parameters(cost, ["m", "t", "p"])?;
        Ok(Self {
            cost: HashCost::Argon2(Argon2Cost {
                memory_kib,
                passes,
                lanes,
            }),
            recipe,
            salt,
            output,
        })
    }

    /// `2b$12$` with 22 characters of salt and 31 of hash.
    fn bcrypt(text: &str, recipe: Recipe) -> Result<Self, HashError> {
        let mut parts = text.splitn(3, '$');
        let (version, cost, rest) = (parts.next(), parts.next(), parts.next());
        if !matches!(version, Some("2a" | "2b" | "2y")) {
            return Err(HashError::Kind);
        }
        let cost = cost.filter(|cost| cost.len() == 2).ok_or(HashError::Form)?;
        let (salt, output) = rest
            .filter(|rest| rest.len() == 53)
            .and_then(|rest| rest.split_at_checked(22))
            .ok_or(HashError::Form)?;
        let decoded = |text| BCRYPT64.decode(text).map_err(|_| HashError::Form);
        Ok(Self {
            cost: HashCost::Bcrypt(number(cost)?),
            recipe,
            salt: decoded(salt)?,
            output: decoded(output)?,
        })
    }

    /// Django's: `iterations$salt$hash`, the salt as it stands.
    fn pbkdf2(text: &str, cost: fn(u32) -> HashCost) -> Result<Self, HashError> {
        let [iterations, salt, output] = fields(text)?;
        Ok(Self {
            cost: cost(number(iterations)?),
            recipe: Recipe::Pbkdf2,
            salt: salt.as_bytes().to_vec(),
            output: BASE64.decode(output).map_err(|_| HashError::Form)?,
        })
    }

    /// Django's: `N$salt$r$p$hash`, the salt as it stands.
    fn scrypt(text: &str) -> Result<Self, HashError> {
        let [n, salt, r, p, output] = fields(text)?;
        let n = number(n)?;
        if !n.is_power_of_two() {
            return Err(HashError::Form);
        }
        let log_n = n.trailing_zeros().try_into().map_err(|_| HashError::Cost)?;
        Ok(Self {
            cost: HashCost::Scrypt(ScryptCost {
                log_n,
                r: number(r)?,
                p: number(p)?,
            }),
            recipe: Recipe::Scrypt,
            salt: salt.as_bytes().to_vec(),
            output: BASE64.decode(output).map_err(|_| HashError::Form)?,
        })
    }
}

/// Cost, salt and hash of what PHC strings have behind their kind and version.
fn phc(text: &str) -> Result<(&str, Vec<u8>, Vec<u8>), HashError> {
    let [cost, salt, output] = fields(text)?;
    let decoded = |text| BASE64.decode(text).map_err(|_| HashError::Form);
    Ok((cost, decoded(salt)?, decoded(output)?))
}

/// So many fields, and no more.
fn fields<const N: usize>(text: &str) -> Result<[&str; N], HashError> {
    let fields: Vec<_> = text.split('$').collect();
    fields.try_into().map_err(|_| HashError::Form)
}

/// The numbers of `m=…,t=…,p=…`, in this order.
fn parameters<const N: usize>(text: &str, names: [&str; N]) -> Result<[u32; N], HashError> {
    let mut parts = text.split(',');
    let mut numbers = [0; N];
    for (number_of, name) in numbers.iter_mut().zip(names) {
        let part = parts.next().and_then(|part| part.split_once('='));
        let (_, value) = part.filter(|(key, _)| *key == name).ok_or(HashError::Form)?;
        *number_of = number(value)?;
    }
    if parts.next().is_some() {
        return Err(HashError::Form);
    }
    Ok(numbers)
}

/// A whole number without a sign. What no hash costs is told from what is no number.
fn number(text: &str) -> Result<u32, HashError> {
    if text.is_empty() || !text.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(HashError::Form);
    }
    text.parse().map_err(|_| HashError::Cost)
}
