//! Who a message is from, in its text.

use thiserror::Error;

const MAX_CHARS: usize = 30;

/// Who a message is from, in its text (`messages.brand`): up to 30 characters of any script.
///
/// What characters outside the GSM 7-bit alphabet cost is counted with each text of an SMS, by the segments that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand(String);

/// Why a text is no [`Brand`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BrandError {
    #[error("a brand has 1 to {MAX_CHARS} characters")]
    Length,
    #[error("{0:?} breaks the line, or turns the direction of what follows")]
    Invisible(char),
}

impl Brand {
    /// Checks a name; spaces around it are dropped.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, BrandError> {
        let text = text.trim();
        if let Some(character) = text.chars().find(|&character| breaks_text(character)) {
            return Err(BrandError::Invisible(character));
        }
        match text.chars().count() {
            1..=MAX_CHARS => Ok(Self(text.to_owned())),
            _ => Err(BrandError::Length),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Brand {
    /// Our own.
    fn default() -> Self {
        Self("Ringback".to_owned())
    }
}

/// Signs that change how the text around them is read: a code must stay what it is.
fn breaks_text(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brand_is_one_line_that_leaves_the_rest_as_it_is() {
        for name in [
            "Ringback",
            " Ringback ",
            "Кольцо",
            "リングバック",
            "رنين",
            &"M".repeat(30),
        ] {
            assert_eq!(Brand::parse(name).unwrap().as_str(), name.trim());
        }
        assert_eq!(Brand::parse(" "), Err(BrandError::Length));
        assert_eq!(Brand::parse(&"M".repeat(31)), Err(BrandError::Length));
        for character in ['\n', '\u{7}', '\u{202E}', '\u{2028}', '\u{2066}'] {
            let name = format!("Ring{character}back");
            assert_eq!(Brand::parse(&name), Err(BrandError::Invisible(character)));
        }
    }
}
