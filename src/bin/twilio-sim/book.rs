//! The newest messages, and counts of all. One lock serves it: what happens under it takes a microsecond, and calls
//! take thirty at least.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::Serialize;

use crate::message::Message;

/// Earlier messages to a number that a new one is compared with.
const COMPARED: usize = 32;
/// Kinds of outcomes that are counted apart; profiles that change for ever make no more.
const MAX_OUTCOMES: usize = 1000;

pub struct Book {
    keep: usize,
    pages: Mutex<Pages>,
    pub receipts: ReceiptCounts,
    /// How often all was forgotten: receipts from before are posted no more.
    age: AtomicU64,
}

/// A message has a running number, by which both indexes name it.
#[derive(Default)]
struct Pages {
    messages: VecDeque<Arc<Message>>,
    /// The running number of the oldest.
    first: u64,
    by_id: HashMap<u128, u64>,
    by_to: HashMap<String, VecDeque<u64>>,
    counts: Counts,
}

/// What happened since the start, or since all was forgotten.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Counts {
    /// Calls to send, and to look up.
    pub calls: u64,
    pub lookups: u64,
    /// Messages that were taken, whatever the caller learned of it.
    pub accepted: u64,
    /// Of those, how many had the number and the code (the text, where there is no code) of another one.
    pub duplicates: u64,
    /// Numbers that have messages, and messages that are kept.
    pub numbers: usize,
    pub kept: usize,
    /// How calls to send ended, and how look-ups did.
    pub by_outcome: BTreeMap<String, u64>,
    pub by_lookup: BTreeMap<String, u64>,
}

#[derive(Debug, Default)]
pub struct ReceiptCounts {
    pub posted: AtomicU64,
    pub refused: AtomicU64,
    pub given_up: AtomicU64,
    pub dropped: AtomicU64,
    pub pending: AtomicU64,
}

impl Book {
    pub fn new(keep: usize) -> Self {
        Self {
            keep,
            pages: Mutex::default(),
            receipts: ReceiptCounts::default(),
            age: AtomicU64::new(0),
        }
    }

    /// Keeps a message; the oldest goes if there is no more room.
    pub fn add(&self, message: Message) -> Arc<Message> {
        let message = Arc::new(message);
        let mut pages = self.pages();
        if pages.messages.len() >= self.keep {
            pages.drop_oldest();
        }
        pages.add(Arc::clone(&message));
        message
    }

    pub fn find(&self, id: u128) -> Option<Arc<Message>> {
        let pages = self.pages();
        pages.at(*pages.by_id.get(&id)?).cloned()
    }

    /// The newest messages first: those to `to`, or all, that are `wanted`, from after the message `after` on.
    pub fn list(
        &self,
        to: Option<&str>,
        after: Option<u128>,
        limit: usize,
        wanted: impl Fn(&Message) -> bool,
    ) -> Vec<Arc<Message>> {
        let pages = self.pages();
        // One that is gone is older than all.
        let before = after.map_or(u64::MAX, |id| pages.by_id.get(&id).copied().unwrap_or_default());
        let of_one = to.map(|to| pages.by_to.get(to).into_iter().flatten().rev().copied());
        let of_all = to.is_none().then(|| pages.numbers().rev());
        let numbers = of_one.into_iter().flatten().chain(of_all.into_iter().flatten());
        numbers
            .skip_while(|number| *number >= before)
            .filter_map(|number| pages.at(number))
            .filter(|message| wanted(message))
            .take(limit)
            .cloned()
            .collect()
    }

    /// Counts the end of a call to send.
    pub fn count_send(&self, outcome: &str) {
        let counts = &mut self.pages().counts;
        counts.calls += 1;
        count(&mut counts.by_outcome, outcome);
    }

    /// Counts the end of a look-up.
    pub fn count_lookup(&self, outcome: &str) {
        let counts = &mut self.pages().counts;
        counts.lookups += 1;
        count(&mut counts.by_lookup, outcome);
    }

    pub fn counts(&self) -> Counts {
        let pages = self.pages();
        let mut counts = pages.counts.clone();
        counts.numbers = pages.by_to.len();
        counts.kept = pages.messages.len();
        counts
    }

    /// Forgets all.
    pub fn reset(&self) {
        let mut pages = self.pages();
        self.age.fetch_add(1, Ordering::Relaxed);
        *pages = Pages::default();
        let ReceiptCounts {
            posted,
            refused,
            given_up,
            dropped,
            pending: _,
        } = &self.receipts;
        for counter in [posted, refused, given_up, dropped] {
            counter.store(0, Ordering::Relaxed);
        }
    }

