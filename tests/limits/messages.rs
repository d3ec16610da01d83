//! Rules that count messages: what spends them, and what a typed code gives back. One suite for whatever keeps the counters.

use std::sync::Arc;

use chrono::TimeDelta;
use ringback::{
    channel::Channel,
    limits::{Counter, CounterName, Denied, Limiter, Marker, Operation, Refund, Subject, Verdict, refuses},
    partition::PARTITIONS,
    supervision::Supervision,
};

use super::{
    rules,
    stage::{OPTIONS, client_with_phone, clock, refusal},
    store::{Adapter, HOUR_US, counter},
};

/// A counter of messages that takes `burst` at once, and one an hour.
fn messages(key: &str, burst: u32, grows_by: u32) -> Counter {
    Counter {
        by_message: true,
        grows_by,
        ..counter(key, burst)
    }
}

fn refund(address: &str, counters: &[Counter]) -> Refund {
    let partition = address.bytes().last().unwrap_or_default() % PARTITIONS;
    Refund {
        marker: Marker {
            partition,
            key: format!("v:{address}"),
        },
        counters: counters.to_vec(),
        earns: true,
    }
}

impl Adapter {
    /// Whether a message may go out; it spends then.
    async fn send(&self, counters: &[Counter]) -> bool {
        let verdicts = self.instances[1].check(counters, true).await;
        !refuses(counters, &verdicts.unwrap())
    }

    async fn refund(&self, address: &str, counters: &[Counter]) {
        let given = self.instances[2].refund(&refund(address, counters), false).await;
        given.unwrap();
    }

    /// The same where a proof of work had let the message go out.
    async fn refund_worked(&self, address: &str, counters: &[Counter]) {
        let given = self.instances[2].refund(&refund(address, counters), true).await;
        given.unwrap();
    }

    /// How many messages may go out at once. They go.
    async fn sent(&self, counters: &[Counter]) -> usize {
        let mut sent = 0;
        while sent < 100 && self.send(counters).await {
            sent += 1;
        }
        sent
    }
}

#[actix::test]
async fn requests_without_a_message_are_asked_and_spend_nothing() {
    for adapter in Adapter::all() {
        let asked = [counter("asked", 90), messages("a", 3, 0), messages("b", 5, 0)];
        assert_eq!(adapter.admitted(&asked).await, 30, "{}", adapter.name);
        assert_eq!(adapter.sent(&asked).await, 3, "{}", adapter.name);
        assert_eq!(
            adapter.admitted(&asked).await,
            0,
            "{}: refused alike",
            adapter.name
        );
        // What refused spent nothing of the others: 33 of the one, 3 of the other.
        assert_eq!(adapter.sent(&[messages("b", 5, 0)]).await, 2, "{}", adapter.name);
        assert_eq!(
            adapter.admitted(&[counter("asked", 90)]).await,
            30,
            "{}",
            adapter.name
        );
        assert_eq!(
            adapter.sent(&[counter("asked", 90)]).await,
            27,
            "{}",
            adapter.name
        );
    }
}

#[actix::test]
async fn several_units_are_spent_and_given_back_together() {
    for adapter in Adapter::all() {
        let dear = [Counter {
            units: 4,
            ..messages("m", 10, 0)
        }];
        let cheap = [messages("m", 10, 0)];
        assert_eq!(adapter.sent(&dear).await, 2, "{}", adapter.name);
        let status = adapter.instances[0].look(&dear).await.unwrap();
        assert_eq!(status[0].remaining, 2);
        assert!(
            (7_199_000_000..=7_200_000_000).contains(&status[0].wait_us),
            "{status:?}"
        );
        assert!(adapter.send(&cheap).await);
        adapter.instances[0].give_back(&dear).await.unwrap();
        assert_eq!(adapter.sent(&cheap).await, 5, "{}", adapter.name);
    }
}

