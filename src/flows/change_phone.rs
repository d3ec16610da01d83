//! Changing the phone of an account: who may have a code at the new one, and what a right one does.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{
    asked::{Addressee, Asked, Caller, Effect, Entitled, Entitlement},
    codes::{Codes, Sent, Typed},
    error::FlowError,
    pending::{Changer, pending},
    supported::Supported,
    test_numbers::TestNumbers,
};
use crate::{
    accounts::{ChangeStore, Changed, OwnPassword, Password, PhoneChange, ProofStore, User},
    challenges::{Challenges, OtpCode, Proof, Purpose},
    delivery::Destination,
    events::{EventKind, NoticeKind, Source},
    language::Language,
    phone::PhoneNumber,
    unavailable::Unavailable,
};

/// The flow.
pub struct ChangePhone {
    pub codes: Arc<Codes>,
    pub proofs: Arc<dyn ProofStore>,
    pub changes: Arc<dyn ChangeStore>,
    pub own_password: OwnPassword,
    pub supported: Supported,
    pub test_numbers: Arc<TestNumbers>,
}

impl ChangePhone {
    /// Issues a code for the new phone and hands its message to delivery; waits for no provider. Until the code is entered,
    /// the old phone stays in force. One that another account has proven gets a code as well: numbers are given to others.
    ///
    /// # Errors
    /// `SamePhone`, `PhoneNotSupported`: before anything is asked. `Account`, `Cooldown`, `Limited`, `Unavailable`.
    pub async fn send(
        &self,
        changer: Changer,
        phone: PhoneNumber,
        password: Password,
    ) -> Result<Sent, FlowError> {
        if changer.signed_in.user.phone == phone {
            return Err(FlowError::SamePhone);
        }
        let now = self.codes.clock.now();
        let known_code = self.test_numbers.code(&phone, now).cloned();
        let asked = self.asked(&changer, &phone, known_code.is_some());
        self.supported.demand(&asked.to, asked.country)?;
        let turn = self
            .own_password
            .reserve(&changer.signed_in, changer.client)
            .await?;
        let of = &changer.signed_in;
        self.own_password
            .confirm(turn, of, changer.client, password)
            .await?;
        let code = NewPhone {
            proofs: Arc::clone(&self.proofs),
            user: changer.signed_in.user,
            challenges: self.codes.challenges.clone(),
            known_code,
            phone,
            now,
        };
        self.codes.send(asked, code).await
    }

    /// Judges a code, and gives the account the phone.
    ///
    /// # Errors
    /// Every way in which a code is not taken; only `Unavailable` leaves a right one good.
    pub async fn verify(
        &self,
        changer: Changer,
        phone: PhoneNumber,
        typed: Typed,
    ) -> Result<User, FlowError> {
        let is_test_number = self.test_numbers.code(&phone, self.codes.clock.now()).is_some();
        let asked = self.asked(&changer, &phone, is_test_number);
        let takes = TakesPhone {
            codes: Arc::clone(&self.codes),
            changes: Arc::clone(&self.changes),
            source: Source::user(changer.signed_in.user.id, changer.client),
            user: changer.signed_in.user,
            language: changer.language,
            opens: !is_test_number,
            phone,
        };
        self.codes.verify(asked, typed, false, takes).await
    }

    fn asked(&self, changer: &Changer, phone: &PhoneNumber, is_test_number: bool) -> Asked {
        let user = &changer.signed_in.user;
        let caller = Caller {
            client: changer.client,
            user: Some(user.clone()),
            language: changer.language.clone(),
            work: changer.work.clone(),
        };
        let to = Destination::Phone(phone.clone());
        let asked = self.codes.asked(Purpose::ChangePhone, caller, to);
        Asked {
            owner: Some(pending(user, user.phone.expose())),
            subject: match is_test_number {
                false => asked.subject,
                true => TestNumbers::subject(&asked.caller),
            },
            ..asked
        }
    }
}

/// A phone that a user wants to have.
struct NewPhone {
    proofs: Arc<dyn ProofStore>,
    user: User,
    phone: PhoneNumber,
    now: DateTime<Utc>,
    challenges: Challenges,
    /// Of a test number.
    known_code: Option<OtpCode>,
}

impl Entitlement for NewPhone {
    async fn entitled(self, asked: &mut Asked) -> Result<Entitled, Unavailable> {
        if self.known_code.is_some() {
            TestNumbers::release(&self.challenges, &asked.to, asked.owner).await?;
        }
        let claims = self.proofs.claims(&self.phone, self.now).await?;
        Ok(Entitled {
            to: Addressee::User(self.user.id),
            // Whoever has it proven now may lose it by the code, and nobody else.
            subject: claims.verified_by,
            known_code: self.known_code,
        })
    }
}

/// Gives an account a phone, its own claim or another: also one that another account had proven when the code was sent.
pub(super) struct TakesPhone {
    pub codes: Arc<Codes>,
    pub changes: Arc<dyn ChangeStore>,
    /// The account as it was when the code was typed.
    pub user: User,
    pub phone: PhoneNumber,
    pub source: Source,
    /// What its owner is told in.
    pub language: Language,
    /// Whether the phone opens the account from then on: a test number opens none.
    pub opens: bool,
}

impl Effect for TakesPhone {
    type Output = User;

    async fn take(self, proof: &Proof) -> Result<User, FlowError> {
        let is_new = self.user.phone != self.phone;
        let kind = if is_new {
            EventKind::PhoneChanged
        } else {
            EventKind::PhoneVerified
        };
        let told = || self.codes.notice(NoticeKind::PhoneChanged, Some(&self.language));
        let change = PhoneChange {
            user: self.user.id,
            old: self.user.phone,
            new: self.phone,
            former: proof.subject.filter(|&former| former != self.user.id),
            opens: self.opens,
            event: self.codes.event(kind, self.source.clone()),
            // By whom is nobody's affair who lost it.
            moved: self.codes.event(EventKind::PhoneMoved, Source::system()),
            notices: [told(), told()],
            moved_notice: self.codes.notice(NoticeKind::PhoneMoved, None),
        };
        match self.changes.change_phone(&change).await? {
            Changed::Changed(user) => Ok(user),
            Changed::Void => Err(FlowError::Expired),
            Changed::Taken => Err(FlowError::PhoneTaken),
        }
    }
}
