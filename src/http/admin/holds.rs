//! What limits hold an account up, and their release.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    accounts::User,
    admin::AccountPage,
    challenges::Hold,
    channel::Channel,
    delivery::Destination,
    email::EmailDigest,
    flows::FlowError,
    http::api::Api,
    limits::{Account, Asker, ClientNetwork, KeyDimension, Operation, Preview, Rule, RuleStatus, Subject},
    unavailable::Unavailable,
};

/// A limit that refuses an account now.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = AdminHold)]
pub struct HoldView {
    /// What it refuses.
    #[schema(example = "otp.send")]
    on: &'static str,
    /// By what a code would go; null where it is about no code.
    #[schema(required, example = "sms")]
    channel: Option<&'static str>,
    #[schema(example = "otp-send-per-phone-day")]
    rule: String,
    /// What it counts by.
    #[schema(example = "phone")]
    by: String,
    /// Of `quota`, where it is an amount: in ten-thousandths of it.
    #[schema(required, example = json!(null))]
    currency: Option<String>,
    quota: u32,
    #[schema(example = "2d")]
    per: String,
    /// Seconds until it lets one more pass.
    retry_after: u64,
}

/// An account, and where it was signed in to: strangers, the account itself and known networks have counters of their own.
pub struct Held<'a> {
    pub user: &'a User,
    /// Cut to /24 or /48, as they are kept.
    pub networks: Vec<String>,
}

/// What an account asks for, and by what its code would go.
#[derive(Clone, Copy)]
struct Asks(Operation, Option<Channel>);

const ASKED: [Asks; 6] = [
    Asks(Operation::OtpSend, Some(Channel::Sms)),
    Asks(Operation::OtpSend, Some(Channel::Email)),
    Asks(Operation::OtpVerify, Some(Channel::Sms)),
    Asks(Operation::OtpVerify, Some(Channel::Email)),
    Asks(Operation::Login, None),
    Asks(Operation::PasswordChange, None),
];

/// Known networks that are looked at, at most.
const NETWORKS: usize = 32;

impl<'a> Held<'a> {
    /// An account by its page, with the networks that it was signed in to from lately.
    ///
    /// # Errors
    /// [`FlowError::Unavailable`].
    pub async fn of(api: &Api, page: &'a AccountPage) -> Result<Self, FlowError> {
        let user = &page.account.user;
        let sessions = page.sessions.iter().filter_map(|session| session.network.clone());
        let mut networks: Vec<_> = sessions.collect();
        for to in addresses(user) {
            networks.extend(api.flows.holders(&to, None).await?.networks);
        }
        networks.sort_unstable();
        networks.dedup();
        networks.truncate(NETWORKS);
        Ok(Self { user, networks })
    }

    /// Whom its requests are counted against, for each who may ask.
    fn subjects(&self, api: &Api, Asks(on, channel): Asks) -> Vec<Subject> {
        let (keys, id) = (api.flows.codes.challenges.keyring.current(), self.user.id);
        let about = |asker: Asker, client: ClientNetwork| {
            let subject = Subject::new(client).with_asker(asker);
            match asker {
                Asker::Stranger | Asker::KnownNetwork => subject,
                Asker::Claimant(user) | Asker::Owner(user) => subject.with_user(Some(user)),
            }
        };
        let nowhere = ClientNetwork::of(IpAddr::from(Ipv4Addr::UNSPECIFIED), api.server.ipv6_prefix);
        let own = [Asker::Stranger, Asker::Claimant(id), Asker::Owner(id)];
        let known = self.networks.iter().filter_map(|network| client_of(network, api));
        let askers = own
            .into_iter()
            .map(|asker| (asker, nowhere))
            .chain(known.map(|client| (Asker::KnownNetwork, client)));
        let subject = |(asker, client): (Asker, ClientNetwork)| -> Vec<Subject> {
            let subject = about(asker, client);
            let email = self.user.email.clone();
            match (on, channel) {
                (Operation::Login, _) => {
                    let phone = Account::Phone(self.user.phone.clone()).login(keys);
                    let by_phone = subject.clone().with_phone(self.user.phone.clone(), &keys.phone);
                    let by_phone = phone.map(|login| by_phone.with_login(login));
                    let email = email.and_then(|email| Account::Email(email).login(keys));
                    let by_email = email.map(|login| subject.with_login(login));
                    by_phone.into_iter().chain(by_email).collect()
                }
                (_, Some(Channel::Email)) => {
                    let with = |email| {
                        let digest = EmailDigest::of(&email, &keys.email);
                        subject.with_channel(Channel::Email).with_email(digest)
                    };
                    email.map(with).into_iter().collect()
                }
                (_, Some(Channel::Sms)) => {
                    let subject = subject.with_channel(Channel::Sms);
                    vec![subject.with_phone(self.user.phone.clone(), &keys.phone)]
                }
                (_, None) => vec![subject.with_user(Some(id))],
            }
        };
        askers.flat_map(subject).collect()
    }
}

