//! The layers a configuration is read from: what the program carries, two files, the environment.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use toml::de::{DeTable, DeValue};

use super::{
    environment::Environment,
    fault::{Fault, Source},
    value::{Value, quoted},
};

/// The defaults that the program carries, so that it starts without any file.
const DEFAULT: &str = include_str!("../../config/default.toml");
/// What differs in production, so that it is no less strict without its file. Development has nothing to carry: its file
/// is there for one's own settings.
const PRODUCTION: &str = include_str!("../../config/production.toml");

/// Where the files are, unless `RINGBACK_CONFIG_DIR` says otherwise.
const DEFAULT_DIR: &str = "config";

/// Names that others know: the seed's, and those of the hosting platforms.
pub(super) const ALIASES: [(&str, &str); 10] = [
    ("DATABASE_URL", "database.url"),
    ("REDIS_URL", "redis.url"),
    ("RINGBACK_SECRET", "secret.keys"),
    ("SMTP_URL", "mail.url"),
    ("TWILIO_ACCOUNT_SID", "twilio.account_sid"),
    ("TWILIO_AUTH_TOKEN", "twilio.auth_token"),
    ("TWILIO_API_KEY", "twilio.api_key"),
    ("TWILIO_API_SECRET", "twilio.api_secret"),
    ("TWILIO_PHONE_NUMBER", "twilio.phone_number"),
    ("TWILIO_BASE_URL", "twilio.base_url"),
];

const ENVIRONMENT: &str = "RINGBACK_ENV";
const CONFIG_DIR: &str = "RINGBACK_CONFIG_DIR";
/// Ends the name of a variable that names a file, which holds the value: how Docker and Kubernetes mount secrets.
const IN_FILE: &str = "_FILE";
const MAX_SECRET_FILE_BYTES: u64 = 64 * 1024;

/// The variables that choose the layers.
pub(super) const CHOOSERS: [&str; 2] = [ENVIRONMENT, CONFIG_DIR];

/// One value in one layer.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) source: Source,
    pub(super) value: Value,
}

/// What all layers hold.
#[derive(Debug)]
pub(super) struct Layers {
    /// None when `RINGBACK_ENV` is neither.
    pub(super) environment: Option<Environment>,
    pub(super) config_dir: PathBuf,
    /// The values of each key, the lowest layer first. A variable that can't be a key stands under its own name.
    pub(super) entries: BTreeMap<String, Vec<Entry>>,
    pub(super) faults: Vec<Fault>,
}

impl Layers {
    /// Reads them all. `in_place` is a file to read instead of the environment's own.
    pub(super) fn read(variables: &BTreeMap<String, String>, in_place: Option<&Path>) -> Self {
        let mut layers = Self {
            environment: None,
            config_dir: PathBuf::from(DEFAULT_DIR),
            entries: BTreeMap::new(),
            faults: Vec::new(),
        };
        layers.choose(variables);
        layers.add_text(DEFAULT, &Source::BuiltIn);
        layers.add_file(&layers.config_dir.join("default.toml"), false);
        if layers.environment == Some(Environment::Production) {
            layers.add_text(PRODUCTION, &Source::BuiltInForProduction);
        }
        match (in_place, layers.environment) {
            (Some(file), _) => layers.add_file(file, true),
            (None, Some(environment)) => {
                let name = format!("{}.toml", environment.name());
                layers.add_file(&layers.config_dir.join(name), false);
            }
            // Which file would have been meant is unknown; RINGBACK_ENV is a fault already.
            (None, None) => {}
        }
        layers.add_variables(variables);
        layers
    }

    fn choose(&mut self, variables: &BTreeMap<String, String>) {
        self.environment = match variables.get(ENVIRONMENT).map(String::as_str) {
            None | Some("development") => Some(Environment::Development),
            Some("production") => Some(Environment::Production),
            Some(other) => {
                self.refuse_variable(ENVIRONMENT, other, "must be \"development\" or \"production\"");
                None
            }
        };
        if let Some(dir) = variables.get(CONFIG_DIR) {
            self.config_dir = PathBuf::from(dir);
            if !self.config_dir.is_dir() {
                self.refuse_variable(CONFIG_DIR, dir, "must be a folder that exists");
            }
        }
    }

