//! What a hash costs: by which kind of hash, and what makes it dear.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// What one hash of argon2 costs.
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

/// What one hash of any kind costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashCost {
    Argon2(Argon2Cost),
    /// Iterations of PBKDF2 with SHA-256.
    Pbkdf2(u32),
    /// Iterations of PBKDF2 with SHA-1, as Django's second choice has it.
    Pbkdf2Sha1(u32),
    /// The logarithm of bcrypt's rounds.
    Bcrypt(u32),
    Scrypt(ScryptCost),
}

/// What one hash of scrypt costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScryptCost {
    /// The logarithm of N.
    pub log_n: u8,
    pub r: u32,
    pub p: u32,
}

impl ScryptCost {
    /// Memory in KiB: 128 · N · r bytes.
    pub const fn memory_kib(self) -> u64 {
        if self.log_n >= 32 {
            return u64::MAX;
        }
        (1_u64 << self.log_n).saturating_mul(self.r as u64) / 8
    }
}

impl HashCost {
    /// The most work that is done for a stored hash, some two seconds.
    const MAX_WORK: u64 = Argon2Cost::MAX_MEMORY_KIB as u64 * Argon2Cost::MAX_PASSES as u64;

    /// How much work it is, in KiB that argon2 passes over. What the others do in the same time was measured on one
    /// machine: it bounds the queue, where it need not be exact.
    pub fn work(self) -> u64 {
        match self {
            Self::Argon2(cost) => u64::from(cost.memory_kib) * u64::from(cost.passes),
            Self::Pbkdf2(iterations) | Self::Pbkdf2Sha1(iterations) => u64::from(iterations) * 3 / 10,
            Self::Bcrypt(cost) => 173_u64.saturating_mul(1 << cost.min(40)),
            Self::Scrypt(cost) => {
                let memory = cost.memory_kib().saturating_mul(u64::from(cost.p));
                memory.saturating_mul(9) / 2
            }
        }
    }

    /// Whether a hash of this cost is never computed: one row must not be able to take the machine.
    pub fn is_absurd(self) -> bool {
        let (memory_kib, is_defined) = match self {
            Self::Argon2(Argon2Cost {
                memory_kib,
                passes,
                lanes,
            }) => {
                let is_defined = (1..=Argon2Cost::MAX_PASSES).contains(&passes)
                    && (1..=1 << 15).contains(&lanes)
                    && u64::from(memory_kib) >= 8 * u64::from(lanes);
                (u64::from(memory_kib), is_defined)
            }
            Self::Pbkdf2(iterations) | Self::Pbkdf2Sha1(iterations) => (0, iterations > 0),
            Self::Bcrypt(cost) => (0, (4..=31).contains(&cost)),
            Self::Scrypt(cost) => {
                let is_defined = (1..32).contains(&cost.log_n) && (1..=1024).contains(&cost.r) && cost.p > 0;
                (cost.memory_kib(), is_defined)
            }
        };
        !is_defined || memory_kib > Argon2Cost::MAX_MEMORY_KIB.into() || self.work() > Self::MAX_WORK
    }
}

/// As it is kept beside the hash: words with spaces between.
impl fmt::Display for HashCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argon2(cost) => write!(f, "argon2 {} {} {}", cost.memory_kib, cost.passes, cost.lanes),
            Self::Pbkdf2(iterations) => write!(f, "pbkdf2_sha256 {iterations}"),
            Self::Pbkdf2Sha1(iterations) => write!(f, "pbkdf2_sha1 {iterations}"),
            Self::Bcrypt(cost) => write!(f, "bcrypt {cost}"),
            Self::Scrypt(cost) => write!(f, "scrypt {} {} {}", cost.log_n, cost.r, cost.p),
        }
    }
}

impl FromStr for HashCost {
    type Err = CostError;

