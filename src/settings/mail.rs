//! The section `mail`.

use std::{fs, path::Path, time::Duration};

use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::{Host, Url};

use super::{
    provider_section::{MAX_PACE, ProviderSettings, Reading, timeouts},
    reader::{Reader, Refused},
};
use crate::{
    email::EmailAddress,
    mail::{MailBox, SmtpOptions, SmtpTls},
};

const KEY: &str = "mail.url";
const URL: &str = "smtps://user:password@host:465, smtp://user:password@host:587?tls=required, or smtp://localhost:25 for a \
                   server on this machine";
/// A bundle of all authorities that there are has some 250 KiB.
const MAX_CERTIFICATES: u64 = 1024 * 1024;

/// What each certificate in a file begins with.
const PEM: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// A mail server's address, taken apart.
struct Server {
    host: String,
    port: u16,
    tls: SmtpTls,
    login: Option<(String, SecretString)>,
}

/// The mail server that e-mails are handed to.
pub(super) fn read(reader: &mut Reader, lease: Duration) -> Reading<SmtpOptions> {
    const FROM: &str = "mail.from";
    let server = reader.optional(KEY, URL, server);
    let from = reader.optional(
        FROM,
        "the sender's address, such as \"no-reply@example.com\" or \"Example <no-reply@example.com>\"",
        sender,
    );
    let trusted = reader.optional(
        "mail.ca",
        "the path of a file of certificates (PEM)",
        certificates,
    );
    let (connect_timeout, timeout) = timeouts(reader, "mail.connect_timeout", "mail.timeout", lease);
    let max_per_second = reader.integer("mail.max_per_second", 0..=MAX_PACE);
    let parts = [
        (KEY, "SMTP_URL", server.is_some()),
        (FROM, "RINGBACK__MAIL__FROM", from.is_some()),
    ];
    let settings = server.zip(from).map(|(server, from)| ProviderSettings {
        options: SmtpOptions {
            host: server.host,
            port: server.port,
            tls: server.tls,
            login: server.login,
            from,
            trusted,
            connect_timeout,
            timeout,
        },
        max_per_second,
    });
    Reading::new(reader, "the mail server", parts, settings)
}

/// Where somebody may object to what a notice tells: written to, or opened.
pub(super) fn read_contact(reader: &mut Reader) -> Option<String> {
    reader.optional(
        "mail.contact",
        "an e-mail address, or the address of a page (https://...), of at most 100 characters",
        contact,
    )
}

fn contact(text: &str) -> Result<String, Refused> {
    let is_page = Url::parse(text).is_ok_and(|url| url.scheme() == "https");
    let is_one_line = text.chars().count() <= 100
        && !text
            .chars()
            .any(|character| character.is_control() || character == ' ');
    if is_one_line && (is_page || EmailAddress::parse(text).is_ok()) {
        Ok(text.to_owned())
    } else {
        Err(Refused::default())
    }
}

fn server(text: &str) -> Result<Server, Refused> {
    let url = Url::parse(text).map_err(Refused::because)?;
    let host = url.host_str().filter(|host| !host.is_empty());
    // Brackets around an IPv6 address are the URL's.
    let host = host
        .ok_or_else(Refused::default)?
        .trim_matches(['[', ']'])
        .to_owned();
    let (tls, usual_port) = match (url.scheme(), url.query()) {
        ("smtps", None) => (SmtpTls::Implicit, 465),
        ("smtp", Some("tls=required")) => (SmtpTls::StartTls, 587),
        ("smtp", None) if is_this_machine(&host) => (SmtpTls::None, 25),
        ("smtp", None) => {
            return Err(Refused::because(
                "codes and passwords would be readable on the way: add ?tls=required",
            ));
        }
        _ => return Err(Refused::default()),
    };
    if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
        return Err(Refused::default());
    }
    let decoded = |part: &str| percent_decode_str(part).decode_utf8().map(String::from);
    let login = match (url.username(), url.password()) {
        ("", None) => None,
        (user, Some(password)) if !user.is_empty() => {
            let user = decoded(user).map_err(Refused::because)?;
            let password = decoded(password).map_err(Refused::because)?;
            Some((user, password.into()))
        }
        _ => return Err(Refused::because("a user needs a password, and a password a user")),
    };
    Ok(Server {
        host,
        port: url.port().unwrap_or(usual_port),
        tls,
        login,
    })
}

