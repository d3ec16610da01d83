//! Who takes e-mails to the networks.
//!
//! | file | holds |
//! |---|---|
//! | `smtp/` | a mail server, by SMTP |
//! | `inbox.rs` | the page of this service that shows what would have gone out, for development |

mod inbox;
mod smtp;

pub use smtp::{MailBox, Smtp, SmtpError, SmtpOptions, SmtpTls};
