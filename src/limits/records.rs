//! How counters go to the scripts: those of one subject stand in one record, so that they are read and written as one. `gcra.lua`
//! has what is in it.

use super::store::{Counter, Marker, Refund, Verdict};
use crate::redis::Call;

/// What most rules take; those that grow have eight more.
pub(super) const RULE_BYTES: usize = 30;
/// Records that a request has seldom more of.
const USUAL: usize = 8;

/// Where the room stands in a rule.
const ROOM_AT: usize = 14;

/// Flags above the place of a record, as `gcra.lua` has them.
pub(super) const SHADOW: u16 = 1024;
pub(super) const GROWS: u16 = 2048;
pub(super) const WORKS: u16 = 4096;

impl Counter {
    /// The name of the record that it is in, after the partition's prefix: that of all counters of whom it counts.
    pub fn record(&self) -> String {
        [NAME, &self.name.whom].concat()
    }

    /// Whether the request may find it raised: with a proof of work, where codes that are typed make it larger.
    fn may_be_raised(&self) -> bool {
        self.has_worked && self.grows_by > 0
    }

    /// What the room says that it has left, or that is missing, in microseconds.
    fn verdict(&self, room: i64) -> Verdict {
        if room >= 0 {
            return Verdict::Admitted {
                remaining: u32::try_from(room / self.emission_us).unwrap_or(u32::MAX),
            };
        }
        // What a larger rule, or a clock that was set back, has left there counts as full and no more.
        let most = self.emission_us * (i64::from(self.units) + i64::from(self.worked_by));
        Verdict::Refused {
            retry_after_us: (-room).min(most),
        }
    }
}

impl Refund {
    /// The records of its counters, with what is given back.
    pub fn records(&self) -> Records<'_> {
        Records::given_back(self.counters.iter(), Some(self.earns))
    }
}

impl Marker {
    /// Adds its key.
    pub fn add_key(&self, call: &mut Call<'_>) {
        call.key(self.partition, [self.key.as_str()]);
    }
}

/// How the names of records begin.
const NAME: &str = "l:";

/// Rules as a script is written for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// As `gcra.lua` has rules, but for what a message costs: it differs from one to the next, so its room is [`VARIES`] there, and
    /// what is spent 1 if anything is.
    pub signature: Vec<u8>,
    /// The room and what is spent (8 bytes each) of each such rule.
    pub varying: Vec<u8>,
}

/// In place of a room that varies. No rule has it.
pub const VARIES: f64 = f64::NEG_INFINITY;

/// Counters for a script: the records that they are in, and their rules.
pub struct Records<'a> {
    /// The partition and the text of each.
    subjects: Vec<(u8, &'a str)>,
    rules: Vec<u8>,
    /// Where the room of each rule begins that depends on what a message costs.
    varying: Vec<usize>,
}

impl<'a> Records<'a> {
    /// To spend from them; from those that count messages if one goes out.
    pub fn asked(counters: &'a [Counter], message: bool) -> Self {
        let mut records = Self::with_room_for(counters.len(), 0);
        for counter in counters {
            let spends = message || !counter.by_message;
            records.push(
                counter,
                counter.units,
                spends,
                counter.enforce,
                counter.may_be_raised(),
            );
        }
        records
    }

    /// To spend from each whatever the others say, by those at the places in `counters` that are of one record.
    pub(super) fn each(counters: &'a [Counter], places: &[usize], message: bool) -> Self {
        let mut records = Self::with_room_for(places.len(), 0);
        for &at in places {
            let spends = message || !counters[at].by_message;
            let counter = &counters[at];
            records.push(counter, counter.units, spends, false, counter.may_be_raised());
        }
        records
    }

    /// To give back what a message has spent whose code was typed. `earns` stands before the rules if it is given.
    pub(super) fn given_back(counters: impl Iterator<Item = &'a Counter>, earns: Option<bool>) -> Self {
        let mut records = Self::with_room_for(4, 1);
        records.rules.extend(earns.map(u8::from));
        for counter in counters {
            records.push(counter, 0, false, true, counter.worked_by > 0);
        }
        records
    }

