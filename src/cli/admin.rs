//! `ringback admin`: who may administer, against the database.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};

use super::accounts::{finished, shown};
use crate::{
    accounts::{Granted, Revoked},
    admin::{Acting, Administration, read_reason},
    email::EmailAddress,
    output,
    settings::Settings,
    startup::with_administration,
    tokens::Role,
};

#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Let an account administer. Its e-mail address has to be proven.
    Grant {
        /// The account's e-mail address.
        email: String,
        /// support: finds and reads, unlocks, ends sessions, releases limits; admin: everything.
        #[arg(long)]
        role: RoleName,
        /// Kept with the event.
        #[arg(long, value_parser = read_reason)]
        reason: Option<String>,
    },
    /// Take an account's role away: it acts at once.
    Revoke {
        /// The account's e-mail address.
        email: String,
        /// Kept with the event.
        #[arg(long, value_parser = read_reason)]
        reason: Option<String>,
    },
    /// List who may administer.
    List,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RoleName {
    Support,
    Admin,
}

pub fn run(command: AdminCommand, settings: &Settings) -> ExitCode {
    with_administration(settings, async |administration| {
        finished(match command {
            AdminCommand::Grant { email, role, reason } => {
                grant(&administration, &email, role.into(), reason).await
            }
            AdminCommand::Revoke { email, reason } => revoke(&administration, &email, reason).await,
            AdminCommand::List => list(&administration).await,
        })
    })
}

async fn grant(
    administration: &Administration,
    email: &str,
    role: Role,
    reason: Option<String>,
) -> Result<String, String> {
    let email = EmailAddress::parse(email).map_err(|error| error.to_string())?;
    let account = administration.account_of(&email).await.map_err(|_| NO_ACCOUNT)?;
    let (by, name) = (Acting::operator(reason), role.name());
    let granted = administration.grant(&by, account.user.id, role);
    match granted.await.map_err(|error| error.to_string())? {
        Granted::Granted => Ok(format!(
            "It administers as {name}: at once where it is signed in there, by a second proof, else from its next sign-in there."
        )),
        Granted::Unchanged => Ok(format!("It administers as {name} already.")),
        Granted::NoAccount => Err(NO_ACCOUNT.to_owned()),
        Granted::EmailUnproven => {
            Err("Its e-mail address isn't proven: its owner has to enter a code for it first.".to_owned())
        }
        Granted::LastAdministrator => Err(LAST.to_owned()),
    }
}

async fn revoke(
    administration: &Administration,
    email: &str,
    reason: Option<String>,
) -> Result<String, String> {
    let email = EmailAddress::parse(email).map_err(|error| error.to_string())?;
    let account = administration.account_of(&email).await.map_err(|_| NO_ACCOUNT)?;
    let by = Acting::operator(reason);
    let revoked = administration.revoke(&by, account.user.id);
    match revoked.await.map_err(|error| error.to_string())? {
        Revoked::Revoked => Ok("It administers nothing any more.".to_owned()),
        Revoked::Unchanged => Ok("It administered nothing.".to_owned()),
        Revoked::LastAdministrator => Err(LAST.to_owned()),
    }
}

async fn list(administration: &Administration) -> Result<String, String> {
    let all = administration.administrators.list().await;
    let all = all.map_err(|error| error.to_string())?;
    for one in &all {
        let state = if one.is_locked { "locked" } else { "active" };
        let email = one.user.email.as_ref().map_or("-", EmailAddress::expose);
        let granted_by = one.granted_by.map_or("operator".to_owned(), |by| by.to_string());
        output::say(format_args!(
            "{}\t{email}\t{}\t{state}\t{}\t{granted_by}",
            one.user.id,
            one.role.name(),
            shown(one.granted_at)
        ));
    }
    Ok(format!("{} may administer.", all.len()))
}

const NO_ACCOUNT: &str = "No account has this e-mail address.";
const LAST: &str = "This is the last administrator: make another one first.";

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Support => Self::Support,
            RoleName::Admin => Self::Admin,
        }
    }
}
