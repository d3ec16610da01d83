//! The configuration: layers of TOML and environment in, validated [`Settings`] out, or every fault at once.
//!
//! The later layer wins: `config/default.toml` as the program carries it, the same file on disk, in production
//! `config/production.toml` as the program carries it, `config/{RINGBACK_ENV}.toml` on disk, the environment. What each key means stands in `config/default.toml`. An unknown key
//! or a wrong type is a fault, also where a later layer overrides it: it would come to light at the worst time.

mod accounts;
mod admin;
mod carriers;
mod countries;
mod delivery;
mod environment;
mod event_webhooks;
mod fault;
mod layers;
mod mail;
mod mask;
mod otp;
mod plaintext;
mod provider_section;
mod providers;
mod reader;
mod server;
mod stores;
mod test_numbers;
mod texts;
mod twilio;
mod unknown;
mod urls;
mod value;
mod vonage;
mod webhook;

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

pub use environment::Environment;
pub use fault::{Fault, Faults, Source};
pub use provider_section::ProviderSettings;
pub use providers::{ProviderName, RouteSettings};
pub use server::{InboxSettings, LimitsSettings};
pub use stores::{DatabaseSettings, EventSettings};
pub use texts::TextSettings;
pub use value::{parse_duration, show_duration};

use carriers::Carriers;
use layers::Layers;
use reader::{Effective, Reader};
use value::escaped;

use crate::{
    accounts::{
        AccountOptions, HasherOptions, OpeningRules, PasswordRuleOptions, RegisterCode, SessionOptions,
    },
    challenges::OtpRules,
    delivery::{Countries, DispatcherOptions},
    flows::TestNumbers,
    http::{AdminOptions, ServerOptions},
    ledger::LedgerOptions,
    mail::SmtpOptions,
    phone::{PhoneCheck, PhoneKinds},
    redis::RedisOptions,
    secrets::Keyring,
    sms::{TwilioOptions, VonageOptions, WebhookOptions},
    telemetry::TelemetryOptions,
    tokens::AccessOptions,
};

/// The whole configuration, each value within its bounds: the options of each room, filled. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Settings {
    pub env: Environment,
    /// The folder of the files; need not exist unless it was asked for.
    pub config_dir: PathBuf,
    pub server: ServerOptions,
    pub admin: AdminOptions,
    pub database: DatabaseSettings,
    /// None means this process's memory.
    pub redis: Option<RedisOptions>,
    pub ledger: LedgerOptions,
    /// How long events are kept.
    pub events: EventSettings,
    /// The folder for what the embedded parts keep.
    pub data_dir: PathBuf,
    /// None, in development, where one is made and kept in the data folder.
    pub keyring: Option<Keyring>,
    pub otp: OtpRules,
    pub phone_check: PhoneCheck,
    pub openings: OpeningRules,
    /// What the phones are for that may have a code.
    pub phone_kinds: PhoneKinds,
    pub test_numbers: TestNumbers,
    pub accounts: AccountOptions,
    pub passwords: HasherOptions,
    pub password_rules: PasswordRuleOptions,
    pub access: AccessOptions,
    pub sessions: SessionOptions,
    /// What messages say.
    pub texts: TextSettings,
    /// Where SMS go.
    pub countries: Countries,
    /// Who carries them, in order; empty where no provider is configured: they go to the development inbox.
    pub routes: Vec<RouteSettings>,
    pub dispatcher: DispatcherOptions,
    /// None where no account is set.
    pub twilio: Option<ProviderSettings<TwilioOptions>>,
    /// Likewise.
    pub vonage: Option<ProviderSettings<VonageOptions>>,
    /// Likewise.
    pub webhook: Option<ProviderSettings<WebhookOptions>>,
    /// The mail server. None where none is set: in development, e-mails go to the inbox.
    pub mail: Option<ProviderSettings<SmtpOptions>>,
    /// Where somebody may object to what a notice tells.
    pub contact: Option<String>,
    pub limits: LimitsSettings,
    pub inbox: InboxSettings,
    pub telemetry: TelemetryOptions,
    /// What `show` shows.
    effective: Vec<Effective>,
}

