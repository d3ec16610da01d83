//! What the requests for a change of address have in common.

use std::convert::Infallible;

use actix_web::HttpRequest;

use crate::{
    accounts::{Password, SignedIn},
    channel::Channel,
    flows::Changer,
    http::{
        api::Api,
        kit::{
            client::{client_network, proof_of_work},
            extract::{Faults, Field},
            language::language_for,
        },
    },
};

/// The password that a change asks for; an empty one where the account has none.
pub fn presented(faults: &mut Faults, name: &'static str, password: Field) -> Option<Password> {
    match password {
        Field::Null => Some(Password::presented("")),
        field => faults.required(name, field, |text| Ok::<_, Infallible>(Password::presented(text))),
    }
}

/// Who changes an address of this channel, and in what language.
pub fn changer(api: &Api, request: &HttpRequest, signed_in: SignedIn, channel: Channel) -> Changer {
    Changer {
        signed_in,
        client: client_network(api, request),
        language: language_for(api, request, channel),
        work: proof_of_work(request),
    }
}
