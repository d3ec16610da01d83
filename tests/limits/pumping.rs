//! A day of SMS pumping under the rules that are shipped, in which real users sign up: how many messages the pumper is sent,
//! and how many of the users are turned away. Time passes by a clock that the test moves.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use chrono::TimeDelta;
use ringback::{
    challenges::{
        Attempt, ChallengeStore, CodeDigest, DestinationDigest, Issue, IssueOutcome, IssuedMessage,
        MemoryChallenges, OtpRules, Place, Purpose, Slot, Verdict, Whose, challenge_id,
    },
    channel::Channel,
    clock::ManualClock,
    delivery::CodeSeed,
    entropy::SystemEntropy,
    language::Language,
    limits::{Denied, Limiter, LimiterOptions, MemoryCounters, Operation, Refusal, Subject, file::load},
    phone::{Country, PhoneCheck, PhoneNumber},
    secrets::Keyring,
    supervision::Supervision,
};
use uuid::Uuid;

use super::stage::{clock, keyring};

const DAY_MS: i64 = 24 * 3600 * 1000;
const RIGHT: [u8; 16] = [1; 16];

/// What the issue on fair limits measured with the rules of before: 19,135 messages, 716 of 2,000 users turned away.
pub struct Day {
    /// How the numbers begin that earn by each message; the rest of each is counted through.
    pub pumped: Vec<String>,
    /// How often, in milliseconds, one of them is asked for.
    pub pause_ms: i64,
    /// How many numbers of each such beginning are pumped.
    pub numbers: usize,
    /// How many digits more they have than those of users, where they are to be others of the same blocks.
    pub longer_by: usize,
    /// Of ten messages, the codes of so many are typed.
    pub typed_of_ten: usize,
    /// Whether the pumper proves work where it is asked for.
    pub works: bool,
    /// The addresses that it comes from.
    pub addresses: usize,
    /// How the numbers of real users begin.
    pub lived_in: Vec<String>,
    /// Of so many users one never types a code.
    pub forgets_one_of: usize,
    /// Which of many such days: when users come, from where, and what they do.
    pub seed: usize,
}

pub struct Outcome {
    pub pumped: usize,
    /// What those messages cost, in hundredths of a dollar.
    pub cents: u64,
    pub turned_away: usize,
    /// Users who had to prove work.
    pub worked: usize,
    /// The rules that turned users away.
    by: Vec<String>,
}

struct World {
    limiter: Limiter,
    challenges: MemoryChallenges,
    clock: ManualClock,
    keyring: Keyring,
}

/// A code that somebody waits for.
struct Waiting {
    subject: Subject,
    slot: Slot,
}

impl World {
    fn new() -> Self {
        let clock = clock();
        let shared: Arc<ManualClock> = Arc::new(clock.clone());
        let counters = Arc::new(MemoryCounters::new(Arc::clone(&shared) as _, 1_000_000));
        let rules = OtpRules {
            ttl: Duration::from_secs(600),
            max_attempts: 3,
            length: 6,
            resend_cooldown: Duration::from_secs(60),
            max_failures: 10,
            max_failures_in_day: 20,
            failure_window: Duration::from_secs(3600),
            require_challenge_id: false,
        };
        let lease = Duration::from_secs(30);
        let options = LimiterOptions {
            max_keys: 1_000_000,
            instances: 1,
            shards: 1,
        };
        let shipped = load(std::path::Path::new("config/limits.toml"), None).unwrap();
        let supervision = Supervision::default();
        Self {
            limiter: Limiter::start(
                &supervision,
                options,
                shipped,
                Arc::clone(&counters) as _,
                Arc::clone(&shared) as _,
            ),
            challenges: MemoryChallenges::new(counters, rules, lease, shared),
            clock,
            keyring: keyring(),
        }
    }

    /// Somebody who asks about a number.
    fn subject(&self, phone: PhoneNumber, from: u32) -> Subject {
        Subject::new(IpAddr::V4(Ipv4Addr::from_bits(from)))
            .with_channel(Channel::Sms)
            .with_phone(phone, &self.keyring.current().phone)
    }

