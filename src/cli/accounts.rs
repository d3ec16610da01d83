//! `ringback users find`, `show`, `lock` and so on: single accounts, against the database. Each call is one event, by an operator.

use std::{
    io::{self, BufRead, IsTerminal},
    process::ExitCode,
};

use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use uuid::Uuid;

use crate::{
    accounts::{AccountDetails, AccountStatus, Search, SearchBy},
    admin::{Acting, AdminError, Administration, read_reason},
    channel::Channel,
    email::EmailAddress,
    output,
    settings::Settings,
    startup::with_administration,
};

#[derive(Debug, Subcommand)]
pub enum AccountsCommand {
    /// Find accounts: id, e-mail address, phone, name and status of each, with tabs between.
    Find {
        /// The beginning of an e-mail address or a last name, a whole phone, or an id. Nothing: all. They go by id, the highest first: of
        /// accounts that registered here the newest come first, imported ones stand where their own ids sort.
        #[arg(default_value = "")]
        text: String,
        /// Those of this status alone: active or locked.
        #[arg(long, value_parser = status)]
        status: Option<AccountStatus>,
        /// So many at most.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Show an account: its name, addresses, status, role and times, and the sessions that live.
    Show {
        /// Its id, e-mail address, or verified phone.
        who: String,
    },
    /// Lock an account: its sessions end for good.
    Lock(Change),
    /// Unlock an account. No session comes back.
    Unlock(Change),
    /// Note that the proven phone is the owner's: from then on it opens the account. Make sure of who asks.
    ConfirmPhone(Change),
    /// The same for the proven e-mail address.
    ConfirmEmail(Change),
    /// End all sessions of an account for good.
    EndSessions(Change),
    /// Erase an account for good. On a terminal it asks once more.
    Delete(Change),
}

#[derive(Debug, Args)]
pub struct Change {
    /// Its id, e-mail address, or verified phone.
    who: String,
    /// Kept with the event.
    #[arg(long, value_parser = read_reason)]
    reason: Option<String>,
}

pub fn run(command: AccountsCommand, settings: &Settings) -> ExitCode {
    with_administration(settings, async |administration| {
        finished(match command {
            AccountsCommand::Find { text, status, limit } => {
                find(&administration, &text, status, limit).await
            }
            AccountsCommand::Show { who } => show(&administration, &who).await,
            AccountsCommand::Lock(change) => {
                changed(&administration, change, "Locked", async |by, id| {
                    administration.lock(by, id).await
                })
                .await
            }
            AccountsCommand::Unlock(change) => {
                changed(&administration, change, "Unlocked", async |by, id| {
                    administration.unlock(by, id).await
                })
                .await
            }
            AccountsCommand::ConfirmPhone(change) => {
                changed(
                    &administration,
                    change,
                    "The phone opens it now",
                    async |by, id| administration.confirm(by, id, Channel::Sms).await,
                )
                .await
            }
            AccountsCommand::ConfirmEmail(change) => {
                changed(
                    &administration,
                    change,
                    "The e-mail address opens it now",
                    async |by, id| administration.confirm(by, id, Channel::Email).await,
                )
                .await
            }
            AccountsCommand::EndSessions(change) => {
                changed(&administration, change, "All sessions ended", async |by, id| {
                    administration.end_sessions(by, id).await
                })
                .await
            }
            AccountsCommand::Delete(change) => delete(&administration, change).await,
        })
    })
}

/// Says what came of a command.
pub fn finished(outcome: Result<String, String>) -> ExitCode {
    match outcome {
        Ok(said) => {
            if !output::is_ended() {
                output::complain(said);
            }
            ExitCode::SUCCESS
        }
        Err(said) => {
            output::complain(said);
            ExitCode::FAILURE
        }
    }
}

/// A time as commands show it.
pub fn shown(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

async fn find(
    administration: &Administration,
    text: &str,
    status: Option<AccountStatus>,
    limit: u32,
) -> Result<String, String> {
    let by = SearchBy::parse(text).ok_or("Nothing is that long.")?;
    let search = Search {
        by,
        status,
        after: None,
        limit,
    };
    let found = administration.search(&Acting::operator(None), &search).await;
    let (found, _) = found.map_err(said)?;
    for (account, _) in &found {
        let user = &account.user;
        output::say(format_args!(
            "{}\t{}\t{}\t{} {}\t{}",
            user.id,
            user.email.as_ref().map_or("-", EmailAddress::expose),
            user.phone.expose(),
            user.first_name.expose(),
            user.last_name.expose(),
            account.status().name()
        ));
    }
    Ok(format!("{} found.", found.len()))
}

async fn show(administration: &Administration, who: &str) -> Result<String, String> {
    let id = account(administration, who).await?.user.id;
    let page = administration.page(&Acting::operator(None), id).await;
    let page = page.map_err(said)?;
    let (account, user) = (&page.account, &page.account.user);
    let time = |time: Option<DateTime<Utc>>| time.map_or("never".to_owned(), shown);
    let proven = |is_proven: bool, owned: Option<DateTime<Utc>>| match (is_proven, owned) {
        (false, _) => "not proven".to_owned(),
        (true, None) => "proven, opens nothing".to_owned(),
        (true, Some(at)) => format!("proven by its owner at {}", shown(at)),
    };
    output::say(format_args!("id             {}", user.id));
    output::say(format_args!(
        "name           {} {}",
        user.first_name.expose(),
        user.last_name.expose()
    ));
    let email = user.email.as_ref().map_or("-", EmailAddress::expose);
    output::say(format_args!(
        "e-mail         {email} ({})",
        proven(user.email_verified, account.email_owned_at)
    ));
    output::say(format_args!(
        "phone          {} ({})",
        user.phone.expose(),
        proven(user.phone_verified, account.phone_owned_at)
    ));
    output::say(format_args!("status         {}", account.status().name()));
    output::say(format_args!(
        "administers    {}",
        account.role.map_or("nothing", |role| role.name())
    ));
    output::say(format_args!("made           {}", shown(user.created_at)));
    output::say(format_args!("last sign-in   {}", last_sign_in(account)));
    output::say(format_args!("locked         {}", time(account.locked_at)));
    output::say(format_args!("password reset {}", time(account.password_reset_at)));
    for session in &page.sessions {
        output::say(format_args!(
            "session        {} opened {} used {} {} {}",
            session.id,
            shown(session.created_at),
            shown(session.used_at),
            session.network.as_deref().unwrap_or("-"),
            session.client.as_deref().unwrap_or("-")
        ));
    }
    Ok(format!("{} live sessions.", page.sessions.len()))
}

/// Who registers is signed in by that; no time of its own is kept of it.
fn last_sign_in(account: &AccountDetails) -> String {
    match (account.signed_in_at, account.imported_at) {
        (Some(at), _) => shown(at),
        (None, None) => format!("{} (at registration)", shown(account.user.created_at)),
        (None, Some(_)) => "never".to_owned(),
    }
}

async fn changed(
    administration: &Administration,
    change: Change,
    done: &str,
    act: impl AsyncFnOnce(&Acting, Uuid) -> Result<AccountDetails, AdminError>,
) -> Result<String, String> {
    let id = account(administration, &change.who).await?.user.id;
    act(&Acting::operator(change.reason), id).await.map_err(said)?;
    Ok(format!("{done}: {id}"))
}

async fn delete(administration: &Administration, change: Change) -> Result<String, String> {
    let id = account(administration, &change.who).await?.user.id;
    if io::stdin().is_terminal() && !is_meant(id) {
        return Err("Nothing was erased.".to_owned());
    }
    administration
        .erase(&Acting::operator(change.reason), id)
        .await
        .map_err(said)?;
    Ok(format!("Erased: {id}"))
}

/// Whether whoever sits there means it.
fn is_meant(id: Uuid) -> bool {
    let mut typed = String::new();
    let read = output::ask(format_args!("Erase {id} for good? Type yes: "))
        .and_then(|()| io::stdin().lock().read_line(&mut typed));
    read.is_ok() && typed.trim() == "yes"
}

/// The id of the account that is named; one that is an id is taken as it is, since events outlive accounts.
pub async fn id_of(administration: &Administration, who: &str) -> Result<Uuid, String> {
    match Uuid::parse_str(who) {
        Ok(id) => Ok(id),
        Err(_) => Ok(account(administration, who).await?.user.id),
    }
}

/// The account of an id, an e-mail address, or a phone that it has verified.
async fn account(administration: &Administration, who: &str) -> Result<AccountDetails, String> {
    let found = match SearchBy::parse(who) {
        Some(SearchBy::Id(id)) => administration.account(id).await,
        Some(by @ SearchBy::Phone(_)) => {
            let search = Search {
                by,
                status: None,
                after: None,
                limit: 1000,
            };
            let found = administration.directory.search(&search).await;
            let mut found = found.map_err(|error| error.to_string())?.into_iter();
            let verified = found.find(|(account, _)| account.user.phone_verified);
            verified.map(|(account, _)| account).ok_or(AdminError::NotFound)
        }
        _ => {
            let email = EmailAddress::parse(who).map_err(
                |_| "Name an account by its id, its e-mail address, or the phone that it has verified.",
            )?;
            administration.account_of(&email).await
        }
    };
    found.map_err(said)
}

fn status(text: &str) -> Result<AccountStatus, String> {
    AccountStatus::from_name(text).ok_or_else(|| "active or locked".to_owned())
}

fn said(error: AdminError) -> String {
    match error {
        AdminError::NotFound => "There is no such account.".to_owned(),
        AdminError::LastAdministrator => "This is the last administrator: make another one first.".to_owned(),
        error => error.to_string(),
    }
}
