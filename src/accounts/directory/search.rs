//! What is looked for among accounts, and where a list of them goes on.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    accounts::users::name_key,
    email::EmailAddress,
    phone::{PhoneCheck, PhoneNumber},
};

/// The beginning of no address or name is longer.
const MAX_CHARS: usize = 254;
/// Sorts behind all that begins with what stands before it.
const BEHIND_ALL: char = '\u{10FFFF}';

/// Accounts that are looked for.
#[derive(Debug, Clone)]
pub struct Search {
    pub by: SearchBy,
    /// Those of this status alone.
    pub status: Option<AccountStatus>,
    /// Behind this one.
    pub after: Option<SearchPlace>,
    /// Of so many at most.
    pub limit: u32,
}

/// What they are looked for by. `Debug` shows the kind alone.
#[derive(Clone, PartialEq, Eq)]
pub enum SearchBy {
    /// All of them.
    Nothing,
    Id(Uuid),
    Phone(PhoneNumber),
    /// The beginnings of an e-mail address's key, and of a last name's.
    Beginning {
        email: String,
        name: String,
    },
}

/// Whether somebody may sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountStatus {
    Active,
    Locked,
}

/// Where a list goes on: behind this account. Of what begins alike, first those whose e-mail address does, then those whose
/// last name does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchPlace {
    /// Whether it was found by its last name.
    pub by_name: bool,
    pub id: Uuid,
}

impl SearchBy {
    /// Reads what somebody typed: an id, a whole phone in any spelling, or the beginning of an e-mail address or a last name.
    /// `None`: nothing is that long.
    pub fn parse(typed: &str) -> Option<Self> {
        // No text of PostgreSQL has a NUL; no address or name has this one.
        let typed = &typed.replace('\0', "\u{FFFD}");
        let text = typed.trim();
        if text.is_empty() {
            return Some(Self::Nothing);
        }
        if text.chars().count() > MAX_CHARS {
            return None;
        }
        if let Ok(id) = Uuid::parse_str(text) {
            return Some(Self::Id(id));
        }
        if let Ok(phone) = PhoneNumber::parse(text, PhoneCheck::E164) {
            return Some(Self::Phone(phone));
        }
        // In a query that nobody has encoded, `+1 415…` arrives as ` 1 415…`.
        if typed.starts_with(' ')
            && text.starts_with(|character: char| character.is_ascii_digit())
            && let Ok(phone) = PhoneNumber::parse(&format!("+{text}"), PhoneCheck::E164)
        {
            return Some(Self::Phone(phone));
        }
        // A whole address has a domain that is kept in another spelling than it may be typed in.
        let email = EmailAddress::parse(text).map(|email| email.key().to_owned());
        Some(Self::Beginning {
            email: email.unwrap_or_else(|_| name_key(text)),
            name: name_key(text),
        })
    }

    /// Its name in events.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Id(_) => "id",
            Self::Phone(_) => "phone",
            Self::Beginning { .. } => "beginning",
        }
    }
}

impl fmt::Debug for SearchBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SearchBy({})", self.name())
    }
}

impl AccountStatus {
    pub const ALL: [Self; 2] = [Self::Active, Self::Locked];

    /// Its name in requests and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Locked => "locked",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// What holds for accounts `u` of this status: a part of a statement.
    pub(super) const fn condition(status: Option<Self>) -> &'static str {
        match status {
            None => "",
            Some(Self::Active) => " AND u.locked_at IS NULL",
            Some(Self::Locked) => " AND u.locked_at IS NOT NULL",
        }
    }
}

/// What sorts behind all texts that begin so.
pub(super) fn end_of(beginning: &str) -> String {
    format!("{beginning}{BEHIND_ALL}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beginning(text: &str) -> (String, String) {
        match SearchBy::parse(text) {
            Some(SearchBy::Beginning { email, name }) => (email, name),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn what_was_typed_says_by_itself_what_it_is() {
        assert_eq!(SearchBy::parse("  "), Some(SearchBy::Nothing));
        let id = Uuid::from_u128(7);
        for text in [id.to_string(), id.simple().to_string().to_uppercase()] {
            assert_eq!(SearchBy::parse(&text), Some(SearchBy::Id(id)));
        }
        let phone = PhoneNumber::parse("+14155552671", PhoneCheck::E164).unwrap();
        for text in [
            "+1 415 555 2671",
            " +1 (415) 555-2671",
            // A query that nobody has encoded: `q=+1 415…`.
            " 14155552671",
            " 1 415 555 2671",
            "＋１４１５５５５２６７１",
        ] {
            let found = SearchBy::parse(text);
            assert_eq!(found, Some(SearchBy::Phone(phone.clone())), "{text}");
        }
        assert_eq!(beginning(" Jane@Ex").0, "jane@ex");
        assert_eq!(
            beginning("14155552671").0,
            "14155552671",
            "addresses begin with digits as well"
        );
        assert_eq!(beginning("ÄRZTE").1, "ärzte");
        assert_eq!(beginning("a@bücher.example").0, "a@xn--bcher-kva.example");
        assert_eq!(SearchBy::parse(&"x".repeat(255)), None);
    }

    #[test]
    fn all_that_begins_so_lies_before_the_end() {
        for text in ["ab", "abz", "ab\u{10FFFE}", "abé"] {
            assert!("ab" <= text && text < &*end_of("ab"), "{text}");
        }
        assert!("ac" > &*end_of("ab"));
    }

    #[test]
    fn nothing_that_was_typed_is_shown() {
        let shown = format!("{:?}", SearchBy::parse("jane@example.com"));
        assert_eq!(shown, "Some(SearchBy(beginning))");
    }
}
