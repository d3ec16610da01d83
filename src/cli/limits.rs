//! `ringback limits`: what operators ask about limits, and what they may do about them.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    exit::EX_CONFIG,
    limits_status,
    ops::{Ops, address, ask, complain, ops_token},
    ops_client::{OpsClient, OpsError},
    reach::{blocking, ops_url},
};
use crate::{
    admin::read_reason,
    limits::{
        self, Currency, Explanation, Operation, Preview, RuleSet, RuleStatus, Scope, amount_text, file,
    },
    output,
    phone::{PhoneCheck, PhoneNumber},
    settings::Settings,
    startup,
};

#[derive(Debug, Subcommand)]
pub enum LimitsCommand {
    /// Show what a request would be answered now: each rule that applies, what is left, when it is full again. Spends nothing.
    Explain {
        /// The operation: register, login, otp.send, otp.verify, otp.status, token.refresh,
        /// password.change, me, admin, notice, other.
        #[arg(long)]
        on: String,
        /// The client's address.
        #[arg(long)]
        ip: String,
        /// The phone number that the request is about, in international form.
        #[arg(long)]
        phone: Option<String>,
        /// The e-mail address that the request is about: a code's, or that of a registration.
        #[arg(long)]
        email: Option<String>,
        /// The signed-in user's id; for a login, the e-mail address or phone that it names.
        #[arg(long)]
        user: Option<String>,
        #[command(flatten)]
        ops: Ops,
    },
    /// Validate a limits file, and show what it would change: exit 0, or 78 with one line for each fault.
    Check {
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        ops: Ops,
    },
    /// Show what became of codes by SMS in the last hour, by country and prefix; which rules ask for proofs of work; what shadow
    /// rules would have refused; what is paused.
    /// Of one instance.
    Status {
        #[command(flatten)]
        ops: Ops,
    },
    /// Send no codes to a country or a prefix for a while. In force in all instances within a second, and over by itself. In place of
    /// a pause that is there, also of a longer one.
    /// An event says who paused what; where the database is down it is paused all the same, without one.
    Pause {
        #[command(flatten)]
        what: super::limits_status::What,
        /// For how long, such as 90s, 30m, 2h or 1d; 30d at most.
        #[arg(long = "for", value_name = "TIME")]
        length: String,
        /// Kept with the event.
        #[arg(long, value_parser = read_reason)]
        reason: Option<String>,
        #[command(flatten)]
        ops: Ops,
    },
    /// End a pause. An event says so, as with `pause`.
    Resume {
        #[command(flatten)]
        what: super::limits_status::What,
        /// Kept with the event.
        #[arg(long, value_parser = read_reason)]
        reason: Option<String>,
        #[command(flatten)]
        ops: Ops,
    },
    /// Give a customer a rule's whole quota back, or all that holds a phone, an e-mail address or a user up.
    Reset {
        /// The rule's id; otp-resend-cooldown and otp-max-failures are those of the section otp. Without it, all rules by phone,
        /// e-mail address and user: those of strangers, of the account, and of the networks that it has signed in from.
        #[arg(long)]
        rule: Option<String>,
        /// The customer, by what the rule counts: an IP address, a phone number, an e-mail address, a user's id
        /// or login, a country, a prefix, * for a global rule, two of them with a comma between.
        #[arg(long)]
        key: String,
        /// The services' ops addresses, with commas between or each with an option of its own; by default that of the
        /// configuration. A cluster rule needs one, an instance rule each instance.
        #[arg(long = "ops", value_name = "URL", value_delimiter = ',')]
        urls: Vec<String>,
    },
}

/// Does it.
pub fn run(command: LimitsCommand) -> ExitCode {
    match command {
        LimitsCommand::Explain {
            on,
            ip,
            phone,
            email,
            user,
            ops,
        } => {
            if let Some(fault) = fault_of(&on, &ip, phone.as_deref()) {
                return complain(&OpsError::Wrong(fault));
            }
            let body = json!({ "on": on, "ip": ip, "phone": phone, "email": email, "user": user });
            ask::<Explanation>(&ops, "/limits/explain", &body, |told| output::print(table(&told)))
        }
        LimitsCommand::Reset { rule, key, urls } => reset(rule.as_deref(), &key, urls),
        LimitsCommand::Check { file, ops } => check(&file, &ops),
        LimitsCommand::Status { ops } => limits_status::status(&ops),
        LimitsCommand::Pause {
            what,
            length,
            reason,
            ops,
        } => limits_status::pause(&what, &length, reason.as_deref(), &ops),
        LimitsCommand::Resume { what, reason, ops } => limits_status::resume(&what, reason.as_deref(), &ops),
    }
}

