//! The routes: parse, the round trips, answer.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, http::header, web};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use ringback::{
    clock::{Clock, SystemClock},
    entropy::{Entropy, SystemEntropy},
    phone::{PhoneCheck, PhoneNumber},
    tokens::{AccessTokens, RefreshToken, RefreshTokens},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    keyring,
    passwords::Passwords,
    postgres::{Accounts, NewUser, User},
    prepare::{access_tokens, grant},
    redis::{Challenges, Verdict},
    variable,
};

/// Tokens that a thread remembers.
const REMEMBERED: usize = 20_000;

/// What one thread has.
struct Worker {
    accounts: Accounts,
    challenges: Challenges,
    /// The session and end of tokens whose signature was good.
    checked: RefCell<HashMap<String, (Uuid, DateTime<Utc>)>>,
    shared: Arc<Shared>,
}

/// What all threads share.
struct Shared {
    access: AccessTokens,
    refresh: RefreshTokens,
    passwords: Passwords,
}

pub fn serve(address: &str) {
    let keyring = keyring();
    let shared = Arc::new(Shared {
        access: access_tokens(&keyring),
        refresh: RefreshTokens::new(keyring),
        passwords: Passwords::new(),
    });
    let server = HttpServer::new(move || {
        let shared = Arc::clone(&shared);
        let worker = move || {
            let shared = Arc::clone(&shared);
            async move {
                Ok::<_, std::io::Error>(Worker {
                    accounts: Accounts::connect(&variable("DATABASE_URL")).await,
                    challenges: Challenges::connect(&variable("REDIS_URL")).await,
                    checked: RefCell::default(),
                    shared,
                })
            }
        };
        App::new()
            .data_factory(worker)
            .route("/healthz", web::get().to(HttpResponse::Ok))
            .route("/api/users/me/", web::get().to(me))
            .route("/api/users/send-phone-otp/", web::post().to(send))
            .route("/api/users/verify-phone-otp/", web::post().to(verify))
            .route("/api/users/register/", web::post().to(register))
            .route("/api/users/login/", web::post().to(login))
            .route("/api/users/token/refresh/", web::post().to(refresh))
    });
    let server = server.bind(address).expect("the address is free").run();
    actix_web::rt::System::new().block_on(server).expect("it serves");
}

#[derive(Deserialize)]
struct SendRequest {
    phone: String,
}

#[derive(Serialize)]
struct Sent {
    detail: &'static str,
    phone: String,
    challenge_id: Uuid,
    expires_in: u64,
    resend_after: u64,
}

#[derive(Deserialize)]
struct VerifyRequest {
    phone: String,
    otp: String,
}

#[derive(Serialize)]
struct Verified {
    detail: &'static str,
    phone: String,
    phone_verified: bool,
}

#[derive(Serialize)]
struct Problem {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'static str,
    code: &'static str,
    attempts_remaining: Option<u8>,
}

#[derive(Deserialize)]
struct RegisterRequest {
    email: String,
    phone: String,
    first_name: String,
    last_name: String,
    password: String,
}

#[derive(Deserialize)]
struct LoginRequest {
    email: String,
    password: String,
}

#[derive(Deserialize)]
struct RefreshRequest {
    refresh: String,
}

#[derive(Serialize)]
struct Refreshed {
    tokens: Tokens,
}

#[derive(Serialize)]
struct SignedIn {
    user: UserView,
    tokens: Tokens,
}

#[derive(Serialize)]
struct Tokens {
    access: String,
    refresh: String,
    token_type: &'static str,
    expires_in: u64,
}

#[derive(Serialize)]
struct UserView {
    id: Uuid,
    email: String,
    phone: String,
    first_name: String,
    last_name: String,
    phone_verified: bool,
    email_verified: bool,
    created_at: String,
    updated_at: String,
}

async fn me(worker: web::Data<Worker>, request: HttpRequest) -> HttpResponse {
    let bearer = request.headers().get(header::AUTHORIZATION);
    let token = bearer.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let now = SystemClock.now();
    let session = token.and_then(|token| worker.session_of(token, now));
    let Some(session) = session else {
        return HttpResponse::Unauthorized().finish();
    };
    match worker.accounts.sessions.get(session).await {
        Some(found) if !found.revoked && found.expires_at > now => {
            HttpResponse::Ok().json(UserView::from(found.user))
        }
        _ => HttpResponse::Unauthorized().finish(),
    }
}

async fn send(worker: web::Data<Worker>, body: web::Json<SendRequest>) -> HttpResponse {
    let Ok(phone) = PhoneNumber::parse(&body.phone, PhoneCheck::Valid) else {
        return HttpResponse::BadRequest().finish();
    };
    let _claim = worker.accounts.phones.get(phone.expose().to_owned()).await;
    let challenge_id = (&SystemEntropy as &dyn Entropy).uuid();
    let code = format!("{:06}", challenge_id.as_u128() % 1_000_000);
    worker.challenges.issue(phone.expose(), challenge_id, &code).await;
    HttpResponse::Ok().json(Sent {
        detail: "If the phone belongs to an account, a code is on its way.",
        phone: phone.expose().to_owned(),
        challenge_id,
        expires_in: 600,
        resend_after: 0,
    })
}

