//! What is to be changed, and who loses what: rules without a database.

use uuid::Uuid;

use crate::{
    accounts::users::User,
    email::EmailAddress,
    events::{NewEvent, NewNotice, NoticeAddress},
    phone::PhoneNumber,
};

/// A phone that the owner of an account has proven.
#[derive(Debug, Clone)]
pub struct PhoneChange {
    pub user: Uuid,
    /// The one that the account had when the code was asked for. The same as `new` where it was a claim.
    pub old: PhoneNumber,
    pub new: PhoneNumber,
    /// The account that had it proven when the code was asked for. It may lose it, and no other.
    pub former: Option<Uuid>,
    /// Whether the phone opens the account from then on: a test number opens none.
    pub opens: bool,
    /// About the account.
    pub event: NewEvent,
    /// About the one that loses it.
    pub moved: NewEvent,
    /// To each address of the account that was proven before: its phone, its e-mail address.
    pub notices: [NewNotice; 2],
    /// To the e-mail address of whoever loses it, if it was proven.
    pub moved_notice: NewNotice,
}

/// An e-mail address that the owner of an account has proven.
#[derive(Debug, Clone)]
pub struct EmailChange {
    pub user: Uuid,
    /// The one that the account had when the code was asked for.
    pub old: Option<EmailAddress>,
    pub new: EmailAddress,
    /// About the account.
    pub event: NewEvent,
    /// About the one that loses it.
    pub taken: NewEvent,
    /// To the phone of whoever loses it, if it was proven.
    pub taken_notice: NewNotice,
    /// As in [`PhoneChange`].
    pub notices: [NewNotice; 2],
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// The account as it is now.
    Changed(User),
    /// The account is gone or locked, or has another address by now than when the code was asked for.
    Void,
    /// Another account has the address proven.
    Taken,
}

/// An account that a change is about, as its row has it now.
#[derive(Debug)]
pub(super) struct Found {
    pub user: User,
    pub is_locked: bool,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision<'a> {
    /// Change it, and take it from the one that has it, if one does.
    Change {
        /// The account as it was.
        me: &'a User,
        loser: Option<&'a User>,
    },
    /// It has been done already.
    Done(&'a User),
    Void,
    Taken,
}

/// Either of the two.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change<'a> {
    Phone(&'a PhoneChange),
    Email(&'a EmailChange),
}

impl<'a> Change<'a> {
    pub fn user(self) -> Uuid {
        match self {
            Self::Phone(change) => change.user,
            Self::Email(change) => change.user,
        }
    }

    /// What the new address is found by.
    pub fn key(self) -> &'a str {
        match self {
            Self::Phone(change) => change.new.expose(),
            Self::Email(change) => change.new.key(),
        }
    }

    /// About the account.
    pub fn event(self) -> &'a NewEvent {
        match self {
            Self::Phone(change) => &change.event,
            Self::Email(change) => &change.event,
        }
    }

    /// About the one that loses the address.
    pub fn loss(self) -> &'a NewEvent {
        match self {
            Self::Phone(change) => &change.moved,
            Self::Email(change) => &change.taken,
        }
    }

    /// What is to be done, by the accounts that have to do with it: the one that changes, and whoever has the new address.
    pub fn decide(self, found: &[Found]) -> Decision<'_> {
        let me = found.iter().find(|found| found.user.id == self.user());
        let Some(me) = me.filter(|me| !me.is_locked && self.is_as_asked(&me.user)) else {
            return Decision::Void;
        };
        match found
            .iter()
            .map(|found| &found.user)
            .find(|user| self.has_new(user))
        {
            Some(holder) if holder.id == me.user.id => Decision::Done(&me.user),
            Some(holder) if !self.may_lose(holder) => Decision::Taken,
            loser => Decision::Change { me: &me.user, loser },
        }
    }

    /// The notices of the change, and where they go: to what its owner had proven before.
    pub fn notices(self, before: &User) -> impl Iterator<Item = (&'a NewNotice, NoticeAddress)> {
        let notices = match self {
            Self::Phone(change) => &change.notices,
            Self::Email(change) => &change.notices,
        };
        let is_another = match self {
            Self::Phone(change) => change.old != change.new,
            Self::Email(_) => true,
        };
        let told = notices.iter().zip([proven_phone(before), proven_email(before)]);
        told.filter_map(move |(notice, address)| Some((notice, address.filter(|_| is_another)?)))
    }

    /// The notice to whoever loses the address, and where it goes. An e-mail address that was never proven may be
    /// somebody else's: nobody is told there.
    pub fn loss_notice(self, loser: &User) -> Option<(&'a NewNotice, NoticeAddress)> {
        match self {
            Self::Phone(change) => Some((&change.moved_notice, proven_email(loser)?)),
            Self::Email(change) => Some((&change.taken_notice, proven_phone(loser)?)),
        }
    }

    /// The notices that are written with it.
    pub fn queued(self, me: &User, loser: Option<&User>) -> Vec<&'a NewNotice> {
        let loss = loser.and_then(|loser| self.loss_notice(loser));
        let all = self.notices(me).chain(loss);
        all.map(|(notice, _)| notice).collect()
    }

    /// Counts its events and notices, once they were written: where it was made, and whether somebody lost the address.
    pub fn count(self, made: Option<(bool, Vec<&NewNotice>)>) {
        if let Some((has_loser, queued)) = made {
            self.event().count();
            if has_loser {
                self.loss().count();
            }
            queued.into_iter().for_each(NewNotice::count);
        }
    }

    /// Whether the account has the address still that it had when the code was asked for.
    fn is_as_asked(self, me: &User) -> bool {
        match self {
            Self::Phone(change) => me.phone == change.old,
            Self::Email(change) => me.email == change.old,
        }
    }

    /// Whether an account keeps others from the new address, or has to give it up.
    fn has_new(self, user: &User) -> bool {
        match self {
            Self::Phone(change) => user.phone == change.new && user.phone_verified,
            Self::Email(change) => user.email.as_ref() == Some(&change.new),
        }
    }

    fn may_lose(self, holder: &User) -> bool {
        match self {
            Self::Phone(change) => change.former == Some(holder.id),
            Self::Email(_) => !holder.email_verified,
        }
    }
}

fn proven_phone(user: &User) -> Option<NoticeAddress> {
    let phone = &user.phone;
    user.phone_verified.then(|| NoticeAddress::Phone(phone.clone()))
}

/// The e-mail address of an account, if it was proven.
fn proven_email(user: &User) -> Option<NoticeAddress> {
    let email = user.email.clone().filter(|_| user.email_verified);
    email.map(NoticeAddress::Email)
}
