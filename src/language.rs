//! What an SMS is written in.

use std::{borrow::Borrow, sync::Arc};

/// A language by its tag (BCP 47), in lower case: `en`, `pt-br`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Language(Arc<str>);

impl Language {
    /// Takes a tag of up to 16 letters, digits and hyphens, however it is cased.
    pub fn parse(tag: &str) -> Option<Self> {
        let sound = tag
            .bytes()
            .all(|character| character.is_ascii_alphanumeric() || character == b'-');
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

impl Borrow<str> for Language {
    fn borrow(&self) -> &str {
        &self.0
    }
}
