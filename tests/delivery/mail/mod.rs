//! E-mail by SMTP, against a real mail server with faults at will.

mod server;
mod ways;

use std::time::{Duration, Instant};

use ringback::{
    channel::MessageText,
    email::EmailAddress,
    mail::{EmailMessage, SmtpOptions, SmtpTls},
    provider::{Outcome, Provider},
};
use uuid::Uuid;

use server::{MailServer, client, free_port, options};

const TO: &str = "jane.roe@example.org";

fn message(number: u128) -> EmailMessage {
    EmailMessage {
        reference: Uuid::from_u128(number),
        to: EmailAddress::parse(TO).unwrap(),
        subject: "Ringback: confirm".to_owned(),
        text: MessageText::new(
            "Your code:\n\n123456\n\n.\nA line with a dot alone is a part of it.\n".to_owned(),
        ),
        html: MessageText::new("<p>123456</p>".to_owned()),
        valid_for: Duration::from_secs(600),
    }
}

/// The outcome in short words; whatever it is, it tells nothing of the recipient and the login.
fn words(outcome: &Outcome) -> String {
    let shown = format!("{outcome:?}");
    for secret in ["jane", "example.org", "mailer", "hush", "123456"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let code = |code: Option<u32>| code.map(|code| format!(" {code}")).unwrap_or_default();
    match outcome {
        Outcome::Accepted { provider_id } => format!("accepted {provider_id}"),
        Outcome::Retryable { reason, .. } => format!("later: {}{}", reason.kind.name(), code(reason.code)),
        Outcome::Permanent { reason } => format!("given up{}", code(reason.code)),
        Outcome::Misconfigured { reason } => format!("operator{}", code(reason.code)),
    }
}

async fn outcome(options: SmtpOptions) -> String {
    words(&client(options).send(&message(7)).await)
}

/// Why an e-mail was not taken, in the words of the log.
async fn cause(options: SmtpOptions) -> String {
    let outcome = client(options).send(&message(7)).await;
    outcome.reason().unwrap().to_string()
}

#[tokio::test]
async fn an_e_mail_arrives_whole_by_either_way_of_encrypting_and_the_connection_is_kept() {
    for tls in [SmtpTls::Implicit, SmtpTls::StartTls, SmtpTls::None] {
        let server = MailServer::start("good", tls);
        let client = client(options(server.port, tls));
        for number in [7, 8] {
            assert_eq!(
                words(&client.send(&message(number)).await),
                "accepted Q7",
                "{tls:?}"
            );
        }
        let senders = server.senders();
        assert_eq!(senders[0]["sender"], "no-reply@example.com");
        assert_eq!(senders[0]["user"], tls != SmtpTls::None, "{tls:?}");
        let mails = server.mails(2);
        assert_eq!(mails.len(), 2);
        assert_eq!(mails[0]["peer"], mails[1]["peer"], "one connection for both");
        assert_eq!(mails[0]["to"][0], TO);
        let content = mails[0]["content"].as_str().unwrap();
        for part in [
            "From: Ringback <no-reply@example.com>",
            "To: jane.roe@example.org",
            "Subject: Ringback: confirm",
            "Message-ID: <00000000-0000-0000-0000-000000000007@example.com>",
            "Auto-Submitted: auto-generated",
            "text/plain",
            "text/html",
            "\r\n\r\n123456\r\n\r\n.\r\nA line with a dot alone is a part of it.",
            "<p>123456</p>",
        ] {
            assert!(content.contains(part), "{part} in {content}");
        }
        let other = mails[1]["content"].as_str().unwrap();
        assert!(other.contains("<00000000-0000-0000-0000-000000000008@example.com>"));
    }
}

#[tokio::test]
async fn each_reply_means_what_it_says() {
    for (mode, meaning) in [
        ("sender-refused", "operator 550"),
        ("sender-later", "later: rate limited 451"),
        ("no-such-user", "given up 550"),
        ("greylisted", "later: put off 450"),
        ("relay-denied", "given up 554"),
        // It takes no more of this one; whether of others, the next will tell.
        ("closing", "later: cut off over this message 421"),
        ("full", "later: put off 452"),
        ("spam", "given up 554"),
        // It broke before the e-mail was handed over, so it can't have been taken; and after.
        ("broken-early", "later: cut off over this message"),
        ("broken", "later: cut off after this message was handed over"),
    ] {
        let server = MailServer::start(mode, SmtpTls::None);
        assert_eq!(
            outcome(options(server.port, SmtpTls::None)).await,
            meaning,
            "{mode}"
        );
    }
}

#[tokio::test]
async fn a_sender_that_the_server_cannot_take_is_for_the_operator_and_a_recipient_is_not() {
    let wide = |to: &str| EmailMessage {
        to: EmailAddress::parse(to).unwrap(),
        ..message(7)
    };
    // It takes ASCII alone.
    let server = MailServer::start("good", SmtpTls::None);
    let options_of = |server: &MailServer| options(server.port, SmtpTls::None);
    let mut of_wide_sender = options_of(&server);
    of_wide_sender.from.address = EmailAddress::parse("bücher@example.com").unwrap();
    for to in [TO, "jürgen@example.net"] {
        let outcome = client(of_wide_sender.clone()).send(&wide(to)).await;
        assert_eq!(words(&outcome), "operator", "{to}");
        let cause = outcome.reason().unwrap().to_string();
        assert_eq!(cause, "no address beyond ASCII taken (SMTPUTF8)");
    }
    let outcome = client(options_of(&server))
        .send(&wide("jürgen@example.net"))
        .await;
    assert_eq!(words(&outcome), "given up");
    // It says that it takes them, and then takes none: asked for the recipient's sake, that is its affair alone.
    let server = MailServer::start("utf8-refused", SmtpTls::None);
    let outcome = client(options_of(&server))
        .send(&wide("jürgen@example.net"))
        .await;
    assert_eq!(words(&outcome), "given up 555");
    assert_eq!(
        words(&client(options_of(&server)).send(&message(7)).await),
        "accepted Q7"
    );
    of_wide_sender.port = server.port;
    assert_eq!(
        words(&client(of_wide_sender).send(&message(7)).await),
        "operator 555"
    );
}

#[tokio::test]
async fn dots_may_stand_anywhere_in_an_address() {
    let server = MailServer::start("good", SmtpTls::None);
    let client = client(options(server.port, SmtpTls::None));
    let addresses = ["a.@example.org", ".a@example.org", "a..b@example.org"];
    for to in addresses {
        let message = EmailMessage {
            to: EmailAddress::parse(to).unwrap(),
            ..message(7)
        };
        assert_eq!(words(&client.send(&message).await), "accepted Q7", "{to}");
    }
    for (to, mail) in addresses.iter().zip(server.mails(3)) {
        assert_eq!(mail["to"][0], *to);
        let (local, domain) = to.split_once('@').unwrap();
        let header = format!("To: \"{local}\"@{domain}\r\n");
        let content = mail["content"].as_str().unwrap();
        assert!(content.contains(&header), "{header} in {content}");
    }
}

#[tokio::test]
async fn a_server_that_is_down_is_tried_again() {
    assert_eq!(
        outcome(options(free_port(), SmtpTls::None)).await,
        "later: no connection"
    );
    assert_eq!(
        cause(options(free_port(), SmtpTls::None)).await,
        "connection refused"
    );
    let nowhere = SmtpOptions {
        host: "no-such-host.invalid".to_owned(),
        ..options(free_port(), SmtpTls::None)
    };
    let told = cause(nowhere).await;
    assert!(
        ["host name not found", "timed out"].contains(&told.as_str()),
        "{told}"
    );
}

#[tokio::test]
async fn nothing_goes_out_in_clear_where_tls_was_asked_for() {
    // It offers no STARTTLS; it refuses it; its certificate is of an authority that nobody knows.
    let open = MailServer::start("good", SmtpTls::None);
    assert_eq!(outcome(options(open.port, SmtpTls::StartTls)).await, "operator");
    assert_eq!(
        cause(options(open.port, SmtpTls::StartTls)).await,
        "TLS not offered"
    );
    let refusing = MailServer::start("no-tls", SmtpTls::StartTls);
    assert_eq!(
        outcome(options(refusing.port, SmtpTls::StartTls)).await,
        "later: rate limited 454"
    );
    assert_eq!((open.senders().len(), refusing.senders().len()), (0, 0));
    for tls in [SmtpTls::Implicit, SmtpTls::StartTls] {
        let unknown = MailServer::start("good", tls);
        let suspicious = SmtpOptions {
            trusted: None,
            ..options(unknown.port, tls)
        };
        assert_eq!(
            outcome(suspicious.clone()).await,
            "later: no connection",
            "{tls:?}"
        );
        assert_eq!(cause(suspicious).await, "certificate not trusted", "{tls:?}");
        let elsewhere = SmtpOptions {
            host: "127.0.0.2".to_owned(),
            ..options(unknown.port, tls)
        };
        assert_eq!(
            cause(elsewhere.clone()).await,
            "certificate for another name",
            "{tls:?}"
        );
        assert_eq!(
            outcome(elsewhere).await,
            "later: no connection",
            "not its name, {tls:?}"
        );
        assert_eq!(unknown.senders().len(), 0);
    }
}

#[tokio::test]
async fn a_wrong_login_is_for_the_operator() {
    for tls in [SmtpTls::Implicit, SmtpTls::StartTls] {
        let server = MailServer::start("good", tls);
        let wrong = SmtpOptions {
            login: Some(("mailer".to_owned(), "wrong".into())),
            ..options(server.port, tls)
        };
        assert_eq!(outcome(wrong).await, "operator 535");
        let none = SmtpOptions {
            login: None,
            ..options(server.port, tls)
        };
        assert_eq!(outcome(none).await, "operator 530");
        assert_eq!(server.mails(0).len(), 0);
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_cut_off() {
    for (mode, meaning) in [
        ("slow", "later: cut off over this message"),
        ("hang", "later: cut off after this message was handed over"),
    ] {
        let server = MailServer::start(mode, SmtpTls::None);
        let hasty = SmtpOptions {
            timeout: Duration::from_millis(500),
            ..options(server.port, SmtpTls::None)
        };
        let began = Instant::now();
        assert_eq!(outcome(hasty).await, meaning);
        assert!(began.elapsed() < Duration::from_secs(3), "{mode}");
    }
}

#[tokio::test]
async fn what_a_killed_server_had_comes_again_with_the_same_id() {
    let killed = MailServer::start("killed", SmtpTls::None);
    let port = killed.port;
    let client = client(options(port, SmtpTls::None));
    let first = client.send(&message(7)).await;
    let Outcome::Retryable { reason, .. } = &first else {
        panic!("{first:?}");
    };
    let name = "cut off after this message was handed over";
    assert_eq!(reason.kind.name(), name, "it may have been taken");
    let before = killed.mails(1);
    drop(killed);
    let again = MailServer::start_at(port, "good", SmtpTls::None);
    assert_eq!(words(&client.send(&message(7)).await), "accepted Q7");
    let id = |mail: &serde_json::Value| {
        let content = mail["content"].as_str().unwrap().to_owned();
        let line = content.lines().find(|line| line.starts_with("Message-ID"));
        line.unwrap().to_owned()
    };
    assert_eq!(id(&before[0]), id(&again.mails(1)[0]));
}

#[tokio::test]
async fn a_kept_connection_that_the_server_has_closed_is_replaced() {
    let first = MailServer::start("good", SmtpTls::None);
    let port = first.port;
    let client = client(options(port, SmtpTls::None));
    assert_eq!(words(&client.send(&message(1)).await), "accepted Q7");
    drop(first);
    let second = MailServer::start_at(port, "good", SmtpTls::None);
    assert_eq!(words(&client.send(&message(2)).await), "accepted Q7");
    assert_eq!(second.mails(1).len(), 1);
}
