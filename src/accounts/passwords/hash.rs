//! Password hashes: those that are made are argon2id (RFC 9106) as OWASP's Password Storage Cheat Sheet sets it: 19 MiB, two passes, one lane.
//! Those of other systems are compared with as well.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use argon2::{
    ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{self, Output, ParamsString, Salt},
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{
    Password,
    cost::{Argon2Cost, CostError, HashCost},
    dearest::Dearest,
    foreign,
    stored::{HashError, Recipe, StoredHash},
};
use crate::entropy::Entropy;

const SALT_BYTES: usize = 16; // RFC 9106, 3.1
const OUTPUT_BYTES: usize = 32;

/// A password's hash as it is stored: a text that carries its own parameters. `Debug` shows its kind and cost alone.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes back a hash from the users' table.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// Takes over a hash that another system made.
    ///
    /// # Errors
    /// [`HashError`] where no password could be compared with it.
    pub fn take_over(text: String) -> Result<Self, HashError> {
        StoredHash::parse(&text).map(|_| Self(text))
    }

    /// What it costs.
    ///
    /// # Errors
    /// As for [`PasswordHash::take_over`].
    pub fn cost(&self) -> Result<HashCost, HashError> {
        StoredHash::parse(&self.0).map(|hash| hash.cost)
    }

    /// The text, for the users' table.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cost() {
            Ok(cost) => write!(f, "PasswordHash({cost})"),
            Err(error) => write!(f, "PasswordHash({error})"),
        }
    }
}

/// What became of a password that was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    pub matches: bool,
    /// It matches, and its hash was made otherwise than today: hash it anew while it is at hand.
    pub needs_rehash: bool,
}

impl Verdict {
    const NO: Self = Self {
        matches: false,
        needs_rehash: false,
    };
}

/// Hashes passwords, in memory that is used again: fresh pages for 19 MiB cost a tenth of the hash itself.
///
/// The memory isn't wiped between hashes, for the same reason; the next hash overwrites it.
pub struct Argon2Pool {
    argon2: Argon2<'static>,
    free: Mutex<Vec<Vec<Block>>>,
    keep: usize,
    entropy: Arc<dyn Entropy>,
    /// What a login that fails costs.
    dearest: Arc<Dearest>,
    /// All that was computed, in order.
    #[cfg(test)]
    done: Mutex<Vec<HashCost>>,
}

impl Argon2Pool {
    /// A pool that keeps the memory of up to `keep` hashes.
    ///
    /// # Errors
    /// [`CostError`] when argon2 doesn't take the cost, or its hashes could not be read again.
    pub fn new(cost: Argon2Cost, keep: usize, entropy: Arc<dyn Entropy>) -> Result<Self, CostError> {
        if HashCost::Argon2(cost).is_absurd() {
            return Err(CostError);
        }
        Ok(Self {
            argon2: argon2(Algorithm::Argon2id, cost, OUTPUT_BYTES).ok_or(CostError)?,
            free: Mutex::default(),
            keep,
            entropy,
            dearest: Arc::new(Dearest::new(cost)),
            #[cfg(test)]
            done: Mutex::default(),
        })
    }

    /// What a login that fails costs, shared with all that hash.
    pub(super) fn dearest(&self) -> Arc<Dearest> {
        Arc::clone(&self.dearest)
    }

    /// Hashes a password under a fresh salt. Takes some 15 ms of one core at the default cost.
    ///
    /// `None` if argon2 refuses, which parameters that [`Argon2Pool::new`] took don't bring about.
    pub fn hash(&self, password: &Password) -> Option<PasswordHash> {
        let salt: [u8; SALT_BYTES] = self.entropy.bytes();
        let mut output = Zeroizing::new(vec![0; OUTPUT_BYTES]);
        self.argon2(&self.argon2, password.bytes(), &salt, &mut output)?;
        let phc = phc::PasswordHash {
            algorithm: ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(self.argon2.params()).ok()?,
            salt: Some(Salt::new(&salt).ok()?),
            hash: Some(Output::new(&output).ok()?),
        };
        Some(PasswordHash(phc.to_string()))
    }

    /// Compares a password with a stored hash, at the cost that the hash names.
    ///
    /// Whatever the reason for a no (nobody has this e-mail, the account has no password, the hash can't be read or
    /// doesn't match), the same work is done: see `dearest.rs`.
    pub fn verify(&self, password: &Password, stored: Option<&PasswordHash>) -> Verdict {
        let readable = stored.and_then(|hash| StoredHash::parse(&hash.0).ok());
        if stored.is_some() && readable.is_none() {
            tracing::error!("a stored password hash can't be read: nobody can log in with it");
        }
        if let Some(stored) = readable.as_ref().filter(|stored| self.matches(password, stored)) {
            return Verdict {
                matches: true,
                needs_rehash: !self.is_of_today(stored),
            };
        }
        for cost in self.dearest.left(readable.map(|stored| stored.cost)) {
            self.waste(password, cost);
        }
        Verdict::NO
    }

