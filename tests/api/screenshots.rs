//! The pictures of `docs/admin.md`, as Chromium shows the console: `scripts/screenshots` takes them anew.

use serde_json::json;

use crate::{
    console::play,
    support::{Account, Backends, TestApp, eventually},
};

/// Gives an account names that nobody has.
async fn rename(app: &TestApp, account: &mut Account, first: &str, last: &str) {
    let email = format!("{}.{}@example.com", first.to_lowercase(), last.to_lowercase());
    app.sql(format!(
        "UPDATE users SET email = '{email}', email_key = '{email}', first_name = '{first}', last_name = '{last}' WHERE id = '{}'",
        account.id
    ))
    .await;
    account.email = email;
}

/// Half a day of sign-ups, in three countries.
async fn half_a_day(app: &TestApp) {
    let mut number = 0;
    for hour in [1, 1, 2, 4, 5, 7, 6, 4, 5, 3, 2, 1] {
        for _ in 0..hour {
            number += 1;
            let phone = match number % 4 {
                0 => format!("+336123456{number:02}"),
                1 => format!("+49151234567{number:02}"),
                _ => format!("+14155551{number:03}"),
            };
            match number % 5 {
                4 => drop(app.send(&app.register(&phone).await.phone, None).await),
                _ => drop(app.verified(&phone).await),
            }
        }
        app.pass(3600);
    }
}

/// Refusals from elsewhere, of the last minutes.
async fn refusals(app: &TestApp, user: &Account) {
    app.limit(
        "[[rule]]\nid='login-per-user-hour'\non='login'\nby='user'\nquota=3\nper='1h'\n\
         [[rule]]\nid='otp-send-per-network-hour'\non='otp.send'\nby='ip'\nquota=4\nper='1h'\nscope='instance'\n\
         [[rule]]\nid='otp-send-per-country-tight'\non='otp.send'\nby='country'\nquota=1\nper='1d'\nmode='shadow'\n",
    )
    .await;
    for minute in 0..2 {
        app.begin_minute();
        for n in 0..9 {
            let send = json!({ "phone": format!("+99291700{minute}{n:02}0") });
            app.post_from("203.0.113.7", "/api/users/send-phone-otp/", send, None)
                .await;
            let login = json!({ "email": user.email, "password": "not-the-otter-47" });
            app.post_from("198.51.100.20", "/api/users/login/", login, None)
                .await;
        }
        app.pass(61);
    }
}

#[actix_web::test]
#[ignore = "writes docs/images: `scripts/screenshots` runs it"]
async fn of_the_console() {
    let variables = [
        ("RINGBACK__OTP__RESEND_COOLDOWN", "1s"),
        ("RINGBACK__SERVER__TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let app = TestApp::start_with(Backends::Embedded, &variables).await;
    half_a_day(&app).await;
    let mut user = app.register("+14155550177").await;
    rename(&app, &mut user, "Mara", "Lindqvist").await;
    app.code(&user.phone, Some(&user.access)).await;
    refusals(&app, &user).await;
    let mut admin = app.administrator("admin", "+14155550199").await;
    rename(&app, &mut admin.account, "Nora", "Bergmann").await;
    let pause = json!({ "country": "TJ", "seconds": 86_400, "reason": "pumping" });
    app.administer(
        "POST",
        "/api/admin/limits/pause/",
        Some(pause),
        Some(&admin.access),
    )
    .await;
    app.pass(61);
    eventually("the refusals", async || {
        let limits = app
            .administer("GET", "/api/admin/limits/", None, Some(&admin.access))
            .await;
        (limits.body["refused"].as_array().unwrap().len() > 1).then_some(())
    })
    .await;
    play(&app, &admin, &user, "screenshots.mjs").await;
}
