//! What it adds up to, on one page.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use chrono::TimeDelta;
use serde_json::json;

use super::{chart::bars, enter::enter};
use crate::{
    http::{
        admin::stats::StatsView,
        api::Api,
        kit::{
            extract::{Field, Query},
            problem::ApiError,
        },
    },
    tokens::Role,
};

/// Shows the overview: the last day, or the last week.
pub async fn show(
    api: web::Data<Api>,
    request: HttpRequest,
    mut query: Query,
) -> Result<HttpResponse, ApiError> {
    let inside = enter(&api, &request, Role::Support).await?;
    let is_week = matches!(query.take("range"), Field::Word(range) if range == "week");
    let range = if is_week {
        TimeDelta::days(7)
    } else {
        TimeDelta::hours(24)
    };
    let since = api.admin.clock.now() - range;
    let stats = api.admin.stats(&inside.entered.acting(None), since).await?;
    let (hours, span) = (&stats.hours, (stats.since, stats.until));
    let charts = [
        bars("Sign-ups", hours, span, |hour| hour.sign_ups),
        bars("Messages", hours, span, |hour| hour.messages),
        bars("Codes entered", hours, span, |hour| hour.verified),
        bars("Refusals", hours, span, |hour| hour.refusals),
    ];
    let own = json!({ "is_week": is_week, "charts": charts, "stats": StatsView::from(stats) });
    let shown = inside.page(&api, &request, StatusCode::OK, ("overview.html", "overview"), own);
    Ok(shown.answer())
}
