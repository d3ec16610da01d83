//! What providers report of the SMS that they took.

use actix_web::{HttpRequest, HttpResponse, web};
use uuid::Uuid;

use crate::http::{
    api::Api,
    kit::{
        extract::FormBody,
        problem::ApiError,
        refusals::{self, refusals},
        rejection::Rejection,
    },
};
use crate::sms::Forged;

refusals! {
    ReceiptRefusals =
        [
            Forged.into(),
            Rejection::NotFound.into(),
            Rejection::RequestTimeout.into(),
            Rejection::PayloadTooLarge.into(),
        ],
        refusals::away(),
}

/// Take a receipt of Twilio's.
///
/// Twilio is asked for receipts where `server.public_url` is set; without, there is nothing here. The signature is
/// checked against that address. Receipts may come twice, in any order, and for challenges that are long over.
#[utoipa::path(
    post,
    path = "/api/sms/receipts/twilio/{challenge_id}/",
    operation_id = "twilio_receipt",
    tag = "Receipts",
    params(
        ("challenge_id" = Uuid, Path, description = "The challenge whose SMS it is about."),
        ("X-Twilio-Signature" = String, Header, description = "HMAC-SHA1 over the address and the form."),
    ),
    request_body(content = String, content_type = "application/x-www-form-urlencoded",
        description = "`MessageSid`, `MessageStatus`, `ErrorCode` and what else Twilio sends."),
    responses((status = 204, description = "Taken."), ReceiptRefusals),
)]
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
        api.otp.receive(id, "twilio", &receipt).await?;
    }
    Ok(HttpResponse::NoContent().finish())
}