    fn refuse_variable(&mut self, name: &str, value: &str, allowed: &str) {
        let source = Source::Environment(name.to_owned());
        self.faults
            .push(Fault::new(source, None, allowed).with_value(quoted(value)));
    }

    fn add_file(&mut self, path: &Path, demanded: bool) {
        let source = Source::File {
            path: path.to_owned(),
            line: None,
        };
        let refusal = match fs::read(path).map(String::from_utf8) {
            Ok(Ok(text)) => return self.add_text(&text, &source),
            Ok(Err(error)) => {
                let sound = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let (line, column) = position(&String::from_utf8_lossy(sound), sound.len());
                return self.refuse_text(&source, line, column, "not UTF-8");
            }
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory if !demanded => return,
                kind => format!("cannot be read ({kind}): must be a TOML file"),
            },
        };
        self.faults.push(Fault::new(source, None, refusal));
    }

    /// Adds a layer in TOML.
    fn add_text(&mut self, text: &str, source: &Source) {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut faulty_lines = BTreeSet::new();
        for error in errors {
            // Its `message` alone: its `Display` quotes the line, and with it perhaps a secret.
            let span = error.span().unwrap_or(text.len()..text.len());
            let (line, column) = position(text, span.start);
            let ends_on = position(text, span.end).0;
            faulty_lines.extend(line..=ends_on);
            let message = error.message().replace('\n', " ");
            self.refuse_text(source, line, column, &message);
        }
        self.add_table(
            table.get_ref(),
            "",
            &|offset| position(text, offset).0,
            &faulty_lines,
            source,
        );
    }

    fn refuse_text(&mut self, source: &Source, line: usize, column: usize, why: &str) {
        let mut fault = Fault::new(source.at(line), None, format!("not TOML: {why}"));
        fault.column = Some(column);
        self.faults.push(fault);
    }

    /// Flattens sections into `section.key`. What was left over of a faulty line is not taken for a value.
    fn add_table(
        &mut self,
        table: &DeTable<'_>,
        section: &str,
        line_of: &dyn Fn(usize) -> usize,
        faulty_lines: &BTreeSet<usize>,
        source: &Source,
    ) {
        for (name, value) in table {
            let line = line_of(name.span().start);
            let key = if section.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{section}.{}", name.get_ref())
            };
            match value.get_ref() {
                DeValue::Table(keys) if section.is_empty() && !keys.is_empty() => {
                    self.add_table(keys, &key, line_of, faulty_lines, source);
                }
                _ if faulty_lines.contains(&line) => {}
                value => self.add(key, source.at(line), Value::from_toml(value)),
            }
        }
    }

    /// Adds the environment: first the names that others know, then ours, which win.
    fn add_variables(&mut self, variables: &BTreeMap<String, String>) {
        let (variables, from_files) = self.with_files(variables);
        let aliases = ALIASES.map(|(name, key)| (name, Some(key.to_owned())));
        let ours = variables
            .iter()
            .filter(|(name, value)| is_ours(name, value))
            .map(|(name, _)| (name.as_str(), key_of(name)));
        for (name, key) in aliases.into_iter().chain(ours) {
            let Some(value) = variables.get(name) else {
                continue;
            };
            let is_alias = ALIASES.iter().any(|(alias, _)| *alias == name);
            if is_alias && value.is_empty() {
                continue; // how `docker compose` and CI pass on what is not set
            }
            let source = Source::Environment(match from_files.contains(name) {
                true => format!("{name}{IN_FILE}"),
                false => name.to_owned(),
            });
            if value.contains(char::REPLACEMENT_CHARACTER) {
                self.faults
                    .push(Fault::new(source, key.as_deref(), "must be UTF-8"));
                continue;
            }
            self.add(
                key.unwrap_or_else(|| name.to_owned()),
                source,
                Value::Untyped(value.clone()),
            );
        }
    }

    /// The variables, with those that name a file replaced by what it holds; and which these are.
    fn with_files(
        &mut self,
        variables: &BTreeMap<String, String>,
    ) -> (BTreeMap<String, String>, BTreeSet<String>) {
        let (mut all, mut from_files) = (variables.clone(), BTreeSet::new());
        for (name, path) in variables {
            let Some(held) = self.held_in_file(name) else {
                continue;
            };
            all.remove(name);
            if path.is_empty() {
                continue;
            }
            if variables.get(held).is_some_and(|value| !value.is_empty()) {
                self.refuse_variable(name, path, &format!("set this or {held}, not both"));
                continue;
            }
            match read_secret(Path::new(path)) {
                Ok(value) => {
                    all.insert(held.to_owned(), value);
                    from_files.insert(held.to_owned());
                }
                Err(why) => {
                    self.refuse_variable(name, path, &format!("must name a file with the value: {why}"))
                }
            }
        }
        (all, from_files)
    }

    /// The variable whose value is in the file that this one names; none for one that is a key of its own.
    fn held_in_file<'a>(&self, name: &'a str) -> Option<&'a str> {
        let held = name.strip_suffix(IN_FILE)?;
        // The defaults have every key.
        let is_key = |name: &str| key_of(name).is_some_and(|key| self.entries.contains_key(&key));
        let is_alias = ALIASES.iter().any(|(alias, _)| *alias == held);
        (is_alias || (is_key(held) && !is_key(name))).then_some(held)
    }

    fn add(&mut self, key: String, source: Source, value: Value) {
        self.entries.entry(key).or_default().push(Entry { source, value });
    }
}

