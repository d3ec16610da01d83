//! Everybody, a page at a time.

use std::io::{self, Write};

use thiserror::Error;

use super::TransferStore;
use crate::unavailable::Unavailable;

const PAGE: u32 = 1000;

/// Why an export didn't come to its end.
#[derive(Debug, Error)]
pub enum ExportError {
    #[error("the lines can't be written: {0}")]
    Write(#[from] io::Error),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Writes a line for each account, with its password's hash, and says how many. Who registers meanwhile may be among them
/// or not.
///
/// # Errors
/// [`ExportError`]; what was written is not everybody.
pub async fn export(store: &dyn TransferStore, to: &mut dyn Write) -> Result<u64, ExportError> {
    let (mut count, mut after) = (0, None);
    loop {
        let page = store.page(after, PAGE).await?;
        let Some(last) = page.last() else {
            to.flush()?;
            return Ok(count);
        };
        after = Some(last.id);
        count += page.len() as u64;
        for user in page {
            writeln!(to, "{}", user.to_line())?;
        }
    }
}
