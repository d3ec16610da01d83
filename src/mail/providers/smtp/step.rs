//! The steps of a call to a mail server.

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Name, TCP, TLS, greeting.
    Connect,
    /// Encrypting by STARTTLS.
    Encrypt,
    LogIn,
    /// Naming the sender.
    Sender,
    /// Naming the recipient, or asking for what it needs: from here on anything may be for its sake.
    Recipient,
    /// Asking to hand the e-mail over.
    Data,
    /// Handing it over: from here on it may have been taken, whatever is heard.
    Content,
}
