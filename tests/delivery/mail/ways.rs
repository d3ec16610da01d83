//! The dispatcher with e-mail: the same life as an SMS, by a mail server of its own.

use std::{sync::Arc, time::Duration};

use ringback::{
    channel::Channel,
    delivery::{ChannelProvider, Countries, Health, Route},
    mail::{SmtpOptions, SmtpTls},
    phone::Country,
};

use super::server::{MailServer, client, free_port, options};
use crate::{
    eventually,
    scripted::{Scripted, accepted},
    stage::{Stage, bounds},
};

/// Both channels: SMS by a script, e-mail by the server at this port.
fn stage(port: u16) -> Stage {
    stage_by(options(port, SmtpTls::None))
}

fn stage_by(options: SmtpOptions) -> Stage {
    let sms = Scripted::new("scripted", &[], accepted());
    let smtp = Route {
        provider: ChannelProvider::Email(Arc::new(client(options))),
        countries: Countries::All,
        max_per_second: 0,
    };
    Stage::routed(bounds(), &[sms.route(), smtp], sms)
}

#[actix::test]
async fn each_message_goes_by_a_provider_of_its_channel() {
    let server = MailServer::start("good", SmtpTls::None);
    let stage = stage(server.port);
    stage.send(1);
    stage.send_by_mail(2);
    eventually("both are settled", || stage.outbox.len() == 0).await;
    assert_eq!((stage.calls(), server.mails(1).len()), (1, 1));
    let content = server.mails(1)[0]["content"].as_str().unwrap().to_owned();
    assert!(
        content.contains("confirm your e-mail address") && content.contains("654319"),
        "{content}"
    );
}

#[actix::test]
async fn a_channel_without_a_provider_is_told() {
    let both = stage(free_port());
    assert!(both.queue.carries(Channel::Sms) && both.queue.carries(Channel::Email));
    let sms = Stage::set(bounds(), &[], accepted());
    assert!(sms.queue.carries(Channel::Sms) && !sms.queue.carries(Channel::Email));
    assert!(sms.queue.reserve(Channel::Email, Country::UNKNOWN).is_err());
}

#[actix::test]
async fn an_e_mail_waits_for_a_server_that_is_down_and_holds_no_sms_up() {
    let port = free_port();
    let stage = stage(port);
    stage.send_by_mail(1);
    stage.send(2);
    eventually("the SMS is settled", || stage.outbox.len() == 1).await;
    assert_eq!(stage.calls(), 1, "what is pending is the e-mail");
    let server = MailServer::start_at(port, "good", SmtpTls::None);
    eventually("the e-mail is sent", || {
        stage.lapse();
        stage.outbox.len() == 0
    })
    .await;
    assert_eq!(server.mails(1).len(), 1);
}

#[actix::test]
async fn a_server_that_refuses_the_sender_stops_e_mails_and_no_sms() {
    let server = MailServer::start("sender-refused", SmtpTls::None);
    let stage = stage(server.port);
    stage.send_by_mail(1);
    stage.send_by_mail(2);
    let reserve = |channel| stage.queue.reserve(channel, Country::UNKNOWN).is_ok();
    eventually("e-mails are refused", || !reserve(Channel::Email)).await;
    assert!(reserve(Channel::Sms));
    stage.send(3);
    eventually("the SMS is sent", || stage.calls() == 1).await;
}

/// How the mail server does, as the breaker has it.
fn health(stage: &Stage) -> Health {
    stage.queue.status().providers[1].health
}

#[actix::test]
async fn whoever_names_an_address_at_which_the_server_hangs_holds_nobody_up() {
    // No answer to the recipient; the connection closed at it, without a word and with one; no answer to the e-mail.
    for first in [1, 101, 201, 301] {
        let server = MailServer::start("by-number", SmtpTls::None);
        let stage = stage_by(SmtpOptions {
            timeout: Duration::from_millis(200),
            ..options(server.port, SmtpTls::None)
        });
        (first..first + 4).for_each(|number| stage.send_by_mail(number));
        // Twice in a row where it may have been taken, else five times: and then all over again.
        eventually("they were tried many times", || {
            if stage.queue.status().in_flight == 0 {
                stage.lapse();
            }
            server.senders().len() > 16
        })
        .await;
        assert_eq!(health(&stage), Health::Working, "{first}");
        stage.send_by_mail(500);
        eventually("the e-mail of somebody else is sent", || {
            stage.outbox.len() == 4
                && server
                    .mails(0)
                    .iter()
                    .any(|mail| mail["to"][0] == "500@example.org")
        })
        .await;
        assert_eq!(health(&stage), Health::Working, "{first}");
    }
}
