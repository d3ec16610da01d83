//! The second proof of an administrator: who may have a code for it, and the session that a right one opens.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    asked::{Addressee, Asked, Caller, Effect, Entitled, Entitlement},
    codes::{Codes, Sent, Typed},
    error::{FlowError, MayNotAdminister},
    pending::Changer,
    supported::Supported,
    test_numbers::TestNumbers,
};
use crate::{
    accounts::{
        AccountError, AdministratorStore, ClientInfo, Login, SecondProof, Sessions, SignedIn, Standing,
        Tokens, User,
    },
    challenges::{Proof, Purpose},
    channel::Channel,
    delivery::Destination,
    tokens::{Amr, Role},
    unavailable::Unavailable,
};

/// For so long after a reset of the password, or a change of an address, it proves nothing to an administrator's account: whoever
/// took the mailbox, or the password, has to wait, and its owner has been told.
const LATELY: TimeDelta = TimeDelta::hours(24);

/// The flow.
#[derive(Clone)]
pub struct Administer {
    pub codes: Arc<Codes>,
    pub administrators: Arc<dyn AdministratorStore>,
    pub sessions: Sessions,
    pub supported: Supported,
    pub test_numbers: Arc<TestNumbers>,
    /// How long a session of an administrator lives.
    pub ttl: TimeDelta,
}

impl Administer {
    /// Issues a code for the second proof and hands its message to delivery; waits for no provider. It goes to the proven
    /// phone; to the proven e-mail address where there is none. Gives the address as well.
    ///
    /// # Errors
    /// `MayNotAdminister`; `PhoneNotSupported`, `MailNotConfigured`, `Cooldown`, `Limited`, `Unavailable`.
    pub async fn send(&self, asker: Changer) -> Result<(Login, Sent), FlowError> {
        self.may_prove(&asker.signed_in).await?;
        let address = self.address(&asker.signed_in.user)?;
        let asked = self.asked(asker, &address);
        self.supported.demand(&asked.to, asked.country)?;
        let sent = self.codes.send(asked, Themselves).await?;
        Ok((address, sent))
    }

    /// Judges a code, and opens a session of an administrator. From one that is such a session already, it lives no longer
    /// than that one.
    ///
    /// # Errors
    /// Every way in which a code is not taken, and `MayNotAdminister`; only `Unavailable` leaves a right one good.
    pub async fn verify(&self, asker: Changer, who: ClientInfo, typed: Typed) -> Result<Tokens, FlowError> {
        self.may_prove(&asker.signed_in).await?;
        let address = self.address(&asker.signed_in.user)?;
        let proves = Proves {
            flow: self.clone(),
            signed_in: asker.signed_in.clone(),
            amr: match address {
                Login::Phone(_) => Amr::PasswordAndSmsCode,
                Login::Email(_) => Amr::PasswordAndEmailCode,
            },
            who,
        };
        let asked = self.asked(asker, &address);
        self.codes.verify(asked, typed, false, proves).await
    }

    /// Whether a session may be added a second proof to: its standing, and the role that it is for.
    async fn may_prove(&self, of: &SignedIn) -> Result<(Standing, Role), FlowError> {
        let standing = self.administrators.standing(of.session).await?;
        let standing = standing.ok_or(AccountError::TokenRevoked)?;
        let role = standing.role.ok_or(MayNotAdminister::NoRole)?;
        match of.amr {
            Amr::Password | Amr::PasswordAndSmsCode | Amr::PasswordAndEmailCode => {}
            Amr::SmsCode | Amr::EmailCode | Amr::Unknown => return Err(MayNotAdminister::NoPassword.into()),
        }
        let now = self.codes.clock.now();
        let is_lately = |at: Option<DateTime<Utc>>| at.is_some_and(|at| now - at < LATELY);
        if is_lately(standing.password_reset_at) {
            return Err(MayNotAdminister::ResetLately.into());
        }
        if is_lately(standing.address_changed_at) {
            return Err(MayNotAdminister::ChangedLately.into());
        }
        Ok((standing, role))
    }

    /// By which channel its code comes to somebody, if one can.
    pub fn channel(&self, user: &User) -> Option<Channel> {
        self.address(user).ok().map(|address| match address {
            Login::Phone(_) => Channel::Sms,
            Login::Email(_) => Channel::Email,
        })
    }

    /// Where the code goes: to the proven phone; where that can't have one, to the proven e-mail address. Anybody may know the code of
    /// a test number.
    fn address(&self, user: &User) -> Result<Login, FlowError> {
        let phone = (user.phone_verified && !self.test_numbers.contains(&user.phone)).then_some(&user.phone);
        let email = user.email.as_ref().filter(|_| user.email_verified);
        let address = match (phone, email) {
            (Some(phone), Some(email)) if !self.supported.has(phone) => Login::Email(email.clone()),
            (Some(phone), _) => Login::Phone(phone.clone()),
            (None, Some(email)) => Login::Email(email.clone()),
            (None, None) => return Err(MayNotAdminister::NothingProven.into()),
        };
        Ok(address)
    }

    fn asked(&self, asker: Changer, address: &Login) -> Asked {
        let caller = Caller {
            client: asker.client,
            user: Some(asker.signed_in.user),
            language: asker.language,
            work: asker.work,
        };
        let to = match address {
            Login::Phone(phone) => Destination::Phone(phone.clone()),
            Login::Email(email) => Destination::Email(email.clone()),
        };
        let mut asked = self.codes.asked(Purpose::Administer, caller, to);
        asked.subject = asked.subject.of_administrator();
        asked
    }
}

/// Whoever asks has the code, at an address of their own.
struct Themselves;

impl Entitlement for Themselves {
    async fn entitled(self, asked: &mut Asked) -> Result<Entitled, Unavailable> {
        Ok(Entitled {
            to: Addressee::of(asked.caller.user_id(), "nobody is signed in"),
            subject: asked.caller.user_id(),
            known_code: None,
        })
    }
}

/// Opens a session of an administrator.
struct Proves {
    flow: Administer,
    signed_in: SignedIn,
    amr: Amr,
    who: ClientInfo,
}

impl Effect for Proves {
    type Output = Tokens;

    async fn take(self, _: &Proof) -> Result<Tokens, FlowError> {
        // As it is now: while the code was typed the role may have gone.
        let (standing, role) = self.flow.may_prove(&self.signed_in).await?;
        let until = self.flow.codes.clock.now() + self.flow.ttl;
        let proof = SecondProof {
            amr: self.amr,
            role,
            until: match standing.has_second_proof {
                true => until.min(standing.expires_at),
                false => until,
            },
        };
        let user = self.signed_in.user.id;
        let opened = self
            .flow
            .sessions
            .open_administrators(user, standing.epoch, proof, &self.who);
        opened.await.map_err(|error| match error {
            AccountError::Unavailable(unavailable) => FlowError::Unavailable(unavailable),
            // It was locked or its sessions were ended meanwhile.
            _ => FlowError::Expired,
        })
    }
}
