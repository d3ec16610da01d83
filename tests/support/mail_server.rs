//! A real mail server, aiosmtpd, as a child process that ends with the test.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use ringback::mail::SmtpTls;
use serde_json::Value;

use crate::{digits, python};

/// The sender's login at the server.
pub const LOGIN: (&str, &str) = ("mailer", "hush-hush");
/// Who vouches for the server's certificate.
pub const AUTHORITY: &[u8] = include_bytes!("mail/ca.pem");

/// The server, which is killed when this is dropped.
pub struct MailServer {
    child: Child,
    pub port: u16,
    heard: Arc<Mutex<Vec<Value>>>,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl MailServer {
    pub fn start(mode: &str, tls: SmtpTls) -> Self {
        Self::start_at(0, mode, tls)
    }

    /// On a port of its own choice, or on this one.
    pub fn start_at(port: u16, mode: &str, tls: SmtpTls) -> Self {
        let tls = match tls {
            SmtpTls::Implicit => "implicit",
            SmtpTls::StartTls => "starttls",
            SmtpTls::None => "none",
        };
        let (user, password) = LOGIN;
        let mut command = python();
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/mail/server.py"));
        command.args([mode, "--tls", tls, "--port", &port.to_string()]);
        if tls != "none" {
            command.args(["--login", &format!("{user}:{password}")]);
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let first: Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
        let heard = Arc::<Mutex<Vec<Value>>>::default();
        let hearing = Arc::clone(&heard);
        thread::spawn(move || {
            for line in lines {
                hearing.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Self {
            child,
            port: first["port"].as_u64().unwrap() as u16,
            heard,
        }
    }

    /// The e-mails that were handed to it whole, once there are so many: what it hears comes by a pipe.
    pub fn mails(&self, count: usize) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let heard = self.heard.lock().unwrap().clone();
            let mails: Vec<_> = heard
                .into_iter()
                .filter(|heard| heard["content"].is_string())
                .collect();
            if mails.len() >= count {
                return mails;
            }
            assert!(
                began.elapsed() < Duration::from_secs(10),
                "{} of {count} e-mails came",
                mails.len()
            );
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// How often a sender was named to it.
    pub fn senders(&self) -> Vec<Value> {
        let heard = self.heard.lock().unwrap();
        heard
            .iter()
            .filter(|heard| heard["sender"].is_string())
            .cloned()
            .collect()
    }

    /// The code in the plain text of each e-mail that it has by now, the oldest first.
    pub fn codes(&self) -> Vec<String> {
        let code = |mail: &Value| {
            let content = mail["content"].as_str().unwrap();
            let (_, part) = content.split_once("text/plain").unwrap();
            let (_, text) = part.split_once("\r\n\r\n").unwrap();
            digits(text)
        };
        self.mails(0).iter().map(code).collect()
    }
}
