//! What libraries ask for that check tokens: the issuer, where its keys are, and what its tokens say.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{
    api::Api,
    kit::docs::{Docs, Tag},
};

/// What is true of this service of OpenID Connect Discovery: there is no authorization endpoint, and there are no ID tokens.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenIdConfiguration)]
pub struct ConfigurationView {
    /// The `iss` of access tokens.
    #[schema(example = "https://id.example.com")]
    issuer: String,
    #[schema(example = "https://id.example.com/.well-known/jwks.json")]
    jwks_uri: String,
    /// None: nothing is authorized by redirects.
    response_types_supported: [&'static str; 0],
    grant_types_supported: [&'static str; 0],
    subject_types_supported: [&'static str; 1],
    /// Of access tokens. It is where libraries look for the algorithm.
    id_token_signing_alg_values_supported: [&'static str; 1],
    /// What access tokens say; `role` those of administrators alone.
    claims_supported: [&'static str; 14],
}

impl ConfigurationView {
    fn of(issuer: &str, origin: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            jwks_uri: format!("{origin}/.well-known/jwks.json"),
            response_types_supported: [],
            grant_types_supported: [],
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: ["EdDSA"],
            claims_supported: [
                "iss",
                "aud",
                "client_id",
                "sub",
                "sid",
                "gen",
                "jti",
                "iat",
                "exp",
                "auth_time",
                "amr",
                "phone_verified",
                "email_verified",
                "role",
            ],
        }
    }
}

pub fn configuration_docs() -> Docs {
    const ISSUER: &str = "https://id.example.com";
    Docs::new(
        "openid_configuration",
        Tag::Sessions,
        "Get what libraries need to check access tokens.",
    )
    .text("What is true of this service of OpenID Connect Discovery. It is no OpenID provider.")
    .answers(200, "The configuration.", &ConfigurationView::of(ISSUER, ISSUER))
}

/// The issuer, where its keys are, and what its tokens say.
pub async fn configuration(api: web::Data<Api>, request: HttpRequest) -> HttpResponse {
    let issuer = api.sessions.access.issuer();
    let mut answer = HttpResponse::Ok();
    // Without a public URL, as in development: where the client has found it. That is for nobody else.
    let here = match issuer.starts_with("http") {
        true => {
            answer.insert_header((header::CACHE_CONTROL, "public, max-age=300"));
            issuer.to_owned()
        }
        false => {
            answer.insert_header((header::CACHE_CONTROL, "no-store"));
            format!("http://{}", host(&request))
        }
    };
    answer.json(ConfigurationView::of(issuer, &here))
}

/// The host that the client names, if it is one.
fn host(request: &HttpRequest) -> &str {
    let named = request.headers().get(header::HOST);
    let named = named.and_then(|host| host.to_str().ok()).unwrap_or_default();
    let is_host = |character: u8| character.is_ascii_alphanumeric() || b".-:[]".contains(&character);
    match !named.is_empty() && named.bytes().all(is_host) {
        true => named,
        false => "localhost",
    }
}