impl Settings {
    /// Reads the layers, with `env` for the environment.
    ///
    /// # Errors
    /// Everything that is wrong, in all layers. In production, also what is missing.
    pub fn load(env: impl IntoIterator<Item = (String, String)>) -> Result<Self, Faults> {
        Self::build(Layers::read(&env.into_iter().collect(), None), Demand::Complete)
    }

    /// [`Settings::load`] with this process's environment.
    ///
    /// # Errors
    /// As for [`Settings::load`].
    pub fn load_from_process() -> Result<Self, Faults> {
        Self::load(process_environment())
    }

    /// Checks a file as if it were `config/{RINGBACK_ENV}.toml`, before it is rolled out. That a secret, a database or
    /// an account is missing is no fault of it: those often come from the environment of another machine.
    ///
    /// # Errors
    /// Everything that is wrong, in all layers.
    pub fn check_file(path: &Path, env: impl IntoIterator<Item = (String, String)>) -> Result<(), Faults> {
        let layers = Layers::read(&env.into_iter().collect(), Some(path));
        Self::build(layers, Demand::Soundness).map(|_| ())
    }

    /// Every key with the value that was read, as TOML, and in a comment where it was read and what came of it.
    /// Secrets and the passwords of URLs are masked.
    pub fn show(&self) -> String {
        let mut shown = format!(
            "# RINGBACK_ENV={}, RINGBACK_CONFIG_DIR={}\n",
            self.env.name(),
            escaped(&self.config_dir.to_string_lossy())
        );
        let mut current = "";
        for Effective {
            key,
            shown: value,
            source,
            note,
        } in &self.effective
        {
            let (section, key) = key.split_once('.').unwrap_or(("", key));
            if section != current {
                current = section;
                // Writing to a String can't fail.
                let _ = writeln!(shown, "\n[{section}]");
            }
            let note = note
                .as_ref()
                .map(|note| format!("; {}", escaped(note)))
                .unwrap_or_default();
            let _ = writeln!(shown, "{key} = {value} # {source}{note}");
        }
        shown
    }

    fn build(layers: Layers, demand: Demand) -> Result<Self, Faults> {
        let Layers {
            environment,
            config_dir,
            entries,
            faults,
        } = layers;
        // With a faulty RINGBACK_ENV nothing comes of this but the list of faults.
        let env = environment.unwrap_or(Environment::Development);
        let mut reader = Reader::new(entries, faults);
        let (mut settings, carriers) = Self::read(&mut reader, env, config_dir);
        if let Demand::Complete = demand {
            settings.routes = carriers.routes_in_force(&mut reader, env);
            if environment == Some(Environment::Production) {
                settings.demand_all(&mut reader, &carriers);
            }
        }
        settings.note_database(&mut reader);
        let (effective, faults) = reader.finish();
        settings.effective = effective;
        Faults::of(faults).map_or(Ok(settings), Err)
    }

