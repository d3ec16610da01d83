//! Why somebody does something: kept with the event, and shown to others.

use thiserror::Error;

use crate::unicode::{is_direction_override, is_line_separator, is_visible};

/// Characters of a reason.
const MAX_REASON: usize = 500;

/// Why a reason is none.
#[derive(Debug, Error)]
pub enum ReasonError {
    #[error("Say why, in a few words.")]
    Empty,
    #[error("At most 500 characters.")]
    Length,
    #[error("No control characters, and none that turn the direction of the text.")]
    Control,
}

/// Reads a reason, whoever gives it.
///
/// # Errors
/// [`ReasonError`]
pub fn read_reason(text: &str) -> Result<String, ReasonError> {
    let text = text.trim();
    match text {
        text if !text.chars().any(is_visible) => Err(ReasonError::Empty),
        text if text.chars().count() > MAX_REASON => Err(ReasonError::Length),
        text if text.chars().any(is_hidden) => Err(ReasonError::Control),
        text => Ok(text.to_owned()),
    }
}

/// Whether it has no place in a line that others read: they would see another text.
fn is_hidden(character: char) -> bool {
    character.is_control() || is_line_separator(character) || is_direction_override(character)
}
