//! What Unicode says of a single character: whether it is a digit, whether anything of it can be seen.

use std::{ops::RangeInclusive, sync::LazyLock};

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, GeneralCategory, PrependedConcatenationMark},
};
use unicode_normalization::UnicodeNormalization;

/// Blank characters that Unicode doesn't list as ignorable: the Braille pattern without dots, a filler of Khitan, a note
/// without a head.
const BLANKS: [char; 3] = ['\u{2800}', '\u{16FE4}', '\u{1D159}'];

/// The value of a decimal digit of any script (Unicode's category Nd).
pub fn digit(character: char) -> Option<u8> {
    // The digits of a script stand together in their order, 0 first (Unicode's stability policy). Where several sets of
    // ten follow each other, as those of mathematics do, they are one range here.
    static DIGITS: LazyLock<Vec<RangeInclusive<u32>>> = LazyLock::new(|| {
        CodePointMapData::<GeneralCategory>::new()
            .iter_ranges_for_value(GeneralCategory::DecimalNumber)
            .collect()
    });
    let value = if character.is_ascii() {
        character.to_digit(10)?
    } else {
        let point = u32::from(character);
        let at = DIGITS.partition_point(|range| *range.end() < point);
        let range = DIGITS.get(at).filter(|range| range.contains(&point))?;
        (point - range.start()) % 10
    };
    u8::try_from(value).ok()
}

/// What two spellings of a text have in common: the lower case of its NFKC form, in that form again, since of some letters one
/// case is a character (ǰ) and the other two (J and a caron). A sigma is the same at the end of a word as within it, as in
/// Unicode's case folding: a text is told apart by its letters, and its beginning has the letters that the whole begins with.
pub fn folded(text: &str) -> String {
    const SIGMA: char = 'σ';
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfkc()
        .flat_map(char::to_lowercase)
        .map(|character| if character == 'ς' { SIGMA } else { character })
        .nfkc()
        .collect()
}

/// Whether a character is there without being seen: everything that Unicode calls default-ignorable (joiners, direction
/// marks, variation selectors, fillers, soft hyphens …), other format characters, and blanks that are no spaces.
pub fn is_invisible(character: char) -> bool {
    if character.is_ascii() {
        return false;
    }
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
        || BLANKS.contains(&character)
        // Some format characters are drawn: the characters that Arabic writes below a number.
        || (category(character) == GeneralCategory::Format
            && !CodePointSetData::new::<PrependedConcatenationMark>().contains(character))
}

/// Whether something of it can be seen by itself: not spaces, controls, or marks that need a letter.
pub fn is_visible(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_graphic();
    }
    use GeneralCategory as C;
    let none = matches!(
        category(character),
        C::Control
            | C::SpaceSeparator
            | C::LineSeparator
            | C::ParagraphSeparator
            | C::NonspacingMark
            | C::SpacingMark
            | C::EnclosingMark
            | C::Unassigned
            | C::PrivateUse
            | C::Surrogate
    );
    !none && !is_invisible(character)
}

/// Whether nobody can say what it shows: unassigned, or left to private agreement.
pub fn is_unknown(character: char) -> bool {
    !character.is_ascii()
        && matches!(
            category(character),
            GeneralCategory::Unassigned | GeneralCategory::PrivateUse
        )
}

/// Whether it is a dash of any length, among them the minus sign, and the long vowel mark that Japanese keyboards give for one.
pub fn is_dash(character: char) -> bool {
    matches!(character, '-' | '\u{2212}' | '\u{30FC}')
        || (!character.is_ascii() && category(character) == GeneralCategory::DashPunctuation)
}

/// Whether it ends a line or a paragraph, beside the controls that do.
pub fn is_line_separator(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}')
}

/// Whether it turns the direction of the text that follows: what was written is read as something else then.
pub fn is_direction_override(character: char) -> bool {
    matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Unicode's general category.
fn category(character: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_case_of_a_beginning_is_the_beginning_of_the_lower_case() {
        for (text, lowered) in [
            ("JANE", "jane"),
            ("ΠΑΠΑΣ", "παπασ"),
            ("ΠΑΠΑΣΤΑΘΗΣ", "παπασταθησ"),
            ("İ", "i\u{307}"),
        ] {
            assert_eq!(folded(text), lowered);
            for (end, _) in text.char_indices() {
                assert!(lowered.starts_with(&folded(&text[..end])), "{text}");
            }
        }
        // The last three are one character in lower case, and two in upper case.
        for (one, other) in [
            ("παπας", "ΠΑΠΑΣ"),
            ("\u{1F0}", "J\u{30C}"),
            ("\u{390}", "\u{3AA}\u{301}"),
            ("\u{1E96}", "H\u{331}"),
        ] {
            assert_eq!(folded(one), folded(other), "{one}");
        }
    }

    #[test]
    fn digits_of_every_script_have_their_value() {
        // One zero and one nine of each: ASCII, Arabic, Persian, Devanagari, Thai, full-width, mathematics (bold, and
        // the last set of them), Adlam.
        for (zero, nine) in [
            ('0', '9'),
            ('\u{660}', '\u{669}'),
            ('\u{6F0}', '\u{6F9}'),
            ('\u{966}', '\u{96F}'),
            ('\u{E50}', '\u{E59}'),
            ('\u{FF10}', '\u{FF19}'),
            ('\u{1D7CE}', '\u{1D7D7}'),
            ('\u{1D7F6}', '\u{1D7FF}'),
            ('\u{1E950}', '\u{1E959}'),
        ] {
            assert_eq!((digit(zero), digit(nine)), (Some(0), Some(9)), "{zero}");
        }
        let all: Vec<_> = ('\0'..=char::MAX).filter_map(digit).collect();
        assert!(all.len() >= 680, "{}", all.len());
        for (at, value) in all.iter().enumerate() {
            assert_eq!(usize::from(*value), at % 10, "digits come in tens, in order");
        }
        for other in ['a', '²', '一', 'Ⅷ', '½', ' ', '٪'] {
            assert_eq!(digit(other), None, "{other}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_told_from_what_can() {
        for character in [
            '\u{AD}',
            '\u{34F}',
            '\u{61C}',
            '\u{115F}',
            '\u{1160}',
            '\u{17B4}',
            '\u{180B}',
            '\u{180E}',
            '\u{200B}',
            '\u{200D}',
            '\u{200E}',
            '\u{202E}',
            '\u{2060}',
            '\u{2064}',
            '\u{206A}',
            '\u{2800}',
            '\u{3164}',
            '\u{FE00}',
            '\u{FE0F}',
            '\u{FEFF}',
            '\u{FFA0}',
            '\u{FFF9}',
            '\u{1BCA0}',
            '\u{1D173}',
            '\u{E0020}',
            '\u{E0100}',
        ] {
            assert!(
                is_invisible(character) && !is_visible(character),
                "{:x}",
                u32::from(character)
            );
        }
        for character in ['a', '1', '-', 'é', '王', 'ع', '\u{600}', '\u{1F44D}', '⠁'] {
            assert!(!is_invisible(character) && is_visible(character), "{character}");
        }
        for character in [
            ' ', '\u{A0}', '\u{3000}', '\n', '\u{301}', '\u{903}', '\u{2028}', '\u{E000}', '\u{378}',
        ] {
            assert!(
                !is_invisible(character) && !is_visible(character),
                "{:x}",
                u32::from(character)
            );
        }
        assert!(
            is_unknown('\u{E000}') && is_unknown('\u{378}') && is_unknown('\u{FFFF}') && !is_unknown('é')
        );
    }
}
