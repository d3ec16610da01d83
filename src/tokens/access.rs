//! Access tokens: JWT (RFC 7519) with the profile of RFC 9068, signed with Ed25519 (RFC 8037) and nothing else.

use std::{fmt, sync::Arc, time::Duration};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use moka::{policy::EvictionPolicy, sync::Cache};
use serde_json::json;
use sha2::{Digest, Sha256};
use thiserror::Error;
use uuid::Uuid;

use super::{AccessClaims, AccessGrant, Role, claims::Claims};
use crate::secrets::Keyring;

/// RFC 9068 section 2.1: what tells an access token from any other JWT.
const TYPE: &str = "at+jwt";
/// No token of ours is longer; what is longer is not looked at.
const MAX_BYTES: usize = 2048;
/// How far ahead the clock of another instance may be, in seconds.
const CLOCK_SKEW: i64 = 60;

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    #[error("not a token of this service")]
    Invalid,
    #[error("the token's time is over")]
    Expired,
}

/// What access tokens say, and for how long.
#[derive(Debug, Clone)]
pub struct AccessOptions {
    /// Who issues them (`iss`).
    pub issuer: String,
    /// Who takes them (`aud`).
    pub audience: String,
    /// How long one is good.
    pub ttl: Duration,
    /// Verified tokens that are remembered; 0 for none.
    pub cache: usize,
}

/// Signs and checks access tokens.
pub struct AccessTokens {
    issuer: String,
    audience: String,
    ttl: Duration,
    keys: Vec<SigningKey>,
    validation: Validation,
    /// Claims of tokens whose signature was good: a check costs some 40 µs, and clients show the same token again and
    /// again. By the whole token, as a digest of it would cost more than the look-up. Bounded; times are looked at again
    /// on every use.
    checked: Cache<Box<str>, Arc<AccessClaims>>,
}

struct SigningKey {
    id: String,
    public: [u8; 32],
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessTokens({} keys)", self.keys.len())
    }
}

impl AccessTokens {
    /// Keys from `keyring`: the first signs, all verify.
    pub fn new(keyring: &Keyring, options: AccessOptions) -> Self {
        let AccessOptions {
            issuer,
            audience,
            ttl,
            cache,
        } = options;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[&issuer]);
        validation.set_audience(&[&audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.validate_exp = false; // judged against the clock that is passed in
        let keys = keyring
            .all()
            .iter()
            .map(|keys| SigningKey::from_seed(&keys.signing_seed))
            .collect();
        let checked = Cache::builder()
            .max_capacity(cache as u64)
            // A new token will be shown again, an old one will not: how often a token was shown says nothing.
            .eviction_policy(EvictionPolicy::lru())
            .time_to_live(ttl)
            .build();
        Self {
            issuer,
            audience,
            ttl,
            keys,
            validation,
            checked,
        }
    }

    /// Who issues them.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// How long a new token lives.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// A token for a session; `jti` names it.
    pub fn sign(&self, grant: &AccessGrant, jti: Uuid, now: DateTime<Utc>) -> String {
        let key = &self.keys[0];
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(key.id.clone());
        let iat = now.timestamp();
        let claims = Claims {
            iss: &self.issuer,
            aud: &self.audience,
            client_id: &self.audience,
            sub: grant.user,
            sid: grant.session,
            generation: grant.generation,
            jti,
            iat,
            exp: iat + i64::try_from(self.ttl.as_secs()).unwrap_or(i64::MAX / 2),
            auth_time: grant.authenticated_at.timestamp(),
            amr: grant.amr.values(),
            phone_verified: grant.phone_verified,
            email_verified: grant.email_verified,
            role: grant.role.map(Role::name),
        };
        match jsonwebtoken::encode(&header, &claims, &key.encoding) {
            Ok(token) => token,
            Err(error) => {
                unreachable!("claims of plain fields are signed with a key that was made for it: {error}")
            }
        }
    }

    /// What a token says, if this service signed it for this audience and its time is not over.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn check(&self, token: &str, now: DateTime<Utc>) -> Result<Arc<AccessClaims>, TokenError> {
        if token.len() > MAX_BYTES {
            return Err(TokenError::Invalid);
        }
        let claims = match self.checked.get(token) {
            Some(claims) => claims,
            None => {
                let claims = Arc::new(self.check_signature(token)?);
                self.checked.insert(token.into(), Arc::clone(&claims));
                claims
            }
        };
        if claims.iat > now.timestamp() + CLOCK_SKEW {
            return Err(TokenError::Invalid);
        }
        if claims.exp <= now.timestamp() {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }

    /// The public keys (RFC 7517), for whoever checks tokens without asking this service.
    pub fn jwks(&self) -> serde_json::Value {
        let keys: Vec<_> = self
            .keys
            .iter()
            .map(|key| {
                let x = BASE64_URL_SAFE_NO_PAD.encode(key.public);
                json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": key.id, "x": x })
            })
            .collect();
        json!({ "keys": keys })
    }

    fn check_signature(&self, token: &str) -> Result<AccessClaims, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        let kid = header.kid.as_deref().ok_or(TokenError::Invalid)?;
        let key = self
            .keys
            .iter()
            .find(|key| key.id == kid)
            .ok_or(TokenError::Invalid)?;
        if !header.typ.is_some_and(|typ| typ.eq_ignore_ascii_case(TYPE)) {
            return Err(TokenError::Invalid);
        }
        jsonwebtoken::decode(token, &key.decoding, &self.validation)
            .map(|token| token.claims)
            .map_err(|_| TokenError::Invalid)
    }
}