async fn verify(worker: web::Data<Worker>, body: web::Json<VerifyRequest>) -> HttpResponse {
    let Ok(phone) = PhoneNumber::parse(&body.phone, PhoneCheck::Valid) else {
        return HttpResponse::BadRequest().finish();
    };
    let phone = phone.expose().to_owned();
    match worker.challenges.judge(&phone, &body.otp).await {
        Verdict::Right => match worker.accounts.verified.get(phone.clone()).await {
            Some(()) => HttpResponse::Ok().json(Verified {
                detail: "The phone is verified.",
                phone,
                phone_verified: true,
            }),
            None => HttpResponse::Conflict().finish(),
        },
        Verdict::Wrong(left) if left > 0 => refuse("otp_invalid", Some(left)),
        Verdict::Wrong(_) => refuse("otp_attempts_exceeded", None),
        Verdict::Expired => refuse("otp_expired", None),
    }
}

fn refuse(code: &'static str, attempts_remaining: Option<u8>) -> HttpResponse {
    let mut response = HttpResponse::BadRequest();
    response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
    response.json(Problem {
        r#type: "about:blank",
        title: "Bad Request",
        status: 400,
        detail: "The code was not taken.",
        code,
        attempts_remaining,
    })
}

async fn register(worker: web::Data<Worker>, body: web::Json<RegisterRequest>) -> HttpResponse {
    let RegisterRequest {
        email,
        phone,
        first_name,
        last_name,
        password,
    } = body.into_inner();
    let password_hash = worker.shared.passwords.hash_in_turn(password).await;
    let now = SystemClock.now();
    let entropy: &dyn Entropy = &SystemEntropy;
    let (id, session) = (entropy.row_id(now), entropy.row_id(now));
    let refresh = worker.shared.refresh.make(session, 0);
    let user = User {
        id,
        email,
        phone,
        first_name,
        last_name,
        phone_verified: false,
        email_verified: false,
        created_at: now,
        updated_at: now,
    };
    let new = NewUser {
        user,
        password_hash,
        session,
        refresh_hash: refresh.hash(),
        expires_at: now + TimeDelta::days(30),
    };
    worker.accounts.register(&new).await;
    HttpResponse::Created().json(worker.signed_in(new.user, session, &refresh, now))
}

async fn login(worker: web::Data<Worker>, body: web::Json<LoginRequest>) -> HttpResponse {
    let LoginRequest { email, password } = body.into_inner();
    let (user, stored) = worker.accounts.credentials(&email).await;
    if !worker.shared.passwords.verify_in_turn(password, stored).await {
        return HttpResponse::Unauthorized().finish();
    }
    let now = SystemClock.now();
    let session = (&SystemEntropy as &dyn Entropy).row_id(now);
    let refresh = worker.shared.refresh.make(session, 0);
    let accounts = &worker.accounts;
    accounts.open_session(session, user.id, refresh.hash(), now).await;
    HttpResponse::Ok().json(worker.signed_in(user, session, &refresh, now))
}

async fn refresh(worker: web::Data<Worker>, body: web::Json<RefreshRequest>) -> HttpResponse {
    let Some(shown) = worker.shared.refresh.read(&body.refresh) else {
        return HttpResponse::Unauthorized().finish();
    };
    let now = SystemClock.now();
    let next = worker.shared.refresh.make(shown.session, shown.generation + 1);
    let rotated = worker
        .accounts
        .rotate(shown.session, shown.hash(), next.hash(), now);
    match rotated.await {
        Some(user) => HttpResponse::Ok().json(Refreshed {
            tokens: worker.tokens(user, shown.session, &next, now),
        }),
        None => HttpResponse::Unauthorized().finish(),
    }
}

impl Worker {
    /// The session of a good token.
    fn session_of(&self, token: &str, now: DateTime<Utc>) -> Option<Uuid> {
        if let Some(&(session, end)) = self.checked.borrow().get(token) {
            return (end > now).then_some(session);
        }
        let claims = self.shared.access.check(token, now).ok()?;
        let mut checked = self.checked.borrow_mut();
        if checked.len() >= REMEMBERED {
            checked.clear();
        }
        checked.insert(token.to_owned(), (claims.sid, now + TimeDelta::minutes(15)));
        Some(claims.sid)
    }

    fn signed_in(&self, user: User, session: Uuid, refresh: &RefreshToken, now: DateTime<Utc>) -> SignedIn {
        SignedIn {
            tokens: self.tokens(user.id, session, refresh, now),
            user: user.into(),
        }
    }

    fn tokens(&self, user: Uuid, session: Uuid, refresh: &RefreshToken, now: DateTime<Utc>) -> Tokens {
        let token = (&SystemEntropy as &dyn Entropy).uuid();
        Tokens {
            access: self.shared.access.sign(&grant(user, session), token, now),
            refresh: refresh.expose().to_owned(),
            token_type: "Bearer",
            expires_in: 900,
        }
    }
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        let text = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Micros, true);
        Self {
            id: user.id,
            email: user.email,
            phone: user.phone,
            first_name: user.first_name,
            last_name: user.last_name,
            phone_verified: user.phone_verified,
            email_verified: user.email_verified,
            created_at: text(user.created_at),
            updated_at: text(user.updated_at),
        }
    }
}
