//! Wrong codes across challenges: in which pool each counts, and how many lock what.

use super::millis::Millis;

/// The day of a pool begins with its first wrong code.
const DAY: Millis = 86_400_000;

/// What wrong codes are counted with. A user's own slot has a pool of its own; the public slot that all others of an address
/// share has three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// A user's.
    Own,
    /// Typed without the id of a challenge and without a token: whoever knows the address can do that.
    WithoutId,
    /// Typed with an id.
    WithId,
    /// Of all users who have not proven the address, together.
    Claimants,
}

/// The pools of a slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pools([Tally; Pools::COUNT]);

/// The wrong codes of a pool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Within a window of each other.
    pub failures: u32,
    pub last: Millis,
    /// In the pool's day, and when that began.
    pub in_day: u32,
    pub began: Millis,
}

/// How many wrong codes lock a pool.
#[derive(Debug, Clone, Copy)]
pub struct Most {
    pub failures: u32,
    pub window: Millis,
    pub in_day: u32,
}

impl Pool {
    /// The pools that lock what is counted in this one: what has locked codes with an id has locked those without as well.
    pub fn locked_with(self) -> &'static [Self] {
        match self {
            Self::Own => &[Self::Own],
            Self::WithoutId => &[Self::WithoutId, Self::WithId],
            Self::WithId => &[Self::WithId],
            Self::Claimants => &[Self::Claimants],
        }
    }

    const fn place(self) -> usize {
        match self {
            Self::Own | Self::WithoutId => 0,
            Self::WithId => 1,
            Self::Claimants => 2,
        }
    }
}

impl Pools {
    pub const COUNT: usize = 3;

    /// As a store has them, in their order.
    pub fn from_stored(tallies: [Tally; Self::COUNT]) -> Self {
        Self(tallies)
    }

    /// How long a pool locks; 0 if it doesn't. Claimants are locked by their day alone: one of them who has typed too many wrong
    /// codes locks no other.
    pub fn lock_wait(&self, pool: Pool, now: Millis, most: &Most) -> Millis {
        let tally = self.of(pool);
        match pool {
            Pool::Claimants => tally.day_wait(now, most),
            Pool::Own | Pool::WithoutId | Pool::WithId => {
                tally.window_wait(now, most).max(tally.day_wait(now, most))
            }
        }
    }

    /// What a pool has counted.
    pub fn of(&self, pool: Pool) -> &Tally {
        &self.0[pool.place()]
    }

    /// Counts a wrong code.
    pub fn charge(&mut self, pool: Pool, now: Millis, most: &Most) {
        let tally = &mut self.0[pool.place()];
        if tally.last + most.window <= now {
            tally.failures = 0;
        }
        if tally.began + DAY <= now {
            (tally.in_day, tally.began) = (0, now);
        }
        tally.failures += 1;
        tally.in_day += 1;
        tally.last = now;
    }

    /// Whether nothing in them matters any more.
    pub fn are_idle(&self, now: Millis, most: &Most) -> bool {
        self.0.iter().all(|tally| {
            (tally.failures == 0 || tally.last + most.window <= now)
                && (tally.in_day == 0 || tally.began + DAY <= now)
        })
    }
}

impl Tally {
    fn window_wait(&self, now: Millis, most: &Most) -> Millis {
        match self.failures >= most.failures {
            true => (self.last + most.window - now).max(0),
            false => 0,
        }
    }

    fn day_wait(&self, now: Millis, most: &Most) -> Millis {
        match self.in_day >= most.in_day {
            true => (self.began + DAY - now).max(0),
            false => 0,
        }
    }

    /// Until its wrong codes are forgotten but for those of the day; 0 if there are none.
    pub fn forgotten_in(&self, now: Millis, most: &Most) -> Millis {
        match self.failures {
            0 => 0,
            _ => (self.last + most.window - now).max(0),
        }
    }
}
