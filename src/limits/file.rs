//! The limits file: its text read into rules, or every fault in it with its place and what is allowed.

use std::{collections::HashMap, fmt, ops::Range, path::Path, sync::Arc, time::Duration};

use thiserror::Error;
use toml::{
    Spanned,
    de::{DeInteger, DeTable, DeValue},
};

use super::rule::{By, Mode, Operation, Rule, RuleSet, Scope};

/// A file of hundreds of rules has some 50 KiB; what is larger than this is no limits file, and isn't read.
pub const MAX_BYTES: u64 = 1024 * 1024;
/// Costs are whole microseconds: at this rate rounding them up takes 10 % of a quota at most, below it far less.
const MAX_PER_SECOND: u64 = 100_000;
const MAX_PER: Duration = Duration::from_secs(30 * 24 * 3600);
const MAX_ID_CHARS: usize = 64;
const KEYS: [&str; 8] = ["id", "on", "by", "quota", "per", "burst", "scope", "mode"];

/// One fault, where it is, and what is allowed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what is allowed.
    pub message: String,
}

/// Why a limits file is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FileError {
    /// It can't be read at all.
    #[error("{file}: {why}")]
    Unreadable { file: String, why: String },
    /// Every fault, in the order of the file; `Display` has one line for each.
    #[error("{}", Self::lines(file, faults).join("\n"))]
    Faulty { file: String, faults: Vec<Fault> },
}

impl FileError {
    /// One line for each fault: `file:line:column: what is wrong; what is allowed`.
    pub fn fault_lines(&self) -> Vec<String> {
        match self {
            Self::Unreadable { .. } => vec![self.to_string()],
            Self::Faulty { file, faults } => Self::lines(file, faults),
        }
    }

    fn lines(file: &str, faults: &[Fault]) -> Vec<String> {
        faults
            .iter()
            .map(|fault| format!("{file}:{}:{}: {}", fault.line, fault.column, fault.message))
            .collect()
    }
}

/// Reads the file's text. Blocks: not for a thread that serves requests.
///
/// # Errors
/// [`FileError::Unreadable`] when it is missing, too large, or not UTF-8.
pub fn read(path: &Path) -> Result<String, FileError> {
    use std::io::Read;

    let unreadable = |why: String| FileError::Unreadable {
        file: path.display().to_string(),
        why,
    };
    let file = std::fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut bytes = Vec::new();
    // One byte more than allowed is enough to know; the size in the metadata may be another file's by now.
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(unreadable("larger than 1 MiB".to_owned()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        unreadable(format!("not UTF-8, at byte {}", at + 1))
    })
}

/// Reads the file into rules. Blocks, as [`read`] does.
///
/// # Errors
/// As for [`read`] and [`parse`].
pub fn load(path: &Path) -> Result<RuleSet, FileError> {
    parse(&read(path)?, &path.display().to_string())
}

/// Reads rules from a text; `name` is what faults call the file.
///
/// `id`, `on`, `by`, `quota` and `per` are required; `burst` is the quota, `scope` is `cluster` and `mode` is `enforce`
/// unless given.
///
/// # Errors
/// Every fault, in the order of the text. There are no rules then, so that a file is taken whole or not at all.
pub fn parse(text: &str, name: &str) -> Result<RuleSet, FileError> {
    let mut reader = Reader {
        text,
        faults: Vec::new(),
        ids: HashMap::new(),
    };
    let rules = match text.len() as u64 {
        0..=MAX_BYTES => reader.document(),
        _ => {
            reader.fault(&(0..0), "larger than 1 MiB");
            Vec::new()
        }
    };
    if reader.faults.is_empty() {
        return Ok(RuleSet::new(rules));
    }
    reader.faults.sort_by_key(|fault| (fault.line, fault.column));
    Err(FileError::Faulty {
        file: name.to_owned(),
        faults: reader.faults,
    })
}

