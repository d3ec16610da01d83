//! How SMS fare these days: what a decoy's status copies.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Course, DeliveryStatus, End, Millis, Pending};
use crate::entropy::Entropy;

/// Courses that are remembered of a provider.
const REMEMBERED: usize = 64;
/// When real SMS wait for so long without a word from any provider, decoys seem to wait as well.
const STALLED_AFTER: Millis = 10_000;
/// Nobody waits longer for an SMS that another instance may have sent meanwhile.
const FORGOTTEN_AFTER: Millis = 600_000;
/// When a decoy that had waited seems to be taken, and to be delivered, after providers answered again.
const TAKEN_AFTER: Millis = 300;
const DELIVERED_AFTER: Millis = 3_000;

/// Lately lived courses. One for an instance: what it learns is enough to be plausible, whichever instance is asked.
pub struct Courses {
    /// The provider whose receipts come in here.
    receipts_from: Option<&'static str>,
    recent: Mutex<Recent>,
}

#[derive(Default)]
struct Recent {
    /// By provider: each is as quick as it is, and not all tell of the end.
    lived: HashMap<&'static str, VecDeque<Course>>,
    /// Real SMS of this process.
    owed: usize,
    /// When the first of them was issued after which no provider said anything.
    waiting_since: Option<Millis>,
    /// When the last stall that is over began and ended.
    stalled: Option<(Millis, Millis)>,
}

impl Recent {
    fn is_stalled(&self, now: Millis) -> bool {
        let stalled = STALLED_AFTER..FORGOTTEN_AFTER;
        self.waiting_since
            .is_some_and(|since| stalled.contains(&(now - since)))
    }

    /// Nobody waits any more.
    fn go_on(&mut self, now: Millis) {
        if let Some(since) = self
            .waiting_since
            .take()
            .filter(|since| now - since >= STALLED_AFTER)
        {
            self.stalled = Some((since, now));
        }
    }
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
        let mut recent = self.recent();
        recent.owed += 1;
        let since = recent.waiting_since.filter(|since| now - since < FORGOTTEN_AFTER);
        recent.waiting_since = Some(since.unwrap_or(now));
    }

    /// A provider took or refused an SMS.
    pub fn answered(&self, now: Millis) {
        self.recent().go_on(now);
    }

    /// So many SMS are not this process's any more. With none left, none waits.
    pub fn ended(&self, count: usize, now: Millis) {
        let mut recent = self.recent();
        recent.owed = recent.owed.saturating_sub(count);
        if recent.owed == 0 {
            recent.go_on(now);
        }
    }

    /// Remembers a course once it is as far as it comes: its end where receipts tell of one, else the provider's word.
    pub fn learn(&self, provider: &'static str, course: Course) {
        if course.end.is_none() && self.receipts_from == Some(provider) {
            return;
        }
        let mut recent = self.recent();
        let lived = recent.lived.entry(provider).or_default();
        if lived.len() == REMEMBERED {
            lived.pop_front();
        }
        lived.push_back(course);
    }

    /// A course for a decoy that is issued now, and that `carrier` would carry if it were real: one of those remembered
    /// of this provider, undelivered ones among them; a plausible one where there is none.
    pub fn pretend(&self, carrier: &'static str, now: Millis, entropy: &dyn Entropy) -> Course {
        let recent = self.recent();
        let has_receipts = self.receipts_from == Some(carrier);
        if recent.is_stalled(now) {
            return Course::pending(has_receipts);
        }
        let lived = recent.lived.get(carrier);
        let count = lived.map_or(0, VecDeque::len) as u64;
        let chosen = entropy.up_to(count.saturating_sub(1)) as usize;
        let lived = lived.and_then(|lived| lived.get(chosen)).copied();
        lived.unwrap_or_else(|| {
            let between =
                |from: Millis, span: u64| from + Millis::try_from(entropy.up_to(span)).unwrap_or_default();
            let sent = between(150, 250);
            Course {
                sent: Some(sent),
                end: has_receipts.then(|| (End::Delivered, sent + between(1_500, 3_000))),
            }
        })
    }

    /// Where a decoy seems to be that was issued in a stall: it waits as long as the real ones do, and goes on with them.
    pub fn meanwhile(&self, decoy: Pending, now: Millis) -> DeliveryStatus {
        let recent = self.recent();
        let issued = now - decoy.elapsed;
        if recent.is_stalled(now) && recent.waiting_since.is_some_and(|since| since <= issued) {
            return DeliveryStatus::Queued;
        }
        let went_on = match recent.stalled {
            Some((began, ended)) if began <= issued => ended.max(issued),
            // One of a stall before that, or of another instance.
            _ => issued,
        };
        match now - went_on {
            ..TAKEN_AFTER => DeliveryStatus::Queued,
            DELIVERED_AFTER.. if decoy.has_receipts => DeliveryStatus::Delivered,
            _ => DeliveryStatus::Sent,
        }
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
