//! Where a list goes on: text that clients hand back as they got it. It is signed, for one list with one filter: what was
//! changed, or belongs to another list, is refused.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::secrets::{Keyring, SecretKeys};

/// A longer one was never given out.
const MAX_BYTES: usize = 512;
const TAG_BYTES: usize = 16;

/// A text that isn't a cursor of this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("This is not a cursor of this list.")]
pub struct NoCursor;

/// The cursor of a list that stands for a place, such as the id of the last row. `list`: its name, and all that it is filtered
/// by.
pub fn cursor<T: Serialize>(keyring: &Keyring, list: &[&str], place: &T) -> String {
    let place = serde_json::to_vec(place).unwrap_or_default();
    let mut bytes = tag(keyring.current(), list, &place).to_vec();
    bytes.extend_from_slice(&place);
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The place that a cursor of this list stands for.
///
/// # Errors
/// [`NoCursor`] for a text that isn't one.
pub fn place<T: DeserializeOwned>(keyring: &Keyring, list: &[&str], cursor: &str) -> Result<T, NoCursor> {
    if cursor.len() > MAX_BYTES {
        return Err(NoCursor);
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_| NoCursor)?;
    let (shown, place) = bytes.split_at_checked(TAG_BYTES).ok_or(NoCursor)?;
    let is_ours = |keys: &SecretKeys| tag(keys, list, place).ct_eq(shown).into();
    match keyring.all().iter().any(is_ours) {
        true => serde_json::from_slice(place).map_err(|_| NoCursor),
        false => Err(NoCursor),
    }
}

fn tag(keys: &SecretKeys, list: &[&str], place: &[u8]) -> [u8; TAG_BYTES] {
    let parts: Vec<_> = list.iter().map(|part| part.as_bytes()).chain([place]).collect();
    let mut tag = [0; TAG_BYTES];
    tag.copy_from_slice(&keys.cursor.tag(&parts)[..TAG_BYTES]);
    tag
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    fn keyring(bytes: &[u8]) -> Keyring {
        let secrets: Vec<_> = bytes
            .iter()
            .map(|&byte| BASE64_STANDARD.encode([byte; 32]))
            .collect();
        Keyring::parse(&secrets.join(",")).unwrap()
    }

    #[test]
    fn a_cursor_leads_back_to_its_place_and_nothing_else_does() {
        let (keys, list) = (keyring(&[1]), ["rows", "filter"]);
        let here = (
            1_780_000_000_123_i64,
            "0199a2f4-6c1e-7b52-9d3e-4f5a6b7c8d9e".to_owned(),
        );
        let text = cursor(&keys, &list, &here);
        assert!(
            text.bytes()
                .all(|character| character.is_ascii_alphanumeric() || b"-_".contains(&character))
        );
        assert_eq!(place::<(i64, String)>(&keys, &list, &text), Ok(here.clone()));
        assert_eq!(place::<(String, i64)>(&keys, &list, &text), Err(NoCursor));
        for text in ["", "1", "!", "é", &"A".repeat(600), &text[1..]] {
            assert_eq!(
                place::<(i64, String)>(&keys, &list, text),
                Err(NoCursor),
                "{text}"
            );
        }
        // Each bit of it counts, and so does what the list is filtered by.
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'x' { b'y' } else { b'x' };
            let changed = String::from_utf8(changed).unwrap();
            let read = place::<(i64, String)>(&keys, &list, &changed);
            assert!(
                read.is_err() || read == Ok(here.clone()) && at == text.len() - 1,
                "{at}"
            );
        }
        for other in [["rows", "other"], ["others", "filter"]] {
            assert_eq!(place::<(i64, String)>(&keys, &other, &text), Err(NoCursor));
        }
    }

    #[test]
    fn a_cursor_outlives_a_rotation_and_no_other_secret_makes_one() {
        let text = cursor(&keyring(&[1]), &["rows"], &7);
        assert_eq!(place(&keyring(&[2, 1]), &["rows"], &text), Ok(7));
        assert_eq!(place::<i32>(&keyring(&[2]), &["rows"], &text), Err(NoCursor));
    }
}
