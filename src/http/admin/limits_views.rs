//! What limits do now, as administrators see it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{stats::MoneyView, verifications::amount};
use crate::{
    events::{EventKind, RefusedClient},
    http::account::me::rfc3339,
    limits::{CodesOf, Limiter, Operation, Pause, Rule, ShadowOf, per_text},
};

/// What limits do now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminLimits)]
pub struct LimitsView {
    /// Those in force, in the order of the file.
    rules: Vec<RuleView>,
    /// What no code goes to, by when it ends.
    pauses: Vec<PauseView>,
    /// From when on refusals are counted here: 15 minutes. A minute is written once it is over.
    #[serde(serialize_with = "rfc3339")]
    refused_since: DateTime<Utc>,
    /// Who was refused since then, those most often first; a hundred at most.
    refused: Vec<RefusedView>,
    /// Rules in shadow mode, as this instance counted them.
    shadows: Vec<ShadowView>,
    /// Codes by SMS in the last hour, as this instance counted them: those countries first to which the most went that nobody typed.
    codes: Vec<CodesView>,
}

/// A rule in force.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminRule)]
pub struct RuleView {
    #[schema(example = "otp-send-per-phone-hour")]
    id: String,
    /// What it is asked for, or `any`.
    #[schema(example = "otp.send")]
    on: &'static str,
    #[schema(example = "phone")]
    by: String,
    /// Of `quota` and `burst`, where they are amounts: in ten-thousandths of it.
    #[schema(required, example = json!(null))]
    currency: Option<String>,
    quota: u32,
    #[schema(example = "1h")]
    per: String,
    burst: u32,
    /// `cluster` or `instance`.
    #[schema(example = "cluster")]
    scope: &'static str,
    /// `enforce`, `prove`, `shadow` or `off`.
    #[schema(example = "enforce")]
    mode: &'static str,
}

/// A pause.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminPause)]
pub struct PauseView {
    /// A country by its two letters, or the first digits of numbers.
    #[schema(example = "TJ")]
    what: String,
    /// Null: it isn't paused.
    #[schema(required, example = "2026-05-28T22:26:40Z")]
    until: Option<String>,
}

/// Who was refused something.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminRefused)]
pub struct RefusedView {
    /// `request.refused`, `code.refused` or `login.failed`.
    #[schema(example = "request.refused")]
    kind: String,
    /// The rule's id, or the code of the answer.
    #[schema(example = "otp-send-per-network-hour")]
    rule: String,
    /// /24 of IPv4, /48 of IPv6.
    #[schema(required, example = "203.0.113.0/24")]
    network: Option<String>,
    /// Whose account it was about, where that is known.
    #[schema(required, example = json!(null))]
    user_id: Option<Uuid>,
    times: i64,
    /// When the last minute began in which it was.
    #[serde(serialize_with = "rfc3339")]
    last_at: DateTime<Utc>,
}

/// What a rule in shadow mode would have done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminShadow)]
pub struct ShadowView {
    #[schema(example = "otp-send-per-operator")]
    rule: String,
    /// Since it is a shadow, or since the start of the instance.
    #[schema(example = "2026-05-28T20:26:40Z")]
    since: String,
    /// Requests that it would have refused.
    refused: u64,
    /// Codes that were sent though it would have refused them.
    issued: u64,
    /// Those of them that were typed: people whom it would have turned away.
    verified: u64,
}

/// What became of the codes to a country.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminCodes)]
pub struct CodesView {
    #[schema(example = "US")]
    country: String,
    issued: u32,
    verified: u32,
    /// What they cost by the prices of the configuration.
    money: MoneyView,
}

impl RuleView {
    fn of(rule: &Rule) -> Self {
        Self {
            id: rule.id.to_string(),
            on: rule.on.map_or("any", Operation::name),
            by: rule.by.to_string(),
            currency: rule.currency.map(|currency| currency.to_string()),
            quota: rule.quota,
            per: per_text(rule.per),
            burst: rule.burst,
            scope: rule.scope.name(),
            mode: rule.mode.name(),
        }
    }
}

