//! Password hashes: argon2id (RFC 9106) as OWASP's Password Storage Cheat Sheet sets it: 19 MiB, two passes, one lane.

use std::{
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
};

use argon2::{
    ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{self, Output, ParamsString, Salt},
};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use super::Password;
use crate::entropy::Entropy;

const SALT_BYTES: usize = 16; // RFC 9106, 3.1
const OUTPUT_BYTES: usize = 32;

/// What one hash costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argon2Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes. Each hash runs on one thread, whatever this says.
    pub lanes: u32,
}

/// A stored hash that asks for more is not computed: one row must not be able to take the machine. So none is made at a
/// higher cost either: its password could never be shown to be right.
impl Argon2Cost {
    /// The most memory, in KiB.
    pub const MAX_MEMORY_KIB: u32 = 256 * 1024;
    /// The most passes.
    pub const MAX_PASSES: u32 = 16;
}

impl Default for Argon2Cost {
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            passes: 2,
            lanes: 1,
        }
    }
}

/// A cost that argon2 doesn't know (too little memory for its lanes, no pass), or one above the most that is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "no hash has this cost: memory is 8 KiB a lane to {} KiB, passes 1 to {}, lanes 1 or more",
    Argon2Cost::MAX_MEMORY_KIB,
    Argon2Cost::MAX_PASSES
)]
pub struct CostError;

/// A password's hash as it is stored: a PHC string that carries its own parameters. `Debug` shows those alone.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes back a hash that this service stored itself.
    pub fn from_stored(phc: String) -> Self {
        Self(phc)
    }

    /// The PHC string, for the users' table.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<&str> = self.0.split('$').skip(1).take(3).collect();
        write!(f, "PasswordHash({})", shown.join(" "))
    }
}

/// What became of a password that was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    pub matches: bool,
    /// It matches, and its hash was made at another cost than today's: hash it anew while it is at hand.
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
    dummy: Stored,
}

impl Argon2Pool {
    /// A pool that keeps the memory of up to `keep` hashes. Makes one hash, so it takes a moment.
    ///
    /// # Errors
    /// [`CostError`] when argon2 doesn't take the cost, or its hashes could not be read again.
    pub fn new(cost: Argon2Cost, keep: usize, entropy: Arc<dyn Entropy>) -> Result<Self, CostError> {
        if !is_read(cost.memory_kib, cost.passes) {
            return Err(CostError);
        }
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(OUTPUT_BYTES))
            .map_err(|_| CostError)?;
        let mut pool = Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            free: Mutex::default(),
            keep,
            dummy: Stored {
                params: Params::DEFAULT,
                salt: Vec::new(),
                output: Vec::new(),
            },
            entropy,
        };
        let nobodys: [u8; 32] = pool.entropy.bytes();
        let salt: [u8; SALT_BYTES] = pool.entropy.bytes();
        let output = pool
            .compute(&pool.argon2, &nobodys, &salt, OUTPUT_BYTES)
            .ok_or(CostError)?;
        pool.dummy = Stored {
            params: pool.argon2.params().clone(),
            salt: salt.to_vec(),
            output: output.to_vec(),
        };
        pool.let_go();
        Ok(pool)
    }

    /// Hashes a password under a fresh salt. Takes some 15 ms of one core at the default cost.
    ///
    /// `None` if argon2 refuses, which parameters that [`Argon2Pool::new`] took don't bring about.
    pub fn hash(&self, password: &Password) -> Option<PasswordHash> {
        let salt: [u8; SALT_BYTES] = self.entropy.bytes();
        let output = self.compute(&self.argon2, password.bytes(), &salt, OUTPUT_BYTES)?;
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
    /// Without a hash (nobody has this e-mail), or with one that can't be read, it does the work of today's cost all the
    /// same and says no: the time tells nothing. Where a hash that doesn't match was cheaper than today's, what is left of
    /// today's cost is made up for. One that was dearer takes its longer time, which tells that it is there.
    pub fn verify(&self, password: &Password, stored: Option<&PasswordHash>) -> Verdict {
        let readable = stored.and_then(|hash| hash.0.parse::<Stored>().ok());
        if stored.is_some() && readable.is_none() {
            tracing::error!("a stored password hash can't be read: nobody can log in with it");
        }
        let Some(stored) = readable else {
            self.compare(password, &self.dummy);
            return Verdict::NO;
        };
        let matches = self.compare(password, &stored);
        if !matches && let Some(left) = self.left_of_today(&stored.params) {
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, left);
            drop(self.compute(&argon2, password.bytes(), &self.dummy.salt, OUTPUT_BYTES));
        }
        Verdict {
            matches,
            needs_rehash: matches && !self.is_of_today(&stored),
        }
    }

    /// The cost by which a hash of today exceeds another, if that is enough for a hash. Its time goes with memory times
    /// passes; lanes change nothing, where all are computed by one thread.
    fn left_of_today(&self, then: &Params) -> Option<Params> {
        let now = self.argon2.params();
        let work = |params: &Params| u64::from(params.m_cost()) * u64::from(params.t_cost());
        let left = work(now).checked_sub(work(then))? / u64::from(now.t_cost());
        Params::new(u32::try_from(left).ok()?, now.t_cost(), 1, Some(OUTPUT_BYTES)).ok()
    }

    fn compare(&self, password: &Password, stored: &Stored) -> bool {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, stored.params.clone());
        self.compute(&argon2, password.bytes(), &stored.salt, stored.output.len())
            .is_some_and(|output| output.ct_eq(&stored.output).into())
    }

    fn is_of_today(&self, stored: &Stored) -> bool {
        let (then, now) = (&stored.params, self.argon2.params());
        (then.m_cost(), then.t_cost(), then.p_cost(), stored.output.len())
            == (now.m_cost(), now.t_cost(), now.p_cost(), OUTPUT_BYTES)
    }

    fn compute(
        &self,
        argon2: &Argon2<'_>,
        password: &[u8],
        salt: &[u8],
        bytes: usize,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let needed = argon2.params().block_count();
        let mut memory = self.take(needed);
        let mut output = Zeroizing::new(vec![0; bytes]);
        let done = argon2.hash_password_into_with_memory(password, salt, &mut output, &mut memory[..needed]);
        self.give_back(memory);
        done.ok().map(|()| output)
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

/// Whether a stored hash of this cost is computed.
fn is_read(memory_kib: u32, passes: u32) -> bool {
    memory_kib <= Argon2Cost::MAX_MEMORY_KIB && passes <= Argon2Cost::MAX_PASSES
}

/// A stored hash, read.
struct Stored {
    params: Params,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl FromStr for Stored {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let phc = phc::PasswordHash::new(text).map_err(drop)?;
        let params = Params::try_from(&phc).map_err(drop)?;
        let known = phc.algorithm == ARGON2ID_IDENT && phc.version == Some(Version::V0x13.into());
        if !known || !is_read(params.m_cost(), params.t_cost()) {
            return Err(());
        }
        Ok(Self {
            params,
            salt: phc.salt.ok_or(())?.to_vec(),
            output: phc.hash.ok_or(())?.as_bytes().to_vec(),
        })
    }
}

#[cfg(test)]
#[path = "hash_tests.rs"]
mod tests;