    pub fn age(&self) -> u64 {
        self.age.load(Ordering::Relaxed)
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn numbers(&self) -> std::ops::Range<u64> {
        self.first..self.first + self.messages.len() as u64
    }

    fn at(&self, number: u64) -> Option<&Arc<Message>> {
        let index = number.checked_sub(self.first)?;
        self.messages.get(usize::try_from(index).ok()?)
    }

    fn add(&mut self, message: Arc<Message>) {
        let number = self.numbers().end;
        let earlier = self.by_to.get(&message.to);
        let mut earlier = earlier.into_iter().flatten().rev().take(COMPARED);
        let again = earlier.any(|number| {
            self.at(*number)
                .is_some_and(|other| other.essence() == message.essence())
        });
        self.counts.accepted += 1;
        self.counts.duplicates += u64::from(again);
        self.by_id.insert(message.id, number);
        match self.by_to.get_mut(&message.to) {
            Some(numbers) => numbers.push_back(number),
            None => drop(self.by_to.insert(message.to.clone(), VecDeque::from([number]))),
        }
        self.messages.push_back(message);
    }

    fn drop_oldest(&mut self) {
        let Some(oldest) = self.messages.pop_front() else {
            return;
        };
        self.first += 1;
        self.by_id.remove(&oldest.id);
        if let Some(numbers) = self.by_to.get_mut(&oldest.to) {
            numbers.pop_front();
            if numbers.is_empty() {
                self.by_to.remove(&oldest.to);
            }
        }
    }
}

fn count(outcomes: &mut BTreeMap<String, u64>, outcome: &str) {
    if let Some(count) = outcomes.get_mut(outcome) {
        *count += 1;
    } else if outcomes.len() < MAX_OUTCOMES {
        outcomes.insert(outcome.to_owned(), 1);
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::{dice::Dice, profile::Receipts};

    fn message(id: u128, to: &str, body: &str) -> Message {
        Message {
            id,
            account: "AC1".to_owned(),
            from: None,
            service: None,
            to: to.to_owned(),
            body: body.to_owned(),
            at: DateTime::default(),
            fate: crate::profile::Profile {
                receipts: vec![Receipts::default()],
                ..Default::default()
            }
            .fate(to, &mut Dice::new(1, to, 0)),
        }
    }

    fn ids(found: Vec<Arc<Message>>) -> Vec<u128> {
        found.iter().map(|message| message.id).collect()
    }

    #[test]
    fn the_newest_are_kept_and_found() {
        let book = Book::new(4);
        for id in 1..=6 {
            book.add(message(id, if id % 2 == 0 { "+2" } else { "+1" }, "x"));
        }
        assert_eq!(ids(book.list(None, None, 9, |_| true)), [6, 5, 4, 3]);
        assert_eq!(ids(book.list(Some("+1"), None, 9, |_| true)), [5, 3]);
        assert_eq!(ids(book.list(None, Some(5), 1, |_| true)), [4]);
        assert_eq!(ids(book.list(Some("+2"), Some(6), 9, |_| true)), [4]);
        // What comes after one that is gone is gone, too.
        assert_eq!(ids(book.list(None, Some(1), 9, |_| true)), []);
        assert!(book.find(2).is_none());
        assert_eq!(book.find(3).unwrap().to, "+1");
        let counts = book.counts();
        assert_eq!((counts.accepted, counts.kept, counts.numbers), (6, 4, 2));
        for id in 7..=10 {
            book.add(message(id, "+1", "x"));
        }
        assert_eq!(book.counts().numbers, 1, "numbers without messages are forgotten");
        book.reset();
        assert_eq!((book.counts().accepted, book.counts().kept), (0, 0));
        assert_eq!(book.age(), 1);
    }

    #[test]
    fn the_same_code_to_the_same_number_is_a_duplicate() {
        let book = Book::new(9);
        for (id, to, body) in [
            (1, "+1", "Code 111111, 10 minutes"),
            (2, "+2", "Code 111111, 10 minutes"),
            (3, "+1", "Code 222222, 10 minutes"),
            (4, "+1", "Code 111111, 9 minutes"),
        ] {
            book.add(message(id, to, body));
        }
        assert_eq!(book.counts().duplicates, 1);
    }

    #[test]
    fn outcomes_are_counted_in_bounded_room() {
        let book = Book::new(1);
        for number in 0..2 * MAX_OUTCOMES {
            book.count_send(&number.to_string());
            book.count_lookup("found");
        }
        let counts = book.counts();
        assert_eq!(counts.by_outcome.len(), MAX_OUTCOMES);
        assert_eq!(
            (counts.calls, counts.lookups, counts.by_lookup["found"]),
            (2000, 2000, 2000)
        );
    }
}
