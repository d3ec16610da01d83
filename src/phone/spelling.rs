//! From what people type to the digits of E.164.
//!
//! What is passed over is what libphonenumber passes over, letters aside: it would read those as the keys of a phone, or as
//! an extension, and a code sent there would go to somebody else.

use super::error::PhoneError;
use crate::unicode::{digit, is_invisible};

/// ITU-T E.164: at most 15 digits, country code included.
pub(super) const MAX_DIGITS: usize = 15;
/// With what is dialled within a country alone: a trunk prefix, and the code of whoever carries the call.
const MAX_DIALLED_DIGITS: usize = 20;
/// The shortest international numbers in use have 7 digits (Saint Helena, Niue: +290 xxxx).
const MIN_DIGITS: usize = 7;
/// No spelling of 15 digits needs more, with an invisible mark around each group; what is longer is not read.
const MAX_INPUT_CHARS: usize = 64;

const PLUS: [char; 2] = ['+', '\u{FF0B}'];
const OPENING: [char; 4] = ['(', '[', '\u{FF08}', '\u{FF3B}'];
const CLOSING: [char; 4] = [')', ']', '\u{FF09}', '\u{FF3D}'];

/// The number's digits after a `+`: in E.164, but for what its country may have to be dropped, for which there may be more
/// than [`MAX_DIGITS`].
pub(super) fn to_e164(text: &str) -> Result<String, PhoneError> {
    let text = text
        .trim_matches(|character: char| character.is_whitespace() || is_invisible(character))
        .trim_start_matches(is_separator);
    if text.chars().count() > MAX_INPUT_CHARS {
        return Err(PhoneError::Length);
    }
    if !text.starts_with(PLUS) {
        return Err(PhoneError::NoCountryCode);
    }
    // Several are one, as with libphonenumber.
    let rest = text.trim_start_matches(PLUS);
    if has_trunk_prefix(rest) {
        return Err(PhoneError::TrunkPrefix);
    }
    let mut e164 = String::with_capacity(MAX_DIALLED_DIGITS + 1);
    e164.push('+');
    for character in rest.chars() {
        match digit(character) {
            Some(digit) => e164.push(char::from(b'0' + digit)),
            None if is_separator(character) => {}
            None => return Err(PhoneError::ForeignCharacter),
        }
    }
    match e164.len() - 1 {
        MIN_DIGITS..=MAX_DIALLED_DIGITS if e164.as_bytes()[1] != b'0' => Ok(e164),
        MIN_DIGITS..=MAX_DIALLED_DIGITS => Err(PhoneError::NoCountryCode),
        _ => Err(PhoneError::Length),
    }
}

/// Whether a zero stands in brackets, with or without separators around it.
fn has_trunk_prefix(text: &str) -> bool {
    text.split(OPENING).skip(1).any(|group| {
        let mut characters = group
            .chars()
            .filter(|character| CLOSING.contains(character) || !is_separator(*character));
        characters.next().and_then(digit) == Some(0)
            && characters
                .next()
                .is_some_and(|character| CLOSING.contains(&character))
    })
}

