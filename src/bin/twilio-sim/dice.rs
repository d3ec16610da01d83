//! Chance that can be repeated: it hangs on the seed, the number, and how many calls that number had.

use std::{
    hash::Hasher,
    sync::atomic::{AtomicU32, Ordering},
};

/// Numbers whose calls are counted apart; those beyond share a place, and then the order between them matters.
const PLACES: usize = 1 << 16;

/// The dice of one call.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The dice of the `nth` call of a subject.
    pub fn new(seed: u64, subject: &str, nth: u32) -> Self {
        let mut dice = Self(seed ^ digest(subject).rotate_left(32));
        dice.0 = dice.number() ^ u64::from(nth);
        dice
    }

    /// The next number (SplitMix64: Steele, Lea and Flood, 2014).
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// In `0..1`.
    pub fn fraction(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Whether what happens at this rate happens.
    pub fn hits(&mut self, rate: f64) -> bool {
        self.fraction() < rate
    }

    /// One of these; `None` if there are none.
    pub fn pick<T: Copy>(&mut self, among: &[T]) -> Option<T> {
        let index = self.number() % u64::try_from(among.len().max(1)).unwrap_or(1);
        among.get(usize::try_from(index).unwrap_or_default()).copied()
    }
}

/// Hands dice out, and counts the calls of each subject in bounded room.
pub struct DiceCup {
    seed: u64,
    calls: Box<[AtomicU32]>,
}

impl DiceCup {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            calls: (0..PLACES).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    /// The dice of this subject's next call.
    pub fn roll(&self, subject: &str) -> Dice {
        let place = usize::try_from(digest(subject)).unwrap_or_default() % PLACES;
        let nth = self.calls[place].fetch_add(1, Ordering::Relaxed);
        Dice::new(self.seed, subject, nth)
    }

    /// Begins anew: the same calls meet the same faults again.
    pub fn reset(&self) {
        self.calls
            .iter()
            .for_each(|calls| calls.store(0, Ordering::Relaxed));
    }
}

/// The same in every process, as `DefaultHasher::new` has fixed keys.
fn digest(subject: &str) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(subject.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_calls_have_the_same_luck_whatever_happens_between() {
        let (one, other) = (DiceCup::new(7), DiceCup::new(7));
        other.roll("+14152000002");
        for _ in 0..10 {
            assert_eq!(
                one.roll("+14152000001").number(),
                other.roll("+14152000001").number()
            );
        }
        one.reset();
        assert_eq!(
            one.roll("+14152000001").number(),
            Dice::new(7, "+14152000001", 0).number()
        );
        assert_ne!(Dice::new(7, "a", 0).number(), Dice::new(8, "a", 0).number());
    }

    #[test]
    fn rates_are_kept_over_numbers_and_over_calls() {
        let cup = DiceCup::new(1);
        let hits = |count: usize, subject: &dyn Fn(usize) -> String| {
            let all = (0..count).filter(|index| cup.roll(&subject(*index)).hits(0.2));
            all.count() as f64 / count as f64
        };
        let (over_numbers, over_calls) = (
            hits(20_000, &|index| format!("+1415{index:07}")),
            hits(20_000, &|_| "+1".to_owned()),
        );
        for rate in [over_numbers, over_calls] {
            assert!((0.18..0.22).contains(&rate), "{rate}");
        }
    }
}
