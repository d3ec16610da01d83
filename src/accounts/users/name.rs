//! What a person's name is: nearly anything.

use std::fmt;

use thiserror::Error;

/// As many characters as the product's first API took.
const MAX_CHARS: usize = 150;

/// Why a text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NameError {
    #[error("Enter a name.")]
    Empty,
    #[error("A name has at most 150 characters.")]
    Length,
    #[error("A name has no line breaks or other control characters.")]
    ControlCharacter,
}

/// A first or last name, of any script, in the spelling that was typed. `Debug` doesn't show it.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName(String);

impl PersonName {
    /// Reads a name, spaces around it dropped.
    ///
    /// # Errors
    /// A [`NameError`] that can be shown to whoever typed it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let name = text.trim();
        if name.is_empty() {
            Err(NameError::Empty)
        } else if name.chars().count() > MAX_CHARS {
            Err(NameError::Length)
        } else if name.chars().any(char::is_control) {
            Err(NameError::ControlCharacter)
        } else {
            Ok(Self(name.to_owned()))
        }
    }

    /// Takes back a name that this service stored itself.
    pub(in crate::accounts) fn from_stored(name: String) -> Self {
        Self(name)
    }

    /// The name in clear.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<PersonName> for String {
    /// The name in clear.
    fn from(name: PersonName) -> Self {
        name.0
    }
}

impl fmt::Debug for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonName(•••)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_otherwise_left_alone() {
        for name in [
            "Jane",
            "Μαρία-Ελένη",
            "王",
            "O’Brien de la Cruz",
            "علی\u{200C}رضا",
        ] {
            assert_eq!(PersonName::parse(&format!(" {name}\t")).unwrap().expose(), name);
        }
    }

    #[test]
    fn what_is_no_name_is_refused_with_its_reason() {
        assert_eq!(PersonName::parse(" \n").unwrap_err(), NameError::Empty);
        assert!(PersonName::parse(&"é".repeat(150)).is_ok());
        assert_eq!(
            PersonName::parse(&"é".repeat(151)).unwrap_err(),
            NameError::Length
        );
        assert_eq!(
            PersonName::parse("Ja\u{0}ne").unwrap_err(),
            NameError::ControlCharacter
        );
        assert_eq!(
            PersonName::parse("Jane\nDoe").unwrap_err(),
            NameError::ControlCharacter
        );
    }

    #[test]
    fn debug_shows_nothing_of_it() {
        assert!(!format!("{:?}", PersonName::parse("Jane").unwrap()).contains("Jane"));
    }
}
