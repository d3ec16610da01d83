//! The console: pages for administrators, rendered here, working without a script. Its own cookie alone lets in, no bearer
//! token; each form has a token bound to the cookie.
//!
//! | file | what it is about |
//! |---|---|
//! | `cookie.rs` | the cookie and the tokens of forms |
//! | `page.rs` | how pages are rendered, and what a browser may do with them |
//! | `form.rs` | forms, and how one is shown again that was refused |
//! | `said.rs` | what was just done, said once |
//! | `error.rs`, `frame.rs` | what goes wrong, as a page |
//! | `enter.rs` | who is let in |
//! | `next.rs` | where a sign-in goes on |
//! | `sign_in.rs`, `prove.rs` | the password and the way out; the second proof |
//! | `twice.rs` | a double click on a code |
//! | `overview.rs`, `chart.rs` | what it adds up to |
//! | `users.rs`, `user.rs` | finding accounts; all about one, and its buttons |
//! | `lists.rs`, `export.rs` | events, messages; events as files |
//! | `limits.rs` | what is paused, who is refused, what shadow rules would have done; the forms that pause |

mod chart;
mod cookie;
mod enter;
mod error;
pub mod export;
mod form;
mod frame;
pub mod limits;
pub mod lists;
mod next;
pub mod overview;
mod page;
pub mod prove;
mod said;
pub mod sign_in;
mod twice;
pub mod user;
pub mod users;

pub use frame::frame;
pub use page::{begin, style};
pub use twice::Turns;
