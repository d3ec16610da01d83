//! The limits file: its text read into rules, or every fault in it with its place and what is allowed.

mod checks;
mod reader;

use std::path::Path;

pub use super::fault::{Fault, FileError, MAX_BYTES, read};
use super::{money::Currency, networks::Networks, rule::RuleSet};
pub use checks::seconds_of;
use reader::Reader;

/// Reads the file into rules, which may name the lists of `networks`, if that is another file. Blocks, as [`read`] does.
///
/// # Errors
/// As for [`read`], [`Networks::load`] and [`parse_with`].
pub fn load(path: &Path, networks: Option<&Path>) -> Result<RuleSet, FileError> {
    let networks = networks.map(Networks::load).transpose()?.unwrap_or_default();
    parse_with(&read(path)?, &path.display().to_string(), networks)
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

/// Reads rules from a text; `name` is what faults call the file. Whether there are the lists of networks that it names is
/// not asked.
///
/// `id`, `on`, `by`, `quota` and `per` are required; `burst` is the quota, `scope` is `cluster` and `mode` is `enforce`
/// unless given, and `if_store_lost` hangs on the operation.
///
/// # Errors
/// Every fault, in the order of the text. There are no rules then, so that a file is taken whole or not at all.
pub fn parse(text: &str, name: &str) -> Result<RuleSet, FileError> {
    Reader::read(text, |_| true).map_err(|faults| FileError::faulty(name, faults))
}

/// The same with the lists of networks that rules may name, and no others.
///
/// # Errors
/// As for [`parse`].
pub fn parse_with(text: &str, name: &str, networks: Networks) -> Result<RuleSet, FileError> {
    let rules = Reader::read(text, |list| networks.has(list));
    let rules = rules.map_err(|faults| FileError::faulty(name, faults))?;
    Ok(rules.with_networks(networks))
}
