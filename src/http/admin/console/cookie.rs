//! The console's cookie, and the tokens of its forms.
//!
//! The cookie says how far somebody has come (a visit, the password, the second proof) and names the session, signed. It is
//! no bearer token, and none is a cookie. A form's token is a MAC of the cookie: a page of another site has neither.

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderName},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::error::ConsoleError;
use crate::{
    entropy::{Entropy, SystemEntropy},
    http::api::Api,
    secrets::SecretKeys,
};

pub(super) const TAG_BYTES: usize = 16;
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// How far somebody has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The sign-in page was shown; the id is random.
    Visit,
    /// The password was right; the id is that of its session.
    Password,
    /// The second proof was given; the id is that of the administrator's session.
    Proven,
}

/// The console's cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cookie {
    pub stage: Stage,
    pub id: Uuid,
}

impl Stage {
    const ALL: [Self; 3] = [Self::Visit, Self::Password, Self::Proven];

    const fn byte(self) -> u8 {
        match self {
            Self::Visit => 1,
            Self::Password => 2,
            Self::Proven => 3,
        }
    }
}

impl Cookie {
    /// The cookie of a request, if it is one of ours.
    pub fn of(api: &Api, request: &HttpRequest) -> Option<Self> {
        Self::read(api, value_of(request, &name(api))?)
    }

    fn read(api: &Api, value: &str) -> Option<Self> {
        if value.len() > 64 {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(value).ok()?;
        let (told, tag) = bytes.split_at_checked(17)?;
        let keyring = &api.flows.codes.challenges.keyring;
        let is_ours = |keys: &SecretKeys| mac(keys, "cookie", told).ct_eq(tag).into();
        if !keyring.all().iter().any(is_ours) {
            return None;
        }
        let stage = Stage::ALL.into_iter().find(|stage| stage.byte() == told[0])?;
        let id = Uuid::from_slice(&told[1..]).ok()?;
        Some(Self { stage, id })
    }

    pub(super) fn told(self) -> Vec<u8> {
        let mut told = vec![self.stage.byte()];
        told.extend_from_slice(self.id.as_bytes());
        told
    }

    /// The header that sets it. Behind TLS its name binds it to this host.
    pub fn set(self, api: &Api) -> (HeaderName, String) {
        let keys = api.flows.codes.challenges.keyring.current();
        let told = self.told();
        let value = BASE64_URL_SAFE_NO_PAD.encode([told.as_slice(), &mac(keys, "cookie", &told)].concat());
        (
            header::SET_COOKIE,
            format!("{}={value}; {}", name(api), attributes(api)),
        )
    }

    /// A visit that begins.
    pub fn visit() -> Self {
        Self {
            stage: Stage::Visit,
            id: (&SystemEntropy as &dyn Entropy).uuid(),
        }
    }

    /// The header that takes it away.
    pub fn forget(api: &Api) -> (HeaderName, String) {
        (
            header::SET_COOKIE,
            format!("{}=; Max-Age=0; {}", name(api), attributes(api)),
        )
    }

    /// What its forms have to send along.
    pub fn token(self, api: &Api) -> String {
        let keys = api.flows.codes.challenges.keyring.current();
        BASE64_URL_SAFE_NO_PAD.encode(mac(keys, "form", &self.told()))
    }

    /// Refuses a form that a page of another site sent, or one that belongs to another cookie.
    ///
    /// # Errors
    /// [`ConsoleError::Forged`].
    pub fn demand(self, api: &Api, request: &HttpRequest, token: &str) -> Result<(), ConsoleError> {
        let shown = BASE64_URL_SAFE_NO_PAD.decode(token).unwrap_or_default();
        let keyring = &api.flows.codes.challenges.keyring;
        let is_ours = |keys: &SecretKeys| mac(keys, "form", &self.told()).ct_eq(&shown).into();
        match is_sent_from_here(request) && keyring.all().iter().any(is_ours) {
            true => Ok(()),
            false => Err(ConsoleError::Forged),
        }
    }
}

/// The value of the cookie of this name.
pub(super) fn value_of<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    let lines = request.headers().get_all(header::COOKIE);
    let mut pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// Whether a browser says that the form was on a page of this very site. Older ones say the origin alone.
fn is_sent_from_here(request: &HttpRequest) -> bool {
    let value = |name: HeaderName| {
        request
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap_or("?"))
    };
    if let Some(site) = value(HeaderName::from_static(SEC_FETCH_SITE)) {
        return site == "same-origin";
    }
    match (value(header::ORIGIN), value(header::HOST)) {
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, from)| from == host),
        (Some(_), None) => false,
        (None, _) => true,
    }
}

pub(super) fn mac(keys: &SecretKeys, what: &str, told: &[u8]) -> [u8; TAG_BYTES] {
    let mut tag = [0; TAG_BYTES];
    tag.copy_from_slice(&keys.console.tag(&[what.as_bytes(), told])[..TAG_BYTES]);
    tag
}

fn is_behind_tls(api: &Api) -> bool {
    let public = api.admin_options.public_url.as_ref();
    public.is_some_and(|url| url.scheme() == "https")
}

/// Cookies know no ports: several services on one machine have names of their own by it.
pub(super) fn name(api: &Api) -> String {
    match is_behind_tls(api) {
        true => "__Host-ringback-admin".to_owned(),
        false => format!("ringback-admin-{}", api.admin_options.bind.port()),
    }
}

pub(super) fn attributes(api: &Api) -> &'static str {
    match is_behind_tls(api) {
        true => "Path=/; HttpOnly; SameSite=Strict; Secure",
        false => "Path=/; HttpOnly; SameSite=Strict",
    }
}
