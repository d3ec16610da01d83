//! What real people, their keyboards and their address books send: each spelling is one number, one address, one code.

use serde_json::{Value, json};

use crate::support::{Backends, PASSWORD, TestApp, digits, on_both, registration, wrong};

const REGISTER: &str = "/api/users/register/";
const LOGIN: &str = "/api/users/login/";

/// A service that takes numbers which their country has assigned.
async fn strict(backends: Backends) -> TestApp {
    TestApp::start_with(backends, &[("RINGBACK__PHONE__CHECK", "valid")]).await
}

/// The digits of `text` in the script whose zero is given.
fn in_script(text: &str, zero: char) -> String {
    let digit = |character: char| {
        let value = character.to_digit(10)?;
        char::from_u32(u32::from(zero) + value)
    };
    text.chars()
        .map(|character| digit(character).unwrap_or(character))
        .collect()
}

#[actix_web::test]
async fn a_number_in_the_spelling_of_yesterday_is_the_number_of_today() {
    for backends in [Backends::Embedded, Backends::Servers] {
        let app = strict(backends).await;
        let account = app.register("+52 1 55 1234 5678").await;
        assert_eq!(account.phone, "+525512345678");
        let code = app.code("+52 55 1234 5678", None).await;
        for spelling in ["+5215512345678", "+52 044 55 1234 5678", "+५२ १ ५५१२३४५६७८"]
        {
            app.send(spelling, None).await.is(429, "resend_cooldown");
        }
        let answer = app.verify("+52 1 55 1234 5678", &code, None).await;
        assert_eq!(
            (answer.status, answer.text("phone")),
            (200, "+525512345678"),
            "{answer:?}"
        );
        let login = app
            .post(
                LOGIN,
                json!({ "phone": "+52 1 55 1234 5678", "password": PASSWORD }),
            )
            .await;
        assert_eq!(login.body["user"]["id"], json!(account.id), "{login:?}");
        let argentine = app.register("+54 11 15 2345 6789").await;
        assert_eq!(argentine.phone, "+5491123456789");
        app.code("+54 9 11 15 2345-6789", None).await;
        app.send("+54 9 11 2345-6789", None)
            .await
            .is(429, "resend_cooldown");
    }
}

/// One of each kind that has no code unless it is allowed: premium rate, personal, pager, toll-free, shared cost, a
/// company's number, voicemail, a landline, satellites, and networks of no country.
const OTHER_KINDS: [&str; 14] = [
    "+19002345678",
    "+979123456789",
    "+447012345678",
    "+878101234567890",
    "+447640123456",
    "+18002345678",
    "+80012345678",
    "+611300123456",
    "+445512345678",
    "+41860123456789",
    "+442079460958",
    "+870773111632",
    "+881612345678",
    "+882161234567",
];

#[actix_web::test]
async fn numbers_that_no_sms_reaches_or_that_earn_money_have_no_codes() {
    let app = strict(Backends::Embedded).await;
    for phone in OTHER_KINDS {
        let before = app.send(phone, None).await;
        let account = app.register(phone).await;
        for answer in [
            before,
            app.send(phone, None).await,
            app.send(phone, Some(&account.access)).await,
        ] {
            answer.is(400, "phone_not_supported");
            assert_eq!(
                answer.body["errors"]["phone"].as_array().map(Vec::len),
                Some(1),
                "{answer:?}"
            );
        }
    }
    for phone in ["+447418000001", "+14152000001", "+17872345678", "+445612345678"] {
        assert_eq!(app.send(phone, None).await.status, 200, "{phone}");
    }
    assert_eq!(app.messages().await.len(), 0);
    let kinds = app
        .metric("ringback_otp_not_supported_total", &["by=\"kind\""])
        .await;
    assert!(kinds >= 42.0, "{kinds}");
}

