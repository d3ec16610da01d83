//! What administrators change. A change that was made already is no error, and no second event.

use uuid::Uuid;

use super::{Acting, AdminError, Administration};
use crate::{
    accounts::{AccountDetails, Erased, ErasedBy, Erasure, Grant, Granted, Locked, ProfileChange, Revoked},
    channel::Channel,
    events::EventKind,
    tokens::Role,
};

impl Administration {
    /// Locks an account: its sessions end for good, and those whose login is under way.
    ///
    /// # Errors
    /// `Own`, `LastAdministrator`, `NotFound`, `Unavailable`.
    pub async fn lock(&self, by: &Acting, user: Uuid) -> Result<AccountDetails, AdminError> {
        if by.is_own(user) {
            return Err(AdminError::Own);
        }
        let event = self.event(by, EventKind::AccountLocked);
        match self.users.lock(user, event).await? {
            Locked::Locked | Locked::Unchanged => self.account(user).await,
            Locked::LastAdministrator => Err(AdminError::LastAdministrator),
        }
    }

    /// Unlocks an account. No session comes back.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn unlock(&self, by: &Acting, user: Uuid) -> Result<AccountDetails, AdminError> {
        let event = self.event(by, EventKind::AccountUnlocked);
        self.users.unlock(user, event).await?;
        self.account(user).await
    }

    /// Notes that a proven phone or e-mail address is the owner's, who said so to whoever asks: from then on it opens the account.
    ///
    /// # Errors
    /// `Own`, `NotProven`, `NotFound`, `Unavailable`.
    pub async fn confirm(
        &self,
        by: &Acting,
        user: Uuid,
        channel: Channel,
    ) -> Result<AccountDetails, AdminError> {
        if by.is_own(user) {
            return Err(AdminError::Own);
        }
        let kind = match channel {
            Channel::Sms => EventKind::PhoneConfirmed,
            Channel::Email => EventKind::EmailConfirmed,
        };
        self.users.confirm(user, channel, self.event(by, kind)).await?;
        let account = self.account(user).await?;
        let owned = match channel {
            Channel::Sms => account.phone_owned_at,
            Channel::Email => account.email_owned_at,
        };
        owned.map(|_| account).ok_or(AdminError::NotProven)
    }

    /// Ends all sessions of an account for good, and those whose login is under way.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn end_sessions(&self, by: &Acting, user: Uuid) -> Result<AccountDetails, AdminError> {
        let event = self.event(by, EventKind::SessionsEnded);
        match self.users.end_sessions(user, event).await? {
            true => self.account(user).await,
            false => Err(AdminError::NotFound),
        }
    }

    /// Changes what an account says of its owner. Where all is as it was, nothing is written.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn change(
        &self,
        by: &Acting,
        user: Uuid,
        change: ProfileChange,
    ) -> Result<AccountDetails, AdminError> {
        let found = self.account(user).await?;
        if !change.changes(&found.user) {
            return Ok(found);
        }
        let event = self.event(by, EventKind::AccountUpdated);
        let changed = self.users.change_profile(user, change, event).await?;
        match changed {
            Some(_) => self.account(user).await,
            None => Err(AdminError::NotFound),
        }
    }

    /// Erases an account. The event says by whom and why, and not whose it was.
    ///
    /// # Errors
    /// `Own`, `LastAdministrator`, `NotFound`, `Unavailable`.
    pub async fn erase(&self, by: &Acting, user: Uuid) -> Result<(), AdminError> {
        if by.is_own(user) {
            return Err(AdminError::Own);
        }
        let erasure = Erasure {
            user,
            by: ErasedBy::Administrator,
            event: self.event(by, EventKind::AccountDeleted),
        };
        match self.records.erase(erasure).await? {
            Erased::Erased => Ok(()),
            Erased::Void => Err(AdminError::NotFound),
            Erased::LastAdministrator => Err(AdminError::LastAdministrator),
        }
    }

    /// Notes that limits were released for an account.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn note_released(&self, by: &Acting, user: Uuid, counters: u64) -> Result<(), AdminError> {
        let event = self
            .event(by, EventKind::LimitsReleased)
            .with("counters", counters);
        Ok(self.events.note(&event, Some(user)).await?)
    }

    /// Gives an account a role.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn grant(&self, by: &Acting, user: Uuid, role: Role) -> Result<Granted, AdminError> {
        let grant = Grant {
            user,
            role,
            by: by.source().actor.id(),
            event: self.event(by, EventKind::RoleGranted).with("role", role.name()),
        };
        Ok(self.administrators.grant(&grant).await?)
    }

    /// Takes the role of an account away.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn revoke(&self, by: &Acting, user: Uuid) -> Result<Revoked, AdminError> {
        let event = self.event(by, EventKind::RoleRevoked);
        Ok(self.administrators.revoke(user, event).await?)
    }
}
