//! Which passwords are accepted (NIST SP 800-63B-4, 3.1.1.2): length and a blocklist, no composition rules.

use std::{collections::HashSet, fmt, sync::LazyLock};

use thiserror::Error;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::unicode::is_invisible;

const MAX_CHARS: usize = 128;
/// What NFKC makes of one character at most, in bytes per byte: U+FDFA, 3 bytes, becomes 33.
const NFKC_GROWTH: usize = 11;

/// Why a password is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PasswordError {
    #[error("A password has at least {0} characters.")]
    TooShort(usize),
    #[error("A password has at most 128 characters.")]
    TooLong,
    #[error("A password needs characters that can be seen, not spaces alone.")]
    Blank,
    #[error("A password needs more than one character repeated.")]
    Repeated,
    #[error("This password is too common.")]
    Common,
    #[error("A password must not be made of your e-mail address, phone number or name.")]
    Personal,
    #[error("A password must not be made of the name of this service.")]
    Service,
    #[error("This password was stolen elsewhere and published: choose one that you use nowhere else.")]
    Breached,
}

/// A password in its NFKC form, so that every keyboard's spelling of it is one. Wiped from memory when it is dropped;
/// `Debug` shows nothing.
#[derive(Clone)]
pub struct Password {
    normalised: Zeroizing<String>,
    /// Where it was another: other systems hash it so.
    typed: Option<Zeroizing<String>>,
}

impl Password {
    /// A password to be set: `min_length` to 128 characters, more than one of which can be seen, and not among the
    /// commonest. It is never shortened.
    ///
    /// # Errors
    /// A [`PasswordError`] that can be shown to whoever typed it.
    pub(super) fn parse(text: &str, min_length: usize) -> Result<Self, PasswordError> {
        // One character is composed of four at most, of four bytes each: what is longer is not read.
        if text.len() > MAX_CHARS * 4 * 4 {
            return Err(PasswordError::TooLong);
        }
        let password = Self::presented(text);
        match password.normalised.chars().count() {
            chars if chars < min_length => Err(PasswordError::TooShort(min_length)),
            chars if chars > MAX_CHARS => Err(PasswordError::TooLong),
            _ if COMMON.contains(password.folded().as_str()) => Err(PasswordError::Common),
            _ => password.refuse_blank().map(|()| password),
        }
    }

    /// A password that someone shows as theirs, at login: under no rule, since the rules may have been others when it
    /// was set.
    pub fn presented(text: &str) -> Self {
        // Room for the whole at once: a string that grows leaves pieces of the secret behind.
        let growth = if text.is_ascii() { 1 } else { NFKC_GROWTH };
        let mut normalised = Zeroizing::new(String::with_capacity(text.len() * growth));
        normalised.extend(text.nfkc());
        let typed = (*normalised != text).then(|| Zeroizing::new(text.to_owned()));
        Self { normalised, typed }
    }

    /// Whether both are the same password, however they were typed.
    pub fn is_same(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }

    /// Refuses what shows nothing, and one character again and again, in whatever case and with whatever spaces between.
    fn refuse_blank(&self) -> Result<(), PasswordError> {
        let folded = self.folded();
        let mut seen = folded
            .chars()
            .filter(|&character| !character.is_whitespace() && !is_invisible(character));
        let first = seen.next().ok_or(PasswordError::Blank)?;
        if seen.all(|character| character == first) {
            return Err(PasswordError::Repeated);
        }
        Ok(())
    }

    /// What is hashed.
    pub(super) fn bytes(&self) -> &[u8] {
        self.normalised.as_bytes()
    }

    /// What other systems hash.
    pub(super) fn typed(&self) -> &[u8] {
        self.typed.as_ref().unwrap_or(&self.normalised).as_bytes()
    }

    /// What the rules look at.
    pub(super) fn text(&self) -> &str {
        &self.normalised
    }

    fn folded(&self) -> Zeroizing<String> {
        Zeroizing::new(self.normalised.to_lowercase())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(•••)")
    }
}

