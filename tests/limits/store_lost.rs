//! Limits while the store of the cluster's counters is away.

use std::{net::IpAddr, sync::Arc};

use async_trait::async_trait;
use ringback::{
    clock::ManualClock,
    limits::{
        ClusterCounters, Counter, Limiter, LimiterOptions, Marker, MemoryCounters, Operation, Pause, Paused,
        Preview, Refund, RuleSet, Scope, Subject, Verdict, gcra::QuotaStatus,
    },
    supervision::Supervision,
    unavailable::{Part, Unavailable},
};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use support::eventually;

use super::{
    rules,
    stage::{OPTIONS, admitted, client, client_with_phone, clock, lost_store, refusal, unavailable},
};

/// A store that can be taken away.
struct Fickle {
    counters: MemoryCounters,
    away: AtomicBool,
    asked: AtomicUsize,
}

impl Fickle {
    fn new(clock: &ManualClock) -> Arc<Self> {
        Arc::new(Self {
            counters: MemoryCounters::new(Arc::new(clock.clone()), 1000),
            away: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
        })
    }

    fn here(&self) -> Result<&MemoryCounters, Unavailable> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.away.load(Ordering::SeqCst) {
            true => Err(Unavailable::timed_out(Part::Redis)),
            false => Ok(&self.counters),
        }
    }
}

#[async_trait]
impl ClusterCounters for Fickle {
    fn are_colocated(&self) -> bool {
        false
    }

    async fn check(&self, counters: &[Counter], message: bool) -> Result<Vec<Verdict>, Unavailable> {
        self.here()?.check(counters, message).await
    }

    async fn give_back(&self, counters: &[Counter]) -> Result<(), Unavailable> {
        self.here()?.give_back(counters).await
    }

    async fn refund(&self, refund: &Refund, has_worked: bool) -> Result<(), Unavailable> {
        self.here()?.refund(refund, has_worked).await
    }

    async fn use_once(&self, marker: &Marker, remembered: std::time::Duration) -> Result<bool, Unavailable> {
        self.here()?.use_once(marker, remembered).await
    }

    async fn pause(&self, pause: &Pause, enough_ms: i64, now_ms: i64) -> Result<Option<i64>, Unavailable> {
        self.here()?.pause(pause, enough_ms, now_ms).await
    }

    async fn resume(&self, what: &Paused, now_ms: i64) -> Result<Option<i64>, Unavailable> {
        self.here()?.resume(what, now_ms).await
    }

    async fn pauses(&self) -> Result<Vec<Pause>, Unavailable> {
        self.here()?.pauses().await
    }

    async fn look(&self, counters: &[Counter]) -> Result<Vec<QuotaStatus>, Unavailable> {
        self.here()?.look(counters).await
    }

    async fn reset(&self, counter: &Counter) -> Result<(), Unavailable> {
        self.here()?.reset(counter).await
    }
}

fn limiter(instances: u32, rules: RuleSet, counters: Arc<dyn ClusterCounters>) -> Limiter {
    let options = LimiterOptions { instances, ..OPTIONS };
    Limiter::start(
        &Supervision::default(),
        options,
        rules,
        counters,
        Arc::new(clock()),
    )
}

#[actix::test]
async fn what_cannot_be_counted_is_refused_where_it_matters() {
    let limits = "[[rule]]\nid='near'\non='any'\nby='ip'\nquota=5\nper='1h'\nscope='instance'\n
                  [[rule]]\nid='far'\non='any'\nby='ip'\nquota=3\nper='1h'";
    let limiter = limiter(1, rules(limits), lost_store());
    let strict = Operation::ALL
        .into_iter()
        .filter(|operation| operation.is_strict())
        // Those two are counted with their code; what no client asks for isn't in `any`.
        .filter(|operation| {
            !matches!(
                operation,
                Operation::OtpSend | Operation::OtpVerify | Operation::Notice
            )
        });
    for operation in strict.flat_map(|operation| [operation; 4]) {
        assert_eq!(
            unavailable(limiter.admit(operation, &client()).await),
            Part::Redis,
            "{}",
            operation.name()
        );
    }
    for operation in [Operation::OtpSend, Operation::OtpVerify] {
        let admission = limiter.admit(operation, &client()).await.unwrap();
        assert_eq!(
            admission.attached.len(),
            1,
            "counted with the code, or not at all"
        );
        limiter.give_back(admission).await;
    }
    for operation in [Operation::Me, Operation::TokenRefresh, Operation::OtpStatus] {
        assert!(
            limiter.admit(operation, &client()).await.is_ok(),
            "{}",
            operation.name()
        );
    }
    let refusal = refusal(limiter.admit(Operation::Me, &client()).await);
    assert_eq!(
        (&*refusal.rule, refusal.scope),
        ("far", Scope::Instance),
        "counted here, and spent"
    );
}

