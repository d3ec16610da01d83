//! The limits file: its text read into rules, or every fault in it with its place and what is allowed.

mod checks;
mod fault;
mod reader;

use std::path::Path;

use thiserror::Error;

use super::{money::Currency, rule::RuleSet};
pub use fault::{Fault, MAX_BYTES};
use reader::Reader;

/// Why a limits file is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FileError {
    /// It can't be read at all.
    #[error("{file}: {why}")]
    Unreadable { file: String, why: String },
    /// Amounts are in another currency than the prices.
    #[error("{}", lines.join("\n"))]
    Currency { lines: Vec<String> },
    /// Every fault, in the order of the file; `Display` has one line for each.
    #[error("{}", Self::lines(file, faults).join("\n"))]
    Faulty { file: String, faults: Vec<Fault> },
}

impl FileError {
    /// One line for each fault: `file:line:column: what is wrong; what is allowed`.
    pub fn fault_lines(&self) -> Vec<String> {
        match self {
            Self::Unreadable { .. } => vec![self.to_string()],
            Self::Currency { lines } => lines.clone(),
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

/// The same rules, if their amounts are in the currency of the prices; `name` is what faults call the file.
///
/// # Errors
/// [`FileError::Currency`].
pub fn fitting(rules: RuleSet, prices: Currency, name: &str) -> Result<RuleSet, FileError> {
    let unfit = rules.unfit(prices);
    if unfit.is_empty() {
        return Ok(rules);
    }
    let lines = unfit.into_iter().map(|line| format!("{name}: {line}"));
    Err(FileError::Currency {
        lines: lines.collect(),
    })
}

/// Reads rules from a text; `name` is what faults call the file.
///
/// `id`, `on`, `by`, `quota` and `per` are required; `burst` is the quota, `scope` is `cluster` and `mode` is `enforce`
/// unless given, and `if_store_lost` hangs on the operation.
///
/// # Errors
/// Every fault, in the order of the text. There are no rules then, so that a file is taken whole or not at all.
pub fn parse(text: &str, name: &str) -> Result<RuleSet, FileError> {
    Reader::read(text).map_err(|faults| FileError::Faulty {
        file: name.to_owned(),
        faults,
    })
}
