//! Which faults there shall be, as a file or `POST /faults` says it.

use std::{fs, io::Read, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    dice::Dice,
    message::{Ending, Fate},
    span::{Delay, Span},
};

/// A longer profile is none.
const MAX_BYTES: u64 = 256 * 1024;
const MAX_RULES: usize = 1000;

/// What the simulator does beside its duty. Of each list, a call meets the first entry that is for its number and that
/// its dice choose.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// Before each answer.
    pub delay: Option<Delay>,
    #[serde(rename = "fault")]
    pub faults: Vec<Fault>,
    #[serde(rename = "receipts")]
    pub receipts: Vec<Receipts>,
}

/// One way to fail.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub what: What,
    /// Whether it meets sends or look-ups.
    #[serde(default)]
    pub on: On,
    /// Numbers it is for: whole ones, or beginnings that end in `*`. None: all.
    #[serde(default)]
    pub to: Vec<String>,
    /// How many of the calls that it is for, 0 to 1.
    #[serde(default = "always")]
    pub rate: f64,
    /// Whether the message is taken all the same.
    #[serde(default)]
    pub taken: bool,
    /// The answer's HTTP status, and the code that stands in it.
    #[serde(default)]
    pub status: Option<u16>,
    #[serde(default)]
    pub code: Option<u32>,
    #[serde(default)]
    pub retry_after: Option<Span>,
    /// How long a `hang` lasts, or over how long a `drip` is spread.
    #[serde(default)]
    pub over: Option<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// An answer as Twilio refuses: `status`, `code`, `retry_after`.
    Error,
    /// An answer that is no JSON.
    Garbage,
    /// No answer, and the connection is cut after `over`.
    Hang,
    /// No answer: the connection is closed.
    Cut,
    /// No answer: the connection is reset.
    Reset,
    /// The answer comes a few bytes at a time.
    Drip,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum On {
    #[default]
    Send,
    Lookup,
}

/// What becomes of messages, and of the receipts that tell of it.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Receipts {
    /// As for faults.
    pub to: Vec<String>,
    /// From being taken to `sent`, and from there to the end.
    pub sent: Delay,
    pub done: Delay,
    /// Shares of the messages that end so, with one of these codes; the others are delivered.
    pub undelivered: f64,
    pub failed: f64,
    pub codes: Vec<u32>,
    /// Shares of the messages whose last receipt comes later by so much; whose receipts come again; whose last one
    /// comes first; who have none.
    pub late: f64,
    pub late_by: Delay,
    pub repeated: f64,
    pub disordered: f64,
    pub lost: f64,
    /// How often a receipt is posted that isn't taken.
    pub tries: u32,
}

impl Default for Receipts {
    fn default() -> Self {
        Self {
            to: Vec::new(),
            sent: Delay::fixed(100),
            done: Delay::fixed(400),
            undelivered: 0.0,
            failed: 0.0,
            codes: vec![30003, 30005],
            late: 0.0,
            late_by: Delay::fixed(10_000),
            repeated: 0.0,
            disordered: 0.0,
            lost: 0.0,
            tries: 3,
        }
    }
}

fn always() -> f64 {
    1.0
}

impl Profile {
    /// The profile that combines all faults.
    pub fn chaos() -> Self {
        Self::from_toml(include_str!("chaos.toml")).unwrap_or_default()
    }

    /// Reads a file: JSON if its name says so, TOML otherwise.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn read(path: &Path) -> Result<Self, String> {
        let mut text = String::new();
        let file = fs::File::open(path).map_err(|error| error.to_string())?;
        let read = file.take(MAX_BYTES + 1).read_to_string(&mut text);
        read.map_err(|error| error.to_string())?;
        if text.len() as u64 > MAX_BYTES {
            return Err(format!("longer than {MAX_BYTES} bytes"));
        }
        match path.extension() {
            Some(extension) if extension == "json" => Self::from_json(text.as_bytes()),
            _ => Self::from_toml(&text),
        }
    }

    /// # Errors
    /// What is wrong, and where.
    pub fn from_json(text: &[u8]) -> Result<Self, String> {
        serde_json::from_slice::<Self>(text)
            .map_err(|error| error.to_string())?
            .checked()
    }

    fn from_toml(text: &str) -> Result<Self, String> {
        toml::from_str::<Self>(text)
            .map_err(|error| error.to_string().trim_end().to_owned())?
            .checked()
    }

    fn checked(self) -> Result<Self, String> {
        if self.faults.len() > MAX_RULES || self.receipts.len() > MAX_RULES {
            return Err(format!("more than {MAX_RULES} entries"));
        }
        for (index, fault) in self.faults.iter().enumerate() {
            let checked = fault.check();
            checked.map_err(|wrong| format!("fault {}: {wrong}", index + 1))?;
        }
        for (index, receipts) in self.receipts.iter().enumerate() {
            let checked = receipts.check();
            checked.map_err(|wrong| format!("receipts {}: {wrong}", index + 1))?;
        }
        Ok(self)
    }

    /// The fault that a call meets.
    pub fn fault(&self, on: On, to: &str, dice: &mut Dice) -> Option<&Fault> {
        let mut faults = self.faults.iter();
        faults.find(|fault| fault.on == on && is_for(&fault.to, to) && dice.hits(fault.rate))
    }

    /// What becomes of a message to this number.
    pub fn fate(&self, to: &str, dice: &mut Dice) -> Fate {
        match self.receipts.iter().find(|receipts| is_for(&receipts.to, to)) {
            Some(receipts) => receipts.fate(dice),
            None => Receipts::default().fate(dice),
        }
    }
}

