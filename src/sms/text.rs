//! What the SMS says: short enough for one segment, so that one code is paid for once.

use std::{sync::Arc, time::Duration};

use thiserror::Error;

use super::{MessageBody, SmsCode};

/// What one SMS carries in the GSM 7-bit alphabet (3GPP TS 23.038): 160 septets. One sign outside the alphabet turns
/// the whole message into UCS-2, with 70 signs a segment.
pub const SEGMENT_SEPTETS: usize = 160;
const MAX_BRAND_CHARS: usize = 30;

/// The basic alphabet of 3GPP TS 23.038 section 6.2.1, one septet each; letters and digits of ASCII are asked for
/// apart. The table's escape sign is no sign of its own.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà";
/// Its extension table (section 6.2.1.1): an escape and a sign, two septets each.
const EXTENSION: &str = "\u{0C}^{}\\[~]|€";

/// A language by its tag (BCP 47), in lower case: `en`, `pt-br`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Language(Arc<str>);

impl Language {
    /// Takes a tag of up to 16 letters, digits and hyphens, however it is cased.
    pub fn parse(tag: &str) -> Option<Self> {
        let sound = tag
            .bytes()
            .all(|sign| sign.is_ascii_alphanumeric() || sign == b'-');
        ((1..=16).contains(&tag.len()) && sound).then(|| Self(tag.to_ascii_lowercase().into()))
    }

    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Language {
    /// English.
    fn default() -> Self {
        Self("en".into())
    }
}

/// Who the SMS is from, in its text (`sms.brand`): up to 30 signs that fit into one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand(String);

/// Why a text is no [`Brand`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BrandError {
    #[error("a brand has 1 to {MAX_BRAND_CHARS} characters")]
    Length,
    #[error("{0:?} is not in the GSM 7-bit alphabet: each SMS would take more than one segment")]
    Alphabet(char),
}

impl Brand {
    /// Checks a name; spaces around it are dropped.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, BrandError> {
        let text = text.trim();
        if let Some(sign) = text
            .chars()
            .find(|&sign| sign.is_control() || cost(sign).is_none())
        {
            return Err(BrandError::Alphabet(sign));
        }
        match text.chars().count() {
            1..=MAX_BRAND_CHARS => Ok(Self(text.to_owned())),
            _ => Err(BrandError::Length),
        }
    }
}

/// The message for a code that is good for `life`.
///
/// The minutes are rounded to the nearest, and at least one: a code that was held up for a while says what is left.
pub fn compose(brand: &Brand, code: &SmsCode, life: Duration) -> MessageBody {
    let minutes = (life.as_secs_f64() / 60.0).round().max(1.0);
    let unit = if minutes > 1.0 { "minutes" } else { "minute" };
    MessageBody::new(format!(
        "{} code: {}. It expires in {minutes} {unit}. Don't share it.",
        brand.0,
        code.expose()
    ))
}

/// How many septets a text takes in the GSM 7-bit alphabet; `None` if it has a sign outside it.
pub fn septets(text: &str) -> Option<usize> {
    text.chars().map(cost).sum()
}

fn cost(sign: char) -> Option<usize> {
    if sign.is_ascii_alphanumeric() || BASIC.contains(sign) {
        Some(1)
    } else if EXTENSION.contains(sign) {
        Some(2)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(brand: &str, code: &str, seconds: u64) -> String {
        let brand = Brand::parse(brand).unwrap();
        let body = compose(&brand, &SmsCode::new(code), Duration::from_secs(seconds));
        body.expose().to_owned()
    }

    #[test]
    fn it_names_brand_code_and_life() {
        assert_eq!(
            message("Ringback", "123456", 600),
            "Ringback code: 123456. It expires in 10 minutes. Don't share it."
        );
    }

    #[test]
    fn minutes_are_what_is_left_and_at_least_one() {
        for (seconds, said) in [
            (0, "in 1 minute."),
            (59, "in 1 minute."),
            (89, "in 1 minute."),
            (90, "in 2 minutes."),
            (299, "in 5 minutes."),
            (86_400, "in 1440 minutes."),
        ] {
            let text = message("Ringback", "123456", seconds);
            assert!(text.contains(said), "{seconds} s: {text}");
        }
    }

    #[test]
    fn the_longest_message_is_one_segment() {
        for brand in ["M".repeat(30), "€".repeat(30)] {
            let text = message(&brand, "1234567890", 86_400);
            let length = septets(&text).unwrap();
            assert!(length <= SEGMENT_SEPTETS, "{length}: {text}");
        }
    }

    #[test]
    fn septets_are_counted_as_the_standard_says() {
        assert_eq!(septets("Ab1 @é"), Some(6));
        assert_eq!(septets("[€]"), Some(6));
        assert_eq!(septets("Жж"), None);
        assert_eq!(septets("`"), None);
        let basic = BASIC.chars().count() + 26 + 26 + 10;
        assert_eq!(basic, 127, "the alphabet has 128 places, one of them the escape");
    }

    #[test]
    fn a_brand_that_would_cost_two_segments_is_refused() {
        assert_eq!(Brand::parse(" "), Err(BrandError::Length));
        assert_eq!(Brand::parse(&"M".repeat(31)), Err(BrandError::Length));
        assert_eq!(Brand::parse("Кольцо"), Err(BrandError::Alphabet('К')));
        assert_eq!(Brand::parse("Ring\nback"), Err(BrandError::Alphabet('\n')));
        assert_eq!(Brand::parse(" Ringback "), Brand::parse("Ringback"));
    }
}