#[actix::test]
async fn a_rule_may_say_itself_what_becomes_of_it() {
    let rule = |id: &str, on: &str, lost: &str| {
        format!("[[rule]]\nid='{id}'\non='{on}'\nby='ip'\nquota=9\nper='1h'\nif_store_lost='{lost}'\n")
    };
    let counters = Fickle::new(&clock());
    let limits = rules(&format!(
        "{}{}",
        rule("a", "login", "local"),
        rule("b", "me", "refuse")
    ));
    let limiter = limiter(3, limits, counters.clone());
    counters.away.store(true, Ordering::SeqCst);
    assert_eq!(
        admitted(&limiter, Operation::Login, &client()).await,
        3,
        "a third of nine"
    );
    assert_eq!(
        unavailable(limiter.admit(Operation::Me, &client()).await),
        Part::Redis
    );
    let asked = counters.asked.load(Ordering::SeqCst);
    assert!(
        asked <= 3,
        "who can do without doesn't wait for it each time: {asked}"
    );
    counters.away.store(false, Ordering::SeqCst);
    assert!(limiter.admit(Operation::Me, &client()).await.is_ok());
    // There is a pause before it is asked again: others find out.
    let stranger = Subject::new("203.0.113.8".parse::<IpAddr>().unwrap());
    eventually("the store is asked again", async || {
        let before = counters.asked.load(Ordering::SeqCst);
        let _ = limiter.admit(Operation::Login, &stranger).await;
        (counters.asked.load(Ordering::SeqCst) > before).then_some(())
    })
    .await;
    assert_eq!(
        admitted(&limiter, Operation::Login, &client()).await,
        9,
        "the cluster's counter stood still"
    );
}

#[actix::test]
async fn a_shadow_refuses_nothing_though_it_cannot_be_counted() {
    let limits = "[[rule]]\nid='tried'\non='login'\nby='ip'\nquota=1\nper='1h'\nmode='shadow'";
    let limiter = limiter(1, rules(limits), lost_store());
    assert_eq!(admitted(&limiter, Operation::Login, &client()).await, 40);
}

#[actix::test]
async fn shares_survive_a_reload_and_are_explained() {
    let limits = "[[rule]]\nid='far'\non='me'\nby='ip'\nquota=10\nper='1h'\n
                  [[rule]]\nid='own'\non='otp.send'\nby='phone'\nquota=10\nper='1h'\nif_store_lost='local'\n
                  [[rule]]\nid='sure'\non='otp.send'\nby='ip'\nquota=10\nper='1h'";
    let limiter = limiter(2, rules(limits), lost_store());
    assert_eq!(admitted(&limiter, Operation::Me, &client()).await, 5);
    limiter.replace(rules(limits));
    let told = limiter.explain(Operation::Me, &client()).await;
    let far = &told.rules[0];
    assert_eq!(
        (far.remaining, far.quota, far.scope.as_str()),
        (Some(0), 5, "instance")
    );
    assert_eq!(told.refused_by.as_deref(), Some("far"));
    let told = limiter.explain(Operation::OtpSend, &client_with_phone()).await;
    let verdicts: Vec<_> = told.rules.iter().map(|rule| rule.verdict).collect();
    assert_eq!(
        verdicts,
        [Preview::Unavailable; 2],
        "a code needs Redis in any case"
    );
    assert!(told.unavailable && told.refused_by.is_none());
}