    /// Asks for a code for a number that an account has, and proves work if that is asked for. Tells whether it was.
    async fn send_working(&self, subject: &Subject) -> (Result<Waiting, String>, bool) {
        match self.send(subject).await {
            Err(refusal) if refusal.work.is_some() => {
                let sent = self.send(&subject.clone().after_work()).await;
                // The work was for the message alone: who types its code brings none.
                let sent = sent.map(|waiting| Waiting {
                    subject: subject.clone(),
                    ..waiting
                });
                (sent.map_err(|refusal| refusal.rule.to_string()), true)
            }
            sent => (sent.map_err(|refusal| refusal.rule.to_string()), false),
        }
    }

    /// Asks for a code for a number that an account has.
    async fn send(&self, subject: &Subject) -> Result<Waiting, Refusal> {
        let keys = self.keyring.current();
        let admission = match self.limiter.admit(Operation::OtpSend, subject).await {
            Ok(admission) => admission,
            Err(Denied::Refused(refusal)) => return Err(refusal),
            Err(Denied::Unavailable(error)) => panic!("{error}"),
        };
        let slot = Slot {
            purpose: Purpose::VerifyPhone,
            destination: DestinationDigest::from(subject.phone_digest().unwrap()),
            whose: Whose::Public,
        };
        let issue = Issue {
            place: Place {
                slot,
                challenge_id: challenge_id(
                    keys,
                    slot.address(),
                    chrono::DateTime::UNIX_EPOCH,
                    &SystemEntropy,
                ),
                digest: CodeDigest::unmatchable(RIGHT),
            },
            others: &[],
            subject: Some(Uuid::from_u128(7)),
            message: Some(IssuedMessage {
                user_id: Some(Uuid::from_u128(7)),
                sealed: None,
                has_worked: subject.has_worked(),
                seed: CodeSeed::from_bytes([9; 8]),
                country: Country::UNKNOWN,
                language: &Language::default(),
                lease: Duration::from_secs(30),
            }),
            attached: &admission.attached.clone(),
            shadowed: &admission.shadowed.clone(),
        };
        let issued = self.challenges.issue(&issue).await.unwrap();
        let refusal = self.limiter.settle(admission, &issued.attached).await;
        match issued.outcome {
            IssueOutcome::Written { .. } => Ok(Waiting {
                subject: subject.clone(),
                slot,
            }),
            IssueOutcome::Limited => Err(refusal.unwrap()),
            other => panic!("{other:?}"),
        }
    }

    /// Types the code.
    async fn verify(&self, waiting: &Waiting) {
        let refund = self.limiter.refund_for(&waiting.subject, true);
        let attempt = Attempt {
            slots: &[waiting.slot],
            claimants_at: None,
            challenge_id: None,
            digest: CodeDigest::unmatchable(RIGHT),
            attached: &[],
            refund: refund.as_ref(),
        };
        let judged = self.challenges.judge(&attempt).await.unwrap();
        assert!(
            matches!(judged.verdict, Verdict::Right(_)),
            "{:?}",
            judged.verdict
        );
    }
}

enum What {
    /// A message to the n-th number that earns by it.
    Pump(usize),
    /// The n-th real user signs up.
    SignUp(usize),
    /// And asks once more.
    AskAgain(usize),
    /// And types the code.
    Type(usize),
}

/// Numbers that are as good as random, and the same in each run.
fn random(n: usize, below: usize) -> usize {
    let mut bits = (n as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits >> 33) as usize % below
}

/// The n-th number of those that begin so, with so many digits more than a user's.
fn number(begin: &str, n: usize, longer_by: usize) -> PhoneNumber {
    // As many digits as numbers of the country have that the tests use.
    let digits = match &begin[..2] {
        "+1" => 12,
        _ => 13,
    } + longer_by
        - begin.len();
    let text = format!("{begin}{n:0digits$}");
    PhoneNumber::parse(&text, PhoneCheck::E164).unwrap()
}