    fn with_room_for(counters: usize, before: usize) -> Self {
        Self {
            subjects: Vec::with_capacity(counters.min(USUAL)),
            rules: Vec::with_capacity(before + (RULE_BYTES + 8) * counters),
            varying: Vec::new(),
        }
    }

    fn push(&mut self, counter: &'a Counter, units: u32, spends: bool, enforce: bool, works: bool) {
        let subject = (counter.partition, counter.name.whom.as_str());
        let known = self.subjects.iter().position(|&known| known == subject);
        let place = known.unwrap_or_else(|| {
            self.subjects.push(subject);
            self.subjects.len() - 1
        });
        // Limits files have far fewer rules than there are places below the flags.
        let mut place = place as u16 + 1;
        if !enforce {
            place |= SHADOW;
        }
        if counter.grows_by > 0 {
            place |= GROWS;
        }
        if works {
            place |= WORKS;
        }
        let emission = counter.emission_us;
        let room = (i64::from(counter.burst) - i64::from(units)) * emission;
        let spent = if spends { i64::from(units) * emission } else { 0 };
        if units > 1 {
            self.varying.push(self.rules.len() + ROOM_AT);
        }
        // One piece: to add small ones takes several times as long.
        let mut packed = [0; RULE_BYTES + 8];
        packed[..2].copy_from_slice(&place.to_le_bytes());
        packed[2..6].copy_from_slice(&counter.name.rule.bytes());
        packed[6..14].copy_from_slice(&(emission as f64).to_le_bytes());
        packed[14..22].copy_from_slice(&(room as f64).to_le_bytes());
        packed[22..30].copy_from_slice(&(spent as f64).to_le_bytes());
        packed[30..].copy_from_slice(&f64::from(counter.grows_by).to_le_bytes());
        let length = RULE_BYTES + if counter.grows_by > 0 { 8 } else { 0 };
        self.rules.extend_from_slice(&packed[..length]);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.subjects.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }

    /// Adds their keys. [`Records::into_rules`] is the argument that goes with them.
    pub fn add_keys(&self, call: &mut Call<'_>) {
        for &(partition, text) in &self.subjects {
            call.key(partition, [NAME, text]);
        }
    }

    /// The rules as a script is written for them.
    pub(super) fn signed(&self) -> Signed {
        let (mut signature, mut varying) = (self.rules.clone(), Vec::with_capacity(16 * self.varying.len()));
        for &at in &self.varying {
            let (room, spent) = (at..at + 8, at + 8..at + 16);
            varying.extend_from_slice(&self.rules[at..at + 16]);
            let spends = self.rules[spent.clone()].iter().any(|&byte| byte != 0);
            signature[room].copy_from_slice(&VARIES.to_le_bytes());
            signature[spent].copy_from_slice(&f64::from(u8::from(spends)).to_le_bytes());
        }
        Signed { signature, varying }
    }

    /// The rules, as `gcra_all` has them.
    pub(super) fn rules(&self) -> &[u8] {
        &self.rules
    }

    /// The rules, as `gcra_all` and `gcra_refund_all` have them.
    pub fn into_rules(self) -> Vec<u8> {
        self.rules
    }
}

/// Reads what `gcra_all` gives about counters, at the beginning of an answer; of all of them or of none. Gives what comes after it,
/// too.
pub fn read_verdicts<'a>(answer: &'a [u8], counters: &[Counter]) -> Option<(Vec<Verdict>, &'a [u8])> {
    let (&count, answer) = answer.split_first()?;
    let (rooms, rest) = answer.split_at_checked(usize::from(count) * 8)?;
    if count == 0 {
        return Some((Vec::new(), rest));
    }
    let verdict = |(room, counter): (&[u8], &Counter)| {
        let room = f64::from_le_bytes(room.try_into().unwrap_or_default());
        counter.verdict(room as i64)
    };
    let verdicts: Vec<_> = rooms.chunks_exact(8).zip(counters).map(verdict).collect();
    (verdicts.len() == counters.len()).then_some((verdicts, rest))
}
