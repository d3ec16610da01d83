//! Redis or PostgreSQL away or hanging: quick and honest answers, nothing lost, and recovery by itself.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{
    Answer, Backends, PASSWORD, Proxies, Proxy, TestApp, digits, eventually, registration, wrong,
};

const PHONE: &str = "+14152000001";
const OTHER_PHONE: &str = "+14152000002";
const REDIS_LIMIT: Duration = Duration::from_secs(1);
const DATABASE_LIMIT: Duration = Duration::from_secs(2);
const RECOVERY: Duration = Duration::from_secs(5);

/// The two ways for a server to be gone.
const AWAY: fn(&Proxy) = Proxy::go_away;
const HANGING: fn(&Proxy) = Proxy::hang;
/// In the key of a challenge's slot.
const SLOT: &str = "}:o:";

async fn timed(answer: impl Future<Output = Answer>) -> (Answer, Duration) {
    let began = Instant::now();
    (answer.await, began.elapsed())
}

/// A 503 that came in time and says when to come back.
#[track_caller]
fn assert_unavailable((answer, took): &(Answer, Duration), limit: Duration) {
    answer.is(503, "unavailable");
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{answer:?}");
    assert!(*took < limit, "{took:?}: {answer:?}");
}

/// Asks until the answer has this status, for as long as a recovery may take.
async fn recovers(status: u16, ask: impl AsyncFn() -> Answer) {
    let began = Instant::now();
    loop {
        let answer = ask().await;
        if answer.status == status {
            return;
        }
        assert!(began.elapsed() < RECOVERY, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A report of readiness may be a quarter of a second old.
async fn assert_alive_but_not_ready(app: &TestApp, down: &str) {
    assert_eq!(app.get("/healthz").await.status, 200);
    recovers(503, || app.get("/readyz")).await;
    let (ready, took) = timed(app.get("/readyz")).await;
    assert_eq!(
        (ready.status, &ready.body["down"]),
        (503, &json!([down])),
        "{ready:?}"
    );
    assert!(took < DATABASE_LIMIT, "{took:?}");
}

/// Support looks at an account just when something is wrong.
#[actix_web::test]
async fn an_accounts_page_is_there_while_redis_hangs() {
    let (app, proxies) = TestApp::start_behind_proxies(&[]).await;
    app.limit(include_str!("../../config/limits.toml")).await;
    let admin = app.administrator("admin", OTHER_PHONE).await;
    let path = format!("/api/admin/users/{}/", app.register(PHONE).await.id);
    let shown = app.administer("GET", &path, None, Some(&admin.access)).await;
    assert_eq!(
        (shown.status, &shown.body["limits"]),
        (200, &json!([])),
        "{shown:?}"
    );
    proxies.redis.hang();
    let (shown, took) = timed(app.administer("GET", &path, None, Some(&admin.access))).await;
    assert_eq!(
        (shown.status, &shown.body["limits"]),
        (200, &json!(null)),
        "{shown:?}"
    );
    assert!(took < 3 * REDIS_LIMIT, "{took:?}");
}

async fn without_redis(fail: fn(&Proxy)) {
    let (app, proxies) = TestApp::start_behind_proxies(&[]).await;
    let account = app.register(PHONE).await;
    let code = app.code(PHONE, None).await;
    assert_eq!(app.get("/readyz").await.status, 200);
    fail(&proxies.redis);
    let token = Some(account.access.as_str());
    assert_unavailable(&timed(app.send(OTHER_PHONE, None)).await, REDIS_LIMIT);
    assert_unavailable(&timed(app.send(PHONE, token)).await, REDIS_LIMIT);
    assert_unavailable(&timed(app.verify(PHONE, &code, None)).await, REDIS_LIMIT);
    assert_unavailable(&timed(app.verify(PHONE, &code, token)).await, REDIS_LIMIT);
    let (me, took) = timed(app.get_as("/api/users/me/", &account.access)).await;
    assert_eq!(me.status, 200, "{me:?}");
    assert!(took < REDIS_LIMIT, "{took:?}");
    let login = json!({ "email": account.email, "password": PASSWORD });
    assert_eq!(app.post("/api/users/login/", login).await.status, 200);
    assert_alive_but_not_ready(&app, "redis").await;
    proxies.redis.come_back();
    recovers(200, || app.get("/readyz")).await;
    // A phone that nothing was asked for meanwhile: what hung may be done late.
    app.register("+14152000003").await;
    recovers(200, || app.send("+14152000003", None)).await;
}

#[actix_web::test]
async fn without_redis_otp_routes_say_so_and_the_rest_goes_on() {
    without_redis(AWAY).await;
}

#[actix_web::test]
async fn with_a_hanging_redis_otp_routes_say_so_and_the_rest_goes_on() {
    without_redis(HANGING).await;
}

#[actix_web::test]
async fn a_hanging_redis_keeps_nobody_waiting_however_many_ask() {
    let (app, proxies) = TestApp::start_behind_proxies(&[]).await;
    app.register(PHONE).await;
    app.code(PHONE, None).await;
    // One who asks each 20 ms: what hangs is met by those who come before it is noticed, meanwhile, and after.
    let verify_at = async |delay: u64| {
        tokio::time::sleep(Duration::from_millis(delay)).await;
        timed(app.verify(PHONE, "000000", None)).await
    };
    // Every worker has a connection that will hang.
    join_all((0..20).map(|_| verify_at(0))).await;
    proxies.redis.hang();
    for answer in join_all((0..150).map(|index| verify_at(index * 20))).await {
        assert_unavailable(&answer, REDIS_LIMIT);
    }
}

#[actix_web::test]
async fn a_service_starts_without_redis_and_serves_what_it_can() {
    let app = TestApp::start_with(Backends::Servers, &[("REDIS_URL", "redis://127.0.0.1:1")]).await;
    let account = app.register(PHONE).await;
    assert_unavailable(&timed(app.send(PHONE, None)).await, REDIS_LIMIT);
    assert!(!app.is_verified(&account).await);
    assert_alive_but_not_ready(&app, "redis").await;
}

#[actix_web::test]
async fn what_cannot_be_counted_is_not_allowed() {
    let (app, proxies) = TestApp::start_behind_proxies(&[]).await;
    let account = app.register(PHONE).await;
    app.limit(
        "[[rule]]\nid = 'login-all'\non = 'login'\nby = 'global'\nquota = 100\nper = '1h'\nscope = 'cluster'\n\
         [[rule]]\nid = 'me-all'\non = 'me'\nby = 'global'\nquota = 100\nper = '1h'\nscope = 'instance'\n",
    )
    .await;
    proxies.redis.hang();
    let login = json!({ "email": account.email, "password": PASSWORD });
    assert_unavailable(&timed(app.post("/api/users/login/", login)).await, REDIS_LIMIT);
    assert!(!app.is_verified(&account).await);
}

async fn without_a_database(fail: fn(&Proxy)) {
    let (app, proxies) = TestApp::start_behind_proxies(&[]).await;
    let account = app.register(PHONE).await;
    let code = app.code(PHONE, None).await;
    fail(&proxies.database);
    let post = async |path: &str, body| timed(app.post(path, body)).await;
    let login = json!({ "email": account.email, "password": PASSWORD });
    let answers = [
        timed(app.get_as("/api/users/me/", &account.access)).await,
        timed(app.send(OTHER_PHONE, None)).await,
        post(
            "/api/users/register/",
            registration("new@example.com", OTHER_PHONE),
        )
        .await,
        post("/api/users/login/", login).await,
        post("/api/users/token/refresh/", json!({ "refresh": account.refresh })).await,
        timed(app.verify(PHONE, &code, None)).await,
        timed(app.verify(PHONE, &code, Some(&account.access))).await,
    ];
    for answer in &answers {
        assert_unavailable(answer, DATABASE_LIMIT);
    }
    app.verify(PHONE, &wrong(&code), None)
        .await
        .is(400, "otp_invalid");
    assert_alive_but_not_ready(&app, "database").await;
    assert_eq!(app.get("/.well-known/jwks.json").await.status, 200);
    proxies.database.come_back();
    recovers(200, || app.verify(PHONE, &code, None)).await;
    assert!(app.is_verified(&account).await);
    recovers(200, || app.get("/readyz")).await;
}

#[actix_web::test]
async fn a_right_code_that_meets_no_database_is_good_when_it_is_back() {
    without_a_database(AWAY).await;
}

#[actix_web::test]
async fn a_right_code_that_meets_a_hanging_database_is_good_when_it_is_back() {
    without_a_database(HANGING).await;
}

#[actix_web::test]
async fn a_right_code_whose_effect_nobody_heard_of_is_answered_200_the_next_time() {
    let (app, proxies) = TestApp::start_behind_proxies(&[]).await;
    let account = app.register(PHONE).await;
    let code = app.code(PHONE, None).await;
    // It is said next where the statement that marks it is run.
    proxies.database.mute_at(PHONE);
    assert_unavailable(&timed(app.verify(PHONE, &code, None)).await, DATABASE_LIMIT);
    proxies.database.come_back();
    let verified = format!(
        "SELECT CAST(phone_verified AS text) FROM users WHERE id = '{}'",
        account.id
    );
    assert_eq!(app.sql_text(verified).await, "true", "PostgreSQL did it, unheard");
    recovers(200, || app.verify(PHONE, &code, None)).await;
    assert!(app.is_verified(&account).await);
    app.verify(PHONE, &code, None).await.is(400, "otp_expired");
}

#[actix_web::test]
async fn a_right_code_that_redis_judged_unheard_is_made_good_again() {
    let (app, proxies) = TestApp::start_behind_proxies(&[]).await;
    let account = app.register(PHONE).await;
    let code = app.code(PHONE, None).await;
    // Redis knows the scripts.
    app.verify(OTHER_PHONE, "000000", None)
        .await
        .is(400, "otp_expired");
    proxies.redis.mute_at(SLOT);
    assert_unavailable(&timed(app.verify(PHONE, &code, None)).await, REDIS_LIMIT);
    proxies.redis.come_back();
    recovers(200, || app.verify(PHONE, &code, None)).await;
    assert!(app.is_verified(&account).await);
    app.verify(PHONE, &code, None).await.is(400, "otp_expired");
    // And one that was typed with the id of its challenge alone.
    app.own_phone(&account).await;
    let sign_in = app.code_to_sign_in(PHONE).await;
    app.login_by_code(&sign_in.id, &wrong(&sign_in.code))
        .await
        .is(400, "otp_invalid");
    proxies.redis.mute_at(SLOT);
    let answer = timed(app.login_by_code(&sign_in.id, &sign_in.code)).await;
    assert_unavailable(&answer, REDIS_LIMIT);
    proxies.redis.come_back();
    recovers(200, || app.login_by_code(&sign_in.id, &sign_in.code)).await;
    app.login_by_code(&sign_in.id, &sign_in.code)
        .await
        .is(400, "otp_expired");
}

#[actix_web::test]
async fn an_sms_whose_code_redis_issued_unheard_waits_for_no_lease() {
    let (app, proxies) = TestApp::start_behind_proxies(&[]).await;
    for phone in [PHONE, OTHER_PHONE] {
        app.register(phone).await;
    }
    app.code(OTHER_PHONE, None).await;
    proxies.redis.mute_at(SLOT);
    assert_unavailable(&timed(app.send(PHONE, None)).await, REDIS_LIMIT);
    proxies.redis.come_back();
    let code = eventually("the SMS", async || app.messages_to(PHONE).await.pop()).await;
    recovers(200, || app.verify(PHONE, &code, None)).await;
}

#[actix_web::test]
async fn a_hanging_database_keeps_nobody_waiting_however_many_ask() {
    let (app, proxies) = TestApp::start_behind_proxies(&[]).await;
    let account = app.register(PHONE).await;
    proxies.database.hang();
    // One who asks each 15 ms, as above.
    let me_at = async |delay: u64| {
        tokio::time::sleep(Duration::from_millis(delay)).await;
        timed(app.get_as("/api/users/me/", &account.access)).await
    };
    for answer in join_all((0..200).map(|index| me_at(index * 15))).await {
        assert_unavailable(&answer, DATABASE_LIMIT);
    }
    proxies.database.come_back();
    recovers(200, || app.get_as("/api/users/me/", &account.access)).await;
}

/// A restart of a server while nobody asks for anything: whoever comes afterwards must not be the one to find out.
#[actix_web::test]
async fn an_outage_that_nobody_met_costs_nobody_an_answer() {
    let (app, proxies) = TestApp::start_behind_proxies(&[]).await;
    let send = async |number: usize| app.send(&format!("+1415200{number:04}"), None).await;
    // Connections on every thread.
    for answer in join_all((0..60).map(&send)).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    // The dispatcher has used its own as well.
    app.verified("+14152009000").await;
    for server in [&proxies.redis, &proxies.database] {
        server.go_away();
        eventually("the end of all connections", async || {
            (server.connections() == 0).then_some(())
        })
        .await;
        server.come_back();
    }
    // What is promised is a time: nobody asks meanwhile, not even whether it is over.
    tokio::time::sleep(RECOVERY).await;
    for answer in join_all((60..120).map(&send)).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// Servers that fail a while, again and again, while clients go on.
#[actix_web::test]
async fn short_outages_in_a_row_leave_nothing_broken() {
    let (app, proxies) = TestApp::start_behind_proxies(&[]).await;
    let Proxies { database, redis, .. } = &proxies;
    for (round, fail) in [AWAY, HANGING, AWAY, HANGING].into_iter().enumerate() {
        let phone = format!("+1415200{round:04}");
        // A connection that was used the moment before it broke is lent without a question.
        recovers(401, || app.login("nobody@example.com", PASSWORD)).await;
        let account = app.register(&phone).await;
        app.code(&phone, None).await;
        for server in [redis, database] {
            fail(server);
            for (answer, _) in join_all((0..30).map(|_| timed(app.verify(&phone, "000000", None)))).await {
                assert!([503, 400, 429].contains(&answer.status), "{answer:?}");
            }
            server.come_back();
        }
        app.pass(600);
        let before = app.messages().await.len();
        recovers(200, || app.send(&phone, None)).await;
        let (_, body) = eventually("an SMS", async || app.messages().await.get(before).cloned()).await;
        let code = digits(&body);
        recovers(200, || app.verify(&phone, &code, None)).await;
        assert!(app.is_verified(&account).await);
    }
}
