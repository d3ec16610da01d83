//! What a person's name is: nearly anything that can be seen.

use std::fmt;

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{
        BidiClass, EmojiModifier, ExtendedPictographic, GeneralCategory, IndicSyllabicCategory, JoiningType,
        LineBreak, UnifiedIdeograph, VariationSelector,
    },
};
use thiserror::Error;

use crate::unicode::{
    folded, is_direction_override, is_invisible, is_line_separator, is_unknown, is_visible,
};

/// As many characters as the product's first API took.
const MAX_CHARS: usize = 150;
const ZERO_WIDTH_SPACE: char = '\u{200B}';
const VOWEL_SEPARATOR: char = '\u{180E}';

/// Why a text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NameError {
    #[error("Enter a name.")]
    Empty,
    #[error("A name has at most 150 characters.")]
    Length,
    #[error("A name has no line breaks or other control characters.")]
    ControlCharacter,
    #[error("A name has no characters that turn the direction of the text.")]
    Direction,
    #[error("A name has no characters without a meaning in Unicode.")]
    Unknown,
    #[error("A name has no invisible characters but those that its script needs: type it anew.")]
    Invisible,
}

/// A first or last name, of any script, in the spelling that was typed. `Debug` doesn't show it.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName(String);

impl PersonName {
    /// The last name of a person who has one name: an empty text.
    pub const ABSENT: Self = Self(String::new());

    /// Reads a name, spaces around it dropped.
    ///
    /// # Errors
    /// A [`NameError`] that can be shown to whoever typed it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let name = text.trim_matches(is_edge);
        if !name.chars().any(is_visible) {
            return Err(NameError::Empty);
        }
        if name.chars().count() > MAX_CHARS {
            return Err(NameError::Length);
        }
        for (at, character) in name.char_indices() {
            let fault = match character {
                character if character.is_control() || is_line_separator(character) => {
                    NameError::ControlCharacter
                }
                character if is_direction_override(character) => NameError::Direction,
                character if is_unknown(character) => NameError::Unknown,
                character if is_invisible(character) && !is_needed(character, &name[..at], name) => {
                    NameError::Invisible
                }
                _ => continue,
            };
            return Err(fault);
        }
        Ok(Self(name.to_owned()))
    }

    /// Reads a name that may be left empty.
    ///
    /// # Errors
    /// As for [`PersonName::parse`].
    pub fn parse_or_absent(text: &str) -> Result<Self, NameError> {
        if text.trim().is_empty() {
            return Ok(Self::ABSENT);
        }
        Self::parse(text)
    }

    /// Takes back a name that this service stored itself.
    pub(in crate::accounts) fn from_stored(name: String) -> Self {
        Self(name)
    }

    /// The name in clear.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What it is searched by.
    pub fn key(&self) -> String {
        name_key(&self.0)
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

/// What names are searched by: the lower case of the NFKC form, as that of e-mail addresses is.
pub fn name_key(text: &str) -> String {
    folded(text)
}

/// Spaces, and what comes along unseen when a text is copied.
fn is_edge(character: char) -> bool {
    character.is_whitespace() || matches!(character, ZERO_WIDTH_SPACE | '\u{2060}' | '\u{FEFF}' | '\u{AD}')
}

/// Whether variation selectors choose among forms of a character: of others they would make a name that looks the same and
/// is another.
fn has_variants(character: char) -> bool {
    CodePointSetData::new::<UnifiedIdeograph>().contains(character)
        || CodePointSetData::new::<ExtendedPictographic>().contains(character)
        // Ideographs for compatibility; Burmese of the Shan hills, and Phags-pa.
        || matches!(character, '\u{F900}'..='\u{FAD9}' | '\u{1000}'..='\u{109F}' | '\u{AA60}'..='\u{AA7F}' | '\u{A840}'..='\u{A877}')
}

/// Whether it stands within a keycap: a digit, the selector, the key around both.
fn is_in_keycap(character: char, before: &str, name: &str) -> bool {
    let key = name
        .get(before.len() + character.len_utf8()..)
        .unwrap_or_default();
    before.ends_with(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '#', '*'])
        && key.starts_with('\u{20E3}')
}

