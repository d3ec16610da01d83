//! E-mail: what it says, and who carries it.
//!
//! | file | holds |
//! |---|---|
//! | `texts.rs` | what an e-mail with a code says, by the text's name and the reader's language |
//! | `notices.rs` | the same for one without a code |
//! | `letter.rs` | a text, read from its file, and worded as plain text and as a page |
//! | `providers/` | who takes it to the networks |

mod letter;
mod notices;
mod providers;
mod texts;

use std::time::Duration;

pub use letter::Worded;
pub use notices::NoticeTexts;
pub use providers::{MailBox, Smtp, SmtpError, SmtpOptions, SmtpTls};
pub use texts::{TextOptions, Texts};

use uuid::Uuid;

use crate::{channel::MessageText, email::EmailAddress};

/// One e-mail, ready for a provider. Its subject holds no code.
#[derive(Debug, Clone)]
pub struct EmailMessage {
    /// The challenge that it carries the code of, or the notice that it is. The `Message-ID` is made of it, so that the same message twice can be told.
    pub reference: Uuid,
    /// Whom it goes to.
    pub to: EmailAddress,
    pub subject: String,
    /// What it says to who reads plain text.
    pub text: MessageText,
    /// The same as a page.
    pub html: MessageText,
    /// How long it is of use.
    pub valid_for: Duration,
}
