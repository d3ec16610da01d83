//! The console: pages for administrators, rendered here, working without a script. Its own cookie alone lets in, no bearer
//! token; each form has a token bound to the cookie.
//!
//! | file | what it is about |
//! |---|---|
//! | `cookie.rs` | the cookie and the tokens of forms |
//! | `page.rs` | how pages are rendered, and what a browser may do with them |
//! | `error.rs` | what goes wrong, as a page |
//! | `enter.rs` | who is let in |
//! | `sign_in.rs` | the password, the second proof, the way out |
//! | `overview.rs`, `chart.rs` | what it adds up to |
//! | `users.rs`, `user.rs` | finding accounts; all about one, and its buttons |
//! | `lists.rs`, `export.rs` | events, messages; events as files |
//! | `limits.rs` | what is paused, who is refused, what shadow rules would have done; the forms that pause |

mod chart;
mod cookie;
mod enter;
mod error;
pub mod export;
pub mod limits;
pub mod lists;
pub mod overview;
mod page;
pub mod sign_in;
pub mod user;
pub mod users;

pub use page::{begin, style};
