//! How SMS fare these days: what a decoy's status copies.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Course, End, Millis};
use crate::entropy::Entropy;

/// Courses that are remembered.
const REMEMBERED: usize = 64;
/// When real SMS wait for so long without a word from any provider, decoys seem to wait as well.
const STALLED_AFTER: Millis = 10_000;

/// Lately lived courses. One for an instance: what it learns is enough to be plausible, whichever instance is asked.
pub struct Courses {
    /// The provider whose receipts come in here.
    receipts_from: Option<&'static str>,
    recent: Mutex<Recent>,
}

#[derive(Default)]
struct Recent {
    lived: VecDeque<Course>,
    /// When the first real SMS was issued after which no provider said anything.
    waiting_since: Option<Millis>,
}

impl Courses {
    /// Knows none yet.
    pub fn new(receipts_from: Option<&'static str>) -> Self {
        Self {
            receipts_from,
            recent: Mutex::default(),
        }
    }

    /// A real SMS is owed.
    pub fn owed(&self, now: Millis) {
        self.recent().waiting_since.get_or_insert(now);
    }

    /// A provider took or refused an SMS.
    pub fn answered(&self) {
        self.recent().waiting_since = None;
    }

    /// Remembers a course once it is as far as it comes: its end where receipts tell of one, else the provider's word.
    pub fn learn(&self, provider: &str, course: Course) {
        if course.end.is_none() && self.receipts_from == Some(provider) {
            return;
        }
        let mut recent = self.recent();
        if recent.lived.len() == REMEMBERED {
            recent.lived.pop_front();
        }
        recent.lived.push_back(course);
    }

    /// A course for a decoy that is issued now: one of those remembered, undelivered ones among them; a plausible one
    /// where there is none.
    pub fn pretend(&self, now: Millis, entropy: &dyn Entropy) -> Course {
        let recent = self.recent();
        if recent
            .waiting_since
            .is_some_and(|since| since + STALLED_AFTER <= now)
        {
            return Course::default();
        }
        let chosen = entropy.up_to((recent.lived.len() as u64).saturating_sub(1)) as usize;
        recent.lived.get(chosen).copied().unwrap_or_else(|| {
            let between =
                |from: Millis, span: u64| from + Millis::try_from(entropy.up_to(span)).unwrap_or_default();
            let sent = between(150, 250);
            Course {
                sent: Some(sent),
                end: self
                    .receipts_from
                    .map(|_| (End::Delivered, sent + between(1_500, 3_000))),
            }
        })
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
