//! What is wrong with a configuration: every fault in one line of its own.

use std::{fmt, path::PathBuf};

use super::value::escaped;

/// A longer value is cut: a fault is one line, and its beginning says which value it is.
const SHOWN_CHARS: usize = 120;

/// Where a value was read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The copy of `config/default.toml` within the program.
    BuiltIn,
    /// The copy of `config/production.toml` within the program.
    BuiltInForProduction,
    /// A file on disk, and the line if there is one to name.
    File { path: PathBuf, line: Option<usize> },
    /// The variable of this name.
    Environment(String),
}

impl Source {
    /// A line of it, where it has lines that anybody could mend.
    pub(super) fn at(&self, line: usize) -> Self {
        match self {
            Self::File { path, .. } => Self::File {
                path: path.clone(),
                line: Some(line),
            },
            other => other.clone(),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::BuiltInForProduction => f.write_str("built in for production"),
            Self::File { path, line } => {
                f.write_str(&escaped(&path.to_string_lossy()))?;
                line.map_or(Ok(()), |line| write!(f, ":{line}"))
            }
            Self::Environment(name) => write!(f, "environment: {}", escaped(name)),
        }
    }
}

/// One thing that is wrong. Its `Display` is one line, and shows no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where it is; for the environment this names the variable.
    pub source: Source,
    /// The column, where the text is not TOML at all.
    pub column: Option<usize>,
    /// The key as `section.key`; none where a whole file or folder is meant, or a variable of no known key.
    pub key: Option<String>,
    /// The value as TOML, secrets masked; none where there is no value.
    pub value: Option<String>,
    /// What is allowed, as the end of a sentence.
    pub allowed: String,
}

impl Fault {
    /// A fault without a value.
    pub(super) fn new(source: Source, key: Option<&str>, allowed: impl Into<String>) -> Self {
        Self {
            source,
            column: None,
            key: key.map(str::to_owned),
            value: None,
            allowed: allowed.into(),
        }
    }

    pub(super) fn with_value(mut self, value: impl Into<String>) -> Self {
        let mut value = value.into();
        if let Some((end, _)) = value.char_indices().nth(SHOWN_CHARS) {
            value.truncate(end);
            value.push('…');
        }
        self.value = Some(value);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)?;
        if let Some(column) = self.column {
            write!(f, ":{column}")?;
        }
        // A variable is its key's name already.
        if let Some(key) = &self.key
            && !matches!(self.source, Source::Environment(_))
        {
            write!(f, ": {}", escaped(key))?;
        }
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        write!(f, ": {}", self.allowed)
    }
}

/// All that is wrong with a configuration, files first, in the order of their lines. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// The faults, if there are any.
    pub(super) fn of(mut faults: Vec<Fault>) -> Option<Self> {
        // A stable sort: what has no line keeps the order of its finding.
        faults.sort_by(|a, b| a.source.cmp(&b.source));
        (!faults.is_empty()).then_some(Self(faults))
    }

    /// Each fault.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.0.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, fault) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

impl IntoIterator for Faults {
    type Item = Fault;
    type IntoIter = std::vec::IntoIter<Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = std::slice::Iter<'a, Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
