//! How much work a login is that fails.
//!
//! While hashes of other systems are in the database, a wrong password for one of them takes that hash's time, and who is
//! unknown must take no other. So each kind of hash is known at the highest cost that the database holds, and a login that
//! fails does the work of all kinds: what its own hash did, what that kind lacks to its highest, and the others at theirs. The
//! sum is the same for everybody, on every machine, with nothing measured. It is the price of sameness while the hashes of others
//! last: each becomes one of today at its next login.

use std::sync::{PoisonError, RwLock};

use super::cost::{Argon2Cost, HashCost, ScryptCost};

/// The highest cost of each kind. Shared by all that hash.
#[derive(Debug)]
pub(super) struct Dearest {
    today: Argon2Cost,
    costs: RwLock<Costs>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Costs {
    /// No less than today's.
    argon2: Argon2Cost,
    /// 0: there is none.
    pbkdf2: u32,
    pbkdf2_sha1: u32,
    bcrypt: Option<u32>,
    scrypt: Option<ScryptCost>,
}

impl Dearest {
    /// Of a database that has hashes of today alone.
    pub fn new(today: Argon2Cost) -> Self {
        Self {
            today,
            costs: RwLock::new(Costs::of(today)),
        }
    }

    /// Takes note of what the database holds beside hashes of today.
    pub fn set(&self, held: &[HashCost]) {
        let costs = held
            .iter()
            .fold(Costs::of(self.today), |costs, &cost| costs.with(cost));
        *self.costs.write().unwrap_or_else(PoisonError::into_inner) = costs;
    }

    /// Takes note of a hash that was met, and may be dearer than what was known.
    pub fn learn(&self, met: HashCost) {
        let known = self.costs();
        let costs = known.with(met);
        if costs != known {
            *self.costs.write().unwrap_or_else(PoisonError::into_inner) = costs;
        }
    }

    /// What is left to do for a login that fails, after the work of its own hash, if it had one.
    pub fn left(&self, done: Option<HashCost>) -> Vec<HashCost> {
        let Costs {
            argon2,
            pbkdf2,
            pbkdf2_sha1,
            bcrypt,
            scrypt,
        } = self.costs();
        let mut left = Vec::new();
        match done {
            Some(HashCost::Argon2(done)) => left.extend(argon2_left(argon2, done).map(HashCost::Argon2)),
            _ => left.push(HashCost::Argon2(argon2)),
        }
        let iterations = match done {
            Some(HashCost::Pbkdf2(done)) => pbkdf2.saturating_sub(done),
            _ => pbkdf2,
        };
        left.extend((iterations > 0).then_some(HashCost::Pbkdf2(iterations)));
        let iterations = match done {
            Some(HashCost::Pbkdf2Sha1(done)) => pbkdf2_sha1.saturating_sub(done),
            _ => pbkdf2_sha1,
        };
        left.extend((iterations > 0).then_some(HashCost::Pbkdf2Sha1(iterations)));
        match (bcrypt, done) {
            // Each step doubles the rounds: 2⁴ and again 2⁴, 2⁵, 2⁶ are 2⁷.
            (Some(most), Some(HashCost::Bcrypt(done))) => left.extend((done..most).map(HashCost::Bcrypt)),
            (Some(most), _) => left.push(HashCost::Bcrypt(most)),
            (None, _) => {}
        }
        match (scrypt, done) {
            (Some(most), Some(HashCost::Scrypt(done))) => {
                left.extend(scrypt_left(most, done).map(HashCost::Scrypt));
            }
            (Some(most), _) => left.push(HashCost::Scrypt(most)),
            (None, _) => {}
        }
        left
    }

    /// How many hashes of today are as much work as a login that fails.
    pub fn weight(&self) -> usize {
        let work: u64 = self.left(None).into_iter().map(HashCost::work).sum();
        let today = HashCost::Argon2(self.today).work().max(1);
        usize::try_from(work.div_ceil(today)).unwrap_or(usize::MAX).max(1)
    }