impl SigningKey {
    fn from_seed(seed: &[u8; 32]) -> Self {
        // PKCS #8 (RFC 8410 section 7): a fixed head, then the seed.
        const HEAD: [u8; 16] = [
            0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
        ];
        let public = match Ed25519KeyPair::from_seed_unchecked(seed) {
            Ok(pair) => {
                let mut public = [0; 32];
                public.copy_from_slice(pair.public_key().as_ref());
                public
            }
            Err(_) => unreachable!("any 32 bytes are an Ed25519 seed"),
        };
        let x = BASE64_URL_SAFE_NO_PAD.encode(public);
        // The key's thumbprint (RFC 7638), so that a key has one name everywhere.
        let thumbprint = Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
        Self {
            id: BASE64_URL_SAFE_NO_PAD.encode(thumbprint),
            public,
            encoding: EncodingKey::from_ed_der(&[HEAD.as_slice(), seed].concat()),
            decoding: DecodingKey::from_ed_der(&public),
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;

    use super::*;
    use crate::tokens::Amr;

    const TTL: Duration = Duration::from_secs(900);

    fn tokens(secrets: &[u8], audience: &str) -> AccessTokens {
        let secrets: Vec<_> = secrets
            .iter()
            .map(|&byte| BASE64_STANDARD.encode([byte; 32]))
            .collect();
        let keyring = Keyring::parse(&secrets.join(",")).unwrap();
        AccessTokens::new(
            &keyring,
            AccessOptions {
                issuer: "https://id.example.com".to_owned(),
                audience: audience.to_owned(),
                ttl: TTL,
                cache: 100,
            },
        )
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn grant() -> AccessGrant {
        AccessGrant {
            user: Uuid::from_u128(1),
            session: Uuid::from_u128(2),
            generation: 0,
            phone_verified: true,
            email_verified: false,
            amr: Amr::SmsCode,
            authenticated_at: at(-9),
            role: None,
        }
    }

    fn sign(tokens: &AccessTokens) -> String {
        tokens.sign(&grant(), Uuid::from_u128(3), at(0))
    }

    #[test]
    fn a_token_says_all_that_others_need() {
        let token = sign(&tokens(&[1], "app"));
        let claims = token.split('.').nth(1).unwrap();
        let claims = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&claims).unwrap(),
            json!({
                "iss": "https://id.example.com", "aud": "app", "client_id": "app",
                "sub": Uuid::from_u128(1), "sid": Uuid::from_u128(2), "jti": Uuid::from_u128(3),
                "iat": 1_800_000_000, "exp": 1_800_000_900, "auth_time": 1_799_999_991,
                "amr": ["otp", "sms"], "phone_verified": true, "email_verified": false,
            })
        );
        assert!(!claims.contains("gen"), "0 is left out");
        assert!(!claims.contains("role"), "whoever administers nothing has none");
    }

    #[test]
    fn an_administrators_token_says_the_role() {
        let grant = AccessGrant {
            role: Some(Role::Support),
            ..grant()
        };
        let token = tokens(&[1], "app").sign(&grant, Uuid::from_u128(3), at(0));
        let claims = BASE64_URL_SAFE_NO_PAD
            .decode(token.split('.').nth(1).unwrap())
            .unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["role"], "support");
    }

    #[test]
    fn a_token_is_good_until_its_time_is_over() {
        let tokens = tokens(&[1], "app");
        let token = sign(&tokens);
        for _ in 0..2 {
            // the second time from the cache
            assert_eq!(tokens.check(&token, at(0)).unwrap().sub, Uuid::from_u128(1));
            assert!(tokens.check(&token, at(899)).is_ok());
            assert_eq!(tokens.check(&token, at(900)), Err(TokenError::Expired));
            assert_eq!(
                tokens.check(&token, at(-61)),
                Err(TokenError::Invalid),
                "from the future"
            );
        }
    }

    #[test]
    fn a_token_says_which_refresh_token_came_with_it() {
        let tokens = tokens(&[1], "app");
        for generation in [0, 7] {
            let grant = AccessGrant {
                generation,
                ..grant()
            };
            let token = tokens.sign(&grant, Uuid::from_u128(3), at(0));
            assert_eq!(tokens.check(&token, at(0)).unwrap().generation, generation);
        }
    }

    #[test]
    fn a_foreign_token_is_refused() {
        let tokens = tokens(&[1], "app");
        assert_eq!(
            tokens.check(&sign(&super::tests::tokens(&[2], "app")), at(0)),
            Err(TokenError::Invalid),
            "key"
        );
        assert_eq!(
            tokens.check(&sign(&super::tests::tokens(&[1], "other")), at(0)),
            Err(TokenError::Invalid),
            "audience"
        );
        let token = sign(&tokens);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (head, claims) = signed.split_once('.').unwrap();
        let forge = |from: &str, to: &str| {
            let json = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(head).unwrap()).unwrap();
            assert!(json.contains(from), "{json}");
            format!(
                "{}.{claims}.{signature}",
                BASE64_URL_SAFE_NO_PAD.encode(json.replace(from, to))
            )
        };
        for forged in [
            forge("EdDSA", "HS256"),
            forge("EdDSA", "none"),
            forge("at+jwt", "JWT"),
            format!("{head}.{claims}."),
            format!("{head}.{claims}"),
            String::new(),
            "a".repeat(5000),
        ] {
            assert_eq!(tokens.check(&forged, at(0)), Err(TokenError::Invalid), "{forged}");
        }
    }

    #[test]
    fn a_rotation_keeps_old_tokens_good_and_shows_both_keys() {
        let (before, after) = (tokens(&[1], "app"), tokens(&[2, 1], "app"));
        assert!(after.check(&sign(&before), at(0)).is_ok());
        assert!(before.check(&sign(&after), at(0)).is_err());
        assert_eq!(after.jwks()["keys"].as_array().unwrap().len(), 2);
    }
}
