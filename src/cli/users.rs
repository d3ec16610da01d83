//! `ringback users`: users are taken over from another system, or given to one; single ones are in `accounts.rs`.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};

use super::accounts::{self, AccountsCommand, finished};
use crate::{
    accounts::{
        ExportError, Import, ImportError, ImportReport, Imported, Lines, Progress, Rows, Step, UserRules,
        django, export,
    },
    output,
    settings::Settings,
    startup::{Before, Transfer, with_transfer},
};

/// A step of the progress that is shown, in percent.
const SHOWN: u64 = 5;

#[derive(Debug, Subcommand)]
pub enum UsersCommand {
    /// Take users over, with their passwords' hashes: all are checked before the first is written.
    Import(ImportArgs),
    /// Write all users as JSON Lines, with their passwords' hashes.
    Export {
        /// A new file, which only its owner can read (mode 0600). Without it, or with -: the standard output.
        file: Option<PathBuf>,
    },
    #[command(flatten)]
    One(AccountsCommand),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 1: lines are refused, and nothing is written; or accounts were made or proven while it was at work \
                        that some lines can't stand beside, and the others are written; or it was ended in the middle: run it \
                        again, and who is there already is passed over. docs/migrate-from-django.md has the fields of a line."
)]
pub struct ImportArgs {
    /// JSON Lines, one user each; - for the standard input.
    #[arg(required_unless_present = "from_django", conflicts_with = "from_django")]
    file: Option<PathBuf>,
    /// The database of a Django project: postgres://… (PGPASSWORD for the password, lest others see it) or sqlite://….
    #[arg(long, value_name = "URL")]
    from_django: Option<String>,
    /// The users' table there.
    #[arg(long, value_name = "NAME", default_value = django::DEFAULT_TABLE, conflicts_with = "file")]
    table: String,
    /// Import the others where some lines are refused.
    #[arg(long)]
    skip_refused: bool,
}

pub fn run(command: UsersCommand, settings: &Settings) -> ExitCode {
    match command {
        UsersCommand::Import(args) => with_transfer(settings, Before::Migrate, async |transfer| {
            finished(import(settings, args, transfer).await)
        }),
        UsersCommand::Export { file } => with_transfer(settings, Before::Look, async |transfer| {
            finished(give(file.as_deref(), transfer).await)
        }),
        UsersCommand::One(command) => accounts::run(command, settings),
    }
}

async fn import(settings: &Settings, args: ImportArgs, transfer: Transfer) -> Result<String, String> {
    let mut lines = lines(&args, &transfer).await?;
    let what = args.from_django.as_ref().map_or("lines", |_| "rows");
    let import = Import {
        store: transfer.store,
        entropy: transfer.entropy,
        rules: UserRules {
            phone_check: settings.phone_check,
            today: settings.passwords.cost,
            now: transfer.clock.now(),
        },
        skip_refused: args.skip_refused,
    };
    match import.run(&mut lines, &mut Shown::default()).await {
        Ok(imported) => Ok(summary(imported, what)),
        Err(ImportError::Refused(Imported { refused, .. })) => Err(format!(
            "{refused} {what} are refused, and nothing is written. Mend them, or leave them out by --skip-refused."
        )),
        Err(ImportError::RefusedLate(imported)) => Err(format!(
            "{}\nThe refused {what} met accounts that were made or proven meanwhile; the others are written.",
            summary(imported, what)
        )),
        Err(error) => Err(format!(
            "{error}. Run it again: who is there already is passed over."
        )),
    }
}

/// What became of the lines, after what their users are going to meet.
fn summary(imported: Imported, what: &str) -> String {
    let Imported {
        made,
        shut_out,
        phone_first,
        present,
        refused,
    } = imported;
    let remark = |count: u64, text: &str| match count {
        0 => String::new(),
        count => format!("{count} of these users have {text}.\n"),
    };
    let shut_out = remark(
        shut_out,
        "neither a password nor an address that opens the account: they can't get in",
    );
    let phone_first = remark(
        phone_first,
        "no e-mail address and no verified phone: their password is good once they have verified the phone",
    );
    format!(
        "{shut_out}{phone_first}{made} users imported, {present} were there already, {refused} {what} refused."
    )
}

/// What is to be read twice.
async fn lines(args: &ImportArgs, transfer: &Transfer) -> Result<Lines, String> {
    let entropy = transfer.entropy.as_ref();
    let lines = match (&args.from_django, &args.file) {
        (Some(url), _) => {
            let mut rows = Rows::new(entropy).map_err(|error| error.to_string())?;
            let count = django::read(url, &args.table, &mut rows)
                .await
                .map_err(|error| error.to_string())?;
            output::complain(format_args!("{count} rows of {} read", args.table));
            rows.into_lines()
        }
        (None, Some(file)) if file == Path::new("-") => Lines::keep(io::stdin().lock(), entropy),
        (None, Some(file)) => File::open(file).and_then(Lines::new),
        (None, None) => return Err("a file is missing".to_owned()),
    };
    lines.map_err(|error| format!("the lines can't be read: {error}"))
}

async fn give(file: Option<&Path>, transfer: Transfer) -> Result<String, String> {
    let count = match file.filter(|file| *file != Path::new("-")) {
        None => export(transfer.store.as_ref(), &mut BufWriter::new(io::stdout().lock())).await,
        Some(path) => match OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
        {
            Ok(file) => export(transfer.store.as_ref(), &mut BufWriter::new(file)).await,
            Err(error) => Err(ExportError::Write(error)),
        },
    };
    let count = count.map_err(|error| error.to_string())?;
    Ok(format!(
        "{count} users exported, with the hashes of their passwords, their addresses and phones: keep this as safe as the \
         database."
    ))
}

/// What is shown of an import, on the standard error.
#[derive(Default)]
struct Shown(Option<(Step, u64)>);

impl ImportReport for Shown {
    fn refused(&mut self, line: &str, reason: &str) {
        // Nothing to do where nobody reads it.
        let _ = writeln!(io::stderr(), "{line}: {reason}");
    }

    fn progress(&mut self, progress: Progress) {
        let percent = progress.read * 100 / progress.len.max(1) / SHOWN * SHOWN;
        if self.0.replace((progress.step, percent)) == Some((progress.step, percent)) {
            return;
        }
        let Imported {
            made,
            present,
            refused,
            ..
        } = progress.counts;
        let _ = match progress.step {
            Step::Check => writeln!(
                io::stderr(),
                "checked {percent} %: {present} are there already, {refused} refused"
            ),
            Step::Write => writeln!(
                io::stderr(),
                "written {percent} %: {made} users, {present} were there already"
            ),
        };
    }
}
