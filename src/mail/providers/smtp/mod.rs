//! A mail server, by SMTP (RFC 5321): with implicit TLS, or with STARTTLS, which is required then.
//!
//! | file | holds |
//! |---|---|
//! | `options.rs` | how the server is reached, and who e-mails are from |
//! | `step.rs` | the steps of a call |
//! | `letter.rs` | what is sent: headers, the text and the page |
//! | `dialogue.rs` | one connection, step by step, and those that are kept open |
//! | `replies.rs` | what to do about each reply, by the step that it answers |
//!
//! A mail server cannot be asked whether it has an e-mail. One whose answer was lost is sent again, with the same
//! `Message-ID`, so that the recipient's server may drop it.

mod dialogue;
mod letter;
mod options;
mod replies;
mod step;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use lettre::{
    message::Mailbox,
    transport::smtp::client::{Certificate, TlsParameters},
};
use thiserror::Error;
use tokio::time::timeout;

pub use options::{MailBox, SmtpOptions, SmtpTls};

use dialogue::Connections;
use replies::Failure;
use step::Step;

use crate::{
    cause::Cause,
    clock::Clock,
    mail::EmailMessage,
    provider::{Outcome, Provider},
};

const NAME: &str = "smtp";

/// Why there is no client for a mail server. Names no address and no password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SmtpError {
    #[error("smtp: the sender is no address that an e-mail can be from")]
    Sender,
    #[error("smtp: the trusted certificates cannot be read")]
    Certificates,
    #[error("smtp: TLS cannot be set up")]
    Tls,
}

/// A client for one mail server and one sender.
pub struct Smtp {
    connections: Connections,
    from: Mailbox,
    timeout: Duration,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Smtp({:?})", self.connections)
    }
}

impl Smtp {
    /// Sets the client up; nothing is sent yet.
    ///
    /// # Errors
    /// [`SmtpError`] if the sender or the certificates are none.
    pub fn new(options: SmtpOptions, clock: Arc<dyn Clock>) -> Result<Self, SmtpError> {
        let from =
            letter::sender(options.from.name.clone(), &options.from.address).ok_or(SmtpError::Sender)?;
        let tls = match options.tls {
            SmtpTls::None => None,
            SmtpTls::Implicit | SmtpTls::StartTls => {
                let mut tls = TlsParameters::builder(options.host.clone());
                if let Some(pem) = &options.trusted {
                    let trusted = Certificate::from_pem(pem).map_err(|_| SmtpError::Certificates)?;
                    tls = tls.add_root_certificate(trusted);
                }
                Some(tls.build_rustls().map_err(|_| SmtpError::Tls)?)
            }
        };
        Ok(Self {
            timeout: options.timeout,
            connections: Connections::new(options, tls, from.email.domain()),
            from,
            clock,
        })
    }

    async fn deliver(&self, message: &EmailMessage, step: &mut Step) -> Result<String, Failure> {
        let letter = letter::build(message, &self.from, self.clock.now()).ok_or(Failure::Unfit)?;
        let mut dialogue = self.connections.get(step).await?;
        let queued_as = dialogue.send(&letter, step).await?;
        self.connections.keep(dialogue);
        Ok(queued_as)
    }
}

#[async_trait]
impl Provider<EmailMessage> for Smtp {
    fn name(&self) -> &'static str {
        NAME
    }

    fn server(&self) -> Option<String> {
        Some(format!("{:?}", self.connections))
    }

    async fn send(&self, message: &EmailMessage) -> Outcome {
        let mut step = Step::Connect;
        match timeout(self.timeout, self.deliver(message, &mut step)).await {
            Ok(Ok(provider_id)) => Outcome::Accepted { provider_id },
            Ok(Err(failure)) => failure.outcome(step),
            Err(_) => Failure::Broken(Some(Cause::TimedOut)).outcome(step),
        }
    }
}
