//! Where a list goes on: text that clients hand back as they got it.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

/// A longer one was never given out.
const MAX_BYTES: usize = 512;

/// A text that isn't a cursor of this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("This is not a cursor of this list.")]
pub struct NoCursor;

/// The cursor that stands for a place, such as the time and the id of the last row.
pub fn cursor<T: Serialize>(place: &T) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).unwrap_or_default())
}

/// The place that a cursor stands for. It is the client's word: whoever reads it checks what it may see there.
pub fn place<T: DeserializeOwned>(cursor: &str) -> Result<T, NoCursor> {
    if cursor.len() > MAX_BYTES {
        return Err(NoCursor);
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_| NoCursor)?;
    serde_json::from_slice(&bytes).map_err(|_| NoCursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_place_and_nothing_else_does() {
        let here = (
            1_780_000_000_123_i64,
            "0199a2f4-6c1e-7b52-9d3e-4f5a6b7c8d9e".to_owned(),
        );
        let text = cursor(&here);
        assert!(
            text.bytes()
                .all(|sign| sign.is_ascii_alphanumeric() || b"-_".contains(&sign))
        );
        assert_eq!(place::<(i64, String)>(&text), Ok(here));
        assert_eq!(place::<(String, i64)>(&text), Err(NoCursor));
        for text in ["", "1", "!", "é", &"A".repeat(600), &text[1..]] {
            assert_eq!(place::<(i64, String)>(text), Err(NoCursor), "{text}");
        }
    }
}