    fn costs(&self) -> Costs {
        *self.costs.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Costs {
    fn of(today: Argon2Cost) -> Self {
        Self {
            argon2: today,
            pbkdf2: 0,
            pbkdf2_sha1: 0,
            bcrypt: None,
            scrypt: None,
        }
    }

    fn with(mut self, cost: HashCost) -> Self {
        match cost {
            HashCost::Argon2(argon2) if cost.work() > HashCost::Argon2(self.argon2).work() => {
                self.argon2 = argon2;
            }
            HashCost::Argon2(_) => {}
            HashCost::Pbkdf2(iterations) => self.pbkdf2 = self.pbkdf2.max(iterations),
            HashCost::Pbkdf2Sha1(iterations) => self.pbkdf2_sha1 = self.pbkdf2_sha1.max(iterations),
            HashCost::Bcrypt(cost) => self.bcrypt = self.bcrypt.max(Some(cost)),
            HashCost::Scrypt(scrypt) => {
                let known = self.scrypt.map(|known| HashCost::Scrypt(known).work());
                if known < Some(cost.work()) {
                    self.scrypt = Some(scrypt);
                }
            }
        }
        self
    }
}

/// The cost by which one hash exceeds another, if that is enough for a hash. Its time goes with memory times passes; lanes
/// change nothing, where all are computed by one thread.
fn argon2_left(most: Argon2Cost, done: Argon2Cost) -> Option<Argon2Cost> {
    let work = |cost| HashCost::Argon2(cost).work();
    let left = work(most).checked_sub(work(done))? / u64::from(most.passes);
    let left = Argon2Cost {
        memory_kib: u32::try_from(left).ok()?,
        passes: most.passes,
        lanes: 1,
    };
    (!HashCost::Argon2(left).is_absurd()).then_some(left)
}

/// The same for scrypt, in whole runs of the dearer one.
fn scrypt_left(most: ScryptCost, done: ScryptCost) -> Option<ScryptCost> {
    let work = |cost: ScryptCost| cost.memory_kib() * u64::from(cost.p);
    let left = work(most).checked_sub(work(done))? / most.memory_kib().max(1);
    let p = u32::try_from(left).ok().filter(|&p| p > 0)?;
    Some(ScryptCost { p, ..most })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Argon2Cost = Argon2Cost {
        memory_kib: 200,
        passes: 3,
        lanes: 2,
    };

    fn argon2(memory_kib: u32, passes: u32) -> HashCost {
        let lanes = 1;
        HashCost::Argon2(Argon2Cost {
            memory_kib,
            passes,
            lanes,
        })
    }

    fn scrypt(log_n: u8, p: u32) -> HashCost {
        HashCost::Scrypt(ScryptCost { log_n, r: 8, p })
    }

    #[test]
    fn what_is_made_up_for_is_the_difference_to_the_dearest() {
        let dearest = Dearest::new(TODAY);
        assert_eq!(dearest.left(None), [HashCost::Argon2(TODAY)]);
        for (done, left) in [
            (argon2(100, 3), vec![argon2(100, 3)]),
            (argon2(150, 2), vec![argon2(100, 3)]),
            (argon2(8, 1), vec![argon2(197, 3)]),
            (argon2(199, 3), vec![]),
            (argon2(200, 3), vec![]),
            (argon2(Argon2Cost::MAX_MEMORY_KIB, Argon2Cost::MAX_PASSES), vec![]),
        ] {
            assert_eq!(dearest.left(Some(done)), left, "{done}");
        }
    }

    #[test]
    fn whoever_fails_has_done_the_same_in_the_end() {
        let held = [
            HashCost::Pbkdf2(600_000),
            HashCost::Pbkdf2(1_000_000),
            HashCost::Bcrypt(4),
            HashCost::Bcrypt(12),
            scrypt(14, 5),
            scrypt(14, 1),
            argon2(400, 3),
            argon2(9, 1),
        ];
        let dearest = Dearest::new(TODAY);
        dearest.set(&held);
        let kind = |cost: &HashCost| std::mem::discriminant(cost);
        let total = |done: Option<HashCost>| {
            let all: Vec<_> = dearest.left(done).into_iter().chain(done).collect();
            held.map(|of| {
                let same = all.iter().filter(|cost| kind(cost) == kind(&of));
                same.map(|cost| cost.work()).sum::<u64>()
            })
        };
        let unknown = total(None);
        for done in held.into_iter().chain([HashCost::Argon2(TODAY), argon2(300, 2)]) {
            assert_eq!(total(Some(done)), unknown, "{done}");
        }
    }

    #[test]
    fn a_dearer_one_is_learned_when_it_is_met_and_forgotten_when_it_is_gone() {
        let dearest = Dearest::new(TODAY);
        dearest.learn(HashCost::Pbkdf2(10));
        dearest.learn(HashCost::Pbkdf2(5));
        dearest.learn(argon2(100, 1));
        assert_eq!(
            dearest.left(None),
            [HashCost::Argon2(TODAY), HashCost::Pbkdf2(10)]
        );
        dearest.set(&[]);
        assert_eq!(dearest.left(None), [HashCost::Argon2(TODAY)]);
    }

    #[test]
    fn a_login_weighs_what_it_costs_where_it_fails() {
        let dearest = Dearest::new(Argon2Cost::default());
        assert_eq!(dearest.weight(), 1);
        dearest.set(&[HashCost::Pbkdf2(1_000_000)]);
        assert_eq!(dearest.weight(), 9);
        dearest.set(&[HashCost::Pbkdf2(1_000_000), HashCost::Bcrypt(12)]);
        assert_eq!(dearest.weight(), 27);
    }
}