#[actix_web::test]
async fn kinds_that_are_allowed_have_codes() {
    let variables = |kinds| {
        [
            ("RINGBACK__PHONE__CHECK", "valid"),
            ("RINGBACK__PHONE__KINDS_ALLOW", kinds),
        ]
    };
    let all = TestApp::start_with(Backends::Embedded, &variables("*")).await;
    for phone in OTHER_KINDS {
        assert_eq!(all.send(phone, None).await.status, 200, "{phone}");
    }
    let some = TestApp::start_with(Backends::Embedded, &variables("fixed_line,satellite")).await;
    for phone in ["+442079460958", "+881612345678"] {
        assert_eq!(some.send(phone, None).await.status, 200, "{phone}");
    }
    some.send("+447418000001", None)
        .await
        .is(400, "phone_not_supported");
    // Where shapes alone are looked at, nobody knows kinds.
    let shapes = TestApp::start(Backends::Embedded).await;
    assert_eq!(shapes.send("+19002345678", None).await.status, 200);
}

on_both! {
    async fn each_spelling_of_a_phone_is_passed_over_alike(app) {
        let account = app.register("+447418000001").await;
        app.code("+447418000001", None).await;
        let mut spellings = vec!["＋４４（７４１８）００００－０１".to_owned(), "(+44) 7418.000.001".to_owned(),
                                 "+44~7418/000001".to_owned()];
        for zero in ['\u{E50}', '\u{9E6}', '\u{1040}', '\u{17E0}', '\u{FF10}', '\u{1D7CE}', '\u{660}'] {
            spellings.push(in_script("+44 7418 000001", zero));
        }
        for mark in ['\u{AD}', '\u{34F}', '\u{61C}', '\u{180E}', '\u{200B}', '\u{200D}', '\u{200E}', '\u{202D}', '\u{2060}',
                     '\u{2068}', '\u{FE0F}', '\u{FEFF}'] {
            spellings.push(format!("{mark}+44{mark}7418{mark}000001{mark}"));
        }
        for spelling in spellings {
            app.send(&spelling, None).await.is(429, "resend_cooldown");
            let again = app.register(&spelling).await;
            assert_eq!(again.phone, account.phone, "{spelling:?}");
        }
    }

    async fn a_code_is_typed_as_people_type_it(app) {
        for (nonce, typed) in ["123 456", "123-456", " 12 34 56 ", "123\u{A0}456", "123–456", "\u{200B}123456\u{FEFF}"].iter().enumerate() {
            let phone = format!("+1415200{nonce:04}");
            app.register(&phone).await;
            let code = app.code(&phone, None).await;
            let typed = fill(typed, &code);
            assert_eq!(app.verify(&phone, &typed, None).await.status, 200, "{typed:?}");
        }
        for (nonce, zero) in ['\u{660}', '\u{6F0}', '\u{966}', '\u{E50}', '\u{FF10}', '\u{1D7D8}'].into_iter().enumerate() {
            let phone = format!("+1415201{nonce:04}");
            app.register(&phone).await;
            let code = app.code(&phone, None).await;
            let answer = app.verify(&phone, &in_script(&wrong(&code), zero), None).await;
            assert_eq!(answer.body["attempts_remaining"], 2, "a wrong code in any script: {answer:?}");
            for no_code in ["12345", "123.456", "-123456", "G-123456", "①②③④⑤⑥"] {
                assert_eq!(app.verify(&phone, no_code, None).await.faulty_fields(), ["otp"], "{no_code}");
            }
            assert_eq!(app.verify(&phone, &in_script(&code, zero), None).await.status, 200, "{zero}");
        }
    }

    async fn an_address_is_one_however_its_domain_is_written(app) {
        let first = app.post(REGISTER, registration("a@Bücher.example", "+14152000001")).await;
        assert_eq!((first.status, &first.body["user"]["email"]), (201, &json!("a@Bücher.example")));
        for spelling in ["a@xn--bcher-kva.example", "A@BÜCHER.EXAMPLE", "a@bu\u{308}cher.example", "a@bücher。example"] {
            app.post(REGISTER, registration(spelling, "+14152000002")).await.is(409, "email_taken");
            let login = app.post(LOGIN, json!({ "email": spelling, "password": PASSWORD })).await;
            assert_eq!(login.body["user"]["id"], first.body["user"]["id"], "{spelling}");
        }
        assert_eq!(app.post(REGISTER, registration("jane@example.com", "+14152000003")).await.status, 201);
        for character in ['\u{FE0F}', '\u{34F}', '\u{3164}', '\u{FFA0}', '\u{2061}', '\u{E0061}', '\u{2800}'] {
            for email in [format!("ja{character}ne@example.com"), format!("jane@exam{character}ple.com")] {
                let answer = app.post(REGISTER, registration(&email, "+14152000003")).await;
                assert_eq!(answer.faulty_fields(), ["email"], "{email:?}");
            }
        }
        let long = format!("{}@example.com", "é".repeat(33));
        assert_eq!(app.post(REGISTER, registration(&long, "+14152000003")).await.faulty_fields(), ["email"]);
    }

    async fn a_name_can_be_seen_and_turns_nothing(app) {
        for name in ["\u{200B}", "\u{2060}", "\u{3164}", "\u{FE0F}", "\u{AD}", "\u{2800}", "Alice\u{202E}eviL", "A\u{2028}B",
                     "A\u{2029}B", "A\u{2066}B", "A\u{2069}B", "A\u{E000}B", "A\u{200B}B"] {
            for field in ["first_name", "last_name"] {
                let mut body = registration("spoof@example.com", "+14152000001");
                body[field] = json!(name);
                assert_eq!(app.post(REGISTER, body).await.faulty_fields(), [field], "{name:?}");
            }
        }
        for (nonce, name) in ["علی\u{200C}رضا", "ශ්\u{200D}රී", "葛\u{E0100}城", "王"].iter().enumerate() {
            let mut body = registration(&format!("n{nonce}@example.com"), "+14152000001");
            body["first_name"] = json!(name);
            let answer = app.post(REGISTER, body).await;
            assert_eq!((answer.status, &answer.body["user"]["first_name"]), (201, &json!(name)));
        }
    }

    async fn one_name_is_enough(app) {
        let bodies = [Some(Value::Null), Some(json!("")), Some(json!(" ")), None];
        for (nonce, last_name) in bodies.into_iter().enumerate() {
            let email = format!("sukarno{nonce}@example.com");
            let mut body = registration(&email, "+14152000001");
            match last_name {
                Some(value) => body["last_name"] = value,
                None => drop(body.as_object_mut().unwrap().remove("last_name")),
            }
            let answer = app.post(REGISTER, body).await;
            assert_eq!((answer.status, &answer.body["user"]["last_name"]), (201, &json!("")), "{answer:?}");
            let login = app.post(LOGIN, json!({ "email": email, "password": PASSWORD })).await;
            assert_eq!(login.body["user"], answer.body["user"]);
        }
    }

    async fn a_password_shows_more_than_one_character(app) {
        for password in [" ".repeat(8), "\u{200B}".repeat(8), "\u{3164} \u{FE0F} \u{2060} \u{AD} ".to_owned(), "zzzzzzzz".to_owned(),
                         "ZzZzZzZz".to_owned(), "z z z z z".to_owned()] {
            let mut body = registration("blank@example.com", "+14152000001");
            body["password"] = json!(password);
            body["password_confirm"] = json!(password);
            let answer = app.post(REGISTER, body).await;
            assert_eq!(answer.faulty_fields(), ["password"], "{password:?}");
            assert_eq!(answer.body["errors"]["password"].as_array().map(Vec::len), Some(1));
        }
    }
}

/// `pattern` with its digits, from the first, replaced by those of `code`.
fn fill(pattern: &str, code: &str) -> String {
    let code = digits(code);
    let mut code = code.chars();
    let fill = |character: char| {
        if character.is_ascii_digit() {
            code.next().unwrap_or(character)
        } else {
            character
        }
    };
    pattern.chars().map(fill).collect()
}
