//! Sessions: signing in, renewing, and the keys to check tokens with.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::accounts::{AccountError, Login, Password, Tokens};
use crate::http::{
    account::me::UserView,
    api::Api,
    kit::{
        client::{client_info, client_network},
        docs::{Docs, HOUR, MINUTE, PHONE, Tag},
        extract::{Faults, Field, JsonBody},
        problem::ApiError,
    },
    public::codes::either,
};

/// `email`, or `phone` once it is verified; and the password.
#[derive(Debug, Deserialize)]
pub struct LoginRequest {
    #[serde(default)]
    email: Field,
    #[serde(default)]
    phone: Field,
    #[serde(default)]
    password: Field,
}

/// Either of the two, never both.
#[derive(ToSchema)]
#[schema(as = LoginRequest)]
#[serde(untagged)]
#[expect(dead_code, reason = "it describes JSON that is read elsewhere")]
enum EitherLogin {
    Email(EmailLogin),
    Phone(PhoneLogin),
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes JSON that is read elsewhere")]
struct EmailLogin {
    #[schema(max_length = 254, pattern = "{email}", example = "test@example.com")]
    email: String,
    #[schema(min_length = 1, max_length = 128, example = "securepass123")]
    password: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes JSON that is read elsewhere")]
struct PhoneLogin {
    /// In international form, and verified.
    #[schema(pattern = "{phone}", example = "+14155552671")]
    phone: String,
    #[schema(min_length = 1, max_length = 128, example = "securepass123")]
    password: String,
}

/// The refresh token of a session.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RefreshRequest {
    #[serde(default)]
    #[schema(value_type = String, required)]
    refresh: Field,
}

/// How an access token is sent.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes JSON that is made elsewhere")]
enum TokenType {
    Bearer,
}

/// A session's tokens.
#[derive(Serialize, ToSchema)]
#[schema(as = Tokens)]
pub struct TokensView {
    /// A JWT, to be sent as `Authorization: Bearer …`.
    access: String,
    /// Opaque; good for one use at `/api/users/token/refresh/`.
    refresh: String,
    #[schema(value_type = TokenType, example = "Bearer")]
    token_type: &'static str,
    /// Seconds until the access token expires.
    #[schema(example = 900)]
    expires_in: u64,
}

impl std::fmt::Debug for TokensView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokensView(•••)")
    }
}

/// An account and a session of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SignedIn)]
pub struct SignedInView {
    pub user: UserView,
    pub tokens: TokensView,
}

/// New tokens.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Refreshed)]
pub struct RefreshedView {
    tokens: TokensView,
}

/// Public keys (RFC 7517).
#[derive(ToSchema)]
#[schema(as = Jwks)]
#[expect(dead_code, reason = "it describes JSON that is made elsewhere")]
pub struct JwksView {
    keys: Vec<JwkView>,
}

/// A public key (RFC 8037).
#[derive(ToSchema)]
#[schema(as = Jwk)]
#[expect(dead_code, reason = "it describes JSON that is made elsewhere")]
pub struct JwkView {
    #[schema(example = "OKP")]
    kty: String,
    #[schema(example = "Ed25519")]
    crv: String,
    #[schema(example = "sig")]
    r#use: String,
    #[schema(example = "EdDSA")]
    alg: String,
    /// Stands in the header of the tokens that it signed.
    kid: String,
    /// The key, in base64url.
    x: String,
}

pub fn login_docs() -> Docs {
    Docs::new("login", Tag::Sessions, "Sign in with a password.")
        .text(
            "Send the e-mail address, or the phone once it is verified. An unknown login and a wrong password are \
             answered alike.",
        )
        .body::<EitherLogin>(
            &["password"],
            &[
                ("by e-mail", json!({ "email": "test@example.com", "password": "securepass123" })),
                ("by phone", json!({ "phone": PHONE, "password": "securepass123" })),
            ],
        )
        .answers(200, "The account and its tokens.", &SignedInView::example())
        .refuses([AccountError::InvalidCredentials])
        .limited("login-per-ip", 600, HOUR)
        .unavailable()
}