    fn from_str(text: &str) -> Result<Self, CostError> {
        let mut words = text.split(' ');
        let kind = words.next().unwrap_or_default();
        let numbers: Result<Vec<u32>, _> = words.map(str::parse).collect();
        let cost = match (kind, &*numbers.map_err(|_| CostError)?) {
            ("argon2", &[memory_kib, passes, lanes]) => Self::Argon2(Argon2Cost {
                memory_kib,
                passes,
                lanes,
            }),
            ("pbkdf2_sha256", &[iterations]) => Self::Pbkdf2(iterations),
            ("pbkdf2_sha1", &[iterations]) => Self::Pbkdf2Sha1(iterations),
            ("bcrypt", &[cost]) => Self::Bcrypt(cost),
            ("scrypt", &[log_n, r, p]) => Self::Scrypt(ScryptCost {
                log_n: log_n.try_into().map_err(|_| CostError)?,
                r,
                p,
            }),
            _ => return Err(CostError),
        };
        if cost.is_absurd() {
            Err(CostError)
        } else {
            Ok(cost)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DJANGO_SCRYPT: ScryptCost = ScryptCost {
        log_n: 14,
        r: 8,
        p: 5,
    };

    #[test]
    fn a_cost_is_read_as_it_is_kept() {
        for cost in [
            HashCost::Argon2(Argon2Cost::default()),
            HashCost::Pbkdf2(1_000_000),
            HashCost::Pbkdf2Sha1(1_000_000),
            HashCost::Bcrypt(12),
            HashCost::Scrypt(DJANGO_SCRYPT),
        ] {
            assert_eq!(cost.to_string().parse(), Ok(cost));
        }
        for none in [
            "",
            "md5 1",
            "bcrypt",
            "bcrypt 12 1",
            "bcrypt 31",
            "pbkdf2_sha256 x",
            "scrypt 14 8",
        ] {
            assert_eq!(none.parse::<HashCost>(), Err(CostError), "{none}");
        }
    }

    #[test]
    fn what_others_use_is_computed_and_what_would_take_the_machine_is_not() {
        for (cost, is_absurd) in [
            (HashCost::Pbkdf2(2_000_000), false),
            (HashCost::Pbkdf2(20_000_000), true),
            (HashCost::Pbkdf2(0), true),
            (HashCost::Pbkdf2Sha1(20_000_000), true),
            (HashCost::Bcrypt(14), false),
            (HashCost::Bcrypt(15), true),
            (HashCost::Bcrypt(3), true),
            (HashCost::Bcrypt(u32::MAX), true),
            (HashCost::Scrypt(DJANGO_SCRYPT), false),
            (
                HashCost::Scrypt(ScryptCost {
                    log_n: 17,
                    ..DJANGO_SCRYPT
                }),
                false,
            ),
            (
                HashCost::Scrypt(ScryptCost {
                    log_n: 19,
                    ..DJANGO_SCRYPT
                }),
                true,
            ),
            (
                HashCost::Scrypt(ScryptCost {
                    log_n: 255,
                    ..DJANGO_SCRYPT
                }),
                true,
            ),
            (
                HashCost::Scrypt(ScryptCost {
                    p: u32::MAX,
                    ..DJANGO_SCRYPT
                }),
                true,
            ),
            (
                HashCost::Scrypt(ScryptCost {
                    p: 0,
                    ..DJANGO_SCRYPT
                }),
                true,
            ),
        ] {
            assert_eq!(cost.is_absurd(), is_absurd, "{cost}");
        }
    }

    #[test]
    fn a_hash_of_django_is_as_much_work_as_several_of_ours() {
        let ours = HashCost::Argon2(Argon2Cost::default()).work();
        assert_eq!(HashCost::Pbkdf2(1_000_000).work() / ours, 7);
        assert_eq!(HashCost::Scrypt(DJANGO_SCRYPT).work() / ours, 9);
        assert_eq!(HashCost::Bcrypt(12).work() / ours, 18);
    }
}