/// Whether what is sent there stays on this machine. The host of a scheme that `url` doesn't know is not parsed by it.
fn is_this_machine(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        // Without its brackets.
        Err(_) => host
            .parse()
            .is_ok_and(|address: std::net::Ipv6Addr| address.is_loopback()),
    }
}

/// `Name <address>`, or the address alone.
fn sender(text: &str) -> Result<MailBox, Refused> {
    let (name, address) = match text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
        Some((name, address)) => (Some(name.trim().trim_matches('"').to_owned()), address),
        None => (None, text),
    };
    if name
        .as_ref()
        .is_some_and(|name| name.chars().any(char::is_control))
    {
        return Err(Refused::default());
    }
    Ok(MailBox {
        name: name.filter(|name| !name.is_empty()),
        address: EmailAddress::parse(address).map_err(Refused::because)?,
    })
}

fn certificates(path: &str) -> Result<Vec<u8>, Refused> {
    let path = Path::new(path);
    match fs::metadata(path) {
        Ok(file) if file.len() > MAX_CERTIFICATES => {
            Err(Refused::because(format!("larger than {MAX_CERTIFICATES} bytes")))
        }
        Ok(_) => match fs::read(path).map_err(Refused::because)? {
            bytes if bytes.windows(PEM.len()).any(|window| window == PEM) => Ok(bytes),
            _ => Err(Refused::default()),
        },
        Err(error) => Err(Refused::because(error)),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_server_is_reached_with_tls_or_on_this_machine() {
        for (text, host, port, tls) in [
            (
                "smtps://mail.example.com",
                "mail.example.com",
                465,
                SmtpTls::Implicit,
            ),
            (
                "smtp://mail.example.com?tls=required",
                "mail.example.com",
                587,
                SmtpTls::StartTls,
            ),
            (
                "smtp://mail.example.com:2525/?tls=required",
                "mail.example.com",
                2525,
                SmtpTls::StartTls,
            ),
            ("smtp://localhost:1025", "localhost", 1025, SmtpTls::None),
            ("smtp://127.0.0.1", "127.0.0.1", 25, SmtpTls::None),
            ("smtp://[::1]:25", "::1", 25, SmtpTls::None),
        ] {
            let server = server(text).unwrap_or_else(|_| panic!("{text}"));
            assert_eq!(
                (server.host.as_str(), server.port, server.tls),
                (host, port, tls),
                "{text}"
            );
            assert!(server.login.is_none());
        }
        for refused in [
            "",
            "mail.example.com",
            "https://mail.example.com",
            "smtp://mail.example.com",
            "smtp://mail.example.com?tls=none",
            "smtps://mail.example.com?tls=required",
            "smtps://user@mail.example.com",
            "smtps://:hush@mail.example.com",
            "smtps://mail.example.com/path",
            "smtps://",
        ] {
            assert!(server(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_login_may_hold_any_sign() {
        let server =
            server("smtps://user%40example.com:a%3Ab%2Fc+d@mail.example.com").unwrap_or_else(|_| panic!());
        let (user, password) = server.login.unwrap();
        assert_eq!(
            (user.as_str(), password.expose_secret()),
            ("user@example.com", "a:b/c+d")
        );
    }

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        for (text, name) in [
            ("no-reply@example.com", None),
            ("Example <no-reply@example.com>", Some("Example")),
            ("\"Example, Inc.\" <no-reply@example.com>", Some("Example, Inc.")),
            ("<no-reply@example.com>", None),
        ] {
            let sender = sender(text).unwrap_or_else(|_| panic!("{text}"));
            assert_eq!(sender.name.as_deref(), name, "{text}");
            assert_eq!(sender.address.expose(), "no-reply@example.com");
        }
        for refused in ["", "Example", "Example <nobody>", "a\nb <no-reply@example.com>"] {
            assert!(sender(refused).is_err(), "{refused:?}");
        }
    }
}
