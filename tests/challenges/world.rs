//! A store of each kind, and a way to let its time pass.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::TimeDelta;
use ringback::{
    challenges::{
        Attempt, AttemptById, ChallengeStore, CodeDigest, DestinationDigest, Issue, IssueOutcome,
        IssuedMessage, MemoryChallenges, OtpRules, Place, Purpose, RedisChallenges, Slot, Verdict, Waits,
        Whose, candidate_slots, challenge_id,
    },
    clock::{Clock, ShiftedClock, SystemClock},
    delivery::{CodeSeed, Outbox, OutboxEntry},
    email::EmailDigest,
    entropy::{Entropy, SystemEntropy},
    language::Language,
    limits::{Counter, MemoryCounters, Shadowed},
    phone::{Country, PhoneDigest},
    redis::{RedisLink, RedisOptions, RedisSecurity},
    sealed::SealedAddress,
    secrets::Keyring,
};
use uuid::Uuid;

use crate::support::variable;

pub const LEASE: Duration = Duration::from_secs(30);
pub const SEED: CodeSeed = CodeSeed::from_bytes([9; 8]);
pub const RIGHT: [u8; 16] = [1; 16];
pub const WRONG: [u8; 16] = [2; 16];
/// The right code of another challenge.
pub const OTHER: [u8; 16] = [3; 16];

/// A store, and a way to let its time pass.
#[derive(Clone)]
pub struct World {
    pub store: Arc<dyn Store>,
    advance: Arc<dyn Fn(Duration) + Send + Sync>,
    pub purpose: Purpose,
    pub destination: DestinationDigest,
}

pub trait Store: ChallengeStore + Outbox {}
impl<T: ChallengeStore + Outbox> Store for T {}

pub fn entropy() -> &'static dyn Entropy {
    &SystemEntropy
}

/// What challenges are named by.
pub fn keyring() -> Keyring {
    Keyring::parse("AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=").unwrap()
}

fn rules() -> OtpRules {
    OtpRules {
        ttl: Duration::from_secs(600),
        max_attempts: 3,
        length: 6,
        resend_cooldown: Duration::from_secs(60),
        max_failures: 10,
        max_failures_in_day: 30,
        failure_window: Duration::from_secs(3600),
        require_challenge_id: false,
    }
}

fn random_phone() -> DestinationDigest {
    PhoneDigest::from_bytes(entropy().bytes()).into()
}

pub async fn memory() -> World {
    let clock = ShiftedClock::new(Arc::new(SystemClock));
    let counters = Arc::new(MemoryCounters::new(Arc::new(clock.clone()), 1000));
    let store = Arc::new(MemoryChallenges::new(
        counters,
        rules(),
        LEASE,
        Arc::new(clock.clone()),
    ));
    let advance = move |by: Duration| clock.advance(TimeDelta::from_std(by).unwrap());
    World {
        store,
        advance: Arc::new(advance),
        purpose: Purpose::VerifyPhone,
        destination: random_phone(),
    }
}

pub async fn redis() -> World {
    on_redis(&variable("RINGBACK_TEST_REDIS_URL"))
}

pub async fn cluster() -> World {
    on_redis(&variable("RINGBACK_TEST_REDIS_CLUSTER_URL"))
}

pub async fn sentinel() -> World {
    on_redis(&variable("RINGBACK_TEST_REDIS_SENTINEL_URL"))
}

/// One Redis, its keys under a prefix that is known.
pub fn redis_under(prefix: String) -> World {
    on_redis_under(&variable("RINGBACK_TEST_REDIS_URL"), prefix)
}

fn on_redis(url: &str) -> World {
    on_redis_under(url, format!("test-{}", entropy().uuid().simple()))
}

fn on_redis_under(url: &str, prefix: String) -> World {
    let options = RedisOptions {
        url: url.to_owned(),
        security: RedisSecurity::default(),
        prefix,
        lanes: 2,
        timeout: Duration::from_secs(5),
    };
    let offset = Arc::new(AtomicI64::new(0));
    let link = Arc::new(RedisLink::open(&options).unwrap());
    let store = Arc::new(RedisChallenges::new(link, rules(), LEASE, Arc::clone(&offset)));
    let advance = move |by: Duration| {
        offset.fetch_add(by.as_millis() as i64, Ordering::SeqCst);
    };
    World {
        store,
        advance: Arc::new(advance),
        purpose: Purpose::VerifyPhone,
        destination: random_phone(),
    }
}

