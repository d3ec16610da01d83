//! The signature of what Twilio sends, such as receipts (<https://www.twilio.com/docs/usage/security#validating-requests>).

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::secrets::hmac_sha1;

/// `X-Twilio-Signature` of a form that is posted to `url`: HMAC-SHA1 by the account's token over the whole URL, query
/// included, and the fields in clear, sorted by name, each name followed by its value.
pub fn twilio_signature(auth_token: &str, url: &str, params: &[(&str, &str)]) -> String {
    let mut params = params.to_vec();
    params.sort_unstable();
    let mut signed = url.to_owned();
    for (name, value) in params {
        signed += name;
        signed += value;
    }
    BASE64_STANDARD.encode(hmac_sha1(auth_token.as_bytes(), signed.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
    /// Not in the order that they are signed in.
    const PARAMS: [(&str, &str); 5] = [
        ("To", "+18005551212"),
        ("CallSid", "CA1234567890ABCDE"),
        ("Digits", "1234"),
        ("Caller", "+14158675309"),
        ("From", "+14158675309"),
    ];

    #[test]
    fn it_is_that_of_twilios_own_example() {
        assert_eq!(
            twilio_signature("12345", URL, &PARAMS),
            "RSOYDt4T1cUTdK1PDd93/VVr8B8="
        );
    }

    #[test]
    fn whatever_is_changed_changes_it() {
        let signature = twilio_signature("12345", URL, &PARAMS);
        let mut forged = PARAMS;
        forged[2].1 = "1235";
        assert_ne!(twilio_signature("12345", URL, &forged), signature);
        assert_ne!(twilio_signature("12345", URL, &PARAMS[..4]), signature);
        assert_ne!(twilio_signature("12346", URL, &PARAMS), signature);
        assert_ne!(
            twilio_signature("12345", &URL[..URL.len() - 1], &PARAMS),
            signature
        );
    }
}
