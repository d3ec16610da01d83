//! Codes that were just taken. A double click sends one twice, and the browser throws the first answer away, with the cookie: the
//! second has the same answer.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync;
use uuid::Uuid;

/// How long after the first a second click is one of the same.
const TWICE: TimeDelta = TimeDelta::seconds(10);
/// Sessions that are remembered; of more, the last ones.
const MOST: usize = 64;

/// What came of the code that was typed last for a session.
type Turn = Arc<sync::Mutex<Option<Taken>>>;

/// A code that was taken.
pub struct Taken {
    /// A MAC of what was typed.
    pub typed: [u8; 16],
    /// The session that it opened.
    pub opened: Uuid,
    pub at: DateTime<Utc>,
}

/// Whose code is judged: those of one session one after the other.
#[derive(Default)]
pub struct Turns(Mutex<VecDeque<(Uuid, Turn)>>);

impl Turns {
    /// The turn of a session.
    pub fn of(&self, session: Uuid) -> Turn {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, turn)) = turns.iter().find(|(of, _)| *of == session) {
            return Arc::clone(turn);
        }
        if turns.len() == MOST {
            turns.pop_front();
        }
        let turn = Turn::default();
        turns.push_back((session, Arc::clone(&turn)));
        turn
    }
}

impl Taken {
    /// The session that these very fields have just opened.
    pub fn again(&self, typed: [u8; 16], now: DateTime<Utc>) -> Option<Uuid> {
        (self.typed == typed && now - self.at < TWICE).then_some(self.opened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_turns_are_remembered_than_have_room() {
        let turns = Turns::default();
        let sessions: Vec<_> = (0..100).map(Uuid::from_u128).collect();
        let given: Vec<_> = sessions.iter().map(|&session| turns.of(session)).collect();
        assert!(Arc::ptr_eq(&turns.of(sessions[99]), &given[99]));
        assert!(
            !Arc::ptr_eq(&turns.of(sessions[0]), &given[0]),
            "it is kept for ever"
        );
        assert_eq!(turns.0.lock().unwrap().len(), MOST);
    }

    #[test]
    fn the_same_code_soon_after_is_the_same_click() {
        let at = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
        let opened = Uuid::from_u128(7);
        let taken = Taken {
            typed: [1; 16],
            opened,
            at,
        };
        let later = |seconds| at + TimeDelta::seconds(seconds);
        assert_eq!(taken.again([1; 16], later(9)), Some(opened));
        assert_eq!(taken.again([1; 16], later(10)), None);
        assert_eq!(taken.again([2; 16], later(0)), None);
    }
}
