//! Finding accounts.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;
use utoipa::ToSchema;

use super::{access::enter, views::AdminUserView};
use crate::{
    accounts::{AccountStatus, Search, SearchBy},
    admin::{AdminError, Entered},
    http::{
        api::Api,
        kit::{
            cursor::{cursor, place},
            docs::{Docs, MINUTE, Tag},
            extract::{Faults, Field, Query},
            problem::ApiError,
        },
    },
    problem::FieldErrors,
    tokens::Role,
};

/// Rows of a page where none is asked for, and at most.
pub const USUAL: u32 = 50;
pub const MOST: u32 = 100;

#[derive(Debug, Error)]
enum QueryError {
    #[error("At most 254 characters.")]
    Long,
    #[error("Either active or locked.")]
    Status,
}

/// Accounts, and where the list goes on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminUsers)]
pub struct UsersView {
    users: Vec<AdminUserView>,
    /// To be sent as `cursor` for what follows. Null: that is all.
    #[schema(required, example = json!(null))]
    next_cursor: Option<String>,
}

const Q: &str = "What is looked for; empty: all. The list goes by id, the highest first: of accounts that registered here the newest come first, \
                 imported ones stand where their own ids sort.";

pub fn list_docs() -> Docs {
    let text = json!({ "type": "string" });
    Docs::new("admin_users", Tag::Administration, "Find accounts.")
        .text("By the beginning of an e-mail address or a last name, by a whole phone in any spelling, or by an id.")
        .bearer()
        .parameter("query", "q", Q, text.clone(), "jane@")
        .parameter("query", "status", "Those of this status alone.", json!({ "enum": ["active", "locked"] }), "locked")
        .parameter("query", "cursor", "Where the list goes on: `next_cursor` of the answer before.", text, "")
        .limit_parameter(MOST)
        .answers(
            200,
            "The accounts.",
            &UsersView {
                users: vec![AdminUserView::example()],
                next_cursor: None,
            },
        )
        .refuses([crate::http::kit::rejection::Rejection::Fields(FieldErrors::from([(
            "cursor",
            vec!["This is not a cursor of this list.".into()],
        )]))])
        .administers(Role::Support)
        .limited("admin-per-user", 600, MINUTE)
        .unavailable()
}

/// Finds accounts.
pub async fn list(
    api: web::Data<Api>,
    request: HttpRequest,
    mut query: Query,
) -> Result<HttpResponse, ApiError> {
    let entered = enter(&api, &request, Role::Support).await?;
    let fields = ["q", "status", "cursor", "limit"].map(|name| query.take(name));
    let (_, _, found) = found(&api, &entered, fields).await?;
    Ok(HttpResponse::Ok().json(found))
}

/// What was typed, the status, and the accounts that are found.
pub async fn found(
    api: &Api,
    entered: &Entered,
    fields: [Field; 4],
) -> Result<(String, Option<AccountStatus>, UsersView), ApiError> {
    let (q, search) = search(api, fields)?;
    let (found, has_more) = api.admin.search(&entered.acting(None), &search).await?;
    let last = found.last().filter(|_| has_more).map(|(_, place)| *place);
    let keyring = &api.flows.codes.challenges.keyring;
    let next_cursor = last.map(|place| cursor(keyring, &list_of(&q, search.status), &place));
    let users = found.into_iter().map(|(account, _)| account.into()).collect();
    Ok((q, search.status, UsersView { users, next_cursor }))
}

/// What a cursor belongs to.
fn list_of(q: &str, status: Option<AccountStatus>) -> [&str; 3] {
    ["users", q, status.map_or("", AccountStatus::name)]
}

/// What is looked for, as it was typed and as it was read.
fn search(api: &Api, [q, status, after, limit]: [Field; 4]) -> Result<(String, Search), ApiError> {
    let mut faults = Faults::default();
    let q = faults.optional("q", q, |text| {
        let by = SearchBy::parse(text).ok_or(QueryError::Long)?;
        Ok::<_, QueryError>((text.trim().to_owned(), by))
    });
    let (q, by) = q.unwrap_or((String::new(), SearchBy::Nothing));
    let status = faults.optional("status", status, |text| {
        AccountStatus::from_name(text).ok_or(QueryError::Status)
    });
    let keyring = &api.flows.codes.challenges.keyring;
    let after = faults.optional("cursor", after, |text| place(keyring, &list_of(&q, status), text));
    let limit = faults.number("limit", limit, 1..=i64::from(MOST));
    if !faults.is_empty() {
        return Err(faults.into_error());
    }
    let limit = limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(USUAL);
    let search = Search {
        by,
        status,
        after,
        limit,
    };
    Ok((q, search))
}

impl Docs {
    /// How many rows an answer has at most.
    pub fn limit_parameter(self, most: u32) -> Self {
        let schema = json!({ "type": "integer", "minimum": 1, "maximum": most, "default": USUAL });
        self.parameter("query", "limit", "So many at most.", schema, &USUAL.to_string())
    }

    /// It takes an administrator's session, of this role or more.
    pub fn administers(self, least: Role) -> Self {
        let refused = self.refuses([AdminError::SecondProofRequired, AdminError::Forbidden]);
        refused.extension("x-role", Value::from(least.name()))
    }
}
