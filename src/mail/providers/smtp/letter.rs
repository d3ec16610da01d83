//! What is sent to a mail server: one e-mail with its headers, the text, and the same as a page.

use chrono::{DateTime, Utc};
use lettre::{
    Address, Message,
    address::Envelope,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
};
use url::Host;

use crate::{
    email::{EmailAddress, is_dot_atom},
    mail::EmailMessage,
};

/// An e-mail, ready for the wire.
pub(super) struct Letter {
    pub from: Address,
    pub to: Address,
    pub content: Vec<u8>,
}

/// An address as mail servers take it: its domain in ASCII (IDNA), and before the @ in quotes where a dot stands at an end or
/// beside another (RFC 5321 section 4.1.2). None where it has no such form.
pub(super) fn mailbox(name: Option<String>, address: &EmailAddress) -> Option<Mailbox> {
    let (local, domain) = address.expose().rsplit_once('@')?;
    let Host::Domain(domain) = Host::parse(domain).ok()? else {
        return None;
    };
    let address = match is_dot_atom(local) {
        true => Address::new(local, domain),
        false => Address::new(format!("\"{local}\""), domain),
    };
    Some(Mailbox::new(name, address.ok()?))
}

/// Who e-mails are from. None as above, and where it needs quotes: the library cannot read those in a `From`.
pub(super) fn sender(name: Option<String>, address: &EmailAddress) -> Option<Mailbox> {
    mailbox(name, address).filter(|_| is_dot_atom(address.local_part()))
}

/// Writes an e-mail. None where its recipient is no address for a mail server.
///
/// Its `Message-ID` is the challenge's, the same for each try. It is marked as sent by a machine (RFC 3834), so that no
/// absence note answers it.
pub(super) fn build(message: &EmailMessage, from: &Mailbox, now: DateTime<Utc>) -> Option<Letter> {
    let to = mailbox(None, &message.to)?;
    let id = format!("<{}@{}>", message.reference, from.email.domain());
    let parts =
        MultiPart::alternative_plain_html(message.text.expose().to_owned(), message.html.expose().to_owned());
    let auto_submitted = HeaderValue::new(
        HeaderName::new_from_ascii_str("Auto-Submitted"),
        "auto-generated".to_owned(),
    );
    // Named here, for the library cannot read an address in quotes from its header.
    let envelope = Envelope::new(Some(from.email.clone()), vec![to.email.clone()]).ok()?;
    let written = Message::builder()
        .envelope(envelope)
        .from(from.clone())
        .to(to.clone())
        .subject(message.subject.as_str())
        .message_id(Some(id))
        .date(now.into())
        .raw_header(auto_submitted)
        .multipart(parts)
        .ok()?;
    Some(Letter {
        from: from.email.clone(),
        to: to.email,
        content: written.formatted(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::channel::MessageText;

    fn address(text: &str) -> EmailAddress {
        EmailAddress::parse(text).unwrap()
    }

    fn written(to: &str) -> Option<String> {
        let from = mailbox(Some("Ringback".to_owned()), &address("no-reply@example.com")).unwrap();
        let message = EmailMessage {
            reference: Uuid::from_u128(7),
            to: address(to),
            subject: "Ringback: मेल".to_owned(),
            text: MessageText::new("कोड\n\n123456\n".to_owned()),
            html: MessageText::new("<p>123456</p>".to_owned()),
            valid_for: Duration::from_secs(600),
        };
        let letter = build(
            &message,
            &from,
            DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
        )?;
        Some(String::from_utf8(letter.content).unwrap())
    }

    #[test]
    fn each_try_of_an_e_mail_has_the_same_id_and_says_that_a_machine_sent_it() {
        let text = written("jane@example.org").unwrap();
        assert!(text.is_ascii());
        for header in [
            "From: Ringback <no-reply@example.com>\r\n",
            "To: jane@example.org\r\n",
            "Message-ID: <00000000-0000-0000-0000-000000000007@example.com>\r\n",
            "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Subject: Ringback: =?utf-8?b?",
            "Content-Type: multipart/alternative;",
        ] {
            assert!(text.contains(header), "{header} in {text}");
        }
        let (plain, page) = (text.find("text/plain").unwrap(), text.find("text/html").unwrap());
        assert!(plain < page, "who can read the page prefers the last part");
    }

    #[test]
    fn dots_that_only_quotes_allow_are_in_quotes() {
        for (typed, expected) in [
            ("a.b@example.org", "a.b@example.org"),
            ("a.@example.org", "\"a.\"@example.org"),
            (".a@example.org", "\".a\"@example.org"),
            ("a..b@example.org", "\"a..b\"@example.org"),
            ("用..户@example.org", "\"用..户\"@example.org"),
            (
                &format!("{}.@example.org", "a".repeat(61)),
                &format!("\"{}.\"@example.org", "a".repeat(61)),
            ),
        ] {
            let mailbox = mailbox(None, &address(typed)).unwrap();
            assert_eq!(mailbox.email.to_string(), expected);
        }
        assert_eq!(sender(None, &address("a..b@example.org")), None);
        let text = written("a..b@example.org").unwrap();
        assert!(text.contains("To: \"a..b\"@example.org\r\n"), "{text}");
    }

    #[test]
    fn a_domain_of_any_script_is_written_in_ascii() {
        let text = written("jane@bücher.example").unwrap();
        assert!(text.contains("To: jane@xn--bcher-kva.example\r\n"), "{text}");
        assert!(mailbox(None, &address("用户@例子.公司")).is_some());
    }
}