/// What a file holds, without the line's end that editors put there; or why it can't be told.
fn read_secret(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_SECRET_FILE_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| format!("it can't be read ({})", error.kind()))?;
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err("it is empty".to_owned()),
        value if value.len() as u64 > MAX_SECRET_FILE_BYTES => Err("it is too large".to_owned()),
        value => Ok(value.to_owned()),
    }
}

/// The variable that stands for a key.
pub(super) fn variable_of(key: &str) -> String {
    format!("RINGBACK__{}", key.replace('.', "__").to_ascii_uppercase())
}

/// The key that `RINGBACK__SECTION__KEY` stands for.
fn key_of(variable: &str) -> Option<String> {
    let (section, key) = variable.strip_prefix("RINGBACK__")?.split_once("__")?;
    let key = format!("{section}.{key}").to_ascii_lowercase();
    (variable_of(&key) == variable).then_some(key)
}

/// Whether a variable is meant for us and not one of the aliases or choosers.
fn is_ours(name: &str, value: &str) -> bool {
    name.starts_with("RINGBACK_")
        && !name.starts_with("RINGBACK_TEST_")
        && !CHOOSERS.contains(&name)
        && !ALIASES.iter().any(|(alias, _)| *alias == name)
        && !is_service_link(name, value)
}

/// Kubernetes tells each container of the services beside it: with one named `ringback`, as
/// `RINGBACK_SERVICE_HOST=10.0.0.1`, `RINGBACK_PORT=tcp://10.0.0.1:8000`, `RINGBACK_PORT_8000_TCP_ADDR=…`
/// (<https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>).
fn is_service_link(name: &str, value: &str) -> bool {
    let single = !name.starts_with("RINGBACK__");
    let link = ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| value.starts_with(scheme));
    let of_a_port = ["_TCP", "_UDP", "_SCTP"]
        .iter()
        .any(|protocol| name.contains("_PORT_") && name.contains(protocol));
    single
        && (name.ends_with("_SERVICE_HOST")
            || name.contains("_SERVICE_PORT")
            || (name.ends_with("_PORT") && link)
            || of_a_port)
}

/// Line and column of an offset, from 1, the column in characters.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}