/// Signs in with a password.
pub async fn login(
    api: web::Data<Api>,
    request: HttpRequest,
    body: JsonBody<LoginRequest>,
) -> Result<HttpResponse, ApiError> {
    let (login, password) = credentials(&api, body.0)?;
    let (user, tokens) = api
        .sign_in
        .login(&client_info(&api, &request), login, password)
        .await?;
    Ok(HttpResponse::Ok().json(SignedInView {
        user: user.into(),
        tokens: tokens.into(),
    }))
}

pub fn refresh_docs() -> Docs {
    Docs::new("refresh", Tag::Sessions, "Renew the tokens.")
        .text(
            "A refresh token is good for one use. It is answered once more while no token of its answer was used, as that \
             answer may have been lost; and within a few seconds of its use, with the session's newest token, as several \
             tabs may use one. Any other second use ends its session.",
        )
        .body::<RefreshRequest>(
            &["refresh"],
            &[("refresh", json!({ "refresh": TokensView::example().refresh }))],
        )
        .answers(200, "New tokens.", &RefreshedView::example())
        .token()
        .limited("token-refresh-per-ip", 6000, MINUTE)
        .unavailable()
}

/// Renews the tokens of a session.
pub async fn refresh(
    api: web::Data<Api>,
    request: HttpRequest,
    body: JsonBody<RefreshRequest>,
) -> Result<HttpResponse, ApiError> {
    let mut faults = Faults::default();
    let token = faults.required("refresh", body.0.refresh, |text| {
        Ok::<_, AccountError>(text.to_owned())
    });
    let token = token.ok_or_else(|| faults.into_error())?;
    let tokens = api
        .sessions
        .refresh(client_network(&api, &request), &token)
        .await?;
    Ok(HttpResponse::Ok().json(RefreshedView {
        tokens: tokens.into(),
    }))
}

pub fn jwks_docs() -> Docs {
    let example = json!({ "keys": [{
        "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }] });
    Docs::new("jwks", Tag::Sessions, "Get the public keys of access tokens.")
        .text(
            "For whoever checks tokens without asking this service (RFC 7517). There are several while a secret is \
             rotated.",
        )
        .answers_value::<JwksView>(200, "The keys.", example)
}

/// The public keys of access tokens.
pub async fn jwks(api: web::Data<Api>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
        .json(api.sessions.access.jwks())
}

fn credentials(api: &Api, body: LoginRequest) -> Result<(Login, Password), ApiError> {
    let mut faults = Faults::default();
    let login = either(api, &mut faults, body.email, body.phone);
    // Not judged by today's rules: an old password may be shorter than they allow.
    let password = faults.required("password", body.password, |text| {
        Ok::<_, AccountError>(Password::presented(text))
    });
    match (login, password) {
        (Some(login), Some(password)) if faults.is_empty() => Ok((login, password)),
        _ => Err(faults.into_error()),
    }
}

impl TokensView {
    /// As the documents show it.
    pub fn example() -> Self {
        Self {
            access: "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9.eyJzdWIiOiIwMTk5YTJmNCJ9.c2lnbmF0dXJl"
                .to_owned(),
            refresh: "pKvURIxJVi2CgRXROh_M6pJ_UrTVRZKX-LQ-QtqJI4vBNibkPcs43bCCSIkn7JBPtCBXRA".to_owned(),
            token_type: "Bearer",
            expires_in: 900,
        }
    }
}

impl SignedInView {
    /// As the documents show it.
    pub fn example() -> Self {
        Self {
            user: UserView::example(),
            tokens: TokensView::example(),
        }
    }
}

impl RefreshedView {
    fn example() -> Self {
        Self {
            tokens: TokensView::example(),
        }
    }
}

impl From<Tokens> for TokensView {
    fn from(tokens: Tokens) -> Self {
        Self {
            access: tokens.access,
            refresh: tokens.refresh,
            token_type: "Bearer",
            expires_in: tokens.expires_in.as_secs(),
        }
    }
}
