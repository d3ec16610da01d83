//! Which kinds of events a webhook is for.

use thiserror::Error;

use crate::events::EventKind;

/// Kinds of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventKinds(Vec<EventKind>);

/// A text that names no kind.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("no kind of events: such as password.changed, or phone.* for all that begin so")]
pub struct KindError;

impl EventKinds {
    /// Those that are named, each by its name or, before `.*`, by the beginning of several. None named is all but refusals,
    /// which may be many.
    ///
    /// # Errors
    /// [`KindError`] where one of them is no kind.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, KindError> {
        let mut kinds = Vec::new();
        for name in names {
            let before = kinds.len();
            let matches = |kind: &EventKind| match name.strip_suffix(".*") {
                Some(noun) => kind.name().split('.').next() == Some(noun),
                None => kind.name() == name,
            };
            kinds.extend(EventKind::ALL.into_iter().filter(matches));
            if kinds.len() == before {
                return Err(KindError);
            }
        }
        if kinds.is_empty() {
            let is_refusal = |kind: &EventKind| {
                use EventKind::{CodeRefused, LoginFailed, RequestRefused};
                matches!(kind, LoginFailed | CodeRefused | RequestRefused)
            };
            kinds.extend(EventKind::ALL.into_iter().filter(|kind| !is_refusal(kind)));
        }
        kinds.sort_unstable();
        kinds.dedup();
        Ok(Self(kinds))
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|kind| kind.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_named_whole_or_by_their_beginning() {
        let names = |kinds: &[&str]| -> Vec<_> {
            let kinds = EventKinds::parse(kinds.iter().copied()).unwrap();
            kinds.names().collect()
        };
        assert_eq!(names(&["password.*"]), ["password.changed", "password.reset"]);
        assert_eq!(names(&["phone.moved", "phone.moved"]), ["phone.moved"]);
        assert_eq!(names(&["login.failed"]), ["login.failed"]);
        let all = names(&[]);
        assert!(
            all.contains(&"account.deleted") && !all.contains(&"request.refused"),
            "{all:?}"
        );
    }

    #[test]
    fn what_is_no_kind_is_refused() {
        for name in [
            "",
            "*",
            ".*",
            "password",
            "password.",
            "pass.*",
            "password.changed.*",
        ] {
            assert_eq!(EventKinds::parse([name]), Err(KindError), "{name}");
        }
    }
}
