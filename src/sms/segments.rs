//! What a text costs: its alphabet, and how many segments it fills. Each segment is paid for.

/// The basic alphabet of 3GPP TS 23.038 section 6.2.1, one septet each; letters and digits of ASCII are asked for
/// apart. The table's escape is no character of its own.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà";
/// Its extension table (section 6.2.1.1): an escape and a character, two septets each.
const EXTENSION: &str = "\u{0C}^{}\\[~]|€";

/// What a segment holds. Joined segments give some of it to a header that tells their order (TS 23.040, section 9.2.3.24).
struct Capacity {
    alone: usize,
    joined: usize,
}

/// In septets of the GSM 7-bit alphabet (TS 23.038).
const SEPTETS: Capacity = Capacity {
    alone: 160,
    joined: 153,
};
/// In 16-bit units of UCS-2: one character outside the alphabet turns the whole text into it.
const UNITS: Capacity = Capacity {
    alone: 70,
    joined: 67,
};

/// How many segments a text takes, at least one. A character of two septets or units is not split between segments.
pub fn segments(text: &str) -> usize {
    match septets(text) {
        Some(total) => fill(total, &SEPTETS, text.chars().filter_map(cost)),
        None => {
            let total = text.chars().map(char::len_utf16).sum();
            fill(total, &UNITS, text.chars().map(char::len_utf16))
        }
    }
}

fn fill(total: usize, capacity: &Capacity, widths: impl Iterator<Item = usize>) -> usize {
    if total <= capacity.alone {
        return 1;
    }
    let (mut segments, mut filled) = (1, 0);
    for width in widths {
        if filled + width > capacity.joined {
            (segments, filled) = (segments + 1, 0);
        }
        filled += width;
    }
    segments
}

/// How many septets a text takes in the GSM 7-bit alphabet; `None` if it has a character outside of it.
pub fn septets(text: &str) -> Option<usize> {
    text.chars().map(cost).sum()
}

fn cost(character: char) -> Option<usize> {
    if character.is_ascii_alphanumeric() || BASIC.contains(character) {
        Some(1)
    } else if EXTENSION.contains(character) {
        Some(2)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_alphabet_is_the_standards() {
        let basic = BASIC.chars().count() + 26 + 26 + 10;
        assert_eq!(basic, 127, "the alphabet has 128 places, one of them the escape");
        assert_eq!(septets("Ab1 @é"), Some(6));
        assert_eq!(septets("[€]"), Some(6));
        for foreign in ["Жж", "`", "ó", "ç", "’", "\u{200F}"] {
            assert_eq!(septets(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn segments_are_counted_as_providers_bill_them() {
        for (text, count) in [
            (String::new(), 1),
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("a".repeat(459), 3),
            ("a".repeat(460), 4),
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            // 76 fit into 153 septets: the last septet stays empty, as the escape isn't parted from its character.
            ("€".repeat(152), 2),
            ("€".repeat(153), 3),
            ("я".repeat(70), 1),
            ("я".repeat(71), 2),
            ("я".repeat(134), 2),
            ("я".repeat(135), 3),
            ("😀".repeat(35), 1),
            ("😀".repeat(36), 2),
            ("😀".repeat(66), 2),
            ("😀".repeat(67), 3),
            // One character is enough to turn all of it.
            (format!("{}я", "a".repeat(69)), 1),
            (format!("{}я", "a".repeat(70)), 2),
        ] {
            assert_eq!(segments(&text), count, "{text}");
        }
    }

    proptest! {
        /// Whatever is in it, the segments hold the text, and hardly more.
        #[test]
        fn segments_hold_the_text(text in "[a-zà-ü€{}я😀 ]{0,600}") {
            let is_gsm = septets(&text).is_some();
            let (alone, joined) = if is_gsm { (160, 153) } else { (70, 67) };
            let total = septets(&text).unwrap_or_else(|| text.encode_utf16().count());
            let count = segments(&text);
            if count == 1 {
                prop_assert!(total <= alone);
            } else {
                prop_assert!(total > alone && total <= count * joined && total + count - 1 > (count - 1) * joined);
            }
        }
    }
}