/// Whether the script needs an invisible character where it stands, after what is `before` it.
fn is_needed(character: char, before: &str, name: &str) -> bool {
    let follows = |fits: fn(char) -> bool| before.chars().next_back().is_some_and(fits);
    match character {
        '\u{200C}' | '\u{200D}' => may_join(before),
        // Between words of Thai, Lao, Khmer and Burmese, which have no spaces there.
        ZERO_WIDTH_SPACE => follows(|character| {
            CodePointMapData::<LineBreak>::new().get(character) == LineBreak::ComplexContext
        }),
        // Which of two forms a letter has, in Mongolian.
        VOWEL_SEPARATOR | '\u{180B}'..='\u{180D}' | '\u{180F}' => {
            follows(|character| matches!(character, '\u{1820}'..='\u{18AA}'))
        }
        // The same of ideographs and pictographs, keycaps among them.
        character if CodePointSetData::new::<VariationSelector>().contains(character) => {
            follows(has_variants) || is_in_keycap(character, before, name)
        }
        '\u{200E}' | '\u{200F}' | '\u{61C}' => name.chars().any(reads_from_the_right),
        _ => false,
    }
}

/// Whether joiners mean something after `before`: after letters that join, those of Indic scripts, and pictographs.
fn may_join(before: &str) -> bool {
    for character in before.chars().rev() {
        let syllabic = CodePointMapData::<IndicSyllabicCategory>::new().get(character);
        let joining = CodePointMapData::<JoiningType>::new().get(character);
        let category = CodePointMapData::<GeneralCategory>::new().get(character);
        let is_letter = matches!(
            joining,
            JoiningType::DualJoining | JoiningType::LeftJoining | JoiningType::RightJoining
        );
        let is_indic = !matches!(
            syllabic,
            IndicSyllabicCategory::Other
                | IndicSyllabicCategory::Joiner
                | IndicSyllabicCategory::NonJoiner
                | IndicSyllabicCategory::Number
                | IndicSyllabicCategory::ConsonantPlaceholder
        );
        let is_mark = matches!(
            category,
            GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark
        );
        if is_letter || is_indic || CodePointSetData::new::<ExtendedPictographic>().contains(character) {
            return true;
        }
        // Marks belong to the letter before them, a skin's colour to the pictograph.
        if !is_mark && !CodePointSetData::new::<EmojiModifier>().contains(character) {
            return false;
        }
    }
    false
}

