//! What an e-mail address is, and when two of them are one.

mod digest;
mod dots;

use std::fmt;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

use crate::unicode::{folded, is_invisible, is_unknown};

pub use digest::EmailDigest;
pub use dots::is_dot_atom;

use dots::written_octets;

/// RFC 5321, 4.5.3.1.3: a path has 256 octets, its angle brackets included. The domain's own bound of 255 octets
/// (4.5.3.1.2) is beyond what that leaves.
const MAX_OCTETS: usize = 254;
/// RFC 5321, 4.5.3.1.1; of UTF-8 (RFC 6531, 3.3).
const MAX_LOCAL_OCTETS: usize = 64;
/// RFC 1035, 2.3.4.
const MAX_LABEL_OCTETS: usize = 63;

/// Why a text is not an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EmailError {
    #[error("Enter an e-mail address, for example name@example.com.")]
    Shape,
    #[error(
        "An e-mail address has at most 254 bytes, 64 of them before the @ (letters other than a to z take two to four each)."
    )]
    Length,
    #[error(
        "An e-mail address has no spaces, no control characters, nothing invisible and none of \" ( ) , : ; < > [ ] \\."
    )]
    ForeignCharacter,
}

/// An e-mail address that looks like one; whether mail arrives there is another question.
///
/// It keeps upper and lower case as typed, and is compared by [`EmailAddress::key`]. `Debug` shows neither.
#[derive(Clone)]
pub struct EmailAddress {
    typed: String,
    key: String,
}