impl World {
    /// The same store with another purpose and address.
    pub fn about(&self, purpose: Purpose, destination: DestinationDigest) -> Self {
        Self {
            purpose,
            destination,
            ..self.clone()
        }
    }

    /// The same store, asked about an e-mail address whose digest has the very bytes of the phone's.
    pub fn about_email(&self) -> Self {
        let digest = EmailDigest::from_bytes(*self.destination.as_bytes());
        self.about(Purpose::VerifyEmail, digest.into())
    }

    pub fn slot(&self, whose: Whose) -> Slot {
        Slot {
            purpose: self.purpose,
            destination: self.destination,
            whose,
        }
    }

    /// A name for a challenge of a slot.
    pub fn name(&self, whose: Whose) -> Uuid {
        let address = self.slot(whose).address();
        challenge_id(keyring().current(), address, SystemClock.now(), entropy())
    }

    /// What a challenge would be in a slot.
    pub fn place(&self, whose: Whose, challenge_id: Uuid, code: [u8; 16]) -> Place {
        Place {
            slot: self.slot(whose),
            challenge_id,
            digest: CodeDigest::unmatchable(code),
        }
    }

    /// What it would be in each candidate.
    pub fn candidates(&self, code: [u8; 16]) -> [Place; 3] {
        self.places(Whose::Candidate, code)
    }

    /// The same for known networks.
    pub fn known(&self, code: [u8; 16]) -> [Place; 3] {
        self.places(Whose::Known, code)
    }

    fn places(&self, whose: fn(u8) -> Whose, code: [u8; 16]) -> [Place; 3] {
        [0, 1, 2]
            .map(whose)
            .map(|whose| self.place(whose, self.name(whose), code))
    }

    pub async fn waits(&self, whose: Whose) -> Waits {
        self.store.waits(&self.slot(whose)).await.unwrap()
    }

    pub fn pass(&self, seconds: u64) {
        (self.advance)(Duration::from_secs(seconds));
    }

    pub async fn issue_to(&self, whose: Whose, attached: &[Counter]) -> (Uuid, IssueOutcome) {
        self.issue_all(whose, attached, RIGHT).await
    }

    pub async fn issue_with(&self, whose: Whose, code: [u8; 16]) {
        let (_, outcome) = self.issue_all(whose, &[], code).await;
        assert!(matches!(outcome, IssueOutcome::Written { .. }), "{outcome:?}");
    }

    pub async fn issue_all(
        &self,
        whose: Whose,
        attached: &[Counter],
        code: [u8; 16],
    ) -> (Uuid, IssueOutcome) {
        self.issue_as(self.name(whose), whose, attached, code).await
    }

    /// The call of `id` once more, or a first one.
    pub async fn issue_again(&self, whose: Whose, id: Option<Uuid>) -> (Uuid, IssueOutcome) {
        let id = id.unwrap_or_else(|| self.name(whose));
        self.issue_as(id, whose, &[], RIGHT).await
    }

    async fn issue_as(
        &self,
        challenge_id: Uuid,
        whose: Whose,
        attached: &[Counter],
        code: [u8; 16],
    ) -> (Uuid, IssueOutcome) {
        let place = self.place(whose, challenge_id, code);
        let outcome = self.issue_into(&[place], attached).await;
        (challenge_id, outcome)
    }

    /// A challenge with a message, in one of these places.
    pub async fn issue_into(&self, places: &[Place], attached: &[Counter]) -> IssueOutcome {
        let user_id = match places[0].slot.whose {
            Whose::User(id) => id,
            Whose::Public | Whose::Candidate(_) | Whose::Known(_) => Uuid::from_u128(7),
        };
        let message = IssuedMessage {
            user_id: Some(user_id),
            seed: SEED,
            country: Country::UNKNOWN,
            language: &Language::default(),
            sealed: None,
            has_worked: false,
            lease: LEASE,
        };
        let issue = Issue {
            place: places[0],
            others: &places[1..],
            subject: Some(Uuid::from_u128(7)),
            message: Some(message),
            attached,
            shadowed: &Shadowed::default(),
        };
        self.store.issue(&issue).await.unwrap().outcome
    }

    /// A challenge that is found by its id, with a message; the cooldown is over after it.
    pub async fn issue_candidate(&self, code: [u8; 16]) -> (Uuid, OutboxEntry) {
        let outcome = self.issue_into(&self.candidates(code), &[]).await;
        let IssueOutcome::Written {
            challenge_id,
            entry: Some(entry),
        } = outcome
        else {
            panic!("{outcome:?}")
        };
        self.pass(60);
        (challenge_id, entry)
    }

