//! A code that is asked for: at which address, who may have it, and what it does.

use uuid::Uuid;

use super::error::FlowError;
use crate::{
    accounts::User,
    challenges::{DestinationDigest, OtpCode, Proof, Purpose},
    delivery::Destination,
    email::EmailAddress,
    events::Source,
    language::Language,
    limits::{Admission, Asker, ClientNetwork, Limiter, Operation, SolvedWork, Subject},
    phone::Country,
    unavailable::Unavailable,
};

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    pub client: ClientNetwork,
    /// The user whose token came along, if one did.
    pub user: Option<User>,
    /// What a message to the caller is written in.
    pub language: Language,
    /// A proof of work, if the request brought one.
    pub work: Option<SolvedWork>,
}

impl Caller {
    /// The id of the user whose token came along.
    pub fn user_id(&self) -> Option<Uuid> {
        self.user.as_ref().map(|user| user.id)
    }

    /// Whether the address is the caller's own, for the limits.
    pub(super) fn asker(&self, to: &Destination) -> Asker {
        self.user
            .as_ref()
            .map_or(Asker::Stranger, |user| asker_of(user, to))
    }

    /// By whom an event is.
    pub(super) fn source(&self) -> Source {
        Source::of(self.user_id(), self.client)
    }
}

/// Whether an address is a user's own, for the limits.
pub(super) fn asker_of(user: &User, to: &Destination) -> Asker {
    let (is_own, is_proven) = match to {
        Destination::Phone(phone) => (user.phone == *phone, user.phone_verified),
        Destination::Email(email) => (user.email.as_ref() == Some(email), user.email_verified),
    };
    match (is_own, is_proven) {
        (true, true) => Asker::Owner(user.id),
        (true, false) => Asker::Claimant(user.id),
        (false, _) => Asker::Stranger,
    }
}

/// An address that a code is asked for or typed for.
pub(super) struct Asked {
    pub caller: Caller,
    pub purpose: Purpose,
    pub to: Destination,
    pub digest: DestinationDigest,
    /// Where a phone belongs.
    pub country: Country,
    pub subject: Subject,
    /// Whose challenge it is: nobody's, or that of a user, or of what stands for one.
    pub owner: Option<Uuid>,
}

impl Asked {
    /// Has the message go to an e-mail address as its account has it, not as whoever asks has typed it: what this service
    /// takes for one address may be two mailboxes where mail arrives.
    pub fn respell(&mut self, stored: &EmailAddress) {
        if let Destination::Email(typed) = &mut self.to
            && typed == stored
        {
            *typed = stored.clone();
        }
    }
}

/// Whom a code goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Addressee {
    /// Nobody: it is a decoy, and why.
    Nobody(&'static str),
    /// The owner of an account.
    User(Uuid),
    /// Whoever has the address: there is no account yet.
    Stranger,
}

impl Addressee {
    /// The owner of an account; or else nobody, and why.
    pub fn of(user: Option<Uuid>, why: &'static str) -> Self {
        user.map_or(Self::Nobody(why), Self::User)
    }

    pub fn user_id(self) -> Option<Uuid> {
        match self {
            Self::User(user) => Some(user),
            Self::Nobody(_) | Self::Stranger => None,
        }
    }

    pub const fn is_nobody(self) -> bool {
        matches!(self, Self::Nobody(_))
    }
}

/// Who may have a code.
pub(super) struct Entitled {
    pub to: Addressee,
    /// The user that a public challenge is meant for, if exactly one claims the address. Of a user's own challenge: the
    /// account that has the address proven, and loses it by a right code.
    pub subject: Option<Uuid>,
    /// The code, where it is known beforehand: there is no message then, and no cooldown.
    pub known_code: Option<OtpCode>,
}

impl Entitled {
    /// Whether a message goes out.
    pub fn has_message(&self) -> bool {
        !self.to.is_nobody() && self.known_code.is_none()
    }
}

/// Says who may have a code.
pub(super) trait Entitlement: Send + 'static {
    /// Has the limits let the request in. What they have to know of the address is looked up once floods are shed.
    fn admit(
        &mut self,
        limiter: &Limiter,
        asked: &mut Asked,
    ) -> impl Future<Output = Result<Admission, FlowError>> + Send {
        async { Ok(limiter.admit(Operation::OtpSend, &asked.subject).await?) }
    }

    /// Who may have the code that is asked for.
    fn entitled(self, asked: &mut Asked) -> impl Future<Output = Result<Entitled, Unavailable>> + Send;
}

/// What a right code does.
pub(super) trait Effect: Send + 'static {
    /// What comes of it.
    type Output: Send + 'static;

    /// Lets it take effect. An error that [keeps the code](FlowError::keeps_code) leaves it good.
    fn take(self, proof: &Proof) -> impl Future<Output = Result<Self::Output, FlowError>> + Send;
}