impl Fault {
    fn check(&self) -> Result<(), String> {
        is_share("rate", self.rate)?;
        are_numbers(&self.to)?;
        match self.status {
            Some(status) if !(400..600).contains(&status) => Err(format!("status {status}: 400 to 599")),
            _ => Ok(()),
        }
    }
}

impl Receipts {
    fn check(&self) -> Result<(), String> {
        are_numbers(&self.to)?;
        is_share("undelivered and failed", self.undelivered + self.failed)?;
        for (name, rate) in [
            ("undelivered", self.undelivered),
            ("failed", self.failed),
            ("late", self.late),
            ("repeated", self.repeated),
            ("disordered", self.disordered),
            ("lost", self.lost),
        ] {
            is_share(name, rate)?;
        }
        match self.tries {
            1..=20 => Ok(()),
            tries => Err(format!("tries {tries}: 1 to 20")),
        }
    }

    fn fate(&self, dice: &mut Dice) -> Fate {
        let sent = self.sent.draw(dice);
        let done = sent + self.done.draw(dice);
        let luck = dice.fraction();
        let code = dice.pick(&self.codes);
        let ending = if luck < self.undelivered {
            Ending::Undelivered(code)
        } else if luck < self.undelivered + self.failed {
            Ending::Failed(code)
        } else {
            Ending::Delivered
        };
        let late = dice.hits(self.late).then(|| self.late_by.draw(dice));
        Fate {
            sent,
            done,
            ending,
            told_done: done + late.unwrap_or_default(),
            repeated: dice.hits(self.repeated),
            disordered: dice.hits(self.disordered),
            untold: dice.hits(self.lost),
            tries: self.tries,
        }
    }
}

fn is_for(numbers: &[String], to: &str) -> bool {
    let fits = |number: &String| match number.strip_suffix('*') {
        Some(beginning) => to.starts_with(beginning),
        None => number == to,
    };
    numbers.is_empty() || numbers.iter().any(fits)
}

fn is_share(name: &str, rate: f64) -> Result<(), String> {
    match (0.0..=1.0).contains(&rate) {
        true => Ok(()),
        false => Err(format!("{name} = {rate}: 0 to 1")),
    }
}

fn are_numbers(numbers: &[String]) -> Result<(), String> {
    let is_number = |number: &&String| {
        let digits = number.strip_suffix('*').unwrap_or(number).strip_prefix('+');
        digits.is_some_and(|digits| digits.len() <= 15 && digits.bytes().all(|digit| digit.is_ascii_digit()))
    };
    match numbers.iter().find(|number| !is_number(number)) {
        Some(number) => Err(format!(
            "to {number:?}: \"+14152000001\", or a beginning \"+1415*\""
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chaos_has_every_fault() {
        let chaos = Profile::from_toml(include_str!("chaos.toml")).unwrap();
        for what in [
            What::Error,
            What::Garbage,
            What::Hang,
            What::Cut,
            What::Reset,
            What::Drip,
        ] {
            let mut faults = chaos.faults.iter();
            assert!(faults.any(|fault| fault.what == what), "{what:?}");
        }
        assert!(
            chaos
                .faults
                .iter()
                .any(|fault| fault.taken && fault.what == What::Hang)
        );
        assert!(chaos.faults.iter().any(|fault| fault.on == On::Lookup));
        // As JSON it is the same.
        let json = serde_json::to_vec(&chaos).unwrap();
        assert_eq!(Profile::from_json(&json).unwrap(), chaos);
    }

    #[test]
    fn the_first_entry_for_a_number_is_met() {
        let text = "[[fault]]\nwhat = 'hang'\nto = ['+1999*', '+15550001']\n[[fault]]\nwhat = 'cut'\nto = ['+1*']\n\
                    [[fault]]\nwhat = 'reset'\non = 'lookup'";
        let profile = Profile::from_toml(text).unwrap();
        let met = |on, to: &str| {
            let fault = profile.fault(on, to, &mut Dice::new(1, to, 0));
            fault.map(|fault| fault.what)
        };
        assert_eq!(met(On::Send, "+19991"), Some(What::Hang));
        assert_eq!(met(On::Send, "+15550001"), Some(What::Hang));
        assert_eq!(met(On::Send, "+155500011"), Some(What::Cut));
        assert_eq!(met(On::Send, "+44"), None);
        assert_eq!(met(On::Lookup, "+44"), Some(What::Reset));
    }

    #[test]
    fn faults_of_a_profile_are_named() {
        for (text, part) in [
            ("[[fault]]\nwhat = 'explode'", "line 2"),
            ("[[fault]]\nwhat = 'cut'\nrte = 1", "rte"),
            ("[[fault]]\nwhat = 'cut'\nrate = 1.5", "fault 1: rate"),
            ("[[fault]]\nwhat = 'cut'\nto = ['1415']", "\"1415\""),
            ("[[fault]]\nwhat = 'error'\nstatus = 200", "status 200"),
            ("delay = '5'", "\"50ms\""),
            (
                "[[receipts]]\nfailed = 0.6\nundelivered = 0.6",
                "undelivered and failed",
            ),
            ("[[receipts]]\ntries = 0", "tries 0"),
        ] {
            let fault = Profile::from_toml(text).unwrap_err();
            assert!(fault.contains(part), "{fault}");
        }
        assert!(
            Profile::from_json(b"{\"dellay\":1}")
                .unwrap_err()
                .contains("dellay")
        );
    }
}
