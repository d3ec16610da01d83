//! What signing in by code and resetting a password have in common: a code goes to an address of an account, and lets whoever
//! types it into that account, if the address opens it.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{
    asked::{Addressee, Asked, Caller, Entitled, Entitlement},
    codes::{Codes, Sent},
    error::FlowError,
    supported::Supported,
    test_numbers::TestNumbers,
};
use crate::{
    accounts::{KnownNetworks, Login, Opening, OpeningRules, OpeningStore},
    challenges::{Challenges, Proof, Purpose},
    channel::Channel,
    delivery::Destination,
    limits::{Admission, Limiter, Operation},
    unavailable::Unavailable,
};

/// Whether a code that comes by a channel does what it is for.
type Rule = fn(&Opening, Channel, &OpeningRules, DateTime<Utc>) -> bool;

/// The way into accounts by code.
#[derive(Clone)]
pub struct AccountOpener {
    pub codes: Arc<Codes>,
    pub openings: Arc<dyn OpeningStore>,
    pub networks: KnownNetworks,
    pub supported: Supported,
    pub test_numbers: Arc<TestNumbers>,
    pub rules: OpeningRules,
}

impl AccountOpener {
    /// Issues a code for an address and hands its message to delivery; an address that opens nothing gets a decoy.
    pub(super) async fn send(
        &self,
        purpose: Purpose,
        caller: Caller,
        address: Login,
        rule: Rule,
    ) -> Result<Sent, FlowError> {
        // Anybody may know its code.
        let is_test_number = matches!(&address, Login::Phone(phone) if self.test_numbers.contains(phone));
        let mut asked = self.codes.asked(purpose, caller, destination(&address));
        if is_test_number {
            asked.subject = TestNumbers::subject(&asked.caller);
        }
        self.supported.demand(&asked.to, asked.country)?;
        let opens = Opens {
            openings: Arc::clone(&self.openings),
            networks: self.networks.clone(),
            challenges: self.codes.challenges.clone(),
            is_test_number,
            address,
            rule,
            rules: self.rules,
            now: self.codes.clock.now(),
        };
        self.codes.send(asked, opens).await
    }

    /// The account that a right code was issued for, as it is now, and how the code came: if the address that it came to
    /// is still the account's, and the rule still holds.
    pub(super) async fn opened(
        &self,
        purpose: Purpose,
        proof: &Proof,
        rule: Rule,
    ) -> Result<Option<(Opening, Channel)>, Unavailable> {
        let Some(user) = proof.subject else {
            return Ok(None);
        };
        let Some(opening) = self.openings.opening_of(user).await? else {
            return Ok(None);
        };
        let is_about = |by: &Channel| {
            let address = address(&opening, *by);
            let challenges = &self.codes.challenges;
            address.is_some_and(|address| challenges.is_about(proof, purpose, &destination(&address)))
        };
        let by = Channel::ALL.into_iter().find(is_about);
        let typed_at = by.filter(|_| proof.has_message);
        if let Some(typed_at) = typed_at.and_then(|by| address(&opening, by)) {
            self.codes.refund(&destination(&typed_at), proof.has_worked).await;
        }
        let now = self.codes.clock.now();
        Ok(by
            .filter(|&by| !opening.is_over(proof.issued_at_ms) && rule(&opening, by, &self.rules, now))
            .map(|by| (opening, by)))
    }
}

/// The account's address of a channel.
pub(super) fn address(opening: &Opening, by: Channel) -> Option<Login> {
    match by {
        Channel::Sms => Some(Login::Phone(opening.user.phone.clone())),
        Channel::Email => opening.user.email.clone().map(Login::Email),
    }
}

fn destination(address: &Login) -> Destination {
    match address {
        Login::Phone(phone) => Destination::Phone(phone.clone()),
        Login::Email(email) => Destination::Email(email.clone()),
    }
}

/// Whoever's account the address opens.
struct Opens {
    openings: Arc<dyn OpeningStore>,
    networks: KnownNetworks,
    challenges: Challenges,
    address: Login,
    is_test_number: bool,
    rule: Rule,
    rules: OpeningRules,
    now: DateTime<Utc>,
}

impl Entitlement for Opens {
    async fn admit(&mut self, limiter: &Limiter, asked: &mut Asked) -> Result<Admission, FlowError> {
        let shed = limiter.shed(Operation::OtpSend, &asked.subject).await?;
        let asker = self.networks.asker(asked.caller.client, &self.address).await?;
        asked.subject = asked.subject.clone().with_asker(asker);
        Ok(limiter.admit_further(shed, &asked.subject).await?)
    }

    async fn entitled(self, asked: &mut Asked) -> Result<Entitled, Unavailable> {
        if self.is_test_number {
            TestNumbers::release(&self.challenges, &asked.to, None).await?;
        }
        let opening = self.openings.opened_by(&self.address).await?;
        let opens = |opening: &Opening| {
            !self.is_test_number && (self.rule)(opening, asked.to.channel(), &self.rules, self.now)
        };
        let why = match (&opening, self.is_test_number) {
            (None, _) => "no account has this address verified",
            (Some(_), true) => "a test number opens no account",
            (Some(_), false) => "its account can't be opened by this address (docs/flows.md says which can)",
        };
        let opened = opening.filter(opens).map(|opening| opening.user);
        if let Some(stored) = opened.as_ref().and_then(|user| user.email.as_ref()) {
            asked.respell(stored);
        }
        let user = opened.map(|user| user.id);
        Ok(Entitled {
            to: Addressee::of(user, why),
            subject: user,
            known_code: None,
        })
    }
}