#[actix::test]
async fn a_typed_code_gives_its_message_back_once_a_day_for_an_address() {
    for adapter in Adapter::all() {
        let (wide, narrow) = (messages("wide", 9, 0), messages("narrow", 3, 0));
        let alone = [narrow.clone()];
        let both = [wide.clone(), narrow];
        assert_eq!(adapter.sent(&both).await, 3);
        for _ in 0..3 {
            adapter.refund("jane", &both).await;
        }
        assert_eq!(adapter.sent(&both).await, 1, "{}", adapter.name);
        adapter.refund("john", &both).await;
        assert_eq!(adapter.sent(&[wide]).await, 7, "{}: 9 - 4 + 2", adapter.name);
        assert!(adapter.send(&alone).await);
        (adapter.advance)(TimeDelta::hours(30));
        assert_eq!(adapter.sent(&alone).await, 3);
        adapter.refund("jane", &alone).await;
        assert_eq!(adapter.sent(&alone).await, 1, "{}: another day", adapter.name);
    }
}

/// A code that is typed once all that its message spent has drained, and another rule's as well, which counts the same.
#[actix::test]
async fn what_has_drained_is_given_back_without_harm() {
    for adapter in Adapter::all() {
        let of_rule = |rule: &str| Counter {
            name: CounterName::new(rule, "drained"),
            ..messages("drained", 2, 0)
        };
        let both = ["one", "other"].map(of_rule);
        assert!(adapter.send(&both).await);
        (adapter.advance)(TimeDelta::hours(30));
        adapter.refund("jane", &both[..1]).await;
        adapter.instances[0].give_back(&both).await.unwrap();
        assert_eq!(adapter.sent(&both).await, 2, "{}", adapter.name);
    }
}

#[actix::test]
async fn codes_typed_at_once_give_back_once() {
    for adapter in Adapter::all() {
        let asked = [messages("k", 20, 0)];
        assert_eq!(adapter.sent(&asked).await, 20);
        let given = refund("jane", &asked);
        let all = (0..40).map(|n| adapter.instances[n % 3].refund(&given, false));
        for outcome in futures_util::future::join_all(all).await {
            outcome.unwrap();
        }
        assert_eq!(adapter.sent(&asked).await, 1, "{}", adapter.name);
    }
}

#[actix::test]
async fn a_budget_grows_over_days_with_what_different_addresses_verify_and_is_forgotten_after_a_week() {
    for adapter in Adapter::all() {
        let asked = [messages("block", 3, 4)];
        for n in 0..20 {
            assert!(adapter.send(&asked).await, "{}: {n}", adapter.name);
            adapter.refund(&format!("user-{n}"), &asked).await;
        }
        let status = adapter.instances[0].look(&asked).await.unwrap();
        assert_eq!(status[0].remaining, 4, "{}: one at once", adapter.name);
        for day in 0..4 {
            (adapter.advance)(TimeDelta::hours(24));
            // Those of before are new to nobody.
            for name in ["user-1", "user-2"] {
                assert!(adapter.send(&asked).await);
                adapter.refund(name, &asked).await;
            }
            let status = adapter.instances[0].look(&asked).await.unwrap();
            assert_eq!(status[0].remaining, 4, "{}: {day}", adapter.name);
        }
        for n in 20..26 {
            (adapter.advance)(TimeDelta::hours(12));
            assert!(adapter.send(&asked).await);
            adapter.refund(&format!("user-{n}"), &asked).await;
        }
        assert_eq!(adapter.sent(&asked).await, 7, "{}: up to its cap", adapter.name);
        // Whoever spends it without a code keeps nothing of it alive.
        (adapter.advance)(TimeDelta::hours(6 * 24 + 23));
        assert_eq!(adapter.sent(&asked).await, 7, "{}", adapter.name);
        (adapter.advance)(TimeDelta::hours(8));
        assert_eq!(adapter.sent(&asked).await, 3, "{}: forgotten", adapter.name);
        adapter.instances[0].reset(&asked[0]).await.unwrap();
        assert_eq!(adapter.sent(&asked).await, 3, "{}", adapter.name);
    }
}

