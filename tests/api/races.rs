//! What many do at once, over three instances: the counts hold all the same.

use futures_util::{StreamExt, future::join_all, stream};
use serde_json::json;

use crate::support::{Account, Answer, Backends, TestApp, registration, wrong};

/// Requests in flight, on all instances together.
const AT_ONCE: usize = 200;
const PHONE: &str = "+14152000001";

/// Instances of one service: three on real servers; in process there is only one.
pub struct Fleet(pub Vec<TestApp>);

impl Fleet {
    pub async fn start(backends: Backends) -> Self {
        let first = TestApp::start(backends).await;
        let mut all = Vec::new();
        if backends == Backends::Servers {
            all.extend([first.sibling().await, first.sibling().await]);
        }
        all.push(first);
        Self(all)
    }

    pub fn first(&self) -> &TestApp {
        &self.0[0]
    }

    /// Does the same `count` times, in turn on each instance, and as much of it at once as a debug build on a busy
    /// machine answers within Redis's time-out.
    pub async fn at_once(&self, count: usize, act: impl AsyncFn(&TestApp, usize) -> Answer) -> Vec<Answer> {
        let act = &act;
        let requests = stream::iter(0..count).map(|index| act(&self.0[index % self.0.len()], index));
        requests.buffered(AT_ONCE).collect().await
    }
}

/// How many answers have this status and, for a problem, this code.
pub fn count(answers: &[Answer], status: u16, code: Option<&str>) -> usize {
    let matches =
        |answer: &&Answer| answer.status == status && code.is_none_or(|code| answer.body["code"] == code);
    answers.iter().filter(matches).count()
}

#[track_caller]
pub fn assert_counts(answers: &[Answer], expected: &[(usize, u16, Option<&str>)]) {
    for &(number, status, code) in expected {
        let counted = count(answers, status, code);
        let odd = answers.iter().find(|answer| {
            !expected
                .iter()
                .any(|(_, status, code)| count(std::slice::from_ref(answer), *status, *code) == 1)
        });
        assert_eq!(counted, number, "{status} {code:?}; an odd one: {odd:?}");
    }
    let total: usize = expected.iter().map(|(number, ..)| number).sum();
    assert_eq!(total, answers.len());
}

/// A test for both backends.
macro_rules! at_once {
    ($(async fn $name:ident($fleet:ident) $body:block)*) => {
        mod suite {
            use super::*;
            $(pub async fn $name($fleet: Fleet) $body)*
        }
        mod embedded {
            $(#[actix_web::test] async fn $name() {
                super::suite::$name(super::Fleet::start(super::Backends::Embedded).await).await;
            })*
        }
        mod servers {
            $(#[actix_web::test] async fn $name() {
                super::suite::$name(super::Fleet::start(super::Backends::Servers).await).await;
            })*
        }
    };
}
pub(crate) use at_once;