    fn matches(&self, password: &Password, stored: &StoredHash) -> bool {
        self.dearest.learn(stored.cost);
        let bytes = stored.output.len();
        self.compute(password, stored.cost, stored.recipe, &stored.salt, bytes)
            .is_some_and(|output| output.ct_eq(&stored.output).into())
    }

    /// Does the work of a hash for its time alone.
    fn waste(&self, password: &Password, cost: HashCost) {
        let recipe = match cost {
            HashCost::Argon2(_) => Recipe::Argon2id,
            HashCost::Pbkdf2(_) | HashCost::Pbkdf2Sha1(_) => Recipe::Pbkdf2,
            HashCost::Bcrypt(_) => Recipe::Bcrypt,
            HashCost::Scrypt(_) => Recipe::Scrypt,
        };
        let bytes = match cost {
            // One block of SHA-1; for more it would be done twice.
            HashCost::Pbkdf2Sha1(_) => 20,
            _ => OUTPUT_BYTES,
        };
        drop(self.compute(password, cost, recipe, &[0; SALT_BYTES], bytes));
    }

    fn is_of_today(&self, stored: &StoredHash) -> bool {
        let (output, now) = (stored.output.len(), self.argon2.params());
        let HashCost::Argon2(then) = stored.cost else {
            return false;
        };
        (stored.recipe, then.memory_kib, then.passes, then.lanes, output)
            == (
                Recipe::Own,
                now.m_cost(),
                now.t_cost(),
                now.p_cost(),
                OUTPUT_BYTES,
            )
    }

    /// A hash of the password, in its NFKC form or, by what other systems made, as it was typed.
    fn compute(
        &self,
        password: &Password,
        cost: HashCost,
        recipe: Recipe,
        salt: &[u8],
        bytes: usize,
    ) -> Option<Zeroizing<Vec<u8>>> {
        #[cfg(test)]
        self.done.lock().unwrap().push(cost);
        let mut output = Zeroizing::new(vec![0; bytes]);
        let typed = password.typed();
        match (cost, recipe) {
            (HashCost::Argon2(cost), recipe) => {
                let algorithm = match recipe {
                    Recipe::Argon2i => Algorithm::Argon2i,
                    Recipe::Argon2d => Algorithm::Argon2d,
                    _ => Algorithm::Argon2id,
                };
                let text = if recipe == Recipe::Own {
                    password.bytes()
                } else {
                    typed
                };
                self.argon2(&argon2(algorithm, cost, bytes)?, text, salt, &mut output)?;
            }
            (HashCost::Pbkdf2(iterations), _) => foreign::pbkdf2(typed, salt, iterations, &mut output),
            (HashCost::Pbkdf2Sha1(iterations), _) => {
                foreign::pbkdf2_sha1(typed, salt, iterations, &mut output);
            }
            (HashCost::Bcrypt(cost), Recipe::BcryptOfSha256) => {
                return foreign::bcrypt(&foreign::sha256_in_hex(typed), salt, cost);
            }
            (HashCost::Bcrypt(cost), _) => return foreign::bcrypt(typed, salt, cost),
            (HashCost::Scrypt(cost), _) => foreign::scrypt(typed, salt, cost, &mut output)?,
        }
        Some(output)
    }

    fn argon2(&self, argon2: &Argon2<'_>, password: &[u8], salt: &[u8], output: &mut [u8]) -> Option<()> {
        let needed = argon2.params().block_count();
        let mut memory = self.take(needed);
        let done = argon2.hash_password_into_with_memory(password, salt, output, &mut memory[..needed]);
        self.give_back(memory);
        done.ok()
    }

    fn take(&self, blocks: usize) -> Vec<Block> {
        let kept = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.filter(|memory| memory.len() >= blocks)
            .unwrap_or_else(|| vec![Block::new(); blocks])
    }

    /// Keeps memory for the next hash. That of another cost than today's isn't what the next one needs.
    fn give_back(&self, memory: Vec<Block>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < self.keep && memory.len() == self.argon2.params().block_count() {
            free.push(memory);
        }
    }

    /// Gives what is kept for the next hash back to the system.
    pub fn let_go(&self) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    #[cfg(test)]
    pub fn kept(&self) -> usize {
        self.free.lock().unwrap().len()
    }
}

impl fmt::Debug for Argon2Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Argon2Pool({:?})", self.argon2.params())
    }
}

/// argon2 at a cost, for so many bytes; `None` for what it doesn't take.
fn argon2(algorithm: Algorithm, cost: Argon2Cost, bytes: usize) -> Option<Argon2<'static>> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(bytes)).ok()?;
    Some(Argon2::new(algorithm, Version::V0x13, params))
}

#[cfg(test)]
#[path = "hash_tests.rs"]
mod tests;