/// What can be told to be wrong without the service.
fn fault_of(on: &str, ip: &str, phone: Option<&str>) -> Option<String> {
    let names = Operation::ALL.map(Operation::name);
    if !names.contains(&on) {
        return Some(format!(
            "--on {on}: no such operation; there are: {}",
            names.join(", ")
        ));
    }
    if ip.parse::<IpAddr>().is_err() {
        return Some(format!("--ip {ip}: not an IP address"));
    }
    let phone = phone.map(|phone| PhoneNumber::parse(phone, PhoneCheck::E164))?;
    phone.err().map(|error| format!("--phone: {error}"))
}

/// Asks each service, whatever the others answer.
fn reset(rule: Option<&str>, key: &str, urls: Vec<String>) -> ExitCode {
    let urls = match urls.is_empty() {
        true => match address(&Ops { url: None }) {
            Ok(url) => vec![url],
            Err(code) => return code,
        },
        false => urls,
    };
    let body = json!({ "rule": rule, "key": key });
    let rule = rule.unwrap_or("all rules that count it alone");
    let mut code = ExitCode::SUCCESS;
    for url in urls {
        match blocking(async {
            OpsClient::new(&url, ops_token())?
                .post::<Value>("/limits/reset", &body)
                .await
        }) {
            Ok(told) if told["scope"] == Scope::Cluster.name() => {
                output::say(format_args!(
                    "{rule}: the quota is whole again, in all instances."
                ));
            }
            Ok(_) => output::say(format_args!(
                "{rule}: the quota is whole again in the instance at {url}, and in no other."
            )),
            Err(error) => code = complain(&error),
        }
    }
    code
}

fn check(path: &Path, ops: &Ops) -> ExitCode {
    let rules = match startup::limit_rules_of(path) {
        Ok(rules) => rules,
        Err(error) => {
            error.fault_lines().iter().for_each(output::complain);
            return ExitCode::from(EX_CONFIG);
        }
    };
    output::say(format_args!(
        "The limits are sound: {} rules.",
        rules.rules().len()
    ));
    let Some((where_from, active)) = active(ops) else {
        output::say(
            "Nothing to compare them with: no service gives its own, and the configuration names none.",
        );
        return ExitCode::SUCCESS;
    };
    let changes = limits::changes(&active, &rules);
    if changes.is_empty() {
        output::say(format_args!("They are the same as {where_from}."));
    } else {
        output::say(format_args!("Compared with {where_from}:"));
        changes
            .iter()
            .for_each(|line| output::say(format_args!("  {line}")));
    }
    ExitCode::SUCCESS
}

/// The rules of the running service; of the configuration, where none runs.
fn active(ops: &Ops) -> Option<(String, RuleSet)> {
    let settings = Settings::load_from_process().ok();
    let bind = settings
        .as_ref()
        .map(|settings| ops_url(settings.server.ops_bind));
    let mut why = "no service answers";
    if let Some(url) = ops.url.clone().or(bind) {
        match blocking(async { OpsClient::new(&url, ops_token())?.get("/limits").await }) {
            Ok(text) => match file::parse(&text, "in force") {
                Ok(rules) => return Some((format!("the rules in force at {url}"), rules)),
                Err(_) => why = "this program can't read those of the service",
            },
            Err(OpsError::Unreachable(_)) => {}
            Err(error) => {
                output::complain(error);
                why = "the service doesn't give its own";
            }
        }
    }
    let settings = settings?;
    let name = match &settings.limits.file {
        Some(file) => format!("{}, since {why}", file.display()),
        None => format!("the rules that the program carries, since {why}"),
    };
    startup::limit_rules(&settings).ok().map(|rules| (name, rules))
}

