//! What the SMS says: in the reader's language, and short enough for one segment, so that one code is paid for once.
//!
//! `template.rs` reads a text with places for brand, code and minutes; `catalog.rs` has the texts of all languages, those
//! that the program carries and those of the operator; `alphabet.rs` counts what a text costs.

mod alphabet;
mod brand;
mod catalog;
mod template;

pub use alphabet::{segments, septets};
pub use brand::{Brand, BrandError};
pub use catalog::{TextFault, TextOptions, Texts};