impl EmailAddress {
    /// Reads an address, spaces around it dropped. Before the @ it is kept in its NFKC form: what looks or is typed alike, as
    /// a full-width letter or a ligature, is one mailbox here, and must not lead to another one elsewhere.
    ///
    /// # Errors
    /// An [`EmailError`] that can be shown to whoever typed it.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let typed = text.trim();
        if typed.len() > MAX_OCTETS {
            return Err(EmailError::Length);
        }
        let (local, domain) = typed.split_once('@').unwrap_or((typed, ""));
        let joins = |character| matches!(character, '\u{200C}' | '\u{200D}');
        // Some scripts' domains need joiners; where they may stand there, IDNA says.
        if local.chars().any(is_foreign)
            || domain
                .chars()
                .any(|character| is_foreign(character) && !joins(character))
        {
            return Err(EmailError::ForeignCharacter);
        }
        let key = format!("{}@{}", local_key(local)?, domain_key(domain)?);
        if key.len() > MAX_OCTETS {
            return Err(EmailError::Length);
        }
        Ok(Self {
            typed: format!("{}@{domain}", local.nfkc()),
            key,
        })
    }

    /// Takes back an address that this service stored itself, with its key.
    pub fn from_stored(typed: String, key: String) -> Self {
        Self { typed, key }
    }

    /// The address as it was typed, in the NFKC form.
    pub fn expose(&self) -> &str {
        &self.typed
    }

    /// What two spellings of one address share: before the @ the lower case of its NFKC form, after it the domain in ASCII
    /// (`xn--…`), as browsers and the DNS have it.
    ///
    /// RFC 5321 lets the part before the @ depend on case; no provider of note does, and people don't type it so.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The key's part after the @, in ASCII.
    pub fn domain(&self) -> &str {
        self.key.rsplit_once('@').map_or("", |(_, domain)| domain)
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

/// The part before the @, as it is compared.
fn local_key(local: &str) -> Result<String, EmailError> {
    let key = folded(local);
    // A full-width "＠" is harmless as typed and a second "@" once normalised: both forms must hold.
    if local.is_empty() || key.contains('@') {
        return Err(EmailError::Shape);
    }
    if key.chars().any(is_foreign) {
        return Err(EmailError::ForeignCharacter);
    }
    if local.len().max(written_octets(&key)) > MAX_LOCAL_OCTETS {
        return Err(EmailError::Length);
    }
    Ok(key)
}

/// The domain in ASCII, by UTS 46 as browsers do it: case, width and IDN against punycode make no difference.
fn domain_key(domain: &str) -> Result<String, EmailError> {
    let (letters, hyphens) = (AsciiDenyList::STD3, Hyphens::CheckFirstLast);
    let ascii = Uts46::new()
        .to_ascii(domain.as_bytes(), letters, hyphens, DnsLength::Ignore)
        .map_err(|_| EmailError::Shape)?;
    if is_domain(&ascii) {
        Ok(ascii.into_owned())
    } else {
        Err(EmailError::Shape)
    }
}

/// What needs quotes in RFC 5322, and what can't be seen or read: two addresses that look alike are a trap.
fn is_foreign(character: char) -> bool {
    const NEED_QUOTES: &str = "\"(),:;<>[]\\";
    character.is_whitespace()
        || character.is_control()
        || NEED_QUOTES.contains(character)
        || is_invisible(character)
        || is_unknown(character)
}

/// Two or more labels; the last isn't a number, so an IP address is none. IDNA has looked at their characters.
fn is_domain(ascii: &str) -> bool {
    let is_label = |label: &str| !label.is_empty() && label.len() <= MAX_LABEL_OCTETS;
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    ascii.contains('.') && ascii.split('.').all(is_label) && !ascii.rsplit('.').next().is_some_and(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> String {
        EmailAddress::parse(text).unwrap().key().to_owned()
    }

    #[test]
    fn spellings_of_one_address_share_a_key_and_keep_their_looks() {
        // A sigma at the end of a word is the same letter.
        for spelling in ["ΑΛΕΞΗΣ@example.com", "αλεξης@example.com", "αλεξησ@example.com"] {
            assert_eq!(key(spelling), "αλεξησ@example.com", "{spelling}");
        }
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
    fn what_is_one_address_here_is_written_to_as_one() {
        for (typed, written_to) in [
            ("ＪＡＮＥ@example.com", "JANE@example.com"),
            ("\u{FB01}na@example.com", "fina@example.com"),
            ("\u{212A}@example.com", "K@example.com"),
            ("Jose\u{301}@example.com", "José@example.com"),
        ] {
            let email = EmailAddress::parse(typed).unwrap();
            assert_eq!(email.expose(), written_to, "{typed}");
            assert_eq!(email.key(), written_to.to_lowercase(), "{typed}");
        }
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
    fn a_domain_is_one_in_its_own_script_and_in_punycode() {
        for (spellings, expected) in [
            (
                &[
                    "a@bücher.example",
                    "a@BÜCHER.example",
                    "a@bu\u{308}cher.Example",
                    "a@ｂücher．example",
                    "a@bücher。example",
                    "a@xn--bcher-kva.example",
                    "A@XN--BCHER-KVA.EXAMPLE",
                ][..],
                "a@xn--bcher-kva.example",
            ),
            (&["a@faß.de", "a@xn--fa-hia.de"], "a@xn--fa-hia.de"),
            (
                &["a@例子.公司", "a@xn--fsqu00a.xn--55qx5d"],
                "a@xn--fsqu00a.xn--55qx5d",
            ),
            (&["a@☕.example", "a@xn--53h.example"], "a@xn--53h.example"),
            // Persian words need a joiner between them.
            (
                &["a@نامه\u{200C}ای.example", "a@xn--mgba3gch31f060k.example"],
                "a@xn--mgba3gch31f060k.example",
            ),
        ] {
            for spelling in spellings {
                assert_eq!(key(spelling), expected, "{spelling}");
            }
        }
        let shown = EmailAddress::parse("a@Bücher.example").unwrap();
        assert_eq!(shown.expose(), "a@Bücher.example");
        for no_domain in [
            "a@xn--.example",
            "a@xn--a.example",
            "a@xn--999999999999.example",
            // Punycode of ASCII, and of what IDNA maps to something else.
            "a@xn--example-.com",
            "a@xn--BCHER-kva-.example",
            "a@-bücher.example",
        ] {
            assert!(EmailAddress::parse(no_domain).is_err(), "{no_domain}");
        }
    }

    #[test]
    fn what_nobody_sees_is_refused_on_both_sides() {
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
            '\u{200C}',
            '\u{200D}',
            '\u{200E}',
            '\u{202E}',
            '\u{2060}',
            '\u{2064}',
            '\u{2066}',
            '\u{206F}',
            '\u{2800}',
            '\u{3164}',
            '\u{FE00}',
            '\u{FE0F}',
            '\u{FEFF}',
            '\u{FFA0}',
            '\u{FFF9}',
            '\u{1D159}',
            '\u{1D173}',
            '\u{E0001}',
            '\u{E0061}',
            '\u{E0100}',
            '\u{E000}',
            '\u{378}',
        ] {
            for text in [
                format!("ja{character}ne@example.com"),
                format!("{character}jane@example.com"),
                format!("jane{character}@example.com"),
                format!("jane@exam{character}ple.com"),
            ] {
                let error = EmailAddress::parse(&text).unwrap_err();
                // A joiner where it joins nothing is no domain.
                let joins = matches!(character, '\u{200C}' | '\u{200D}') && text.starts_with("jane@");
                let expected = if joins {
                    EmailError::Shape
                } else {
                    EmailError::ForeignCharacter
                };
                assert_eq!(error, expected, "{text:?}");
            }
        }
    }

    #[test]
    fn lengths_are_held_to_the_octet() {
        let refusal = |text: String| EmailAddress::parse(&text).err();
        let local = |character: &str, count| format!("{}@example.com", character.repeat(count));
        assert_eq!(refusal(local("e", 64)), None);
        assert_eq!(refusal(local("e", 65)), Some(EmailError::Length));
        assert_eq!(refusal(local("é", 32)), None);
        assert_eq!(refusal(local("é", 33)), Some(EmailError::Length));
        assert_eq!(refusal(local("用", 21)), None);
        assert_eq!(refusal(local("用", 22)), Some(EmailError::Length));
        assert_eq!(
            refusal(local("ﷺ", 4)),
            Some(EmailError::ForeignCharacter),
            "it has spaces in it"
        );
        assert_eq!(
            refusal(local("㎯", 21)),
            Some(EmailError::Length),
            "short as typed alone"
        );
        let domain = |last: usize| format!("a@{0}.{0}.{0}.{1}.com", "b".repeat(62), "c".repeat(last));
        assert_eq!(refusal(domain(59)), None, "254 octets");
        assert_eq!(refusal(domain(60)), Some(EmailError::Length));
        assert_eq!(refusal(format!("a@{}.com", "b".repeat(63))), None);
        assert_eq!(
            refusal(format!("a@{}.com", "b".repeat(64))),
            Some(EmailError::Shape)
        );
        assert_eq!(
            refusal(format!("a@{}.com", "ü".repeat(58))),
            Some(EmailError::Shape),
            "58 characters, 64 in ASCII"
        );
        assert_eq!(refusal("x".repeat(100_000)), Some(EmailError::Length));
    }

    #[test]
    fn debug_shows_nothing_of_it() {
        let shown = format!("{:?}", EmailAddress::parse("jane@example.com").unwrap());
        assert!(!shown.contains("jane") && !shown.contains("example"), "{shown}");
    }
}
