//! A folder and an environment of a test's own.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use ringback::settings::Faults;
use ringback::settings::Settings;

pub const DEFAULT: &str = include_str!("../../config/default.toml");
/// 32 bytes.
pub const SECRET: &str = "9NUgm2Hb0aVtUYOzuQsxK1gO8aOS2Vxm1d1EoYYb3Zk=";

/// 32 bytes.
pub const WEBHOOK_SECRET: &str = "whsec_aHVzaGh1c2hodXNoaHVzaGh1c2hodXNoaHVzaGh1c2g=";

/// A folder and an environment of a test's own.
pub struct Place {
    pub dir: PathBuf,
    pub env: BTreeMap<String, String>,
}

impl Place {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("ringback-settings-{}-{number}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let folder = dir.display().to_string();
        Self {
            dir,
            env: BTreeMap::new(),
        }
        .var("RINGBACK_CONFIG_DIR", &folder)
    }

    /// A file, by its path in the folder.
    pub fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub fn var(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    pub fn production(self) -> Self {
        self.var("RINGBACK_ENV", "production")
            .var("RINGBACK_SECRET", SECRET)
            .var("DATABASE_URL", "postgres://u:hush@db/ringback?sslmode=require")
            .var("REDIS_URL", "rediss://:hush@cache:6379")
            .var("RINGBACK__SMS__COUNTRIES_ALLOW", "*")
            .var("TWILIO_ACCOUNT_SID", "AC0123456789abcdef0123456789abcdef")
            .var("TWILIO_AUTH_TOKEN", "hush-token")
            .var("TWILIO_PHONE_NUMBER", "+1 (234) 567-890")
    }

    /// With an account at each of the other providers too.
    pub fn every_provider(self) -> Self {
        self.var("RINGBACK__VONAGE__API_KEY", "abcd1234")
            .var("RINGBACK__VONAGE__API_SECRET", "hush-secret")
            .var("RINGBACK__VONAGE__SENDER", "Ringback")
            .var("RINGBACK__WEBHOOK__URL", "https://sms.example.com/out")
            .var("RINGBACK__WEBHOOK__SECRET", WEBHOOK_SECRET)
            .var("SMTP_URL", "smtps://user:hush@mail.example.com")
            .var("RINGBACK__MAIL__FROM", "no-reply@example.com")
    }

    pub fn load(&self) -> Result<Settings, Faults> {
        Settings::load(self.env.clone())
    }

    pub fn good(&self) -> Settings {
        self.load().unwrap_or_else(|faults| panic!("{faults}"))
    }

    /// The lines of the faults, the folder's path left out.
    pub fn faults(&self) -> Vec<String> {
        let faults = self
            .load()
            .err()
            .map(|faults| faults.to_string())
            .unwrap_or_default();
        let folder = format!("{}/", self.dir.display());
        faults.lines().map(|line| line.replace(&folder, "")).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// `section.key` of each key of a TOML text.
pub fn flat(text: &str) -> BTreeMap<String, toml::Value> {
    let table: toml::Table = text.parse().unwrap();
    let of_section = |(section, keys): (String, toml::Value)| {
        let keys = keys.as_table().unwrap().clone();
        keys.into_iter()
            .map(move |(key, value)| (format!("{section}.{key}"), value))
    };
    table.into_iter().flat_map(of_section).collect()
}

pub fn variable(key: &str) -> String {
    format!("RINGBACK__{}", key.replace('.', "__").to_uppercase())
}
