//! Events as files.

use std::fmt::Write;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, http::header, web};

use super::{
    enter::enter,
    lists::{EVENT_FILTER, events_page},
    page::with_policy,
};
use crate::{
    http::{
        admin::events::{EventView, every},
        api::Api,
        kit::{extract::Query, problem::ApiError},
    },
    tokens::Role,
};

/// Gives the events of a filter as CSV, the newest 10,000.
pub async fn csv(api: web::Data<Api>, request: HttpRequest, query: Query) -> Result<HttpResponse, ApiError> {
    let events = all(&api, &request, query).await?;
    let mut file = String::from("id,at,kind,actor,actor_id,user_id,network,reason,details,times\r\n");
    for event in &events {
        for (n, cell) in event.cells().iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            let _ = write!(file, "{comma}{}", cell_of(cell));
        }
        file.push_str("\r\n");
    }
    Ok(attached("events.csv", "text/csv; charset=utf-8").body(file))
}

/// The same as JSON.
pub async fn json(api: web::Data<Api>, request: HttpRequest, query: Query) -> Result<HttpResponse, ApiError> {
    let events = all(&api, &request, query).await?;
    Ok(attached("events.json", "application/json").json(events))
}

async fn all(api: &Api, request: &HttpRequest, query: Query) -> Result<Vec<EventView>, ApiError> {
    let inside = enter(api, request, Role::Support).await?;
    let filter = query.shown(&EVENT_FILTER);
    let found = every(api, &inside.entered, query.without_empty()).await;
    found.map_err(|error| {
        let again = events_page(api, request, &inside, filter, Err(&error));
        error.shown_as(again)
    })
}

fn attached(name: &str, kind: &str) -> actix_web::HttpResponseBuilder {
    let mut answer = with_policy(StatusCode::OK);
    answer
        .insert_header((
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ))
        .content_type(kind);
    answer
}

/// How a formula begins, in the wide forms that some spreadsheets take as well, or what may stand before it.
/// <https://owasp.org/www-community/attacks/CSV_Injection>
const FORMULA: [char; 11] = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\n'];

/// A cell in quotes. One that a spreadsheet would take for a formula is text.
fn cell_of(text: &str) -> String {
    let is_formula = text.starts_with(FORMULA);
    let guard = if is_formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_quotes_stay_within() {
        for (text, cell) in [
            ("plain", "\"plain\""),
            ("", "\"\""),
            ("=1+1", "\"'=1+1\""),
            ("+49", "\"'+49\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t=1\""),
            ("＝1+1", "\"'＝1+1\""),
            ("＋49", "\"'＋49\""),
            ("－1", "\"'－1\""),
            ("＠SUM(A1)", "\"'＠SUM(A1)\""),
            ("a\"b,c", "\"a\"\"b,c\""),
        ] {
            assert_eq!(cell_of(text), cell);
        }
    }
}
