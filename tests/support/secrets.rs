//! What came up in a session, and the look for it where it must not be.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use sha2::{Digest, Sha256};

use crate::Answer;

/// What must not be found: its name, and the text.
struct Secret {
    what: &'static str,
    text: String,
    /// Fit for the users' table and the SMS call, and nothing else.
    personal: bool,
}

/// What came up in a session.
#[derive(Default)]
pub struct Secrets(Vec<Secret>);

impl Secrets {
    pub fn add(&mut self, what: &'static str, text: &str) {
        self.push(what, text, false);
    }

    /// A phone in every spelling that a careless line could have.
    pub fn add_phone(&mut self, phone: &str) {
        let number = phone.trim_start_matches('+');
        self.push("phone", number, true);
        for plain in [phone, number] {
            let digest = Sha256::digest(plain);
            self.push("digest of a phone", &BASE64_STANDARD.encode(digest), true);
            self.push("digest of a phone", &hex(&digest), true);
        }
    }

    /// An e-mail address, and its plain digests.
    pub fn add_email(&mut self, email: &str) {
        self.push("e-mail address", email, true);
        for written in [email.to_owned(), email.to_lowercase()] {
            let digest = Sha256::digest(written);
            self.push(
                "digest of an e-mail address",
                &BASE64_STANDARD.encode(digest),
                true,
            );
            self.push("digest of an e-mail address", &hex(&digest), true);
        }
    }

    pub fn add_code(&mut self, code: &str) {
        self.add("code", code);
        self.add("digest of a code", &hex(&Sha256::digest(code)));
        self.add("digest of a code", &BASE64_STANDARD.encode(Sha256::digest(code)));
    }

    /// An access or refresh token: in whole, and the part that makes it good.
    fn add_token(&mut self, token: &str) {
        let proof = token.rsplit('.').next().unwrap();
        self.add("token", &proof[proof.len() - 40..]);
        if let Ok(bytes) = BASE64_URL_SAFE_NO_PAD.decode(proof) {
            self.add("token", &hex(&bytes[bytes.len() - 30..]));
        }
    }

    pub fn add_tokens(&mut self, answer: &Answer) {
        for name in ["access", "refresh"] {
            if let Some(token) = answer.body["tokens"][name].as_str() {
                self.add_token(token);
            }
        }
    }

    pub fn push(&mut self, what: &'static str, text: &str, personal: bool) {
        assert!(text.len() >= 8, "{what} {text} would be found by chance");
        self.0.push(Secret {
            what,
            text: text.to_owned(),
            personal,
        });
    }

    /// Looks for every secret in `text`, whatever its case.
    #[track_caller]
    pub fn assert_absent(&self, place: &str, text: &str, personal_too: bool) {
        let lower = text.to_lowercase();
        for Secret {
            what,
            text: secret,
            personal,
        } in &self.0
        {
            if *personal && !personal_too {
                continue;
            }
            if let Some(at) = lower.find(&secret.to_lowercase()) {
                let from = lower[..at].rfind('\n').map_or(0, |at| at + 1);
                let line = lower[from..].lines().next().unwrap_or_default();
                panic!("{place} holds a {what}: {secret} in {line}");
            }
        }
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