    /// Reads every section into its room's options, in the order in which `show` has them. What is faulty has some value.
    fn read(reader: &mut Reader, env: Environment, config_dir: PathBuf) -> (Self, Carriers) {
        let r = reader;
        let server = server::read(r, env);
        let admin = admin::read(r, &server);
        let database = DatabaseSettings::read(r, env);
        // One lane for each worker, and one for the actors' thread.
        let redis = stores::read_redis(r, env, server.workers + 1);
        let ledger = stores::read_ledger(r);
        let events = EventSettings::read(r, env);
        let data_dir = stores::read_data_dir(r);
        let keyring = stores::read_secret(r, env);
        let otp = otp::read(r);
        let phone_check = otp::read_phone_check(r);
        let phone_kinds = otp::read_phone_kinds(r, phone_check);
        let openings = otp::read_openings(r);
        let test_numbers = test_numbers::read(r, env, &otp, phone_check);
        let passwords = accounts::read_passwords(r);
        let password_rules = accounts::read_password_rules(r);
        let (access, sessions) = accounts::read_tokens(r, server.origin());
        let accounts = accounts::read_accounts(r);
        let texts = texts::read(r, &config_dir, &otp);
        let mut carriers = Carriers::read(r, env, &server, otp.ttl);
        let limits = LimitsSettings::read(r, &config_dir, server.workers);
        let settings = Self {
            env,
            config_dir,
            server,
            admin,
            database,
            redis,
            ledger,
            events,
            data_dir,
            keyring,
            otp,
            phone_check,
            openings,
            phone_kinds,
            test_numbers,
            accounts,
            passwords,
            password_rules,
            access,
            sessions,
            texts,
            countries: carriers.reach.countries.clone(),
            routes: Vec::new(),
            dispatcher: carriers.dispatcher.clone(),
            twilio: carriers.twilio.settings.take(),
            vonage: carriers.vonage.settings.take(),
            webhook: carriers.webhook.settings.take(),
            mail: carriers.mail.settings.take(),
            contact: carriers.contact.take(),
            limits,
            inbox: InboxSettings::read(r),
            telemetry: server::read_telemetry(r, env),
            effective: Vec::new(),
        };
        (settings, carriers)
    }

    /// In production nothing falls back to what is embedded.
    fn demand_all(&self, reader: &mut Reader, carriers: &Carriers) {
        let has_provider = !carriers.configured().is_empty();
        demand_set(
            reader,
            [
                self.keyring.is_none(),
                self.database.url.is_none(),
                self.redis.is_none(),
                !has_provider,
            ],
        );
        carriers.reach.demand(reader);
        if self.accounts.register_code == RegisterCode::Required && self.mail.is_none() {
            reader.refuse(
                "accounts.register_code",
                "must be \"optional\" where no e-mail goes out (SMTP_URL, RINGBACK__MAIL__FROM): nobody could register",
            );
        }
    }

    /// Says which file it is where no database is set.
    fn note_database(&self, reader: &mut Reader) {
        if self.database.url.is_none() {
            let file = self.data_dir.join("ringback.db");
            reader.note("database.url", format!("in force: sqlite://{}", file.display()));
        }
    }
}

/// How much has to be there.
#[derive(Debug, Clone, Copy)]
enum Demand {
    /// All that the environment needs to run.
    Complete,
    /// Nothing: what is there has to be sound.
    Soundness,
}

/// `missing` says of each of the keys below whether it has no value.
fn demand_set(reader: &mut Reader, missing: [bool; 4]) {
    let demanded = [
        (
            "secret.keys",
            "RINGBACK_SECRET",
            "32 or more random bytes in base64 (`openssl rand -base64 32`), the same for every instance",
        ),
        (
            "database.url",
            "DATABASE_URL",
            "postgres://user:password@host/database or sqlite://path",
        ),
        ("redis.url", "REDIS_URL", "redis://host:6379 or another Redis URL"),
        (
            "twilio",
            "TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, TWILIO_PHONE_NUMBER",
            "the account and the sender of a Twilio account, or another provider of SMS: the section vonage or webhook",
        ),
    ];
    for ((key, variable, allowed), missing) in demanded.into_iter().zip(missing) {
        if missing && !reader.is_faulty(key) {
            reader.push(Fault::new(
                Source::Environment(variable.to_owned()),
                Some(key),
                format!("not set, and in production nothing falls back: must be {allowed}"),
            ));
        }
    }
}

/// This process's environment. What is not UTF-8 keeps a mark of it (U+FFFD), and is refused where it is meant for us.
pub fn process_environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        })
        .collect()
}
