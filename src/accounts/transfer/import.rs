//! Everything is checked before the first row is written.
//!
//! Two passes over the lines: the first judges each by itself, against the others and against the database, and writes
//! nothing. Only where nothing is refused (or the operator lets the refused be left out) the second writes, some thousand in
//! a transaction. An import that was ended in the middle is run again: who is there already is passed over. So is whom another
//! import makes between the two passes; lines that accounts of that time stand in the way of are refused late.

use std::{io, sync::Arc};

use thiserror::Error;

use super::{
    Known, Lines, Probe, TransferStore, TransferredUser, UserRules,
    duplicates::{Duplicate, Duplicates},
    lines::Line,
};
use crate::{
    entropy::Entropy,
    events::{EventKind, NewEvent, Source},
    unavailable::Unavailable,
};

/// Lines that are judged, and users that are written, at a time.
const BATCH: usize = 1000;
const IN_THE_WAY: &str = "an account had its id, e-mail address or verified phone";

/// What an import works with.
pub struct Import {
    pub store: Arc<dyn TransferStore>,
    pub entropy: Arc<dyn Entropy>,
    pub rules: UserRules,
    /// Whether the others are imported where some lines are refused.
    pub skip_refused: bool,
}

/// Who is told how it goes.
pub trait ImportReport: Send {
    /// A line of this name ("line 5", "row with id 20") is refused, for this reason.
    fn refused(&mut self, line: &str, reason: &str);
    /// Some more lines are through.
    fn progress(&mut self, progress: Progress);
}

/// How far it is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    pub step: Step,
    /// Of the file, in bytes.
    pub read: u64,
    pub len: u64,
    pub counts: Imported,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Check,
    Write,
}

/// What became of the lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    pub made: u64,
    /// Of these, who has no way into the account.
    pub shut_out: u64,
    /// Of these, who signs in only once the phone is verified.
    pub phone_first: u64,
    /// They were there already.
    pub present: u64,
    pub refused: u64,
}

/// Why an import didn't come to its end.
#[derive(Debug, Error)]
pub enum ImportError {
    #[error("the lines can't be read: {0}")]
    Read(#[from] io::Error),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error("{} lines are refused, and nothing is written", .0.refused)]
    Refused(Imported),
    #[error("{} lines are refused, and the others are written: accounts were made or proven meanwhile", .0.refused)]
    RefusedLate(Imported),
}

/// What is to be done with a line.
enum Judged {
    Make(TransferredUser),
    Present,
    Refused(String),
}

/// The lines that the check refused: a bit for each, so that few bytes do for any file.
#[derive(Default)]
struct LeftOut(Vec<u64>);

impl LeftOut {
    fn add(&mut self, line: u64) {
        let (word, bit) = Self::place(line);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= bit;
    }

    fn has(&self, line: u64) -> bool {
        let (word, bit) = Self::place(line);
        self.0.get(word).is_some_and(|bits| bits & bit != 0)
    }

    fn place(line: u64) -> (usize, u64) {
        let word = usize::try_from(line / 64).unwrap_or(usize::MAX);
        (word, 1 << (line % 64))
    }
}

impl Import {
    /// Imports the users of the lines.
    ///
    /// # Errors
    /// [`ImportError`]. With `Refused`, nothing was written; with `RefusedLate`, all others were; with the others, what was
    /// written stays, and the import can be run again.
    pub async fn run(
        &self,
        lines: &mut Lines,
        report: &mut dyn ImportReport,
    ) -> Result<Imported, ImportError> {
        let (checked, left_out) = self.check(lines, report).await?;
        if checked.refused > 0 && !self.skip_refused {
            return Err(ImportError::Refused(checked));
        }
        lines.rewind()?;
        let written = self.write(lines, &left_out, report, checked.refused).await?;
        match written.refused > checked.refused && !self.skip_refused {
            true => Err(ImportError::RefusedLate(written)),
            false => Ok(written),
        }
    }

    async fn check(
        &self,
        lines: &mut Lines,
        report: &mut dyn ImportReport,
    ) -> Result<(Imported, LeftOut), ImportError> {
        let (mut counts, mut left_out) = (Imported::default(), LeftOut::default());
        let mut duplicates = Duplicates::new(self.entropy.as_ref())?;
        loop {
            let batch = self.judge(lines.next(BATCH)?).await?;
            if batch.is_empty() {
                break;
            }
            for (number, judged) in batch {
                match judged {
                    Judged::Make(user) => note(&mut duplicates, &user, number)?,
                    Judged::Present => counts.present += 1,
                    Judged::Refused(reason) => {
                        counts.refused += 1;
                        left_out.add(number);
                        report.refused(&lines.name(number), &reason);
                    }
                }
            }
            report.progress(progress(Step::Check, lines, counts));
        }
        for Duplicate { line, of } in duplicates.find()? {
            counts.refused += 1;
            left_out.add(line);
            let of = lines.name(of);
            report.refused(
                &lines.name(line),
                &format!("has the id, the e-mail address or the verified phone of {of}"),
            );
        }
        Ok((counts, left_out))
    }