fn reads_from_the_right(character: char) -> bool {
    let class = CodePointMapData::<BidiClass>::new().get(character);
    !is_invisible(character) && matches!(class, BidiClass::RightToLeft | BidiClass::ArabicLetter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Option<NameError> {
        PersonName::parse(text).err()
    }

    #[test]
    fn names_are_trimmed_and_otherwise_left_alone() {
        for name in [
            "Jane",
            "X",
            "Μαρία-Ελένη",
            "王",
            "O’Brien de la Cruz",
            "Jane Q. Doe, 3rd",
            "Zoe\u{308}",
            // Persian, Sinhala, Hindi; Malayalam as it was written before it had letters of its own for word ends.
            "علی\u{200C}رضا",
            "ශ්\u{200D}රී",
            "क्\u{200D}ष",
            "മോഹന്\u{200D}",
            // A Japanese name's own form of a character, Mongolian, Khmer words, marks around Hebrew, pictographs.
            "葛\u{E0100}城",
            "ᠠ\u{180B}",
            "សុខ\u{200B}ជា",
            "דוד\u{200F}-A\u{200E}",
            "👩🏽\u{200D}💻",
            "❤\u{FE0F}",
            "1\u{FE0F}\u{20E3}",
            "ᠰᠡᠴᠡᠨ\u{180E}ᠠ",
        ] {
            assert_eq!(PersonName::parse(&format!(" {name}\t")).unwrap().expose(), name);
        }
        assert_eq!(
            PersonName::parse("\u{FEFF}Jane\u{200B} ").unwrap().expose(),
            "Jane"
        );
    }

    #[test]
    fn a_name_that_shows_nothing_is_none() {
        for text in [
            "",
            " \n",
            "\u{A0}",
            "\u{3000}",
            "\u{200B}",
            "\u{200D}",
            "\u{2060}",
            "\u{3164}",
            "\u{FE0F}",
            "\u{AD}",
            "\u{FEFF}",
            "\u{34F}",
            "\u{115F}\u{1160}",
            "\u{FFA0}",
            "\u{2800}",
            "\u{180E}",
            "\u{17B4}",
            "\u{E0041}",
            "\u{202E}",
            "\u{2028}",
            "\u{301}",
            "\u{E000}",
            "\u{200B} \u{FE0F}\u{3164}",
        ] {
            assert_eq!(refusal(text), Some(NameError::Empty), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused_with_its_reason() {
        assert_eq!(refusal(&"é".repeat(150)), None);
        assert_eq!(refusal(&"é".repeat(151)), Some(NameError::Length));
        for text in [
            "Ja\u{0}ne",
            "Jane\nDoe",
            "Jane\tDoe",
            "A\u{2028}B",
            "A\u{2029}B",
            "A\u{85}B",
            "A\u{9B}B",
        ] {
            assert_eq!(refusal(text), Some(NameError::ControlCharacter), "{text:?}");
        }
        for character in ('\u{202A}'..='\u{202E}').chain('\u{2066}'..='\u{2069}') {
            assert_eq!(
                refusal(&format!("Alice{character}eviL")),
                Some(NameError::Direction)
            );
        }
        for text in ["A\u{E000}B", "A\u{F8FF}", "A\u{378}B", "A\u{FFFF}", "A\u{10FFFD}"] {
            assert_eq!(refusal(text), Some(NameError::Unknown), "{text:?}");
        }
        for text in [
            "Ja\u{200B}ne",
            "Ja\u{200D}ne",
            "Ja\u{200C}ne",
            "Ja\u{AD}ne",
            "Ja\u{2060}ne",
            "Ja\u{FEFF}ne",
            "Ja\u{34F}ne",
            "Ja\u{200E}ne",
            "Ja\u{3164}ne",
            "Ja\u{2800}ne",
            "Ja\u{FFF9}ne",
            "Ja\u{206A}ne",
            "\u{200D}علی",
            "Jane\u{E0061}",
            "Ja ne\u{E0100}\u{E0100}",
            "1\u{200D}2",
            "-\u{200D}-",
            "Jane \u{FE0F}",
            "A\u{FE0F}B",
            "A\u{FE00}",
            "A\u{E0100}",
            "A\u{180E}B",
            "A\u{180B}B",
            "Jane 1\u{FE0F}",
        ] {
            assert_eq!(refusal(text), Some(NameError::Invisible), "{text:?}");
        }
    }

    #[test]
    fn a_name_may_be_absent_where_it_is_asked_for_so() {
        for text in ["", " ", "\u{3000}\n"] {
            assert_eq!(PersonName::parse_or_absent(text), Ok(PersonName::ABSENT));
        }
        assert_eq!(PersonName::ABSENT.expose(), "");
        assert_eq!(PersonName::parse_or_absent(" Doe").unwrap().expose(), "Doe");
        assert_eq!(PersonName::parse_or_absent("\u{3164}"), Err(NameError::Empty));
    }

    #[test]
    fn debug_shows_nothing_of_it() {
        assert!(!format!("{:?}", PersonName::parse("Jane").unwrap()).contains("Jane"));
    }
}
