//! What the scripts cost with the counters that a request has under the shipped rules.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, stream};
use redis::aio::MultiplexedConnection;
use ringback::{
    challenges::{
        Attempt, ChallengeStore, CodeDigest, Issue, IssueOutcome, IssuedMessage, Place, Purpose, Slot,
        Verdict, Whose, challenge_id,
    },
    channel::Channel,
    clock::{Clock, SystemClock},
    delivery::CodeSeed,
    limits::{ClusterCounters, Limiter, LimiterOptions, Operation, RuleSet, Shadowed, Subject, file},
    phone::{Country, PhoneCheck, PhoneNumber},
    supervision::Supervision,
};

use super::{ABREAST, Bench, entropy, flush, instructions::CountedRedis, spent};

const SHIPPED: &str = include_str!("../../config/limits.toml");
/// Requests of each kind, each about a phone and from an address of its own.
const CALLS: usize = 20_000;
const ROUNDS: usize = 3;
/// The same where instructions are counted, at a fiftieth of the pace.
const COUNTED_CALLS: usize = 500;
const RIGHT: [u8; 16] = [1; 16];
const WRONG: [u8; 16] = [2; 16];

/// The shipped rules. Those that count messages, which all of these phones have in common, have room for all.
fn rules() -> RuleSet {
    let rule = |rule: &str| {
        if !rule.contains("\ncounts") {
            return rule.to_owned();
        }
        let line = |line: &str| match line.split_once('=') {
            Some((name, amount)) if amount.contains("USD") => format!("{name}= \"100000 USD\"\n"),
            Some((name, _)) if ["quota", "burst", "grows_to", "ceiling"].contains(&name.trim()) => {
                format!("{name}= 5000000\n")
            }
            Some((name, _)) if name.trim() == "per" => format!("{name}= \"30d\"\n"),
            _ => format!("{line}\n"),
        };
        rule.lines().map(line).collect()
    };
    let text: Vec<_> = SHIPPED.split("[[rule]]").map(rule).collect();
    file::parse(&text.join("[[rule]]"), "limits.toml").unwrap()
}

/// Each phone asks for a code and types a wrong one and the right one; and others get a decoy. By the instructions of Redis if they are
/// counted, else by its CPU.
pub async fn measure(
    bench: &Bench,
    redis: &mut MultiplexedConnection,
    counters: Arc<dyn ClusterCounters>,
    counted: Option<&CountedRedis>,
) {
    let options = LimiterOptions {
        max_keys: 1_000_000,
        instances: 1,
        shards: 1,
    };
    let limiter = Limiter::start(
        &Supervision::default(),
        options,
        rules(),
        counters,
        Arc::new(SystemClock),
    );
    let phones = Phones {
        bench,
        limiter: &limiter,
    };
    let (calls, rounds) = counted.map_or((CALLS, ROUNDS), |_| (COUNTED_CALLS, 1));
    // Loads the scripts.
    phones.send(0, true).await;
    phones.send(CALLS as u32, false).await;
    phones.judge(0, WRONG).await;
    for _ in 0..rounds {
        flush(redis).await;
        for what in [What::Message, What::Wrong, What::Right, What::Decoy] {
            let all = stream::iter(0..calls as u32);
            let work = all.for_each_concurrent(ABREAST, async |n| phones.ask(what, n).await);
            match counted {
                None => spent(redis, what.name(), calls, work).await,
                Some(counted) => {
                    counted.begin();
                    work.await;
                    let each = counted.end() / calls as u64;
                    println!(
                        "challenges: {calls} {}: {each} instructions of Redis each",
                        what.name()
                    );
                }
            }
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy)]
enum What {
    Message,
    Wrong,
    Right,
    Decoy,
}

impl What {
    const fn name(self) -> &'static str {
        match self {
            Self::Message => "sends with a message, by the shipped rules",
            Self::Wrong => "wrong codes, by the shipped rules",
            Self::Right => "right codes, by the shipped rules",
            Self::Decoy => "decoys, by the shipped rules",
        }
    }
}

struct Phones<'a> {
    bench: &'a Bench,
    limiter: &'a Limiter,
}

impl Phones<'_> {
    async fn ask(&self, what: What, n: u32) {
        match what {
            What::Message => self.send(n, true).await,
            What::Decoy => self.send(CALLS as u32 + n, false).await,
            What::Wrong => {
                let verdict = self.judge(n, WRONG).await;
                assert!(matches!(verdict, Verdict::Wrong { .. }), "{verdict:?}");
            }
            What::Right => {
                let verdict = self.judge(n, RIGHT).await;
                assert!(matches!(verdict, Verdict::Right(_)), "{verdict:?}");
            }
        }
    }

    /// Who asks about the phone of this number.
    fn subject(&self, n: u32) -> Subject {
        let number = format!("+1415{:07}", 2_000_000 + n);
        let number = PhoneNumber::parse(&number, PhoneCheck::E164).unwrap();
        Subject::new(IpAddr::from(Ipv4Addr::from_bits(0x0A00_0000 + n)))
            .with_phone(number, &self.bench.keyring.current().phone)
            .with_channel(Channel::Sms)
    }

    fn slot(subject: &Subject) -> Slot {
        Slot {
            purpose: Purpose::VerifyPhone,
            destination: subject.phone_digest().unwrap().into(),
            whose: Whose::Public,
        }
    }

    async fn send(&self, n: u32, has_message: bool) {
        let subject = self.subject(n);
        let admission = self.limiter.admit(Operation::OtpSend, &subject).await.unwrap();
        assert_eq!(admission.attached.len(), 8);
        let (slot, user) = (Self::slot(&subject), entropy().uuid());
        let issue = Issue {
            place: Place {
                slot,
                challenge_id: challenge_id(
                    self.bench.keyring.current(),
                    slot.address(),
                    SystemClock.now(),
                    entropy(),
                ),
                digest: CodeDigest::unmatchable(RIGHT),
            },
            others: &[],
            subject: Some(user),
            message: has_message.then_some(IssuedMessage {
                user_id: Some(user),
                seed: CodeSeed::from_bytes(entropy().bytes()),
                country: Country::UNKNOWN,
                language: &self.bench.language,
                sealed: None,
                has_worked: false,
                lease: Duration::from_secs(600),
            }),
            attached: &admission.attached,
            shadowed: &Shadowed::default(),
        };
        let issued = self.bench.store.issue(&issue).await.unwrap();
        assert!(
            matches!(issued.outcome, IssueOutcome::Written { .. }),
            "{issued:?}"
        );
    }

    async fn judge(&self, n: u32, code: [u8; 16]) -> Verdict {
        let subject = self.subject(n);
        let admission = self.limiter.admit(Operation::OtpVerify, &subject).await.unwrap();
        let refund = self.limiter.refund_for(&subject, true);
        let attempt = Attempt {
            slots: &[Self::slot(&subject)],
            claimants_at: None,
            challenge_id: None,
            digest: CodeDigest::unmatchable(code),
            attached: &admission.attached,
            refund: refund.as_ref(),
        };
        self.bench.store.judge(&attempt).await.unwrap().verdict
    }
}