    async fn write(
        &self,
        lines: &mut Lines,
        left_out: &LeftOut,
        report: &mut dyn ImportReport,
        refused: u64,
    ) -> Result<Imported, ImportError> {
        let mut counts = Imported {
            refused,
            ..Imported::default()
        };
        loop {
            let batch = self.judge(lines.next(BATCH)?).await?;
            if batch.is_empty() {
                return Ok(counts);
            }
            let (mut users, mut numbers, mut late) = (Vec::new(), Vec::new(), Vec::new());
            for (number, judged) in batch {
                match judged {
                    _ if left_out.has(number) => {}
                    Judged::Make(user) => {
                        numbers.push(number);
                        users.push((user, self.event()));
                    }
                    Judged::Present => counts.present += 1,
                    Judged::Refused(reason) => late.push((number, reason)),
                }
            }
            let made = self
                .store
                .insert(&users, self.rules.today, self.rules.now)
                .await?;
            let users = numbers
                .into_iter()
                .zip(users)
                .map(|(number, (user, _))| (number, user));
            let (ours, others): (Vec<_>, Vec<_>) = users.partition(|(_, user)| made.contains(&user.id));
            counts.made += ours.len() as u64;
            counts.shut_out += ours.iter().filter(|(_, user)| !user.has_way_in()).count() as u64;
            counts.phone_first += ours.iter().filter(|(_, user)| user.has_to_verify_phone()).count() as u64;
            for (number, judged) in self.against_now(others).await? {
                match judged {
                    Judged::Present => counts.present += 1,
                    Judged::Refused(reason) => late.push((number, reason)),
                    // Whoever was in the way is gone again.
                    Judged::Make(_) => late.push((number, IN_THE_WAY.to_owned())),
                }
            }
            late.sort_unstable();
            for (number, reason) in late {
                counts.refused += 1;
                report.refused(&lines.name(number), &reason);
            }
            report.progress(progress(Step::Write, lines, counts));
        }
    }

    async fn judge(&self, lines: Vec<Line>) -> Result<Vec<(u64, Judged)>, Unavailable> {
        let parsed = lines.into_iter().map(|Line { number, text }| {
            let user = match text {
                Some(text) => TransferredUser::parse(&text, &self.rules).map_err(|faults| faults.join("; ")),
                None => Err("longer than 65536 bytes".to_owned()),
            };
            (number, user)
        });
        let parsed: Vec<_> = parsed.collect();
        let known = self
            .known(parsed.iter().filter_map(|(_, user)| user.as_ref().ok()))
            .await?;
        let judge = |(number, user): (u64, Result<TransferredUser, String>)| {
            let judged = user.map_or_else(Judged::Refused, |user| against(user, &known));
            (number, judged)
        };
        Ok(parsed.into_iter().map(judge).collect())
    }

    /// Judges whom the insert left out: an account that came since the last look is in the way, or is the user's own, made by
    /// another import.
    async fn against_now(
        &self,
        users: Vec<(u64, TransferredUser)>,
    ) -> Result<Vec<(u64, Judged)>, Unavailable> {
        let known = self.known(users.iter().map(|(_, user)| user)).await?;
        let judge = |(number, user)| (number, against(user, &known));
        Ok(users.into_iter().map(judge).collect())
    }

    async fn known<'a>(&self, of: impl Iterator<Item = &'a TransferredUser>) -> Result<Known, Unavailable> {
        let probe = Probe::of(of);
        match probe.ids.is_empty() {
            true => Ok(Known::default()),
            false => self.store.known(probe).await,
        }
    }

    fn event(&self) -> NewEvent {
        let entropy = self.entropy.as_ref();
        NewEvent::new(
            EventKind::AccountImported,
            Source::system(),
            self.rules.now,
            entropy,
        )
    }
}

/// Judges a user against the accounts that are there.
fn against(user: TransferredUser, known: &Known) -> Judged {
    if known.ids.contains(&user.id) {
        return Judged::Present;
    }
    let email = user.email.as_ref().map(|email| email.key());
    if email.is_some_and(|key| known.emails.contains_key(key)) {
        return Judged::Refused("email: an account with another id has it".to_owned());
    }
    if user.phone_verified && known.phones.contains_key(user.phone.expose()) {
        return Judged::Refused("phone: another account has verified it".to_owned());
    }
    Judged::Make(user)
}

fn note(duplicates: &mut Duplicates, user: &TransferredUser, line: u64) -> io::Result<()> {
    duplicates.add("id", user.id.as_bytes(), line)?;
    if let Some(email) = &user.email {
        duplicates.add("email", email.key().as_bytes(), line)?;
    }
    if user.phone_verified {
        duplicates.add("phone", user.phone.expose().as_bytes(), line)?;
    }
    Ok(())
}

fn progress(step: Step, lines: &Lines, counts: Imported) -> Progress {
    Progress {
        step,
        read: lines.read,
        len: lines.len,
        counts,
    }
}