    pub async fn judge_by_id(&self, challenge_id: Uuid, digest: [u8; 16]) -> Verdict {
        let attempt = self.attempt_by_id(challenge_id, digest);
        self.store.judge_by_id(&attempt).await.unwrap().verdict
    }

    pub fn attempt_by_id(&self, challenge_id: Uuid, digest: [u8; 16]) -> AttemptById<'static> {
        AttemptById {
            address: candidate_slots(&keyring(), challenge_id).next().unwrap(),
            challenge_id,
            purpose: self.purpose,
            digest: CodeDigest::unmatchable(digest),
            attached: &[],
        }
    }

    /// A challenge whose address no account has yet.
    pub async fn issue_sealed(&self, whose: Whose, address: &str) -> OutboxEntry {
        let user_id = match whose {
            Whose::User(id) => Some(id),
            Whose::Public | Whose::Candidate(_) | Whose::Known(_) => None,
        };
        let sealed = SealedAddress::seal(keyring().current(), [5; 16], address).unwrap();
        let issue = Issue {
            place: self.place(whose, self.name(whose), RIGHT),
            others: &[],
            subject: user_id,
            message: Some(IssuedMessage {
                user_id,
                seed: SEED,
                country: Country::UNKNOWN,
                language: &Language::default(),
                sealed: Some(&sealed),
                has_worked: false,
                lease: LEASE,
            }),
            attached: &[],
            shadowed: &Shadowed::default(),
        };
        match self.store.issue(&issue).await.unwrap().outcome {
            IssueOutcome::Written {
                entry: Some(entry), ..
            } => entry,
            outcome => panic!("{outcome:?}"),
        }
    }

    /// A challenge without a message.
    pub async fn issue_decoy(&self, whose: Whose) -> (Uuid, IssueOutcome) {
        let challenge_id = self.name(whose);
        let issue = Issue {
            place: self.place(whose, challenge_id, entropy().bytes()),
            others: &[],
            subject: None,
            message: None,
            attached: &[],
            shadowed: &Shadowed::default(),
        };
        (challenge_id, self.store.issue(&issue).await.unwrap().outcome)
    }

    pub async fn issue(&self, whose: Whose) -> (Uuid, OutboxEntry) {
        match self.issue_to(whose, &[]).await {
            (
                id,
                IssueOutcome::Written {
                    entry: Some(entry), ..
                },
            ) => (id, entry),
            (_, outcome) => panic!("{outcome:?}"),
        }
    }

    pub async fn judge_in(&self, whose: &[Whose], id: Option<Uuid>, digest: [u8; 16]) -> Verdict {
        let slots: Vec<_> = whose.iter().map(|&whose| self.slot(whose)).collect();
        let digest = CodeDigest::unmatchable(digest);
        let attempt = Attempt {
            slots: &slots,
            claimants_at: None,
            challenge_id: id,
            digest,
            attached: &[],
            refund: None,
        };
        self.store.judge(&attempt).await.unwrap().verdict
    }

    /// The verdict, and what was charged for it.
    pub async fn charged(&self, whose: &[Whose], digest: [u8; 16]) -> (Verdict, Vec<(Uuid, u8)>) {
        let slots: Vec<_> = whose.iter().map(|&whose| self.slot(whose)).collect();
        let attempt = Attempt {
            slots: &slots,
            claimants_at: None,
            challenge_id: None,
            digest: CodeDigest::unmatchable(digest),
            attached: &[],
            refund: None,
        };
        let judged = self.store.judge(&attempt).await.unwrap();
        (judged.verdict, judged.charged)
    }

    pub async fn judge(&self, digest: [u8; 16]) -> Verdict {
        self.judge_in(&[Whose::Public], None, digest).await
    }

    /// Many attempts at once, on threads of their own.
    pub async fn judge_in_parallel(&self, times: usize, digest: [u8; 16]) -> Vec<Verdict> {
        let attempts = (0..times).map(|_| {
            let world = self.clone();
            tokio::spawn(async move { world.judge(digest).await })
        });
        futures_util::future::try_join_all(attempts).await.unwrap()
    }
}

pub fn count(verdicts: &[Verdict], wanted: impl Fn(&Verdict) -> bool) -> usize {
    verdicts.iter().filter(|verdict| wanted(verdict)).count()
}

pub fn wrong(attempts_remaining: u8) -> Verdict {
    Verdict::Wrong { attempts_remaining }
}
