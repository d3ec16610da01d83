//! What providers report of the SMS that they took.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::http::{
    api::Api,
    kit::{
        docs::{CHALLENGE_ID, Docs, Tag},
        extract::FormBody,
        problem::ApiError,
        rejection::Rejection,
    },
};
use crate::sms::Forged;

pub fn twilio_docs() -> Docs {
    Docs::new("twilio_receipt", Tag::Receipts, "Take a delivery receipt from Twilio.")
        .text(
            "Twilio is asked for receipts where `server.public_url` is set; without it there is nothing here. The \
             signature is checked against that address. Receipts may come twice, in any order, and for challenges that \
             are long over.",
        )
        .parameter(
            "path",
            "challenge_id",
            "The challenge whose SMS it is about.",
            json!({ "type": "string", "format": "uuid" }),
            CHALLENGE_ID,
        )
        .parameter(
            "header",
            "X-Twilio-Signature",
            "HMAC-SHA1 over the address and the form.",
            json!({ "type": "string" }),
            "0/KCTR6DLpKmkAf8muzZqo1nDgQ=",
        )
        .form("`MessageSid`, `MessageStatus`, `ErrorCode` and what else Twilio sends.")
        .answer(204, "Taken.", Value::Null)
        .refuses([Rejection::NotFound])
        .refuses([Forged])
        .unavailable()
}

/// Takes a receipt of Twilio.
pub async fn twilio(
    api: web::Data<Api>,
    request: HttpRequest,
    id: web::Path<String>,
    form: FormBody,
) -> Result<HttpResponse, ApiError> {
    let receipts = api.receipts.as_ref().ok_or(Rejection::NotFound)?;
    let signature = request.headers().get("x-twilio-signature");
    let signature = signature.and_then(|signature| signature.to_str().ok());
    let receipt = receipts.read(request.path(), request.query_string(), &form.0, signature)?;
    if let Ok(id) = Uuid::parse_str(&id) {
        api.flows.codes.receive(id, "twilio", &receipt).await?;
    }
    Ok(HttpResponse::NoContent().finish())
}
