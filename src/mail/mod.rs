//! E-mail: what it says, and who carries it.

use std::time::Duration;

use uuid::Uuid;

use crate::{channel::MessageText, email::EmailAddress};

/// One e-mail, ready for a provider. Its subject holds no code.
#[derive(Debug, Clone)]
pub struct EmailMessage {
    /// The challenge that it carries the code of. The `Message-ID` is made of it, so that the same message twice can be told.
    pub reference: Uuid,
    /// Whom it goes to.
    pub to: EmailAddress,
    pub subject: String,
    /// What it says to who reads plain text.
    pub text: MessageText,
    /// The same as a page.
    pub html: MessageText,
    /// How long its code is of use.
    pub valid_for: Duration,
}
