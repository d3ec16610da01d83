//! Whom a message of the outbox goes to and what it says, found again where it is taken over.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    accounts::ProofStore,
    challenges::{OtpCode, Slot, secret_of},
    channel::{MessageCode, MessageText},
    delivery::{Destination, Message, Messages, OutboxEntry, Recipient},
    mail::EmailMessage,
    phone::PhoneDigest,
    secrets::Keyring,
    sms::{SmsMessage, Texts},
    unavailable::{Part, Unavailable},
};

/// The dispatcher's way back from an outbox entry, which holds neither phone nor code, to what is sent.
pub struct Recipients {
    pub proofs: Arc<dyn ProofStore>,
    pub keyring: Arc<Keyring>,
    pub code_length: u8,
    /// What an SMS says.
    pub texts: Arc<Texts>,
}

#[async_trait]
impl Messages for Recipients {
    async fn recipient(&self, entry: &OutboxEntry) -> Result<Option<Recipient>, Unavailable> {
        let Some(keys) = secret_of(&self.keyring, entry.address, entry.challenge_id) else {
            // In a rotation, an instance that knows the secret takes it over.
            return Err(Unavailable::new(
                Part::SmsQueue,
                "the code's secret is not known here",
            ));
        };
        let Some(phone) = self.proofs.phone_of(entry.user_id).await? else {
            return Ok(None);
        };
        let digest = PhoneDigest::of(&phone, &keys.phone);
        let slots = [Slot::Public, Slot::User(entry.user_id)];
        if !slots.map(|slot| slot.address(digest)).contains(&entry.address) {
            return Ok(None);
        }
        let code = OtpCode::derive(&keys.code, entry.challenge_id, self.code_length);
        Ok(Some(Recipient {
            to: Destination::Phone(phone),
            code: MessageCode::new(code.expose()),
        }))
    }

    fn compose(&self, entry: &OutboxEntry, recipient: &Recipient, life: Duration) -> Message {
        let Recipient { to, code } = recipient;
        let (reference, valid_for) = (entry.challenge_id, life);
        match to {
            Destination::Phone(phone) => Message::Sms(SmsMessage {
                reference,
                to: phone.clone(),
                body: self.texts.compose(&entry.language, code, life),
                valid_for,
            }),
            // No challenge is for an e-mail address yet.
            Destination::Email(email) => Message::Email(EmailMessage {
                reference,
                to: email.clone(),
                subject: String::new(),
                text: MessageText::new(String::new()),
                html: MessageText::new(String::new()),
                valid_for,
            }),
        }
    }
}
