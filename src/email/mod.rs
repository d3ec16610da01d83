//! What an e-mail address is, and when two of them are one.

mod digest;

use std::fmt;

use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

pub use digest::EmailDigest;

/// RFC 5321, 4.5.3.1.3: a path has 256 octets, its angle brackets included.
const MAX_CHARS: usize = 254;
/// RFC 5321, 4.5.3.1.1.
const MAX_LOCAL_CHARS: usize = 64;
/// RFC 1035, 2.3.4.
const MAX_LABEL_CHARS: usize = 63;

/// Why a text is not an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EmailError {
    #[error("Enter an e-mail address, for example name@example.com.")]
    Shape,
    #[error("An e-mail address has at most 254 characters, 64 of them before the @.")]
    Length,
    #[error("An e-mail address has no spaces, control characters or any of \" ( ) , : ; < > [ ] \\.")]
    ForeignCharacter,
}

/// An e-mail address that looks like one; whether mail arrives there is another question.
///
/// It keeps the spelling that was typed and is compared by [`EmailAddress::key`]. `Debug` shows neither.
#[derive(Clone)]
pub struct EmailAddress {
    typed: String,
    key: String,
}

impl EmailAddress {
    /// Reads an address, spaces around it dropped.
    ///
    /// # Errors
    /// An [`EmailError`] that can be shown to whoever typed it.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let typed = text.trim();
        // No address of legal length has more bytes: what is longer is not read.
        if typed.len() > MAX_CHARS * 4 {
            return Err(EmailError::Length);
        }
        check(typed)?;
        let normalised: String = typed.nfkc().collect();
        // A full-width "＠" or "．" is harmless as typed and a second "@" once normalised: both forms must hold.
        check(&normalised)?;
        Ok(Self {
            typed: typed.to_owned(),
            key: normalised.to_lowercase(),
        })
    }

    /// Takes back an address that this service stored itself, with its key.
    pub fn from_stored(typed: String, key: String) -> Self {
        Self { typed, key }
    }

    /// The address as it was typed.
    pub fn expose(&self) -> &str {
        &self.typed
    }

    /// What two spellings of one address share: the lower case of its NFKC form.
    ///
    /// RFC 5321 lets the part before the @ depend on case; no provider of note does, and people don't type it so.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The key's part before the @.
    pub fn local_part(&self) -> &str {
        self.key.rsplit_once('@').map_or("", |(local, _)| local)
    }
}

impl From<EmailAddress> for String {
    /// The address as it was typed.
    fn from(email: EmailAddress) -> Self {
        email.typed
    }
}

impl PartialEq for EmailAddress {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for EmailAddress {}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(•••)")
    }
}

fn check(text: &str) -> Result<(), EmailError> {
    if text.chars().any(is_foreign) {
        return Err(EmailError::ForeignCharacter);
    }
    let (local, domain) = text.split_once('@').ok_or(EmailError::Shape)?;
    if text.chars().count() > MAX_CHARS || local.chars().count() > MAX_LOCAL_CHARS {
        return Err(EmailError::Length);
    }
    if local.is_empty() || domain.contains('@') || !is_domain(domain) {
        return Err(EmailError::Shape);
    }
    Ok(())
}

/// What needs quotes in RFC 5322, and what can't be seen: two addresses that look alike are a trap.
fn is_foreign(sign: char) -> bool {
    const NEED_QUOTES: &str = "\"(),:;<>[]\\";
    sign.is_whitespace()
        || sign.is_control()
        || NEED_QUOTES.contains(sign)
        || matches!(sign, '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{FEFF}')
        || matches!(sign, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}')
}

/// Two or more labels of letters (of any script: IDN), digits and inner hyphens; the last isn't a number, so an IP
/// address is none.
fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.chars().count() <= MAX_LABEL_CHARS
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(is_label_sign)
    };
    let is_number = |label: &str| label.chars().all(|sign| sign.is_ascii_digit());
    domain.contains('.')
        && domain.split('.').all(is_label)
        && !domain.rsplit('.').next().is_some_and(is_number)
}

/// Combining marks are part of many scripts' letters and aren't alphanumeric, so beyond ASCII all is let through that
/// [`is_foreign`] does not refuse.
fn is_label_sign(sign: char) -> bool {
    sign.is_alphanumeric() || sign == '-' || !sign.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> String {
        EmailAddress::parse(text).unwrap().key().to_owned()
    }

    #[test]
    fn spellings_of_one_address_share_a_key_and_keep_their_looks() {
        for spelling in ["jane@example.com", " Jane@Example.COM\n", "ＪＡＮＥ@example.com"] {
            assert_eq!(key(spelling), "jane@example.com", "{spelling}");
        }
        let email = EmailAddress::parse(" Jane@Example.COM ").unwrap();
        assert_eq!(email.expose(), "Jane@Example.COM");
        assert_eq!(email.local_part(), "jane");
        assert_eq!(email, EmailAddress::parse("jane@example.com").unwrap());
        assert_eq!(key("José@example.com"), key("Jose\u{301}@example.com"));
    }

    #[test]
    fn addresses_of_any_script_pass() {
        for text in [
            "a@b.co",
            "first.last+tag@sub.example-site.org",
            "o'brien_%~@example.com",
            "用户@例子.公司",
            "उपयोगकर्ता@उदाहरण.भारत",
            "x@xn--bcher-kva.example",
            "1@2.3d",
        ] {
            assert!(EmailAddress::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", EmailError::Shape),
            ("jane", EmailError::Shape),
            ("@example.com", EmailError::Shape),
            ("jane@", EmailError::Shape),
            ("jane@localhost", EmailError::Shape),
            ("jane@example..com", EmailError::Shape),
            ("jane@example.com.", EmailError::Shape),
            ("jane@-example.com", EmailError::Shape),
            ("jane@example-.com", EmailError::Shape),
            ("jane@exa_mple.com", EmailError::Shape),
            ("jane@192.168.0.1", EmailError::Shape),
            ("a@b@example.com", EmailError::Shape),
            ("a\u{FF20}b@example.com", EmailError::Shape),
            ("ja ne@example.com", EmailError::ForeignCharacter),
            ("jane@exam\u{0}ple.com", EmailError::ForeignCharacter),
            ("ja\u{200B}ne@example.com", EmailError::ForeignCharacter),
            ("jane@[127.0.0.1]", EmailError::ForeignCharacter),
            ("<jane@example.com>", EmailError::ForeignCharacter),
        ] {
            assert_eq!(EmailAddress::parse(text).unwrap_err(), reason, "{text:?}");
        }
    }

    #[test]
    fn lengths_are_held_to_the_character() {
        let local = |count: usize| format!("{}@example.com", "é".repeat(count));
        assert!(EmailAddress::parse(&local(64)).is_ok());
        assert_eq!(EmailAddress::parse(&local(65)).unwrap_err(), EmailError::Length);
        let label = |last: usize| format!("a@{0}.{0}.{0}.{1}.com", "b".repeat(62), "c".repeat(last));
        assert!(EmailAddress::parse(&label(59)).is_ok(), "254 characters");
        assert_eq!(EmailAddress::parse(&label(60)).unwrap_err(), EmailError::Length);
        assert_eq!(
            EmailAddress::parse(&"x".repeat(100_000)).unwrap_err(),
            EmailError::Length
        );
    }

    #[test]
    fn debug_shows_nothing_of_it() {
        let shown = format!("{:?}", EmailAddress::parse("jane@example.com").unwrap());
        assert!(!shown.contains("jane") && !shown.contains("example"), "{shown}");
    }
}
