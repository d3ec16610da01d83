//! Requests that are not what the service asks for: each is told what is wrong with it, none has an effect.

use serde_json::{Value, json};

use crate::support::{Answer, TestApp, Wire, digits, exchange, on_both, registration};

/// Every route that takes a body, and a body that it would take.
fn takers() -> [(&'static str, Value); 5] {
    [
        (
            "/api/users/register/",
            registration("taker@example.com", "+14152000001"),
        ),
        (
            "/api/users/login/",
            json!({ "email": "taker@example.com", "password": "securepass123" }),
        ),
        ("/api/users/send-phone-otp/", json!({ "phone": "+14152000001" })),
        (
            "/api/users/verify-phone-otp/",
            json!({ "phone": "+14152000001", "otp": "123456" }),
        ),
        ("/api/users/token/refresh/", json!({ "refresh": "nothing" })),
    ]
}

async fn post_bytes(app: &TestApp, path: &str, media_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    let request = app.request("POST", path).header("content-type", media_type);
    Answer::of(request.body(body.into())).await
}

/// `body` with one field more, as text.
fn with_field(body: &Value, field: &str) -> String {
    body.to_string().replacen('{', &format!("{{{field},"), 1)
}

on_both! {
    async fn what_is_wrong_with_a_body_is_told_to_whoever_is_signed_in_alone(app) {
        for (method, path) in [
            ("PATCH", "me"), ("DELETE", "me"), ("POST", "password/change"), ("POST", "phone/change"), ("POST", "phone/change/verify"),
            ("POST", "email/change"), ("POST", "email/change/verify"),
        ] {
            let path = format!("/api/users/{path}/");
            app.call(method, &path, None, None).await.is(401, "not_authenticated");
            let broken = app.request(method, &path).header("content-type", "application/json").body("{");
            Answer::of(broken).await.is(401, "not_authenticated");
        }
    }

    async fn what_is_no_json_object_is_malformed(app) {
        let before = app.effects().await;
        for (path, good) in takers() {
            let text = good.to_string();
            let mut bad: Vec<Vec<u8>> = [
                "", " ", "null", "true", "1", "\"text\"", "[]", "{", "}", "{]", "{}x", "{}{}", "{,}", "{'a':1}",
                "{a:1}", "{\"a\":1,}", "{\"a\":NaN}", "{\"a\":\"\u{1}\"}", "{\"a\" 1}", "{\"a\":01}", "//\n{}",
                "{\"phone\":\"\\ud800\",\"email\":\"\\ud800\",\"refresh\":\"\\ud800\"}",
            ]
            .map(|text| text.as_bytes().to_vec())
            .into();
            bad.push(format!("[{text}]").into());
            bad.push(format!("{text},").into());
            bad.push(text[..text.len() - 1].into());
            let first = good.as_object().unwrap().keys().next().unwrap();
            bad.push(with_field(&good, &format!("\"{first}\":\"twice\"")).into());
            bad.push(with_field(&good, &format!("\"{first}\":null")).into());
            for depth in [33, 200, 7_000] {
                let nested = format!("\"deep\":{}{}", "[".repeat(depth), "]".repeat(depth));
                bad.push(with_field(&good, &nested).into());
                let nested = format!("\"deep\":{}1{}", "{\"a\":".repeat(depth / 5), "}".repeat(depth / 5));
                if depth > 200 {
                    bad.push(with_field(&good, &nested).into());
                }
            }
            for broken in [&b"\xff"[..], b"\xc3\x28", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80"] {
                let value = [b"{\"new\":\"", broken, b"\",", &text.as_bytes()[1..]].concat();
                let name = [b"{\"", broken, b"\":1,", &text.as_bytes()[1..]].concat();
                bad.extend([value, name]);
            }
            for body in bad {
                let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
                let answer = post_bytes(&app, path, "application/json", body).await;
                assert_eq!((answer.status, answer.code()), (400, "malformed_json"), "{path} {shown}");
            }
        }
        assert_eq!(app.effects().await, before);
    }

    async fn each_field_that_is_missing_null_or_mistyped_is_named(app) {
        let before = app.effects().await;
        for (path, good) in takers() {
            let optional_login = path.contains("login");
            // One name is enough.
            let fields = good.as_object().unwrap().keys().filter(|field| *field != "last_name");
            let fields: Vec<String> = fields.cloned().collect();
            for field in fields.iter().filter(|field| !(optional_login && *field == "email")) {
                let mut body = good.clone();
                body.as_object_mut().unwrap().remove(field);
                assert_eq!(app.post(path, body.clone()).await.faulty_fields(), [field], "{path} without {field}");
                for value in [json!(null), json!(true), json!(0), json!(-1.5), json!(123456), json!([]), json!({}),
                              json!(["+14152000001"]), json!({ "$gt": "" }), json!(u64::MAX)] {
                    body[field] = value;
                    assert_eq!(app.post(path, body.clone()).await.faulty_fields(), [field], "{path}: {body}");
                }
            }
            let all = app.post(path, json!({})).await;
            assert_eq!(all.faulty_fields(), fields.iter().collect::<Vec<_>>(), "{path}");
        }
        assert_eq!(app.effects().await, before);
    }

    async fn unknown_and_read_only_fields_change_nothing(app) {
        let mut body = registration("curious@example.com", "+14152000001");
        for (field, value) in [
            ("id", json!("00000000-0000-4000-8000-000000000000")), ("phone_verified", json!(true)),
            ("email_verified", json!(true)), ("created_at", json!("2000-01-01T00:00:00Z")),
            ("updated_at", json!("2000-01-01T00:00:00Z")), ("locked_at", json!(null)), ("is_staff", json!(true)),
            ("password_hash", json!("x")), ("nested", json!({ "a": [[[{ "b": "\u{0}" }]]] })), ("", json!(1)),
        ] {
            body[field] = value;
        }
        let answer = app.post("/api/users/register/", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let user = &answer.body["user"];
        assert_eq!((&user["phone_verified"], &user["email_verified"]), (&json!(false), &json!(false)));
        assert_ne!(user["id"], "00000000-0000-4000-8000-000000000000");
        for field in ["created_at", "updated_at"] {
            let time = chrono::DateTime::parse_from_rfc3339(user[field].as_str().unwrap()).unwrap();
            assert!(time.timestamp() > 1_700_000_000 && user[field].as_str().unwrap().ends_with('Z'), "{user}");
        }
        let token = answer.body["tokens"]["access"].as_str().unwrap();
        let me = app.get_as("/api/users/me/", token).await;
        assert_eq!(me.body, *user);
        let mut fields: Vec<_> = user.as_object().unwrap().keys().map(String::as_str).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["created_at", "email", "email_verified", "first_name", "id", "last_name", "phone",
                            "phone_verified", "updated_at"]);
        let body = json!({ "phone": "+14152000001", "phone_verified": true, "otp": 1, "user": user["id"] });
        assert_eq!(app.post("/api/users/send-phone-otp/", body).await.status, 200);
    }

    async fn a_body_over_16_kib_is_too_large_however_it_comes(app) {
        let before = app.effects().await;
        for (path, good) in takers() {
            let text = good.to_string();
            for over in [1, 1_000, 1_000_000] {
                let body = format!("{text}{}", " ".repeat(16 * 1024 + over - text.len()));
                post_bytes(&app, path, "application/json", body.clone()).await.is(413, "payload_too_large");
                // Without a declared length, in chunks of 1000.
                let mut wire = Wire::open(&app.address).await;
                wire.say(format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                                  Transfer-Encoding: chunked\r\n\r\n")).await;
                for chunk in body.as_bytes().chunks(1000) {
                    wire.say([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat()).await;
                }
                wire.say("0\r\n\r\n").await;
                wire.answer().await.is(413, "payload_too_large");
            }
            // A length that is only declared is refused without waiting for the body.
            let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                                Content-Length: 9999999999\r\n\r\n");
            exchange(&app.address, head).await.is(413, "payload_too_large");
        }
        assert_eq!(app.effects().await, before);
        // 16 KiB itself is taken, in one piece and in chunks.
        let text = json!({ "phone": "+14152000001" }).to_string();
        let body = format!("{text}{}", " ".repeat(16 * 1024 - text.len()));
        assert_eq!(post_bytes(&app, "/api/users/send-phone-otp/", "application/json", body).await.status, 200);
        let head = "POST /api/users/send-phone-otp/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
        let chunks = "18\r\n{ \"phone\":\"+14152000002\"\r\n1\r\n}\r\n0\r\n\r\n";
        let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}");
        assert_eq!(exchange(&app.address, chunked).await.status, 200);
    }

    /// A proxy in front may send one client's requests after another's on one connection.
    async fn a_refused_body_is_never_read_as_the_next_request(app) {
        let hidden = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(500);
        let whole = format!("Content-Length: {}\r\n\r\n{hidden}", hidden.len());
        let chunk = format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len());
        let chunked = format!("Transfer-Encoding: chunked\r\n\r\n{chunk}");
        for (media_type, status) in [("text/plain", 415), ("application/json", 413)] {
            for body in [&whole, &chunked] {
                let mut wire = Wire::open(&app.address).await;
                wire.say("POST /api/users/login/ HTTP/1.1\r\nHost: x\r\n").await;
                wire.say(format!("Content-Type: {media_type}\r\n{body}")).await;
                assert_eq!(wire.answer().await.status, status);
                wire.say("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n").await;
                if !wire.is_closed().await {
                    wire.answer().await.is(404, "not_found");
                }
            }
        }
    }

    async fn a_body_that_is_not_declared_as_json_is_refused(app) {
        let before = app.effects().await;
        for (path, good) in takers() {
            let text = good.to_string();
            for media_type in [
                "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json",
                "application/jsonp", "application/problem+json", "application/json; charset=utf-16", "application",
                "application/json; charset=iso-8859-1", "application/xml", "*/*", "", "json",
                "application/json, text/html",
            ] {
                let answer = post_bytes(&app, path, media_type, text.clone()).await;
                assert_eq!((answer.status, answer.code()), (415, "unsupported_media_type"), "{path} {media_type}");
            }
            let none = app.request("POST", path).body(text.clone());
            Answer::of(none).await.is(415, "unsupported_media_type");
            let packed = app.request("POST", path).header("content-type", "application/json");
            let packed = packed.header("content-encoding", "gzip").body(text.clone());
            Answer::of(packed).await.is(415, "unsupported_media_type");
        }
        let form = app.request("POST", "/api/users/send-phone-otp/").form(&[("phone", "+14152000001")]);
        Answer::of(form).await.is(415, "unsupported_media_type");
        assert_eq!(app.effects().await, before);
        let good = json!({ "phone": "+14152000001" }).to_string();
        app.pass(3_600);
        for media_type in ["application/json", "Application/JSON", "application/json;charset=utf-8",
                           "application/json; charset=\"UTF-8\"", "application/json; profile=x"] {
            let answer = post_bytes(&app, "/api/users/send-phone-otp/", media_type, good.clone()).await;
            assert_eq!(answer.status, 200, "{media_type}: {answer:?}");
            app.pass(60);
        }
    }

    async fn wrong_methods_and_paths_are_refused(app) {
        let before = app.effects().await;
        let gets = ["/.well-known/jwks.json", "/healthz", "/readyz", "/dev/inbox", "/dev/inbox.json"];
        let posts = ["register", "login", "send-phone-otp", "verify-phone-otp", "token/refresh", "logout"];
        let posts = posts.map(|path| format!("/api/users/{path}"));
        let routes = gets.iter().map(|path| (*path, "GET, HEAD"));
        let own = std::iter::once(("/api/users/me", "GET, HEAD, PATCH, DELETE"));
        for (path, allow) in own.chain(routes).chain(posts.iter().map(|path| (path.as_str(), "POST"))) {
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
                if allow.split(", ").any(|allowed| allowed == method) {
                    continue;
                }
                for path in [path.to_owned(), format!("{path}/")] {
                    let request = app.request(method, &path).json(&takers()[0].1);
                    let answer = Answer::of(request).await;
                    assert_eq!((answer.status, answer.header("allow")), (405, allow), "{method} {path}");
                    if method != "HEAD" {
                        answer.is(405, "method_not_allowed");
                    }
                }
            }
        }
        for path in [
            "/api", "/api/users/", "/api/users/registers/", "/api/users/register/x", "/API/users/register/",
            "/api/users/register%2f", "/api/users/..%2f..%2fdata/secret", "/..%2f..%2fetc/passwd", "/api/users/%00",
            "/%ff", "/metrics", "/api/users/me.json", "/.env", "/favicon.ico", "/api/users/register;x=1", "/dev/",
            "/api/users/%F0%9F%98%80",
        ] {
            for method in ["GET", "POST"] {
                Answer::of(app.request(method, path)).await.is(404, "not_found");
            }
        }
        let long = format!("/{}", "a".repeat(8_000));
        app.get(&long).await.is(404, "not_found");
        assert_eq!(app.effects().await, before);
    }

    async fn numbers_that_are_no_phones_are_refused_everywhere(app) {
        let before = app.effects().await;
        let (long, longer) = (format!("+{}", "1".repeat(16)), "1".repeat(10_000));
        for phone in [
            "", " ", "+", "+ +14152000001", "14152000001", "4152000001", "004152000001", "+0415200000", "+123456", &long,
            &longer, "+1415200000x", "+1 415 200 0001 ext. 5", "+44 (0)20 7946 0958", "+1+4152000001",
            "tel:+14152000001", "+14152000001;ext=1", "+1415200\u{0}0001", "+1415200\n0001x", "+১৪১৫২০০০০০x", "⁺14152000001",
            "+¹⁴¹⁵²⁰⁰⁰⁰⁰¹", "+1４152000001、", "null", "+1-800-FLOWERS", "+14152000001,+14152000002", "' OR 1=1 --",
            "{{phone}}", "+1415\u{200b}200000x",
        ] {
            for (path, good) in takers().iter().filter(|(_, good)| good["phone"].is_string()) {
                let mut body = good.clone();
                body["phone"] = json!(phone);
                assert_eq!(app.post(path, body).await.faulty_fields(), ["phone"], "{path} {phone:?}");
            }
            let login = json!({ "phone": phone, "password": "securepass123" });
            assert_eq!(app.post("/api/users/login/", login).await.faulty_fields(), ["phone"], "{phone:?}");
        }
        assert_eq!(app.effects().await, before);
    }

    async fn each_spelling_of_a_phone_is_one_identity(app) {
        let spellings = [
            "+1 (415) 200-0001", "+1.415.200.0001", "  +1 415 200 0001 ", "＋１４１５２０００００１", "+١٤١٥٢٠٠٠٠٠١",
            "+۱۴۱۵۲۰۰۰۰۰۱", "\u{202a}+1 415 200 0001\u{202c}", "+1\u{2011}415\u{a0}200/0001",
        ];
        let account = app.register(spellings[0]).await;
        assert_eq!(account.phone, "+14152000001");
        app.code("+14152000001", None).await;
        // One cooldown, one row of guesses, one SMS.
        for spelling in spellings {
            app.send(spelling, None).await.is(429, "resend_cooldown");
        }
        let (_, sms) = app.messages().await.pop().unwrap();
        let code = digits(&sms);
        let answer = app.verify(spellings[3], &crate::support::wrong(&code), None).await;
        assert_eq!(answer.body["attempts_remaining"], 2, "{answer:?}");
        let answer = app.verify(spellings[5], &code, None).await;
        assert_eq!((answer.status, answer.text("phone")), (200, "+14152000001"), "{answer:?}");
        assert_eq!(app.messages().await.len(), 1);
        for spelling in spellings {
            let login = app.post("/api/users/login/", json!({ "phone": spelling, "password": "securepass123" })).await;
            assert_eq!((login.status, &login.body["user"]["id"]), (200, &json!(account.id)), "{spelling}");
        }
    }

    async fn what_is_no_code_spends_no_attempt(app) {
        app.register("+14152000001").await;
        let code = app.code("+14152000001", None).await;
        for text in ["", " ", "12345", "1234567", "12 34 5", "123-45", "-123456", "123456-", "abcdef", "12345a", "-12345", "+12345",
                     "1e5000", "0x1234", "12345\u{0}", "123.45", "123.456", "１２３", "\u{1d7ce}", "①②③④⑤⑥", &code[..5],
                     &format!("{code}0"), &"1".repeat(10_000)] {
            assert_eq!(app.verify("+14152000001", text, None).await.faulty_fields(), ["otp"], "{text:?}");
        }
        for id in ["", "x", "00000000-0000-4000-8000", "{}", "' OR ''='"] {
            let body = json!({ "phone": "+14152000001", "otp": code, "challenge_id": id });
            assert_eq!(app.post("/api/users/verify-phone-otp/", body).await.faulty_fields(), ["challenge_id"], "{id}");
        }
        let answer = app.verify("+14152000001", &crate::support::wrong(&code), None).await;
        assert_eq!(answer.body["attempts_remaining"], 2, "{answer:?}");
        let answer = app.verify("+14152000001", &format!(" {code}\n"), None).await;
        assert_eq!(answer.status, 200, "spaces around it are nobody's mistake: {answer:?}");
    }

    /// Good bodies with a few bytes changed, a thousand of them from a fixed seed.
    async fn no_garbage_is_ever_our_fault(app) {
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = |bound: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            usize::try_from(seed >> 16).unwrap() % bound
        };
        for round in 0..1_000 {
            let (path, good) = &takers()[round % 5];
            let mut body = good.to_string().into_bytes();
            for _ in 0..=next(4) {
                if body.is_empty() {
                    break;
                }
                let place = next(body.len());
                match next(4) {
                    0 => body[place] = u8::try_from(next(256)).unwrap(),
                    1 => drop(body.remove(place)),
                    2 => body.insert(place, b"\"\\{}[]:,\0\xff"[next(10)]),
                    _ => body.truncate(place + 1),
                }
            }
            let shown = String::from_utf8_lossy(&body).into_owned();
            let answer = post_bytes(&app, path, "application/json", body).await;
            assert!(answer.status < 500, "{path} {shown}: {answer:?}");
            if answer.status >= 400 {
                answer.code();
            }
        }
    }
}

