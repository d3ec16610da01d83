//! The digest of an address: what stands for a phone or an e-mail address wherever challenges are kept.

use crate::{
    channel::Channel, delivery::Destination, email::EmailDigest, partition::PARTITIONS, phone::PhoneDigest,
    secrets::SecretKeys,
};

/// A keyed digest of a phone or an e-mail address. Phones and e-mail addresses have keys of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DestinationDigest {
    channel: Channel,
    bytes: [u8; 16],
}

impl DestinationDigest {
    /// The digest of an address under one secret.
    pub fn of(destination: &Destination, keys: &SecretKeys) -> Self {
        match destination {
            Destination::Phone(phone) => PhoneDigest::of(phone, &keys.phone).into(),
            Destination::Email(email) => EmailDigest::of(email, &keys.email).into(),
        }
    }

    /// The channel that leads there.
    pub fn channel(&self) -> Channel {
        self.channel
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.bytes
    }

    /// Its text form: 22 characters of base64url, as counters are named.
    pub fn encode(&self) -> String {
        match self.channel {
            Channel::Sms => PhoneDigest::from_bytes(self.bytes).encode(),
            Channel::Email => EmailDigest::from_bytes(self.bytes).encode(),
        }
    }

    /// The share of all keys that everything about the address belongs to, its counters of limits among it.
    pub fn partition(&self) -> u8 {
        self.bytes[0] % PARTITIONS
    }
}

impl From<PhoneDigest> for DestinationDigest {
    fn from(digest: PhoneDigest) -> Self {
        Self {
            channel: Channel::Sms,
            bytes: *digest.as_bytes(),
        }
    }
}

impl From<EmailDigest> for DestinationDigest {
    fn from(digest: EmailDigest) -> Self {
        Self {
            channel: Channel::Email,
            bytes: *digest.as_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_for_an_address_lies_with_its_counters() {
        for first in 0..=255 {
            let (phone, email) = (
                PhoneDigest::from_bytes([first; 16]),
                EmailDigest::from_bytes([first; 16]),
            );
            assert_eq!(
                DestinationDigest::from(phone).partition(),
                phone.partition(PARTITIONS)
            );
            assert_eq!(
                DestinationDigest::from(email).partition(),
                email.partition(PARTITIONS)
            );
        }
    }
}
