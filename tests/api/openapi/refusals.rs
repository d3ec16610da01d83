//! What each operation of the document may refuse.

const BODY: &str =
    "validation_failed malformed_json request_timeout payload_too_large unsupported_media_type";
const BEARER: &str = "not_authenticated token_invalid token_expired token_revoked";
const CONFIRMED: &str = "password_incorrect rate_limited unavailable";

/// What each operation may refuse, but for a fault of ours; with its method where the path has several.
pub const REFUSALS: [(&str, &[&str]); 29] = [
    (
        "/api/users/register/",
        &[
            BODY,
            "email_taken otp_invalid otp_attempts_exceeded otp_expired rate_limited unavailable",
        ],
    ),
    (
        "/api/users/login/",
        &[BODY, "invalid_credentials rate_limited unavailable"],
    ),
    (
        "/api/users/send-phone-otp/",
        &[
            BODY,
            BEARER,
            "phone_not_supported resend_cooldown proof_required rate_limited unavailable",
        ],
    ),
    (
        "/api/users/verify-phone-otp/",
        &[
            BODY,
            BEARER,
            "otp_invalid otp_attempts_exceeded otp_expired ambiguous_claim phone_taken rate_limited unavailable",
        ],
    ),
    (
        "/api/users/send-email-otp/",
        &[
            BODY,
            BEARER,
            "resend_cooldown proof_required rate_limited mail_not_configured unavailable",
        ],
    ),
    (
        "/api/users/verify-email-otp/",
        &[
            BODY,
            BEARER,
            "otp_invalid otp_attempts_exceeded otp_expired rate_limited mail_not_configured unavailable",
        ],
    ),
    (
        "/api/users/otp-status/{challenge_id}/",
        &[BEARER, "not_found rate_limited unavailable"],
    ),
    (
        "/api/sms/receipts/{provider}/{challenge_id}/",
        &["signature_invalid not_found request_timeout payload_too_large unavailable"],
    ),
    ("get /api/users/me/", &[BEARER, "rate_limited unavailable"]),
    (
        "patch /api/users/me/",
        &[BODY, BEARER, "rate_limited unavailable"],
    ),
    (
        "/api/users/register/code/",
        &[
            BODY,
            "resend_cooldown proof_required rate_limited mail_not_configured unavailable",
        ],
    ),
    (
        "/api/users/phone/change/",
        &[
            BODY,
            BEARER,
            "password_incorrect phone_not_supported resend_cooldown proof_required rate_limited unavailable",
        ],
    ),
    (
        "/api/users/phone/change/verify/",
        &[
            BODY,
            BEARER,
            "otp_invalid otp_attempts_exceeded otp_expired phone_taken rate_limited unavailable",
        ],
    ),
    (
        "/api/users/email/change/",
        &[
            BODY,
            BEARER,
            "password_incorrect resend_cooldown proof_required rate_limited mail_not_configured unavailable",
        ],
    ),
    (
        "/api/users/email/change/verify/",
        &[
            BODY,
            BEARER,
            "otp_invalid otp_attempts_exceeded otp_expired rate_limited mail_not_configured unavailable",
        ],
    ),
    ("delete /api/users/me/", &[BODY, BEARER, CONFIRMED, "forbidden"]),
    ("/api/users/me/export/", &[BEARER, "rate_limited unavailable"]),
    ("/api/users/password/change/", &[BODY, BEARER, CONFIRMED]),
    ("get /api/users/sessions/", &[BEARER, "rate_limited unavailable"]),
    (
        "delete /api/users/sessions/",
        &[BEARER, "rate_limited unavailable"],
    ),
    (
        "/api/users/sessions/{id}/",
        &[BEARER, "not_found rate_limited unavailable"],
    ),
    (
        "/api/users/token/refresh/",
        &[
            BODY,
            "token_invalid token_expired token_revoked rate_limited unavailable",
        ],
    ),
    ("/api/users/logout/", &[BODY, BEARER, "rate_limited unavailable"]),
    ("/.well-known/jwks.json", &[]),
    ("/.well-known/openid-configuration", &[]),
    ("/healthz", &[]),
    ("/readyz", &[]),
    ("/dev/inbox/", &["not_found"]),
    ("/dev/inbox.json", &["not_found"]),
];