fn table(told: &Explanation) -> String {
    let heading = [
        "RULE",
        "BY",
        "COUNTED",
        "MODE",
        "QUOTA",
        "LEFT",
        "FULL AGAIN",
        "NOW",
    ]
    .map(str::to_owned);
    let rows: Vec<_> = std::iter::once(heading)
        .chain(told.rules.iter().map(row))
        .collect();
    let widths: [usize; 8] = std::array::from_fn(|column| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or_default()
    });
    let mut table = String::new();
    for row in rows {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        table += cells.collect::<Vec<_>>().join("  ").trim_end();
        table.push('\n');
    }
    let refusing = told
        .refused_by
        .as_ref()
        .and_then(|id| told.rules.iter().find(|rule| rule.rule == *id));
    table += &match refusing {
        _ if told.phone_not_supported => {
            "The request would be answered 400 phone_not_supported: no code goes to such a phone (sms.countries_allow, \
             sms.countries_deny, phone.kinds_allow).\n"
                .to_owned()
        }
        _ if told.rules.is_empty() => "No rule applies: the request would pass.\n".to_owned(),
        Some(rule) => format!(
            "The request would be refused by {} for {}.\n",
            rule.rule,
            time(rule.wait_ms)
        ),
        None if told.unavailable => {
            "The request would be answered 503: a rule can't be counted.\n".to_owned()
        }
        None => match told.rules.iter().find(|rule| rule.verdict == Preview::AskForWork) {
            Some(rule) => format!(
                "The request would pass with a proof of work: {} asks for one.\n",
                rule.rule
            ),
            None => "The request would pass.\n".to_owned(),
        },
    };
    table
}

fn row(rule: &RuleStatus) -> [String; 8] {
    let currency = rule.currency.as_deref().and_then(Currency::parse);
    let told =
        |number: u32| currency.map_or_else(|| number.to_string(), |currency| amount_text(number, currency));
    let left = rule.remaining.map_or("?".to_owned(), |left| {
        format!("{} of {}", told(left), told(rule.burst))
    });
    let full = match rule.full_in_ms {
        None => "?".to_owned(),
        Some(0) => "now".to_owned(),
        full => format!("in {}", time(full)),
    };
    let now = match rule.verdict {
        Preview::Pass => "passes".to_owned(),
        Preview::Refuse => format!("refuses for {}", time(rule.wait_ms)),
        Preview::AskForWork => format!("asks for a proof of work for {}", time(rule.wait_ms)),
        Preview::WouldRefuse => format!("would refuse for {}", time(rule.wait_ms)),
        Preview::Unavailable => "can't be counted: 503".to_owned(),
        Preview::Uncounted => "can't be counted: passes".to_owned(),
    };
    let quota = format!("{} in {}", told(rule.quota), rule.per);
    let words = [&rule.rule, &rule.by, &rule.scope, &rule.mode].map(Clone::clone);
    let [id, by, scope, mode] = words;
    [id, by, scope, mode, quota, left, full, now]
}

/// A time in its two largest units, rounded up to the second.
fn time(millis: Option<u64>) -> String {
    let seconds = millis.unwrap_or_default().div_ceil(1000);
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let told: Vec<_> = parts
        .iter()
        .skip_while(|(number, _)| *number == 0)
        .take(2)
        .collect();
    let told: Vec<_> = told
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number}{unit}"))
        .collect();
    if told.is_empty() {
        "0s".to_owned()
    } else {
        told.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_two_units_at_most() {
        let told = [0, 1, 1000, 61_000, 3_600_000, 3_661_000, 90_000_000].map(|millis| time(Some(millis)));
        assert_eq!(told, ["0s", "1s", "1s", "1m 1s", "1h", "1h 1m", "1d 1h"]);
    }

    #[test]
    fn a_service_that_listens_everywhere_is_reached_here() {
        let urls = ["0.0.0.0:8001", "[::]:8001", "10.0.0.7:1"].map(|bind| ops_url(bind.parse().unwrap()));
        assert_eq!(
            urls,
            ["http://127.0.0.1:8001", "http://[::1]:8001", "http://10.0.0.7:1"]
        );
    }
}
