//! What is wrong in a file of limits, and where.

use std::{ops::Range, path::Path};

use thiserror::Error;

/// A file of hundreds of rules has some 50 KiB; what is larger than this is no limits file, and isn't read.
pub const MAX_BYTES: u64 = 1024 * 1024;

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

impl Fault {
    /// What is wrong with so many bytes of a text.
    pub(super) fn at(text: &str, span: &Range<usize>, message: String) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message,
        }
    }
}

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

    /// The faults of a file.
    pub(super) fn faulty(file: &str, mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| (fault.line, fault.column));
        let file = file.to_owned();
        Self::Faulty { file, faults }
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
    // To open a pipe would wait for whoever writes to it.
    let is_file = std::fs::metadata(path).map(|about| about.is_file() || about.is_dir());
    if !is_file.map_err(|error| unreadable(error.to_string()))? {
        return Err(unreadable("not a file".to_owned()));
    }
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
