//! Whom an owed SMS goes to, found again where it is taken over.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    accounts::AccountStore,
    challenges::{OtpCode, Slot, secret_of},
    delivery::{CodeBook, OutboxEntry, Recipient},
    phone::PhoneDigest,
    secrets::Keyring,
    sms::SmsCode,
    unavailable::{Part, Unavailable},
};

/// The dispatcher's way back from an outbox entry, which holds neither phone nor code, to what is sent.
pub struct Recipients {
    pub accounts: Arc<dyn AccountStore>,
    pub keyring: Arc<Keyring>,
    pub code_length: u8,
}

#[async_trait]
impl CodeBook for Recipients {
    async fn recipient(&self, entry: &OutboxEntry) -> Result<Option<Recipient>, Unavailable> {
        let Some(keys) = secret_of(&self.keyring, entry.address, entry.challenge_id) else {
            // In a rotation, an instance that knows the secret takes it over.
            return Err(Unavailable::new(
                Part::SmsQueue,
                "the code's secret is not known here",
            ));
        };
        let Some(phone) = self.accounts.phone_of(entry.user_id).await? else {
            return Ok(None);
        };
        let digest = PhoneDigest::of(&phone, &keys.phone);
        let slots = [Slot::Public, Slot::User(entry.user_id)];
        if !slots.map(|slot| slot.address(digest)).contains(&entry.address) {
            return Ok(None);
        }
        let code = OtpCode::derive(&keys.code, entry.challenge_id, self.code_length);
        Ok(Some(Recipient {
            phone,
            code: SmsCode::new(code.expose()),
        }))
    }
}
