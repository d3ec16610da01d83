//! What operators do for somebody whom the OTP rules themselves, or a budget of an address, keep from the next code.

use uuid::Uuid;

use super::{Flows, asked::asker_of, pending::pending};
use crate::{
    accounts::{Login, User},
    challenges::Hold,
    delivery::Destination,
    limits::{Asker, ClientNetwork, Holders},
    unavailable::Unavailable,
};

impl Flows {
    /// Forgets what keeps an address from its next code, whatever that is for: for whoever asks without a token, for the accounts
    /// that are found by the address, and for `user`, also where that one changes to it.
    ///
    /// # Errors
    /// [`Unavailable`] when the accounts or the challenges can't be reached.
    pub async fn release(&self, hold: Hold, to: &Destination, user: Option<Uuid>) -> Result<(), Unavailable> {
        let mut owners = self.users_at(to, user).await?;
        if let Some(user) = user
            && let Some(user) = self.user(user).await?
        {
            let email = user.email.as_ref().map_or("", |email| email.key());
            owners.extend([pending(&user, user.phone.expose()), pending(&user, email)]);
        }
        self.codes.challenges.release(hold, to, &owners).await
    }

    /// Who has budgets of their own at an address, or for the account that it leads to: the accounts that are found by it, `user`,
    /// and the networks that are known.
    ///
    /// # Errors
    /// [`Unavailable`] when the accounts can't be reached.
    pub async fn holders(&self, to: &Destination, user: Option<Uuid>) -> Result<Holders, Unavailable> {
        let address = match to {
            Destination::Phone(phone) => Login::Phone(phone.clone()),
            Destination::Email(email) => Login::Email(email.clone()),
        };
        Ok(Holders {
            users: self.users_at(to, user).await?,
            networks: self.sign_in_by_code.opener.networks.of(&address).await?,
        })
    }

    /// Who asks for codes to an address, by the account whose token comes along: for an explanation.
    ///
    /// # Errors
    /// As for [`Flows::holders`].
    pub async fn asker(&self, user: Uuid, to: &Destination) -> Result<Asker, Unavailable> {
        let user = self.user(user).await?;
        Ok(user.map_or(Asker::Stranger, |user| asker_of(&user, to)))
    }

    /// Who tries to sign in to the account that an address leads to, by where they come from.
    ///
    /// # Errors
    /// As for [`Flows::holders`].
    pub async fn asker_from(&self, client: ClientNetwork, address: &Login) -> Result<Asker, Unavailable> {
        self.sign_in_by_code.opener.networks.asker(client, address).await
    }

    /// An account.
    ///
    /// # Errors
    /// As for [`Flows::holders`].
    pub async fn user(&self, id: Uuid) -> Result<Option<User>, Unavailable> {
        let opening = self.sign_in_by_code.opener.openings.opening_of(id).await?;
        Ok(opening.map(|opening| opening.user))
    }

    async fn users_at(&self, to: &Destination, user: Option<Uuid>) -> Result<Vec<Uuid>, Unavailable> {
        let proofs = &self.verify_phone.proofs;
        let found = match to {
            Destination::Phone(phone) => {
                let claims = proofs.claims(phone, self.codes.clock.now()).await?;
                [claims.verified_by, claims.any_claimant]
            }
            Destination::Email(email) => [proofs.email_holder(email).await?.map(|holder| holder.user), None],
        };
        let mut users: Vec<_> = found.into_iter().flatten().chain(user).collect();
        users.sort_unstable();
        users.dedup();
        Ok(users)
    }
}
