//! The example for Rust of `docs/tokens.md`, word for word behind this line.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use serde::Deserialize;

/// What a service needs of a token.
#[derive(Debug, Deserialize)]
pub struct Claims {
    pub sub: String,
    pub sid: String,
    pub auth_time: i64,
    #[serde(default)]
    pub amr: Vec<String>,
    pub phone_verified: bool,
    pub email_verified: bool,
}

/// The claims of a good token. `keys` are those of `https://id.example.com/.well-known/jwks.json`.
pub fn check(token: &str, keys: &JwkSet) -> Option<Claims> {
    let header = decode_header(token).ok()?;
    let key = keys.find(header.kid.as_deref()?)?;
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.set_issuer(&["https://id.example.com"]);
    rules.set_audience(&["ringback"]);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    rules.leeway = 0;
    if header.typ.as_deref() != Some("at+jwt") {
        return None;
    }
    let checked = decode(token, &DecodingKey::from_jwk(key).ok()?, &rules);
    Some(checked.ok()?.claims)
}