static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let entries = include_str!("common_passwords.txt").lines();
    entries.filter(|line| !line.starts_with('#')).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Option<PasswordError> {
        Password::parse(text, 8).err()
    }

    #[test]
    fn length_is_counted_in_characters_after_normalisation() {
        assert_eq!(refusal("geheim7"), Some(PasswordError::TooShort(8)));
        assert_eq!(refusal("geheim78"), None);
        assert_eq!(refusal("пароль моей кошки"), None);
        assert_eq!(refusal("密码密码密码密"), Some(PasswordError::TooShort(8)));
        assert_eq!(
            refusal("e\u{301}e\u{301}e\u{301}e\u{301}"),
            Some(PasswordError::TooShort(8)),
            "4 é"
        );
        assert_eq!(refusal(&"ü9".repeat(64)), None);
        assert_eq!(
            refusal(&format!("{}x", "ü9".repeat(64))),
            Some(PasswordError::TooLong)
        );
        assert_eq!(refusal(&"u\u{308}9".repeat(64)), None, "128 composed, 192 typed");
        assert_eq!(refusal(&"x".repeat(1_000_000)), Some(PasswordError::TooLong));
    }

    #[test]
    fn nothing_is_trimmed_and_no_composition_is_asked_for() {
        assert_eq!(Password::parse("  spaces  ", 8).unwrap().bytes(), b"  spaces  ");
        for fine in [
            "securepass123",
            "correct horse battery staple",
            "nurkleinbuchstaben",
            "83619467205",
        ] {
            assert_eq!(refusal(fine), None, "{fine}");
        }
    }

    #[test]
    fn blanks_and_one_character_repeated_are_refused() {
        for blank in [
            " ".repeat(8),
            "\u{A0}".repeat(9),
            "\u{3000}".repeat(8),
            "\u{200B}".repeat(8),
            " \u{200B}\t\u{3164}\u{2060}\u{FE0F} \u{2800}".to_owned(),
        ] {
            assert_eq!(refusal(&blank), Some(PasswordError::Blank), "{blank:?}");
        }
        for repeated in [
            "zzzzzzzz",
            "........",
            "éééééééé",
            "密密密密密密密密",
            "🙂🙂🙂🙂🙂🙂🙂🙂",
            "QqQqQqQq",
            "ｑqｑqｑqｑq",
            "x       ",
            "7 7 7 7 7",
            "k\u{200B}k\u{200B}k\u{200B}k\u{200B}",
        ] {
            assert_eq!(refusal(repeated), Some(PasswordError::Repeated), "{repeated:?}");
        }
        assert_eq!(refusal("zzzzzzzzy"), None);
    }

    #[test]
    fn the_commonest_are_refused_in_any_case_and_width() {
        for common in [
            "password",
            "PassWord",
            "ＰＡＳＳＷＯＲＤ",
            "password123",
            "12345678",
            "qwertyuiop",
            "Jennifer",
        ] {
            assert_eq!(refusal(common), Some(PasswordError::Common), "{common}");
        }
    }

    #[test]
    fn the_list_is_long_and_folded_and_without_comments() {
        assert!(COMMON.len() > 3_000, "{}", COMMON.len());
        for entry in COMMON.iter() {
            assert!(entry.len() >= 8 && !entry.starts_with('#'), "{entry}");
            assert_eq!(*entry, entry.to_lowercase());
        }
    }

    #[test]
    fn the_least_length_is_what_it_was_set_to() {
        let refusal = |text: &str| Password::parse(text, 15).err();
        assert_eq!(refusal("quiet-otter-47"), Some(PasswordError::TooShort(15)));
        assert_eq!(refusal("quiet-otter-478"), None);
    }

    #[test]
    fn spellings_of_one_password_are_one() {
        let composed = Password::presented("caf\u{e9} au lait");
        let decomposed = Password::presented("cafe\u{301} au lait");
        assert_eq!(composed.bytes(), decomposed.bytes());
        assert_eq!(
            Password::presented("\u{FDFA}").bytes().len(),
            33,
            "the worst growth there is"
        );
    }

    #[test]
    fn debug_shows_nothing_of_it() {
        assert!(!format!("{:?}", Password::parse("geheim78", 8).unwrap()).contains("geheim"));
    }
}