/// Signs that people put between digits: spaces, dashes, dots, slashes, tildes and brackets of every width, and marks that
/// nobody sees.
fn is_separator(character: char) -> bool {
    match character {
        ' ' | '-' | '.' | '/' | '~' => true,
        '\u{A0}' | '\u{1680}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => true,
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{30FC}' | '\u{FF0D}' => true,
        '\u{FF0E}' | '\u{FF0F}' | '\u{2053}' | '\u{223C}' | '\u{FF5E}' => true,
        character => OPENING.contains(&character) || CLOSING.contains(&character) || is_invisible(character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_number_is_one_number() {
        for spelling in [
            "+14152000001",
            "+1 (415) 200-0001",
            "+1.415.200.0001",
            "  +1 415 200 0001 ",
            "(+1) 415 200 0001",
            "-+1-415-200-0001-",
            "+1~415~200~0001",
            "++14152000001",
            "＋+1 415 200 0001",
            "+1 [415] 200/0001",
            "\u{202A}+1 415 200 0001\u{202C}",
            "+1\u{2011}415\u{A0}200/0001",
            "＋１（４１５）２００－０００１",
            "＋１［４１５］２００．０００１",
            "＋１／４１５～２００ー０００１",
            "+1\u{3000}415\u{2009}200\u{202F}0001",
            "+1\u{2053}415\u{223C}200\u{2212}0001",
        ] {
            assert_eq!(to_e164(spelling).as_deref(), Ok("+14152000001"), "{spelling}");
        }
    }

    #[test]
    fn digits_of_every_script_are_digits() {
        let zeros = "０٠۰०০੦૦୦௦౦೦൦๐໐༠၀០᠐᥆᧐᪀᭐᮰᱀᱐꘠꣐꤀꧐꩐꯰𐒠𝟎𝟘𝟢𝟬𝟶𞥐";
        for zero in zeros.chars() {
            let at = |digit: char| {
                let value = digit.to_digit(10)?;
                char::from_u32(u32::from(zero) + value)
            };
            let typed: String = "14152000001".chars().filter_map(at).collect();
            assert_eq!(
                to_e164(&format!("+{typed}")).as_deref(),
                Ok("+14152000001"),
                "{typed}"
            );
        }
    }

    #[test]
    fn what_nobody_sees_is_passed_over_wherever_it_stands() {
        for mark in [
            '\u{AD}', '\u{34F}', '\u{61C}', '\u{200B}', '\u{200C}', '\u{200D}', '\u{200E}', '\u{200F}',
            '\u{202A}', '\u{202E}', '\u{2060}', '\u{2066}', '\u{2069}', '\u{FE0E}', '\u{FE0F}', '\u{FEFF}',
        ] {
            let everywhere: String = "+14152000001"
                .chars()
                .flat_map(|character| [mark, character, mark])
                .collect();
            let typed = format!("{mark}+1415{mark}200{mark}0001{mark}");
            for typed in [everywhere, typed] {
                assert_eq!(to_e164(&typed).as_deref(), Ok("+14152000001"), "{typed:?}");
            }
        }
    }

    #[test]
    fn what_is_no_number_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", PhoneError::NoCountryCode),
            ("4152000001", PhoneError::NoCountryCode),
            ("004152000001", PhoneError::NoCountryCode),
            ("+0415200000", PhoneError::NoCountryCode),
            ("tel:+14152000001", PhoneError::NoCountryCode),
            ("#+14152000001", PhoneError::NoCountryCode),
            ("+ +14152000001", PhoneError::ForeignCharacter),
            ("+14152000001,", PhoneError::ForeignCharacter),
            ("+14152000001、", PhoneError::ForeignCharacter),
            ("+44 (0)20 7946 0958", PhoneError::TrunkPrefix),
            ("+44 ( 0 ) 20 7946 0958", PhoneError::TrunkPrefix),
            ("+44 (０)20 7946 0958", PhoneError::TrunkPrefix),
            ("＋４４（０）２０７９４６０９５８", PhoneError::TrunkPrefix),
            ("+44 [\u{200B}0] 20 7946 0958", PhoneError::TrunkPrefix),
            ("+44 20 7946 095 (0)", PhoneError::TrunkPrefix),
            ("+1415200000x", PhoneError::ForeignCharacter),
            ("+14152000001 ext. 5", PhoneError::ForeignCharacter),
            ("+14152000001;ext=5", PhoneError::ForeignCharacter),
            ("+14152000001#5", PhoneError::ForeignCharacter),
            ("+14152000001#", PhoneError::ForeignCharacter),
            ("+1*4152000001", PhoneError::ForeignCharacter),
            ("+1,415,200,0001", PhoneError::ForeignCharacter),
            ("+1 415 FLOWERS", PhoneError::ForeignCharacter),
            ("+1+4152000001", PhoneError::ForeignCharacter),
            ("+1 415 200 000一", PhoneError::ForeignCharacter),
            ("+1415२0000\u{0}1", PhoneError::ForeignCharacter),
            ("+14152000001\u{0}", PhoneError::ForeignCharacter),
            ("+123456", PhoneError::Length),
            ("+123456789012345678901", PhoneError::Length),
        ] {
            assert_eq!(to_e164(text), Err(reason), "{text}");
        }
        let endless = format!("+1415{}2000001", " ".repeat(100_000));
        assert_eq!(to_e164(&endless), Err(PhoneError::Length));
    }
}
