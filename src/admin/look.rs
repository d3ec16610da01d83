//! What administrators read. Each look is noted before what it shows is given.

use uuid::Uuid;

use super::{Acting, AdminError, Administration};
use crate::{
    accounts::{AccountDetails, OpenSession, Search, SearchPlace},
    email::EmailAddress,
    events::{EventFilter, EventKind, StoredEvent},
    ledger::{StoredVerification, VerificationFilter},
};

/// All about one account.
#[derive(Debug, Clone)]
pub struct AccountPage {
    pub account: AccountDetails,
    /// The live ones, those that were used last first.
    pub sessions: Vec<OpenSession>,
    /// What became of its last messages, the newest first.
    pub verifications: Vec<StoredVerification>,
}

/// Messages that are shown of an account.
const VERIFICATIONS: u32 = 20;

impl Administration {
    /// The accounts that are looked for, and whether there are more. What was typed is not noted, but by what kind of thing was
    /// looked, and how many were shown.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn search(
        &self,
        by: &Acting,
        search: &Search,
    ) -> Result<(Vec<(AccountDetails, SearchPlace)>, bool), AdminError> {
        let limit = search.limit as usize;
        let search = Search {
            limit: search.limit + 1,
            ..search.clone()
        };
        let mut found = self.directory.search(&search).await?;
        let has_more = found.len() > limit;
        found.truncate(limit);
        let count = u64::try_from(found.len()).unwrap_or(u64::MAX);
        let event = self.event(by, EventKind::UsersSearched);
        let event = event.with("by", search.by.name()).with("found", count);
        self.events.note(&event, None).await?;
        Ok((found, has_more))
    }

    /// All about one account.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn page(&self, by: &Acting, user: Uuid) -> Result<AccountPage, AdminError> {
        let page = self.look(user).await?;
        let viewed = self.event(by, EventKind::UserViewed);
        self.events.note(&viewed, Some(user)).await?;
        Ok(page)
    }

    /// The same for a change, which is an event by itself.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn look(&self, user: Uuid) -> Result<AccountPage, AdminError> {
        let account = self.account(user).await?;
        let live = self.session_options.liveness(self.clock.now());
        let sessions = self.sessions.list(user, live).await?;
        let filter = VerificationFilter {
            user: Some(user),
            limit: VERIFICATIONS,
            ..VerificationFilter::default()
        };
        let verifications = self.ledger.page(&filter).await?;
        Ok(AccountPage {
            account,
            sessions,
            verifications,
        })
    }

    /// What happened.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn events(&self, by: &Acting, filter: &EventFilter) -> Result<Vec<StoredEvent>, AdminError> {
        let found = self.events.page(filter).await?;
        let event = self.event(by, EventKind::EventsRead);
        self.events.note(&event, filter.user).await?;
        Ok(found)
    }

    /// What became of messages.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn verifications(
        &self,
        by: &Acting,
        filter: &VerificationFilter,
    ) -> Result<Vec<StoredVerification>, AdminError> {
        let found = self.ledger.page(filter).await?;
        let event = self.event(by, EventKind::VerificationsRead);
        self.events.note(&event, filter.user).await?;
        Ok(found)
    }

    /// An account by its id.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn account(&self, user: Uuid) -> Result<AccountDetails, AdminError> {
        self.directory.find(user).await?.ok_or(AdminError::NotFound)
    }

    /// An account by its e-mail address, for whoever knows that already.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn account_of(&self, email: &EmailAddress) -> Result<AccountDetails, AdminError> {
        let found = self.directory.find_by_email(email).await?;
        found.ok_or(AdminError::NotFound)
    }
}
