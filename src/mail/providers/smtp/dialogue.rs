//! One connection to a mail server, step by step; and those that are kept open for the next e-mail.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use lettre::transport::smtp::{
    authentication::{Credentials, Mechanism},
    client::{AsyncSmtpConnection, TlsParameters},
    commands::{Data, Mail, Rcpt},
    extension::{ClientId, Extension, MailParameter},
};
use secrecy::ExposeSecret;
use tokio::time::{Instant, timeout};

use super::{
    letter::Letter,
    options::{SmtpOptions, SmtpTls},
    replies::Failure,
    step::Step,
};
use crate::cause::Cause;

/// Connections that are kept open.
const KEPT: usize = 8;
/// How long one is kept: servers close them after a minute or some.
const KEPT_FOR: Duration = Duration::from_secs(30);
/// How long a server may take to say that a kept one still works.
const CHECK_LIMIT: Duration = Duration::from_secs(2);
/// What is asked for first is taken, if the server has it.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];
/// Ids beyond this are not a server's.
const MAX_ID: usize = 64;

/// One connection.
pub(super) struct Dialogue {
    connection: AsyncSmtpConnection,
    idle_since: Instant,
}

impl Dialogue {
    /// Hands one e-mail over; the server's own id of it, if it gave one.
    pub(super) async fn send(&mut self, letter: &Letter, step: &mut Step) -> Result<String, Failure> {
        let [wide_sender, wide_recipient] =
            [&letter.from, &letter.to].map(|address| !AsRef::<str>::as_ref(address).is_ascii());
        let connection = &mut self.connection;
        let takes_wide = connection.server_info().supports_feature(Extension::SmtpUtfEight);
        if wide_sender && !takes_wide {
            return Err(Failure::NotOffered(Cause::Utf8NotOffered));
        }
        if wide_recipient && !takes_wide {
            return Err(Failure::Unfit);
        }
        let parameters = (wide_sender || wide_recipient).then_some(MailParameter::SmtpUtfEight);
        // What is asked for the recipient's sake may be refused for its sake.
        *step = match wide_recipient && !wide_sender {
            true => Step::Recipient,
            false => Step::Sender,
        };
        let sender = Mail::new(Some(letter.from.clone()), parameters.into_iter().collect());
        connection.command(sender).await?;
        *step = Step::Recipient;
        connection
            .command(Rcpt::new(letter.to.clone(), Vec::new()))
            .await?;
        *step = Step::Data;
        connection.command(Data).await?;
        *step = Step::Content;
        let reply = connection.message(&letter.content).await?;
        Ok(reply.first_line().map(queue_id).unwrap_or_default())
    }

    async fn is_alive(&mut self) -> bool {
        self.idle_since.elapsed() < KEPT_FOR
            && timeout(CHECK_LIMIT, self.connection.test_connected())
                .await
                .unwrap_or(false)
    }
}

/// The last word of "2.0.0 Ok: queued as 4B2F1", if it could be an id; free text may name an address.
fn queue_id(line: &str) -> String {
    let word = line.split_whitespace().next_back().unwrap_or_default();
    let plain = word
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
    match plain && has_digit && word.len() <= MAX_ID {
        true => word.to_owned(),
        false => String::new(),
    }
}

/// The way to the server.
pub(super) struct Connections {
    host: String,
    port: u16,
    tls: SmtpTls,
    parameters: Option<TlsParameters>,
    credentials: Option<Credentials>,
    hello: ClientId,
    connect_timeout: Duration,
    kept: Mutex<Vec<Dialogue>>,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Connections {
    pub(super) fn new(options: SmtpOptions, parameters: Option<TlsParameters>, hello: &str) -> Self {
        let login = options.login;
        Self {
            credentials: login
                .map(|(user, password)| Credentials::new(user, password.expose_secret().to_owned())),
            host: options.host,
            port: options.port,
            tls: options.tls,
            parameters,
            hello: ClientId::Domain(hello.to_owned()),
            connect_timeout: options.connect_timeout,
            kept: Mutex::default(),
        }
    }

    /// One that was kept and still works, else a new one.
    pub(super) async fn get(&self, step: &mut Step) -> Result<Dialogue, Failure> {
        loop {
            let kept = self.kept().pop();
            let Some(mut dialogue) = kept else { break };
            if dialogue.is_alive().await {
                return Ok(dialogue);
            }
        }
        let opening = self.open(step);
        timeout(self.connect_timeout, opening)
            .await
            .unwrap_or(Err(Failure::Broken(Some(Cause::TimedOut))))
    }

    /// Keeps one whose e-mail was taken.
    pub(super) fn keep(&self, mut dialogue: Dialogue) {
        dialogue.idle_since = Instant::now();
        let mut kept = self.kept();
        if kept.len() < KEPT {
            kept.push(dialogue);
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Dialogue>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn open(&self, step: &mut Step) -> Result<Dialogue, Failure> {
        *step = Step::Connect;
        let at_once = match self.tls {
            SmtpTls::Implicit => self.parameters.clone(),
            SmtpTls::StartTls | SmtpTls::None => None,
        };
        let server = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, None, &self.hello, at_once, None).await?;
        if let (SmtpTls::StartTls, Some(parameters)) = (self.tls, &self.parameters) {
            *step = Step::Encrypt;
            if !connection.can_starttls() {
                return Err(Failure::NotOffered(Cause::TlsNotOffered));
            }
            connection.starttls(parameters.clone(), &self.hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            *step = Step::LogIn;
            if connection.server_info().get_auth_mechanism(&MECHANISMS).is_none() {
                return Err(Failure::NotOffered(Cause::LoginNotOffered));
            }
            connection.auth(&MECHANISMS, credentials).await?;
        }
        Ok(Dialogue {
            connection,
            idle_since: Instant::now(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_plain_word_with_a_digit_or_none() {
        for (line, id) in [
            ("2.0.0 Ok: queued as 4bXk2P0fzz", "4bXk2P0fzz"),
            ("OK", ""),
            ("2.1.5 delivered to jane1@example.com", ""),
            ("", ""),
            (&format!("queued as 1{}", "a".repeat(64)), ""),
        ] {
            assert_eq!(queue_id(line), id, "{line}");
        }
    }
}
