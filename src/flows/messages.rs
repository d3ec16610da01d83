//! From an outbox entry, which holds no code and no address that can be read, back to the message.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    accounts::ProofStore,
    challenges::{Challenges, Purpose},
    channel::{Channel, MessageCode},
    delivery::{Destination, Message, Messages, OutboxEntry, Recipient},
    mail::{self, EmailMessage},
    sms::{self, SmsMessage},
    unavailable::{Part, Unavailable},
};

/// Why an instance leaves an entry to another.
const UNKNOWN_SECRET: &str = "the code's secret or purpose is not known here";

/// Knows purposes, accounts and texts, for delivery, which knows none of them.
pub struct FlowMessages {
    pub proofs: Arc<dyn ProofStore>,
    pub challenges: Challenges,
    pub sms_texts: Arc<sms::Texts>,
    pub mail_texts: Arc<mail::Texts>,
}

#[async_trait]
impl Messages for FlowMessages {
    async fn recipient(&self, entry: &OutboxEntry) -> Result<Option<Recipient>, Unavailable> {
        let purpose = Purpose::from_byte(entry.topic);
        let Some(purpose) = purpose.filter(|_| self.challenges.knows_secret_of(entry)) else {
            // In a rotation or an upgrade, an instance that knows it takes it over.
            return Err(Unavailable::new(Part::DeliveryQueue, UNKNOWN_SECRET));
        };
        let Some(to) = self.destination(entry).await? else {
            return Ok(None);
        };
        let code = self.challenges.code_again(entry, purpose, &to);
        Ok(code.map(|code| Recipient {
            to,
            code: MessageCode::new(code.expose()),
        }))
    }

    fn compose(&self, entry: &OutboxEntry, recipient: &Recipient, life: Duration) -> Message {
        let Recipient { to, code } = recipient;
        let (reference, valid_for) = (entry.challenge_id, life);
        let purpose = Purpose::from_byte(entry.topic);
        let text = purpose.and_then(|purpose| purpose.policy().text(entry.channel));
        let text = text.unwrap_or_default();
        match to {
            Destination::Phone(phone) => Message::Sms(SmsMessage {
                reference,
                to: phone.clone(),
                body: self.sms_texts.compose(text, &entry.language, code, life),
                valid_for,
            }),
            Destination::Email(email) => {
                let worded = self.mail_texts.compose(text, &entry.language, code, life);
                Message::Email(EmailMessage {
                    reference,
                    to: email.clone(),
                    subject: worded.subject,
                    text: worded.text,
                    html: worded.html,
                    valid_for,
                })
            }
        }
    }
}

impl FlowMessages {
    /// Where the entry's message goes, if its user still has such an address.
    async fn destination(&self, entry: &OutboxEntry) -> Result<Option<Destination>, Unavailable> {
        if entry.sealed.is_some() {
            return self.unkept(entry).await;
        }
        let Some(user) = entry.user_id else {
            return Ok(None);
        };
        Ok(match entry.channel {
            Channel::Sms => self.proofs.phone_of(user).await?.map(Destination::Phone),
            Channel::Email => self.proofs.email_of(user).await?.map(Destination::Email),
        })
    }

    /// The address that no account has yet; none once the account is gone that asked for it.
    async fn unkept(&self, entry: &OutboxEntry) -> Result<Option<Destination>, Unavailable> {
        let address = self.challenges.unkept_address(entry);
        let address = address.ok_or_else(|| Unavailable::new(Part::DeliveryQueue, UNKNOWN_SECRET))?;
        let is_left = match entry.user_id {
            Some(user) => self.proofs.phone_of(user).await?.is_some(),
            None => true,
        };
        Ok(is_left.then_some(address))
    }
}