/// Users who sign in with a code every day, at about their hour: of some of the codes nothing comes.
#[actix::test]
async fn who_types_a_code_each_day_makes_up_for_others_each_day() {
    for adapter in Adapter::all() {
        let asked = [messages("daily", 6, 4)];
        // What time alone drains is spent by others.
        for day in 0..9 {
            (adapter.advance)(TimeDelta::hours(if day % 2 == 0 { 22 } else { 26 }));
            while adapter.instances[0].look(&asked).await.unwrap()[0].full_in_us < 4 * HOUR_US {
                assert!(adapter.send(&asked).await, "{}: {day}", adapter.name);
            }
            for name in ["jane", "john"] {
                assert!(adapter.send(&asked).await, "{}: {day}", adapter.name);
                adapter.refund(name, &asked).await;
                adapter.refund(name, &asked).await;
            }
            let status = adapter.instances[0].look(&asked).await.unwrap()[0];
            let spent = (status.full_in_us + HOUR_US / 2) / HOUR_US;
            assert!((2..=3).contains(&spent), "{}: {day}: {spent}", adapter.name);
        }
    }
}

/// Users who wait at the same time in a block that somebody pumps: by their codes they make room for each other, and none for him.
#[actix::test]
async fn what_proofs_of_work_let_out_gives_no_free_room_back() {
    for adapter in Adapter::all() {
        let free = [Counter {
            worked_by: 4,
            ..messages("pumped", 3, 20)
        }];
        let worked = free.clone().map(Counter::worked);
        assert_eq!(adapter.sent(&free).await, 3);
        for round in 0..3 {
            // Those of the round before have raised the ceiling.
            let sent = adapter.sent(&worked).await;
            assert_eq!(sent, 4 + 2 * round, "{}: {round}", adapter.name);
            // Half of them type their codes.
            for n in 0..2 {
                adapter.refund_worked(&format!("user-{round}-{n}"), &free).await;
            }
            assert!(!adapter.send(&free).await, "{}: {round}", adapter.name);
        }
        adapter.refund("user", &free).await;
        assert_eq!(adapter.sent(&free).await, 2, "{}: that was free", adapter.name);
    }
}

/// Nobody may send there any more: who types a code then makes room for more than have left it.
#[actix::test]
async fn a_typed_code_raises_the_ceiling_once_until_the_bucket_is_empty() {
    for adapter in Adapter::all() {
        let free = [Counter {
            worked_by: 4,
            ..messages("raised", 3, 20)
        }];
        let worked = free.clone().map(Counter::worked);
        let wait_hours = async || match adapter.instances[0].check(&free, true).await.unwrap()[0] {
            Verdict::Refused { retry_after_us } => (retry_after_us + HOUR_US / 2) / HOUR_US,
            Verdict::Admitted { .. } => panic!("{}: free room", adapter.name),
        };
        assert_eq!(adapter.sent(&free).await + adapter.sent(&worked).await, 7);
        // A message that went out for free makes no room but its own.
        adapter.refund("free", &free).await;
        assert_eq!(adapter.sent(&worked).await, 2, "{}", adapter.name);
        for (n, room) in [5, 5, 5, 5, 4, 4].into_iter().enumerate() {
            assert_eq!(wait_hours().await, 5, "{}: a proof is of no use", adapter.name);
            for _ in 0..2 {
                adapter.refund_worked(&format!("user-{n}"), &free).await;
            }
            assert!(wait_hours().await <= 4, "{}: a proof lets it pass", adapter.name);
            assert_eq!(adapter.sent(&worked).await, room, "{}: {n}", adapter.name);
        }
        let status = adapter.instances[0].look(&free).await.unwrap()[0];
        assert_eq!((status.remaining, status.raised_us / HOUR_US), (0, 4));
        // A message that is given back has lowered nothing else.
        adapter.instances[0].give_back(&worked).await.unwrap();
        assert_eq!(adapter.sent(&worked).await, 1, "{}", adapter.name);
        (adapter.advance)(TimeDelta::hours(12));
        assert_eq!(adapter.sent(&free).await, 3, "{}", adapter.name);
        assert_eq!(
            adapter.sent(&worked).await,
            4,
            "{}: as the rule has it",
            adapter.name
        );
    }
}

