//! What a right code gives back to the limits, where only the account that it opened tells the address.

use std::net::{IpAddr, Ipv4Addr};

use super::codes::Codes;
use crate::{delivery::Destination, email::EmailDigest, limits::Subject};

impl Codes {
    /// Gives back what the message to an address spent whose code was typed, and which a proof of work let go out if it
    /// `has_worked`.
    pub(super) async fn refund(&self, to: &Destination, has_worked: bool) {
        // Who typed it makes no difference: nothing that counts messages counts by that.
        let anybody = Subject::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).with_channel(to.channel());
        let keys = self.challenges.keyring.current();
        let subject = match to {
            Destination::Phone(phone) => anybody.with_phone(phone.clone(), &keys.phone),
            Destination::Email(email) => anybody.with_email(EmailDigest::of(email, &keys.email)),
        };
        self.limiter.note_verified(&subject);
        if let Some(refund) = self.limiter.refund_for(&subject, true) {
            self.limiter.refund(&refund, has_worked).await;
        }
    }
}
