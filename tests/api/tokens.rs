//! Access tokens: what they say, who can check them, and that no other text passes for one.

use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, jwk::JwkSet};
use ringback::secrets::Keyring;
use serde_json::{Value, json};

use crate::support::{Account, Answer, TestApp, on_both};

/// A part of a JWT, read.
fn part(token: &str, place: usize) -> Value {
    let part = token.split('.').nth(place).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn encode(part: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(part.to_string())
}

/// The private key that a seed gives (RFC 8410 section 7).
fn signing_key(seed: &[u8]) -> EncodingKey {
    let head = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    EncodingKey::from_ed_der(&[head, seed].concat())
}

/// A token with this head and these claims, signed by whoever has the key.
fn sign(head: &Value, claims: &Value, key: &EncodingKey) -> String {
    let signed = format!("{}.{}", encode(head), encode(claims));
    let algorithm = match head["alg"].as_str() {
        Some("HS256") => Algorithm::HS256,
        _ => Algorithm::EdDSA,
    };
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), key, algorithm).unwrap();
    format!("{signed}.{signature}")
}

/// Texts that are no access token of the service, though some come close.
pub async fn forgeries(app: &TestApp, account: &Account) -> Vec<(&'static str, String)> {
    let (head, claims) = (part(&account.access, 0), part(&account.access, 1));
    let signature = account.access.rsplit('.').next().unwrap();
    let keyring = Keyring::parse(&app.secret()).unwrap();
    let ours = signing_key(keyring.current().signing_seed.as_slice());
    let theirs = signing_key(&[7; 32]);
    let jwks = app.get("/.well-known/jwks.json").await;
    let public = jwks.body["keys"][0]["x"].as_str().unwrap().to_owned();
    let with = |value: &Value, field: &str, new: Value| {
        let mut value = value.clone();
        value[field] = new;
        value
    };
    let without = |value: &Value, field: &str| {
        let mut value = value.clone();
        value.as_object_mut().unwrap().remove(field);
        value
    };
    let unsigned = |alg: &str| format!("{}.{}.", encode(&with(&head, "alg", json!(alg))), encode(&claims));
    let hmac = with(&head, "alg", json!("HS256"));
    let raw_public = EncodingKey::from_secret(&BASE64_URL_SAFE_NO_PAD.decode(&public).unwrap());
    let embedded = json!({ "kty": "OKP", "crv": "Ed25519", "x": BASE64_URL_SAFE_NO_PAD.encode([9; 32]) });
    let soon = claims["iat"].as_i64().unwrap() + 3_600;
    vec![
        ("nothing at all", String::new()),
        ("garbage", "garbage".to_owned()),
        ("three empty parts", "..".to_owned()),
        ("no base64", "é.{}.!".to_owned()),
        ("no algorithm", unsigned("none")),
        ("no algorithm, shouted", unsigned("NONE")),
        ("no signature", format!("{}.{}.", encode(&head), encode(&claims))),
        (
            "a part too few",
            account.access.rsplit_once('.').unwrap().0.to_owned(),
        ),
        ("a part too many", format!("{}.x", account.access)),
        ("HS256 with the public key", sign(&hmac, &claims, &raw_public)),
        (
            "HS256 with its base64",
            sign(&hmac, &claims, &EncodingKey::from_secret(public.as_bytes())),
        ),
        ("another key under our name", sign(&head, &claims, &theirs)),
        (
            "another key under its own name",
            sign(&with(&head, "kid", json!("x")), &claims, &theirs),
        ),
        (
            "a key that it brings along",
            sign(&with(&head, "jwk", embedded), &claims, &theirs),
        ),
        ("no key named", sign(&without(&head, "kid"), &claims, &ours)),
        (
            "another audience",
            sign(&head, &with(&claims, "aud", json!("other")), &ours),
        ),
        ("no audience", sign(&head, &without(&claims, "aud"), &ours)),
        (
            "another issuer",
            sign(
                &head,
                &with(&claims, "iss", json!("https://id.example.com")),
                &ours,
            ),
        ),
        ("no issuer", sign(&head, &without(&claims, "iss"), &ours)),
        (
            "another type",
            sign(&with(&head, "typ", json!("JWT")), &claims, &ours),
        ),
        ("no type", sign(&without(&head, "typ"), &claims, &ours)),
        ("no end", sign(&head, &without(&claims, "exp"), &ours)),
        (
            "from the future",
            sign(&head, &with(&claims, "iat", json!(soon)), &ours),
        ),
        ("no session", sign(&head, &without(&claims, "sid"), &ours)),
        (
            "another user, the old signature",
            format!(
                "{}.{}.{signature}",
                encode(&head),
                encode(&with(&claims, "sub", json!(account.id.replace('0', "1"))))
            ),
        ),
        ("a refresh token", account.refresh.clone()),
        ("a huge one", "a".repeat(20_000)),
        (
            "a huge one with dots",
            format!(
                "{}.{}.{}",
                "a".repeat(5_000),
                "b".repeat(5_000),
                "c".repeat(5_000)
            ),
        ),
    ]
}