fn addresses(user: &User) -> impl Iterator<Item = Destination> {
    let email = user.email.clone().map(Destination::Email);
    [Destination::Phone(user.phone.clone())].into_iter().chain(email)
}

/// A network as a session has it: `203.0.113.0/24`.
fn client_of(network: &str, api: &Api) -> Option<ClientNetwork> {
    let address = network.split('/').next()?.parse().ok()?;
    Some(ClientNetwork::of(address, api.server.ipv6_prefix))
}

/// What refuses the account now, whoever asks for it of those who may: rules by network alone aren't known without one. `None`
/// where Redis doesn't answer: it isn't asked again for the rest.
pub async fn holds(api: &Api, held: &Held<'_>) -> Option<Vec<HoldView>> {
    let mut all: Vec<HoldView> = Vec::new();
    for asks in ASKED {
        for subject in held.subjects(api, asks) {
            for user in [None, Some(held.user.id)] {
                let explained = api.flows.codes.explain(asks.0, &subject, user).await;
                if explained.unavailable {
                    return None;
                }
                for status in explained.rules.iter().filter(|status| is_holding(status)) {
                    let view = view(asks, status);
                    match all.iter_mut().find(|one| one.is_same(&view)) {
                        Some(one) => one.retry_after = one.retry_after.max(view.retry_after),
                        None => all.push(view),
                    }
                }
            }
        }
    }
    Some(all)
}

fn is_holding(status: &RuleStatus) -> bool {
    status.verdict == Preview::Refuse && !status.by.split('+').any(|part| part == "ip")
}

fn view(Asks(on, channel): Asks, status: &RuleStatus) -> HoldView {
    HoldView {
        on: on.name(),
        channel: channel.map(Channel::name),
        rule: status.rule.clone(),
        by: status.by.clone(),
        currency: status.currency.clone(),
        quota: status.quota,
        per: status.per.clone(),
        retry_after: status.wait_ms.unwrap_or_default().div_ceil(1000),
    }
}

/// Gives the account back what rules count by it and its addresses alone, and forgets what keeps these from their next code.
/// Gives how many counters that were.
///
/// # Errors
/// [`Unavailable`] when the counters or the challenges can't be reached; some may be released.
pub async fn release(api: &Api, held: &Held<'_>) -> Result<u64, Unavailable> {
    let (limiter, mut counters) = (&api.flows.codes.limiter, 0);
    let subjects: Vec<_> = ASKED
        .into_iter()
        .flat_map(|asks| held.subjects(api, asks))
        .collect();
    let rules = limiter.rules();
    for rule in rules.rules().iter().filter(|rule| is_about_one(rule)) {
        let keys: BTreeSet<_> = subjects.iter().filter_map(|subject| rule.key(subject)).collect();
        for key in keys {
            limiter.reset(rule, &key).await?;
            counters += 1;
        }
    }
    for to in addresses(held.user) {
        for hold in Hold::ALL {
            api.flows.release(hold, &to, Some(held.user.id)).await?;
            counters += 1;
        }
    }
    Ok(counters)
}

/// Whether a counter of the rule is about one account or address, and nobody else.
fn is_about_one(rule: &Rule) -> bool {
    let is_one = |by| matches!(by, KeyDimension::Phone | KeyDimension::Email | KeyDimension::User);
    rule.by.parts().all(is_one)
}

impl HoldView {
    fn is_same(&self, other: &Self) -> bool {
        (self.on, self.channel, &self.rule) == (other.on, other.channel, &other.rule)
    }

    /// As the documents show it.
    pub fn example() -> Self {
        Self {
            on: Operation::OtpSend.name(),
            channel: Some(Channel::Sms.name()),
            rule: "otp-send-per-phone-day".to_owned(),
            by: KeyDimension::Phone.kind().to_owned(),
            currency: None,
            quota: 10,
            per: "2d".to_owned(),
            retry_after: 415,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_by_a_rule_that_counts_money_has_its_currency() {
        let status = RuleStatus {
            rule: "dear".to_owned(),
            by: "phone".to_owned(),
            scope: "cluster".to_owned(),
            mode: "enforce".to_owned(),
            quota: 120,
            currency: Some("USD".to_owned()),
            per: "1d".to_owned(),
            burst: 120,
            remaining: Some(0),
            wait_ms: Some(1500),
            full_in_ms: None,
            verdict: Preview::Refuse,
        };
        let hold = view(ASKED[0], &status);
        assert_eq!(
            (hold.currency.as_deref(), hold.quota, hold.retry_after),
            (Some("USD"), 120, 2)
        );
    }
}