at_once! {
    async fn of_a_thousand_wrong_codes_three_are_judged(fleet) {
        let account = fleet.first().register(PHONE).await;
        let code = fleet.first().code(PHONE, None).await;
        let guess = wrong(&code);
        let answers = fleet.at_once(1000, async |app, _| app.verify(PHONE, &guess, None).await).await;
        assert_counts(&answers, &[(2, 400, Some("otp_invalid")), (998, 400, Some("otp_attempts_exceeded"))]);
        let mut left: Vec<_> = answers.iter().filter_map(|answer| answer.body["attempts_remaining"].as_u64()).collect();
        left.sort_unstable();
        assert_eq!(left, [1, 2]);
        for app in &fleet.0 {
            app.verify(PHONE, &code, None).await.is(400, "otp_attempts_exceeded");
        }
        assert!(!fleet.first().is_verified(&account).await);
    }

    async fn of_a_thousand_guesses_with_and_without_the_id_three_are_judged(fleet) {
        let account = fleet.first().register(PHONE).await;
        let sent = fleet.first().send(PHONE, Some(&account.access)).await;
        let id = sent.text("challenge_id");
        let guess = async |app: &TestApp, index: usize| {
            let otp = format!("{index:06}");
            match index % 2 {
                0 => app.verify(PHONE, &otp, Some(&account.access)).await,
                _ => app.verify_by_id(PHONE, &otp, id, Some(&account.access)).await,
            }
        };
        let answers = fleet.at_once(1000, guess).await;
        // One of the thousand may have been the right code: then it is used, which costs less than three.
        if count(&answers, 200, None) == 0 {
            assert_counts(&answers, &[(2, 400, Some("otp_invalid")), (998, 400, Some("otp_attempts_exceeded"))]);
        }
    }

    async fn of_two_hundred_right_codes_one_succeeds(fleet) {
        let account = fleet.first().register(PHONE).await;
        let code = fleet.first().code(PHONE, None).await;
        let answers = fleet.at_once(200, async |app, _| app.verify(PHONE, &code, None).await).await;
        assert_counts(&answers, &[(1, 200, None), (199, 400, Some("otp_expired"))]);
        assert!(fleet.first().is_verified(&account).await);
    }

    async fn right_and_wrong_codes_at_once_are_three_judgements_at_most(fleet) {
        fleet.first().register(PHONE).await;
        let code = fleet.first().code(PHONE, None).await;
        let guess = wrong(&code);
        let answers = fleet.at_once(300, async |app, index| {
            app.verify(PHONE, if index % 10 == 0 { &code } else { &guess }, None).await
        });
        let answers = answers.await;
        let (right, wrong) = (count(&answers, 200, None), count(&answers, 400, Some("otp_invalid")));
        assert!(right <= 1 && wrong <= 2, "{right} {wrong}");
        let over = match right {
            1 => "otp_expired",
            _ => "otp_attempts_exceeded",
        };
        assert_eq!(right + wrong + count(&answers, 400, Some(over)), 300);
    }

    async fn of_a_hundred_sends_one_goes_out(fleet) {
        let app = fleet.first();
        app.register(PHONE).await;
        let answers = fleet.at_once(100, async |app, _| app.send(PHONE, None).await).await;
        assert_counts(&answers, &[(1, 200, None), (99, 429, Some("resend_cooldown"))]);
        assert_eq!(app.numbers().await, [PHONE]);
    }

    async fn a_hundred_sends_by_many_users_ring_a_phone_once_for_each_and_once_for_strangers(fleet) {
        let app = fleet.first();
        let accounts = join_all((0..5).map(|_| app.register(PHONE))).await;
        let answers = fleet.at_once(100, async |app, index| {
            app.send(PHONE, accounts.get(index % 6).map(|account| account.access.as_str())).await
        });
        assert_counts(&answers.await, &[(6, 200, None), (94, 429, Some("resend_cooldown"))]);
        assert_eq!(app.numbers().await, [PHONE; 6]);
    }

    async fn wrong_codes_at_once_add_up_to_the_lock_and_no_further(fleet) {
        let app = fleet.first();
        app.register(PHONE).await;
        for judged in [3, 3, 3, 1] {
            let code = app.code(PHONE, None).await;
            let guess = wrong(&code);
            let answers = fleet.at_once(60, async |app, _| app.verify(PHONE, &guess, None).await).await;
            let invalid = if judged == 3 { 2 } else { 1 };
            assert_eq!(count(&answers, 400, Some("otp_invalid")), invalid);
            let rest = if judged == 3 { (400, "otp_attempts_exceeded") } else { (429, "rate_limited") };
            assert_eq!(count(&answers, rest.0, Some(rest.1)), 60 - invalid);
            app.pass(60);
        }
    }

    async fn of_fifty_registrations_of_one_address_one_is_made(fleet) {
        let answers = fleet.at_once(50, async |app, index| {
            let email = if index % 2 == 0 { "Race@example.com" } else { "race@EXAMPLE.com" };
            app.post("/api/users/register/", registration(email, &format!("+1415200{index:04}"))).await
        });
        assert_counts(&answers.await, &[(1, 201, None), (49, 409, Some("email_taken"))]);
    }

    async fn of_many_accounts_that_prove_one_phone_at_once_one_has_it(fleet) {
        let app = fleet.first();
        for round in 0..5 {
            let phone = format!("+1415200{round:04}");
            let mut codes: Vec<(Account, String)> = Vec::new();
            for _ in 0..4 {
                let account = app.register(&phone).await;
                let code = app.code(&phone, Some(&account.access)).await;
                app.pass(60);
                codes.push((account, code));
            }
            let answers = fleet.at_once(codes.len(), async |app, index| {
                let (account, code) = &codes[index];
                app.verify(&phone, code, Some(&account.access)).await
            });
            let answers = answers.await;
            assert_counts(&answers, &[(1, 200, None), (3, 409, Some("phone_taken"))]);
            for ((account, _), answer) in codes.iter().zip(&answers) {
                assert_eq!(app.is_verified(account).await, answer.status == 200);
            }
        }
    }

    async fn of_twenty_uses_of_a_refresh_token_all_get_the_same_next_one(fleet) {
        let account = fleet.first().register(PHONE).await;
        let answers = fleet.at_once(20, async |app, _| {
            app.post("/api/users/token/refresh/", json!({ "refresh": account.refresh })).await
        });
        // The grace for a lost answer: one rotation, told to all who ask within it.
        let mut next: Vec<_> = answers.await.iter().map(|answer| {
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.body["tokens"]["refresh"].as_str().unwrap().to_owned()
        }).collect();
        next.dedup();
        assert_eq!(next.len(), 1);
    }
}
