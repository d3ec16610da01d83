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
use crate::provider::{Forged, ReceiptRequest};

pub fn receive_docs() -> Docs {
    Docs::new("receipt", Tag::Receipts, "Take a delivery receipt from a provider of SMS.")
        .text(
            "Twilio, which is the only one so far, is asked for receipts where `server.public_url` is set; without it there \
             is nothing here. The signature is checked against that address. Receipts may come twice, in any order, and for challenges that \
             are long over.",
        )
        .parameter(
            "path",
            "provider",
            "The provider's name.",
            json!({ "type": "string" }),
            "twilio",
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
            "Of Twilio: HMAC-SHA1 over the address and the form.",
            json!({ "type": "string" }),
            "0/KCTR6DLpKmkAf8muzZqo1nDgQ=",
        )
        .form("What the provider sends; of Twilio `MessageSid`, `MessageStatus`, `ErrorCode` and more.")
        .answer(204, "Taken.", Value::Null)
        .refuses([Rejection::NotFound])
        .refuses([Forged])
        .unavailable()
}

/// Takes a receipt of a provider.
pub async fn receive(
    api: web::Data<Api>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    form: FormBody,
) -> Result<HttpResponse, ApiError> {
    let (provider, challenge_id) = path.into_inner();
    let (provider, reader) = api.receipts.find(&provider).ok_or(Rejection::NotFound)?;
    let header = |name: &str| request.headers().get(name)?.to_str().ok();
    let update = reader.read(&ReceiptRequest {
        path: request.path(),
        query: request.query_string(),
        form: &form.0,
        header: &header,
    })?;
    if let Ok(id) = Uuid::parse_str(&challenge_id) {
        api.flows.codes.receive(id, provider, &update).await?;
    }
    Ok(HttpResponse::NoContent().finish())
}
