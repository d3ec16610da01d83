//! What a password must not be made of: what anybody who knows the person would try first.

use std::fmt;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use zeroize::Zeroizing;

use super::{Password, PasswordError};
use crate::{accounts::users::PersonName, email::EmailAddress, phone::PhoneNumber};

/// What is shorter stands in many words by chance.
const MIN_WORD: usize = 4;
/// Digits of a phone that are looked for: a national number without its area has so many.
const MIN_DIGITS: usize = 7;

/// What is known of whose password it is: the account's own words.
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnerWords<'a> {
    pub email: Option<&'a EmailAddress>,
    pub phone: Option<&'a PhoneNumber>,
    pub first_name: Option<&'a PersonName>,
    pub last_name: Option<&'a PersonName>,
}

impl Password {
    /// Refuses what anybody who knows the owner would try first: the e-mail address, the phone, the name, in whatever
    /// spelling.
    ///
    /// # Errors
    /// [`PasswordError::Personal`].
    pub fn refuse_personal(&self, owner: &OwnerWords<'_>) -> Result<(), PasswordError> {
        if ContextWords::of_owner(owner).make(self) {
            return Err(PasswordError::Personal);
        }
        Ok(())
    }
}

/// The words and the digits that stand for an account, or for the service: in lower case, letters and digits alone,
/// without accents. Wiped from memory when it is dropped; `Debug` shows nothing.
#[derive(Clone)]
pub(super) struct ContextWords {
    /// The longest first.
    words: Vec<Zeroizing<String>>,
    digits: Option<Zeroizing<String>>,
}

impl ContextWords {
    /// Of an account.
    fn of_owner(owner: &OwnerWords<'_>) -> Self {
        let name = |name: Option<&'_ PersonName>| name.map_or("", PersonName::expose).to_owned();
        let (first, last) = (
            Zeroizing::new(name(owner.first_name)),
            Zeroizing::new(name(owner.last_name)),
        );
        let mut words = vec![
            folded(&Zeroizing::new(format!("{}{}", *first, *last))),
            folded(&Zeroizing::new(format!("{}{}", *last, *first))),
        ];
        words.extend(pieces(&first).chain(pieces(&last)));
        if let Some(email) = owner.email {
            words.extend([folded(email.key()), folded(email.local_part())]);
            words.extend(pieces(email.local_part()));
        }
        Self::new(words, owner.phone)
    }

    /// Of the service, by its name.
    pub fn of_service(brand: &str) -> Self {
        let words = [folded(brand)].into_iter().chain(pieces(brand)).collect();
        Self::new(words, None)
    }

    fn new(mut words: Vec<Zeroizing<String>>, phone: Option<&PhoneNumber>) -> Self {
        words.retain(|word| word.chars().count() >= MIN_WORD);
        words.sort_unstable_by_key(|word| std::cmp::Reverse(word.len()));
        words.dedup();
        let digits = phone.map(|phone| Zeroizing::new(phone.expose().trim_start_matches('+').to_owned()));
        Self { words, digits }
    }

    /// Whether a password is made of them: it is one of the words or the phone in another spelling. Signs, spaces and
    /// digits around them are left aside, and so is a rest of less than four letters: it is no secret.
    pub fn make(&self, password: &Password) -> bool {
        let core = folded(password.text());
        let letters = |text: &str| text.chars().filter(|character| !character.is_numeric()).count();
        let mut rest = core.clone();
        for word in &self.words {
            // With a mark in its place, so that what stood around it makes no new word.
            rest = Zeroizing::new(rest.replace(word.as_str(), "0"));
        }
        let has_word = rest != core;
        (has_word && letters(&rest) < MIN_WORD) || (letters(&core) < MIN_WORD && self.is_phone(&core))
    }

    /// Whether the digits are the phone's: in international form, with other characters before or behind; or national, with or
    /// without the zeros that are dialled before.
    fn is_phone(&self, core: &str) -> bool {
        let Some(phone) = &self.digits else {
            return false;
        };
        let digits: Zeroizing<String> = Zeroizing::new(core.chars().filter(char::is_ascii_digit).collect());
        let dialled = digits.trim_start_matches('0');
        (dialled.len() >= MIN_DIGITS && phone.ends_with(dialled)) || digits.contains(phone.as_str())
    }
}

impl fmt::Debug for ContextWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContextWords(•••)")
    }
}

/// The letters and digits of a text, in lower case and without accents.
fn folded(text: &str) -> Zeroizing<String> {
    let characters = text.nfkd().filter(|character| !is_combining_mark(*character));
    let lower = characters.flat_map(char::to_lowercase);
    Zeroizing::new(lower.filter(|character| character.is_alphanumeric()).collect())
}

/// The parts of a text between spaces and punctuation, folded each.
fn pieces(text: &str) -> impl Iterator<Item = Zeroizing<String>> {
    text.split(|character: char| !character.is_alphanumeric() && !is_combining_mark(character))
        .map(folded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::PhoneCheck;

    fn words_of(email: &str, phone: Option<&PhoneNumber>, first: &str, last: Option<&str>) -> ContextWords {
        let email = EmailAddress::parse(email).unwrap();
        let name = |text| PersonName::parse(text).unwrap();
        let (first, last) = (name(first), last.map(name));
        ContextWords::of_owner(&OwnerWords {
            email: Some(&email),
            phone,
            first_name: Some(&first),
            last_name: last.as_ref(),
        })
    }

    fn context() -> ContextWords {
        let phone = PhoneNumber::parse("+14152000001", PhoneCheck::E164).unwrap();
        words_of("Jane.Q.Doe@Example.com", Some(&phone), "Jané", Some("Doe-Smith"))
    }

    fn is_refused(context: &ContextWords, text: &str) -> bool {
        context.make(&Password::presented(text))
    }

    #[test]
    fn what_stands_for_the_person_is_refused_in_every_spelling() {
        for text in [
            "jane.q.doe@example.com",
            "JANE.Q.DOE",
            "jane q doe!",
            "JaneJane",
            "jane-1984",
            "19jane84!",
            "Jané 2026",
            "ＪＡＮＥ2026",
            "janesmith",
            "Smith, Jane",
            "my jane 1",
            "14152000001",
            "+1 (415) 200-0001",
            "001 415 200 0001",
            "0415 2000001",
            "tel4152000001",
        ] {
            assert!(is_refused(&context(), text), "{text}");
        }
    }

    #[test]
    fn what_only_has_a_piece_of_it_is_not() {
        for text in [
            "jane likes quiet otters",
            "smithereens-47",
            "14152000002",
            "83619467205",
            "4152000001 otters",
            "quiet-otter-47",
            "doe doe doe",
        ] {
            assert!(!is_refused(&context(), text), "{text}");
        }
    }

    #[test]
    fn words_of_less_than_four_letters_stand_for_nobody() {
        let context = words_of("li@example.com", None, "Bo", None);
        assert!(!is_refused(&context, "bo-bo-bo-1"));
        assert!(!is_refused(&context, "lilililili"));
        assert!(is_refused(&context, "li@example.com"));
    }

    #[test]
    fn the_services_name_is_refused_as_well() {
        let context = ContextWords::of_service("Ring Back");
        for text in ["ringback", "the RingBack", "RingBack2026!", "ring back back"] {
            assert!(is_refused(&context, text), "{text}");
        }
        assert!(!is_refused(&context, "quiet otters ring back"));
    }

    #[test]
    fn debug_shows_nothing_of_it() {
        assert_eq!(format!("{:?}", context()), "ContextWords(•••)");
    }
}