#[actix_web::test]
async fn a_body_that_does_not_come_in_time_is_given_up() {
    let patience = [("RINGBACK__SERVER__REQUEST_TIMEOUT", "200ms")];
    let app = TestApp::start_with(crate::support::Backends::Embedded, &patience).await;
    let head = "POST /api/users/login/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    exchange(&app.address, format!("{head}Content-Length: 100\r\n\r\n{{"))
        .await
        .is(408, "request_timeout");
}

/// Below the level at which a body could be answered: refused all the same, and the service goes on.
#[actix_web::test]
async fn what_is_no_http_is_refused() {
    let app = TestApp::start(crate::support::Backends::Embedded).await;
    let post = "POST /api/users/login/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    for garbage in [
        "GET / HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\nHost: x\r\n\r\n".to_owned(),
        "nonsense\r\n\r\n".to_owned(),
        format!("{post}Content-Length: -1\r\n\r\n{{}}"),
        format!("{post}Content-Length: 99999999999999999999999\r\n\r\n{{}}"),
        format!("{post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"),
        format!("{post}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{{}}"),
        format!("{post}Transfer-Encoding: chunked\r\n\r\nzz\r\n{{}}\r\n0\r\n\r\n"),
        format!(
            "GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n",
            "a".repeat(1_000_000)
        ),
        format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-Many: a\r\n".repeat(500)),
    ] {
        let answer = exchange(&app.address, &garbage).await;
        assert!(
            (400..500).contains(&answer.status),
            "{answer:?} to {}",
            &garbage[..garbage.len().min(80)]
        );
    }
    assert_eq!(app.get("/healthz").await.status, 200);
}
