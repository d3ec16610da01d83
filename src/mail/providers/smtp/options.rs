//! How a mail server is reached, and who e-mails are from.

use std::time::Duration;

use secrecy::SecretString;

use crate::email::EmailAddress;

/// How a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// From its first byte.
    Implicit,
    /// By STARTTLS. A server that doesn't offer it gets nothing.
    StartTls,
    /// Not at all: for a server on this machine.
    None,
}

/// Who e-mails are from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailBox {
    pub name: Option<String>,
    pub address: EmailAddress,
}

/// How to reach a mail server.
#[derive(Debug, Clone)]
pub struct SmtpOptions {
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
    /// User and password.
    pub login: Option<(String, SecretString)>,
    pub from: MailBox,
    /// Certificates of authorities (PEM) that are trusted beside those of this machine.
    pub trusted: Option<Vec<u8>>,
    /// For the connection alone.
    pub connect_timeout: Duration,
    /// For the whole call, connecting included.
    pub timeout: Duration,
}