on_both! {
    async fn a_token_says_who_for_whom_and_until_when(app) {
        let account = app.register("+14152000001").await;
        let (head, claims) = (part(&account.access, 0), part(&account.access, 1));
        assert_eq!((&head["typ"], &head["alg"]), (&json!("at+jwt"), &json!("EdDSA")));
        let jwks = app.get("/.well-known/jwks.json").await;
        let key = &jwks.body["keys"][0];
        assert_eq!((jwks.status, jwks.body["keys"].as_array().unwrap().len()), (200, 1));
        assert_eq!(head["kid"], key["kid"]);
        assert_eq!((&key["kty"], &key["crv"], &key["alg"], &key["use"]),
                   (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA"), &json!("sig")));
        assert!(key.get("d").is_none(), "the private key stays where it is");
        assert_eq!((&claims["aud"], &claims["sub"]), (&json!("ringback"), &json!(account.id)));
        assert!(!claims["iss"].as_str().unwrap().is_empty());
        for id in ["sid", "jti", "sub"] {
            assert!(uuid::Uuid::parse_str(claims[id].as_str().unwrap()).is_ok(), "{id} in {claims}");
        }
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
        assert_eq!((&claims["client_id"], &claims["amr"]), (&claims["aud"], &json!(["pwd"])));
        assert_eq!((&claims["phone_verified"], &claims["email_verified"]), (&json!(false), &json!(false)));
        assert!((claims["iat"].as_i64().unwrap() - claims["auth_time"].as_i64().unwrap()).abs() <= 1);
        let text = claims.to_string();
        assert!(!text.contains(&account.email) && !text.contains("1415"), "{text}");

        let login = app.post("/api/users/login/", json!({ "email": account.email, "password": "securepass123" })).await;
        let tokens = &login.body["tokens"];
        assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(900)));
        let other = part(tokens["access"].as_str().unwrap(), 1);
        assert!(other["jti"] != claims["jti"] && other["sid"] != claims["sid"], "a session of its own");
    }

    async fn a_token_says_what_is_verified_now_and_when_its_user_was_proven(app) {
        let account = app.register("+14152000001").await;
        let code = app.code(&account.phone, Some(&account.access)).await;
        assert_eq!(app.verify(&account.phone, &code, Some(&account.access)).await.status, 200);
        app.pass(600);
        let renewed = app.post("/api/users/token/refresh/", json!({ "refresh": account.refresh })).await;
        let (before, after) = (part(&account.access, 1), part(renewed.body["tokens"]["access"].as_str().unwrap(), 1));
        assert_eq!((&before["phone_verified"], &after["phone_verified"]), (&json!(false), &json!(true)));
        assert_eq!((&after["auth_time"], &after["amr"], &after["sid"]), (&before["auth_time"], &before["amr"], &before["sid"]));
        assert!(after["iat"].as_i64() > before["iat"].as_i64());
        let (access, _) = app.log_in(&account).await;
        let fresh = part(&access, 1);
        assert!(fresh["auth_time"].as_i64().unwrap() >= before["auth_time"].as_i64().unwrap() + 600);
        assert_eq!((&fresh["phone_verified"], &fresh["email_verified"]), (&json!(true), &json!(false)));
    }

    async fn the_configuration_names_what_there_is(app) {
        let answer = app.get("/.well-known/openid-configuration").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let account = app.register("+14152000001").await;
        let claims = part(&account.access, 1);
        assert_eq!(answer.body["issuer"], claims["iss"]);
        let keys = answer.body["jwks_uri"].as_str().unwrap();
        assert_eq!(keys, format!("{}/.well-known/jwks.json", app.address));
        let supported = answer.body["claims_supported"].as_array().unwrap();
        for claim in claims.as_object().unwrap().keys() {
            assert!(supported.contains(&json!(claim)), "{claim}");
        }
        assert!(supported.contains(&json!("role")), "of administrators");
        assert_eq!(answer.body["id_token_signing_alg_values_supported"], json!(["EdDSA"]));
        for none in ["authorization_endpoint", "token_endpoint", "userinfo_endpoint"] {
            assert!(answer.body.get(none).is_none(), "{none}");
        }
        let elsewhere = app.sibling_with(&[("RINGBACK__SERVER__PUBLIC_URL", "https://id.example.com/")]).await;
        let answer = elsewhere.get("/.well-known/openid-configuration").await;
        assert_eq!(answer.body["issuer"], "https://id.example.com");
        assert_eq!(answer.body["jwks_uri"], "https://id.example.com/.well-known/jwks.json");
    }

    async fn whoever_has_the_jwks_can_check_a_token(app) {
        let account = app.register("+14152000001").await;
        let jwks: JwkSet = serde_json::from_str(&app.get("/.well-known/jwks.json").await.raw).unwrap();
        let header: Header = jsonwebtoken::decode_header(&account.access).unwrap();
        let key = DecodingKey::from_jwk(jwks.find(&header.kid.unwrap()).unwrap()).unwrap();
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_audience(&["ringback"]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let claims = jsonwebtoken::decode::<Value>(&account.access, &key, &rules).unwrap().claims;
        assert_eq!(claims["sub"], account.id);
        rules.set_audience(&["other"]);
        assert!(jsonwebtoken::decode::<Value>(&account.access, &key, &rules).is_err());
    }

    async fn no_other_text_passes_for_a_token(app) {
        let account = app.register("+14152000001").await;
        let before = app.effects().await;
        for (what, token) in forgeries(&app, &account).await {
            for (method, path, body) in [
                ("GET", "/api/users/me/", json!({})),
                ("POST", "/api/users/logout/", json!({})),
                ("POST", "/api/users/send-phone-otp/", json!({ "phone": account.phone })),
                ("POST", "/api/users/verify-phone-otp/", json!({ "phone": account.phone, "otp": "123456" })),
            ] {
                let header = [b"Bearer ", token.as_bytes()].concat();
                let answer = Answer::of(app.request(method, path).header("authorization", header).json(&body)).await;
                // A header's end is trimmed on its way: then there is no token.
                let code = if token.is_empty() { "not_authenticated" } else { "token_invalid" };
                assert_eq!((answer.status, answer.code()), (401, code), "{what} at {path}");
                assert!(answer.header("www-authenticate").starts_with("Bearer realm="), "{what}: {answer:?}");
                if code == "token_invalid" {
                    assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""), "{what}");
                }
            }
            if token != account.refresh && !token.is_empty() && token.len() < 16_000 {
                let answer = app.post("/api/users/token/refresh/", json!({ "refresh": token })).await;
                assert_eq!((answer.status, answer.code()), (401, "token_invalid"), "{what} as a refresh token");
            }
        }
        assert_eq!(app.effects().await, before);
        assert_eq!(app.get_as("/api/users/me/", &account.access).await.status, 200, "the true one is still good");
        let answer = app.post("/api/users/token/refresh/", json!({ "refresh": account.access })).await;
        answer.is(401, "token_invalid");
    }

    async fn a_header_that_brings_no_token_is_told_so(app) {
        let account = app.register("+14152000001").await;
        app.get("/api/users/me/").await.is(401, "not_authenticated");
        app.post("/api/users/logout/", json!({})).await.is(401, "not_authenticated");
        for header in ["Bearer", "Basic dXNlcjpwYXNz", &account.access, "Token x", "Bearer:x", "Digest a=\"x\"", ""] {
            for (method, path) in [("GET", "/api/users/me/"), ("POST", "/api/users/send-phone-otp/")] {
                let request = app.request(method, path).header("authorization", header);
                let answer = Answer::of(request.json(&json!({ "phone": account.phone }))).await;
                assert_eq!((answer.status, answer.code()), (401, "not_authenticated"), "{header:?} at {path}");
            }
        }
        for scheme in ["bearer", "BEARER", "Bearer "] {
            let header = format!("{scheme} {}", account.access);
            let answer = Answer::of(app.request("GET", "/api/users/me/").header("authorization", header)).await;
            assert_eq!(answer.status, 200, "{scheme}: RFC 7235 compares schemes without case");
        }
        assert_eq!(app.messages().await.len(), 0);
    }

    async fn a_token_is_good_for_its_time_and_no_longer(app) {
        let account = app.register("+14152000001").await;
        app.pass(890);
        assert_eq!(app.get_as("/api/users/me/", &account.access).await.status, 200);
        app.pass(11);
        for _ in 0..2 {
            let answer = app.get_as("/api/users/me/", &account.access).await;
            answer.is(401, "token_expired");
            assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""), "{answer:?}");
        }
        app.send(&account.phone, Some(&account.access)).await.is(401, "token_expired");
        app.verify(&account.phone, "123456", Some(&account.access)).await.is(401, "token_expired");
        app.post_as("/api/users/logout/", json!({}), Some(&account.access)).await.is(401, "token_expired");
        assert_eq!(app.messages().await.len(), 0);
        let answer = app.post("/api/users/token/refresh/", json!({ "refresh": account.refresh })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let fresh = answer.body["tokens"]["access"].as_str().unwrap();
        assert_eq!(app.get_as("/api/users/me/", fresh).await.status, 200);
    }

    async fn a_rotated_secret_signs_and_the_old_one_still_verifies(app) {
        let account = app.register("+14152000001").await;
        let both = format!("{},{}", BASE64_STANDARD.encode([1; 32]), app.secret());
        let rotated = app.sibling_with(&[("RINGBACK_SECRET", &both)]).await;
        assert_eq!(rotated.get_as("/api/users/me/", &account.access).await.status, 200);
        let keys = rotated.get("/.well-known/jwks.json").await;
        assert_eq!(keys.body["keys"].as_array().unwrap().len(), 2);
        assert_eq!(keys.body["keys"][1]["kid"], part(&account.access, 0)["kid"]);
        let answer = rotated.post("/api/users/token/refresh/", json!({ "refresh": account.refresh })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let tokens = &answer.body["tokens"];
        let fresh = tokens["access"].as_str().unwrap();
        assert_eq!(part(fresh, 0)["kid"], keys.body["keys"][0]["kid"], "what is new is signed by the new one");
        assert_eq!(rotated.get_as("/api/users/me/", fresh).await.status, 200);
        // A lost answer is given again. Once the old secret is dropped, its tokens are gone and the new ones good.
        let again = rotated.post("/api/users/token/refresh/", json!({ "refresh": account.refresh })).await;
        assert_eq!(again.body["tokens"]["refresh"], tokens["refresh"]);
        let dropped = app.sibling_with(&[("RINGBACK_SECRET", both.split(',').next().unwrap())]).await;
        dropped.get_as("/api/users/me/", &account.access).await.is(401, "token_invalid");
        assert_eq!(dropped.get_as("/api/users/me/", fresh).await.status, 200);
        let next = dropped.post("/api/users/token/refresh/", json!({ "refresh": tokens["refresh"] })).await;
        assert_eq!(next.status, 200, "{next:?}");
    }
}

/// Codes are in Redis: a code of before the rotation is judged by whoever knows the old secret still.
#[actix_web::test]
async fn a_code_outlives_the_rotation_of_the_secret() {
    let app = TestApp::start(crate::support::Backends::Servers).await;
    let account = app.register("+14152000001").await;
    let code = app.code(&account.phone, None).await;
    let both = format!("{},{}", BASE64_STANDARD.encode([1; 32]), app.secret());
    let rotated = app.sibling_with(&[("RINGBACK_SECRET", &both)]).await;
    let answer = rotated
        .verify(&account.phone, &crate::support::wrong(&code), None)
        .await;
    assert_eq!(answer.body["attempts_remaining"], 2, "{answer:?}");
    let answer = app
        .verify(&account.phone, &crate::support::wrong(&code), None)
        .await;
    assert_eq!(answer.body["attempts_remaining"], 1, "{answer:?}");
    let answer = rotated.verify(&account.phone, &code, None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    rotated
        .verify(&account.phone, &code, None)
        .await
        .is(400, "otp_expired");
    let me = rotated.get_as("/api/users/me/", &account.access).await;
    assert_eq!(me.body["phone_verified"], true);
}