impl PauseView {
    /// A pause that lasts.
    pub fn of(pause: &Pause) -> Self {
        Self {
            what: pause.what.name().to_owned(),
            until: Some(pause.until_text()),
        }
    }

    /// What goes on.
    pub fn ended(what: &str) -> Self {
        Self {
            what: what.to_owned(),
            until: None,
        }
    }

    /// As the documents show it.
    pub fn example() -> Self {
        Self {
            what: "TJ".to_owned(),
            until: Some("2026-05-28T22:26:40Z".to_owned()),
        }
    }
}

impl From<RefusedClient> for RefusedView {
    fn from(refused: RefusedClient) -> Self {
        Self {
            kind: refused.kind,
            rule: refused.reason,
            network: refused.network,
            user_id: refused.user_id,
            times: refused.times,
            last_at: refused.last_at,
        }
    }
}

impl From<ShadowOf> for ShadowView {
    fn from(shadow: ShadowOf) -> Self {
        Self {
            rule: shadow.rule,
            since: shadow.since,
            refused: shadow.refused,
            issued: shadow.issued,
            verified: shadow.verified,
        }
    }
}

impl CodesView {
    fn new(codes: CodesOf, currency: &str) -> Self {
        // Of ten-thousandths, millionths.
        let micros = i64::try_from(codes.spent).unwrap_or(i64::MAX).saturating_mul(100);
        Self {
            country: codes.of,
            issued: codes.issued,
            verified: codes.verified,
            money: MoneyView {
                currency: currency.to_owned(),
                amount: amount(micros),
            },
        }
    }
}

impl LimitsView {
    /// Who was refused since then, and what else this instance knows.
    pub fn new(limiter: &Limiter, refused_since: DateTime<Utc>, refused: Vec<RefusedClient>) -> Self {
        let status = limiter.status();
        let codes = |codes: CodesOf| CodesView::new(codes, &status.currency);
        Self {
            rules: limiter
                .rules()
                .rules()
                .iter()
                .map(|rule| RuleView::of(rule))
                .collect(),
            pauses: limiter.pauses().iter().map(PauseView::of).collect(),
            refused_since,
            refused: refused.into_iter().map(Into::into).collect(),
            shadows: status.shadows.into_iter().map(Into::into).collect(),
            codes: status.countries.into_iter().map(codes).collect(),
        }
    }

    /// As the documents show it.
    pub fn example() -> Self {
        let since = DateTime::from_timestamp(1_780_000_000, 0).unwrap_or_default();
        let refused = RefusedView {
            kind: EventKind::RequestRefused.name().to_owned(),
            rule: "otp-send-per-network-hour".to_owned(),
            network: Some("203.0.113.0/24".to_owned()),
            user_id: None,
            times: 841,
            last_at: since + chrono::TimeDelta::minutes(14),
        };
        Self {
            rules: vec![RuleView {
                id: "otp-send-per-phone-hour".to_owned(),
                on: Operation::OtpSend.name(),
                by: "phone".to_owned(),
                currency: None,
                quota: 5,
                per: "1h".to_owned(),
                burst: 5,
                scope: "cluster",
                mode: "enforce",
            }],
            pauses: vec![PauseView::example()],
            refused_since: since,
            refused: vec![refused],
            shadows: vec![ShadowView {
                rule: "otp-send-per-operator".to_owned(),
                since: "2026-05-28T20:26:40Z".to_owned(),
                refused: 840,
                issued: 840,
                verified: 1,
            }],
            codes: vec![CodesView::new(
                CodesOf {
                    of: "US".to_owned(),
                    issued: 50,
                    verified: 46,
                    spent: 3950,
                },
                "USD",
            )],
        }
    }
}