/// Where most type their codes a budget never empties, and where few do it does soon.
#[actix::test]
async fn who_types_codes_earns_more_than_it_spends() {
    for adapter in Adapter::all() {
        let (honest, pumped) = ([messages("honest", 5, 20)], [messages("pumped", 5, 20)]);
        for n in 0..60 {
            assert!(adapter.send(&honest).await, "{}: {n}", adapter.name);
            if n % 4 > 0 {
                adapter.refund(&format!("honest-{n}"), &honest).await;
            }
        }
        let mut sent = 0;
        for n in 0..200 {
            if adapter.send(&pumped).await {
                sent += 1;
                if n % 10 == 0 {
                    adapter.refund(&format!("pumped-{n}"), &pumped).await;
                }
            }
        }
        assert!((5..=8).contains(&sent), "{}: {sent}", adapter.name);
    }
}

const BUDGETS: &str = "[[rule]]\nid='asked'\non='otp.send'\nby='ip'\nquota=20\nper='1d'\n
    [[rule]]\nid='block'\non='otp.send'\nby='prefix:8'\ncounts='unverified'\nquota=2\nper='1d'\n
    [[rule]]\nid='world'\non='otp.send'\nby='global'\ncounts='messages'\nquota=9\nper='1d'\n
    [[rule]]\nid='watched'\non='otp.send'\nby='country'\ncounts='unverified'\nquota=1\nper='1d'\nmode='shadow'";

fn with_code() -> Subject {
    client_with_phone().with_channel(Channel::Sms)
}

/// As a Cluster has it: asked before, spent once a message goes out. Where all lie together the issuing script does both.
#[actix::test]
async fn the_limiter_asks_first_and_spends_for_a_message() {
    for adapter in Adapter::all() {
        let (counters, clock) = (Arc::clone(&adapter.instances[0]), Arc::new(clock()));
        let limiter = Limiter::start(
            &Supervision::default(),
            OPTIONS,
            rules(BUDGETS),
            Arc::clone(&counters),
            clock,
        );
        let subject = with_code();
        let refund = limiter.refund_for(&subject, true).unwrap();
        assert_eq!(refund.counters.len(), 2, "the block's and the country's");
        if limiter.attaches_refunds() {
            continue;
        }
        for _ in 0..3 {
            let decoy = limiter.admit(Operation::OtpSend, &subject).await.unwrap();
            let _decoy = limiter.spend_message(decoy, false).await.unwrap();
        }
        for n in 0..2 {
            let admission = limiter.admit(Operation::OtpSend, &subject).await.unwrap();
            assert_eq!(
                !admission.shadowed.is_empty(),
                n == 1,
                "a shadow that spends as well"
            );
            let _sent = limiter.spend_message(admission, true).await.unwrap();
        }
        let refused = refusal(limiter.admit(Operation::OtpSend, &subject).await);
        assert_eq!(&*refused.rule, "block");
        limiter.refund(&refund, false).await;
        let (one, other, decoy) = (
            limiter.admit(Operation::OtpSend, &subject).await.unwrap(),
            limiter.admit(Operation::OtpSend, &subject).await.unwrap(),
            limiter.admit(Operation::OtpSend, &subject).await.unwrap(),
        );
        let sent = limiter.spend_message(one, true).await.unwrap();
        for (late, goes_out) in [(other, true), (decoy, false)] {
            let Err(Denied::Refused(late)) = limiter.spend_message(late, goes_out).await else {
                panic!("both passed")
            };
            assert_eq!(
                &*late.rule, "block",
                "another was quicker; a decoy is refused alike"
            );
        }
        // The resend cooldown refused it: no message after all.
        limiter.give_back_cluster(sent).await;
        let admission = limiter.admit(Operation::OtpSend, &subject).await.unwrap();
        let _sent = limiter.spend_message(admission, true).await.unwrap();
        let left = |id: &str| {
            let (limiter, id) = (limiter.clone(), id.to_owned());
            let subject = subject.clone();
            async move {
                let explained = limiter.explain(Operation::OtpSend, &subject).await;
                let rule = explained.rules.into_iter().find(|rule| rule.rule == id);
                rule.unwrap().remaining.unwrap()
            }
        };
        assert_eq!((left("world").await, left("block").await), (6, 0));
        assert_eq!(left("asked").await, 14, "three decoys and three messages");
    }
}
