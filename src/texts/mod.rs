//! Texts as files, for every channel: one file for each text and language, carried by the program and replaced or joined
//! by those in the operator's folder.
//!
//! | file | holds |
//! |---|---|
//! | `template.rs` | a text with places such as `{code}`, read and filled in |
//! | `brand.rs` | who a message is from, in its text |
//! | `folder.rs` | the operator's files |
//! | `catalog.rs` | the texts of one channel, by name and language |

mod brand;
mod catalog;
mod folder;
mod template;

use std::{path::PathBuf, time::Duration};

pub use brand::{Brand, BrandError};
pub use catalog::{Carried, Catalog, names};
pub use folder::TextFolder;
pub use template::{Flaw, Names, Template};

/// The texts of one name in the languages that the program carries.
macro_rules! carried {
    ($name:literal) => {
        carried!($name; "ar", "de", "en", "es", "fr", "hi", "ja", "pt")
    };
    ($name:literal; $($language:literal),*) => {
        (
            $name,
            &[$((
                $language,
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/config/messages/", $name, ".", $language, ".txt")),
            )),*],
        )
    };
}
pub(crate) use carried;

/// Why the texts are refused: one line for each fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextFault {
    /// Something is wrong with a file, or at a place in it.
    File {
        path: PathBuf,
        line: Option<usize>,
        column: Option<usize>,
        why: String,
    },
    /// No text is in the language that stands in for all others.
    NoSuchLanguage { languages: String },
}

impl TextFault {
    /// A fault of a whole file.
    pub fn file(path: impl Into<PathBuf>, why: String) -> Self {
        Self::File {
            path: path.into(),
            line: None,
            column: None,
            why,
        }
    }

    /// A flaw in a file's text, which begins after this many lines of it.
    pub fn flaw(path: impl Into<PathBuf>, flaw: Flaw, lines_before: usize) -> Self {
        Self::File {
            path: path.into(),
            line: Some(flaw.line + lines_before),
            column: Some(flaw.column),
            why: flaw.why,
        }
    }
}

/// What a text says of a code's life: whole minutes, to the nearest, and at least one. A code that was held up for a while
/// says what is left.
pub fn minutes(life: Duration) -> String {
    let minutes = (life.as_secs_f64() / 60.0).round().max(1.0);
    // Exact: a code lives for some minutes.
    (minutes as u64).to_string()
}
