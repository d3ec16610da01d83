//! The way to the mail server of a test.

use std::{net::TcpListener, sync::Arc, time::Duration};

use ringback::{
    clock::SystemClock,
    email::EmailAddress,
    mail::{MailBox, Smtp, SmtpOptions, SmtpTls},
};
pub use support::mail_server::{AUTHORITY, LOGIN, MailServer};

/// A port where nobody listens.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The way to a server on this machine, with patience for half a second.
pub fn options(port: u16, tls: SmtpTls) -> SmtpOptions {
    let (user, password) = LOGIN;
    SmtpOptions {
        host: "localhost".to_owned(),
        port,
        tls,
        login: (tls != SmtpTls::None).then(|| (user.to_owned(), password.into())),
        from: MailBox {
            name: Some("Ringback".to_owned()),
            address: EmailAddress::parse("no-reply@example.com").unwrap(),
        },
        trusted: Some(AUTHORITY.to_vec()),
        connect_timeout: Duration::from_secs(5),
        timeout: Duration::from_secs(5),
    }
}

pub fn client(options: SmtpOptions) -> Smtp {
    // Installed once in a process, whoever is first.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Smtp::new(options, Arc::new(SystemClock)).unwrap()
}
