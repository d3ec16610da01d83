//! Who asks about the address or the account that a request names: whether it is theirs, as far as that is known before
//! anything is counted.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use uuid::Uuid;

use super::client::ClientNetwork;

/// Who asks about the address or the account that a request names. Each has counters of its own there, so that strangers
/// can't spend what its owner needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Asker {
    /// Whoever has no token, or that of an account with another address.
    #[default]
    Stranger,
    /// An account that has the address or is about to, and has not proven it.
    Claimant(Uuid),
    /// The account that has proven it.
    Owner(Uuid),
    /// Whoever comes from a network from which the account was signed in to lately.
    KnownNetwork,
}

/// Whether accounts that have not proven the address that they ask about count together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Claimants {
    /// Each by itself.
    Apart,
    /// All as one, so that many accounts have no more sent to one address than one has.
    Together,
}

impl Claimants {
    pub const ALL: [Self; 2] = [Self::Apart, Self::Together];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Apart => "apart",
            Self::Together => "together",
        }
    }
}

impl Asker {
    /// Adds to the text that names the counter of an address who is counted there.
    pub(super) fn write_to(self, claimants: Claimants, client: ClientNetwork, key: &mut String) {
        match (self, claimants) {
            (Self::Stranger, _) => {}
            (Self::KnownNetwork, _) => {
                key.push(FROM);
                key.push_str(&client.coarse());
            }
            (Self::Claimant(_), Claimants::Together) => key.push(OWN),
            (Self::Claimant(user), Claimants::Apart) | (Self::Owner(user), _) => {
                key.push(OWN);
                BASE64_URL_SAFE_NO_PAD.encode_string(user.as_bytes(), key);
            }
        }
    }
}

/// Stand between an address and whose counter it is there, or from what network. No text of an address has them.
const OWN: char = '~';
const FROM: char = '@';

/// The text of the address in that of its counter.
pub(super) fn address_in(key: &str) -> &str {
    key.split([OWN, FROM]).next().unwrap_or(key)
}

/// Who has counters of their own beside those of strangers: accounts, and the networks that are known to one.
#[derive(Debug, Clone, Default)]
pub struct Holders {
    pub users: Vec<Uuid>,
    /// As they are kept.
    pub networks: Vec<String>,
}

impl Holders {
    /// The texts of all counters that there may be beside `address`, the strangers' first.
    pub(super) fn names(&self, address: &str) -> Vec<String> {
        let claimants = [address.to_owned(), format!("{address}{OWN}")];
        let users = self.users.iter().map(|user| {
            let user = BASE64_URL_SAFE_NO_PAD.encode(user.as_bytes());
            format!("{address}{OWN}{user}")
        });
        let networks = self
            .networks
            .iter()
            .map(|network| format!("{address}{FROM}{network}"));
        claimants.into_iter().chain(users).chain(networks).collect()
    }
}