impl Day {
    /// Twenty blocks of numbers in five countries that pay well, none of which the users live in.
    pub fn usual() -> Self {
        let countries = ["+992917", "+447457", "+216551", "+252611", "+374771"];
        let blocks = countries
            .iter()
            .flat_map(|country| (1..5).map(move |n| format!("{country}{n}0")));
        let towns = [
            "+1415201", "+1212555", "+1312867", "+1650253", "+1718333", "+4477001", "+4479460", "+4915123",
            "+4917612", "+9198201", "+9199867", "+3361234", "+3467890", "+4670123", "+4479111", "+3933312",
        ];
        Self {
            pumped: blocks.collect(),
            pause_ms: 6000,
            numbers: 1000,
            longer_by: 0,
            typed_of_ten: 0,
            works: false,
            addresses: 10_000,
            lived_in: towns.map(str::to_owned).to_vec(),
            forgets_one_of: 8,
            seed: 0,
        }
    }

    /// A number below a bound that says what about a user, the same in each run.
    fn random(&self, user: usize, what: usize, below: usize) -> usize {
        random(user + what * 10_000 + self.seed * 1_000_000, below)
    }

    /// What happens, in order: the messages that are pumped, and 2,000 sign-ups, of whom one in eight never types
    /// a code and one in ten asks for a second.
    fn plan(&self) -> Vec<(i64, What)> {
        let mut plan: Vec<_> = (0..DAY_MS / self.pause_ms)
            .map(|n| (n * self.pause_ms, What::Pump(n as usize)))
            .collect();
        for user in 0..2000 {
            let at = self.random(user, 0, DAY_MS as usize) as i64;
            plan.push((at, What::SignUp(user)));
            let mut asked = at;
            if self.random(user, 1, 10) == 0 {
                asked += 61_000 + self.random(user, 2, 60_000) as i64;
                plan.push((asked, What::AskAgain(user)));
            }
            if self.random(user, 3, self.forgets_one_of) > 0 {
                let typed = asked + 8000 + self.random(user, 4, 100_000) as i64;
                plan.push((typed, What::Type(user)));
            }
        }
        plan.sort_by_key(|(at, _)| *at);
        plan
    }

    pub async fn pass(&self) -> Outcome {
        let world = World::new();
        let mut outcome = Outcome {
            pumped: 0,
            cents: 0,
            turned_away: 0,
            worked: 0,
            by: Vec::new(),
        };
        let mut waiting: Vec<Option<Waiting>> = (0..2000).map(|_| None).collect();
        // Ten thousand addresses, each a client of its own, and a thousand numbers of each block.
        let pumped = |n: usize| {
            let begin = &self.pumped[n % self.pumped.len()];
            world.subject(
                number(begin, n / self.pumped.len(), self.longer_by),
                0x0a00_0000 + (n % self.addresses) as u32,
            )
        };
        let pumped: Vec<_> = (0..self.numbers * self.pumped.len()).map(pumped).collect();
        let mut now = 0;
        for (at, what) in self.plan() {
            world.clock.advance(TimeDelta::milliseconds(at - now));
            now = at;
            match what {
                What::Pump(n) => {
                    let asked = &pumped[n % pumped.len()];
                    let sent = match self.works {
                        true => world.send_working(asked).await.0.ok(),
                        false => world.send(asked).await.ok(),
                    };
                    if let Some(sent) = sent {
                        outcome.pumped += 1;
                        outcome.cents +=
                            u64::from(world.limiter.prices().units(asked.country().unwrap())) / 100;
                        if outcome.pumped % 10 < self.typed_of_ten {
                            world.verify(&sent).await;
                        }
                    }
                }
                What::SignUp(user) | What::AskAgain(user) => {
                    let begin = &self.lived_in[self.random(user, 5, self.lived_in.len())];
                    let subject = world.subject(number(begin, user, 0), 0xc000_0000 + user as u32);
                    let (sent, worked) = world.send_working(&subject).await;
                    outcome.worked += usize::from(worked);
                    match sent {
                        Ok(sent) => waiting[user] = Some(sent),
                        Err(rule) => {
                            outcome.turned_away += 1;
                            outcome.by.push(rule);
                        }
                    }
                }
                What::Type(user) => {
                    if let Some(sent) = waiting[user].take() {
                        world.verify(&sent).await;
                    }
                }
            }
        }
        println!(
            "{} messages to the pumper for {} cents, {} users proved work, {} were turned away, by {:?}",
            outcome.pumped,
            outcome.cents,
            outcome.worked,
            outcome.turned_away,
            outcome.by.iter().collect::<BTreeSet<_>>()
        );
        outcome
    }
}