struct Reader<'a> {
    text: &'a str,
    faults: Vec<Fault>,
    /// The ids seen so far, and their lines.
    ids: HashMap<Arc<str>, usize>,
}

type Value<'a> = Spanned<DeValue<'a>>;

impl Reader<'_> {
    fn document(&mut self) -> Vec<Rule> {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        if !errors.is_empty() {
            for error in errors {
                self.fault(
                    &error.span().unwrap_or(0..0),
                    format!("not TOML: {}", error.message()),
                );
            }
            return Vec::new();
        }
        let mut rules = Vec::new();
        for (key, value) in document.get_ref() {
            match value.get_ref() {
                DeValue::Array(tables) if key.get_ref() == "rule" => {
                    for table in tables.iter() {
                        rules.extend(self.rule(table));
                    }
                }
                _ if key.get_ref() == "rule" => {
                    self.fault(&key.span(), "`rule` is written [[rule]], with two brackets");
                }
                _ => self.fault(
                    &key.span(),
                    format!("unknown key {:?}; allowed: [[rule]] tables", key.get_ref()),
                ),
            }
        }
        rules
    }

    /// A rule, or the faults in it.
    fn rule(&mut self, value: &Value<'_>) -> Option<Rule> {
        let DeValue::Table(table) = value.get_ref() else {
            self.fault(&value.span(), "a rule is a table: [[rule]]");
            return None;
        };
        for key in table.keys().filter(|key| !KEYS.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref();
            self.fault(
                &key.span(),
                format!("unknown key {name:?}; allowed: {}", KEYS.join(", ")),
            );
        }
        let field = |name: &str| table.get(name);
        for name in KEYS.iter().take(5).filter(|name| field(name).is_none()) {
            self.fault(&value.span(), format!("this rule has no `{name}`"));
        }
        let id = field("id").and_then(|id| self.id(id));
        let on = field("on").and_then(|on| self.on(on));
        let by = field("by").and_then(|by| self.one_of(by, "by", &By::ALL.map(|by| (by.name(), by))));
        let quota = field("quota").and_then(|quota| self.count(quota, "quota"));
        let per = field("per").and_then(|per| self.duration(per));
        let burst = field("burst").map(|burst| self.count(burst, "burst"));
        let scopes = Scope::ALL.map(|scope| (scope.name(), scope));
        let scope = field("scope").map_or(Some(Scope::Cluster), |scope| self.one_of(scope, "scope", &scopes));
        let modes = Mode::ALL.map(|mode| (mode.name(), mode));
        let mode = field("mode").map_or(Some(Mode::Enforce), |mode| self.one_of(mode, "mode", &modes));

        if let (Some(Some(on)), Some(by), Some(place)) = (on, by, field("by"))
            && !on.can_be_counted(by)
        {
            self.never_applies(on, by, place);
        }
        if let (Some(quota), Some(per), Some(place)) = (quota, per, field("quota"))
            && u64::from(quota) > per.as_secs() * MAX_PER_SECOND
        {
            self.fault(
                &place.span(),
                format!("quota {quota} is too much; allowed: {MAX_PER_SECOND} a second"),
            );
        }
        if let (Some(quota), Some(Some(burst)), Some(place)) = (quota, burst, field("burst"))
            && burst > quota
        {
            self.fault(
                &place.span(),
                format!("burst {burst} is more than the quota; allowed: 1 to {quota}"),
            );
        }
        Some(Rule {
            id: id?,
            on: on?,
            by: by?,
            quota: quota?,
            per: per?,
            burst: burst.unwrap_or(quota)?,
            scope: scope?,
            mode: mode?,
        })
    }

    fn never_applies(&mut self, on: Operation, by: By, place: &Value<'_>) {
        let allowed: Vec<_> = By::ALL
            .into_iter()
            .filter(|&by| on.can_be_counted(by))
            .map(By::name)
            .collect();
        let (by, on, allowed) = (by.name(), on.name(), allowed.join(", "));
        self.fault(
            &place.span(),
            format!("this rule can never apply: {on:?} knows no {by}; allowed on it: {allowed}"),
        );
    }

    fn id(&mut self, value: &Value<'_>) -> Option<Arc<str>> {
        let id = self.string(value, "id")?;
        let sound = |id: &str| {
            (1..=MAX_ID_CHARS).contains(&id.len())
                && id
                    .bytes()
                    .all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == b'-')
        };
        if sound(id) {
            let (line, _) = self.place(value.span().start);
            if let Some(first) = self.ids.insert(id.into(), line) {
                self.fault(
                    &value.span(),
                    format!("duplicate id {id:?}: line {first} has it already"),
                );
            }
            return Some(id.into());
        }
        self.fault(
            &value.span(),
            format!("id {id:?}; allowed: 1 to {MAX_ID_CHARS} of a-z, 0-9 and -"),
        );
        None
    }

    /// The outer `None` is a fault, the inner one is `any`.
    fn on(&mut self, value: &Value<'_>) -> Option<Option<Operation>> {
        let mut choices = Operation::ALL
            .map(|operation| (operation.name(), Some(operation)))
            .to_vec();
        choices.push(("any", None));
        self.one_of(value, "on", &choices)
    }

    fn one_of<T: Copy>(&mut self, value: &Value<'_>, name: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.string(value, name)?;
        if let Some(&(_, choice)) = choices.iter().find(|(choice, _)| *choice == text) {
            return Some(choice);
        }
        let allowed: Vec<_> = choices.iter().map(|&(choice, _)| choice).collect();
        self.fault(
            &value.span(),
            format!("unknown {name} {text:?}; allowed: {}", allowed.join(", ")),
        );
        None
    }

    fn count(&mut self, value: &Value<'_>, name: &str) -> Option<u32> {
        let parsed = match value.get_ref() {
            DeValue::Integer(number) => integer(number),
            _ => None,
        };
        if parsed.is_none() {
            self.fault(
                &value.span(),
                format!("{name} is a whole number; allowed: 1 to {}", u32::MAX),
            );
        }
        parsed
    }

    fn duration(&mut self, value: &Value<'_>) -> Option<Duration> {
        let text = self.string(value, "per")?;
        let parsed = text.find(|sign: char| !sign.is_ascii_digit()).and_then(|at| {
            let (number, unit) = text.split_at(at);
            let unit = match unit {
                "s" => 1,
                "m" => 60,
                "h" => 3600,
                "d" => 86_400,
                _ => return None,
            };
            number
                .parse::<u64>()
                .ok()?
                .checked_mul(unit)
                .map(Duration::from_secs)
        });
        let allowed = Duration::from_secs(1)..=MAX_PER;
        if let Some(per) = parsed.filter(|per| allowed.contains(per)) {
            return Some(per);
        }
        self.fault(
            &value.span(),
            format!("per {text:?}; allowed: a whole number and a unit (s, m, h, d), \"1s\" to \"30d\""),
        );
        None
    }

    fn string<'v>(&mut self, value: &'v Value<'_>, name: &str) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            let found = value.get_ref().type_str();
            self.fault(
                &value.span(),
                format!("{name} is a string in quotes, not {found}"),
            );
        }
        text
    }

    fn fault(&mut self, span: &Range<usize>, message: impl fmt::Display) {
        let (line, column) = self.place(span.start);
        self.faults.push(Fault {
            line,
            column,
            message: message.to_string(),
        });
    }

    /// Line and column of a byte, both from 1, columns in characters.
    fn place(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }
}

/// A positive number, if it is one and fits.
fn integer(number: &DeInteger<'_>) -> Option<u32> {
    let digits = number.as_str().trim_start_matches('+');
    u32::from_str_radix(digits, number.radix())
        .ok()
        .filter(|&number| number > 0)
}
