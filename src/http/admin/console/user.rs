//! All about one account on one page, and its buttons.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use uuid::Uuid;

use super::{
    enter::{Inside, enter, enter_by_form},
    form::{Form, Refusal},
    lists::in_words,
    page::go_to,
    said::say,
};
use crate::{
    accounts::{PersonName, ProfileChange},
    admin::{Acting, AdminError},
    channel::Channel,
    events::EventFilter,
    flows::FlowError,
    http::{
        admin::{
            access::reason,
            events::EventView,
            holds::{Held, holds, release},
            user::account_id,
            verifications::VerificationView,
            views::{AdminSessionView, AdminUserView},
        },
        api::Api,
        kit::{
            extract::{Faults, FormBody},
            problem::{ApiError, Shown},
        },
    },
    tokens::Role,
};

/// Events that are shown of an account.
const EVENTS: u32 = 50;

/// Shows all about an account.
pub async fn show(
    api: web::Data<Api>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let inside = enter(&api, &request, Role::Support).await?;
    let shown = account_page(&api, &request, &inside, account_id(&id)?, Refusal::none()).await?;
    Ok(shown.answer())
}

/// All about an account, and the form on it that was refused.
///
/// # Errors
/// `NotFound`, `Unavailable`.
pub async fn account_page(
    api: &Api,
    request: &HttpRequest,
    inside: &Inside,
    id: Uuid,
    refusal: Refusal,
) -> Result<Shown, ApiError> {
    let found = api.admin.page(&inside.entered.acting(None), id).await?;
    let filter = EventFilter {
        user: Some(id),
        limit: EVENTS,
        ..EventFilter::default()
    };
    let events = api.admin.events.page(&filter).await?;
    let limits = holds(api, &Held::of(api, &found).await?).await;
    let verifications = found.verifications.into_iter().map(VerificationView::from);
    let own = json!({
        "user": AdminUserView::from(found.account),
        "sessions": found.sessions.into_iter().map(AdminSessionView::from).collect::<Vec<_>>(),
        "verifications": verifications.map(in_words).collect::<Vec<_>>(),
        "events": events.into_iter().map(EventView::from).collect::<Vec<_>>(),
        "limits": limits,
        "is_own": inside.entered.user() == id,
        "is_fresh": api.admin.demand_fresh_proof(&inside.entered).is_ok(),
        "fault": refusal.fault,
        "typed": refusal.typed,
    });
    Ok(inside.page(api, request, refusal.status, ("user.html", "users"), own))
}

/// Does what a button says.
pub async fn act(
    api: web::Data<Api>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    body: FormBody,
) -> Result<HttpResponse, ApiError> {
    let (id, action) = path.into_inner();
    let action = Action::of(&action).ok_or(AdminError::NotFound)?;
    let (inside, form) = enter_by_form(&api, &request, (action.least(), Some(action.name())), body).await?;
    let id = account_id(&id)?;
    if let Err(error) = attempt(&api, &inside, action, id, &form).await {
        let refusal = Refusal::of(&error, form.typed(action.name()));
        return match account_page(&api, &request, &inside, id, refusal).await {
            Ok(again) => Err(error.shown_as(again)),
            // The account is gone, or can't be read.
            Err(_) => Err(error),
        };
    }
    let path = match action {
        Action::Delete => "/admin/users/".to_owned(),
        _ => format!("/admin/users/{id}/"),
    };
    let said = say(&api, inside.cookie, action.says());
    Ok(go_to(&path).with(said).answer())
}

/// Reads the form, and does it.
async fn attempt(api: &Api, inside: &Inside, action: Action, id: Uuid, form: &Form) -> Result<(), ApiError> {
    let mut faults = Faults::default();
    let reason = reason(&mut faults, form.field("reason"));
    let change = (action == Action::Rename).then(|| names(&mut faults, form));
    let Some(reason) = reason.filter(|_| faults.is_empty()) else {
        return Err(faults.into_error());
    };
    let by = inside.entered.acting(Some(reason));
    run(api, inside, action, (&by, id), change.flatten()).await
}

async fn run(
    api: &Api,
    inside: &Inside,
    action: Action,
    (by, id): (&Acting, Uuid),
    change: Option<ProfileChange>,
) -> Result<(), ApiError> {
    let admin = &api.admin;
    match action {
        Action::Lock => drop(admin.lock(by, id).await?),
        Action::Unlock => drop(admin.unlock(by, id).await?),
        Action::ConfirmPhone => drop(admin.confirm(by, id, Channel::Sms).await?),
        Action::ConfirmEmail => drop(admin.confirm(by, id, Channel::Email).await?),
        Action::EndSessions => drop(admin.end_sessions(by, id).await?),
        Action::Rename => drop(admin.change(by, id, change.unwrap_or_default()).await?),
        Action::ReleaseLimits => {
            let page = admin.look(id).await?;
            let released = release(api, &Held::of(api, &page).await?)
                .await
                .map_err(FlowError::from)?;
            admin.note_released(by, id, released).await?;
        }
        Action::Delete => {
            admin.demand_fresh_proof(&inside.entered)?;
            admin.erase(by, id).await?;
        }
    }
    Ok(())
}

fn names(faults: &mut Faults, form: &Form) -> Option<ProfileChange> {
    let first_name = faults.required("first_name", form.field("first_name"), PersonName::parse);
    let last_name = faults.required("last_name", form.field("last_name"), PersonName::parse_or_absent);
    Some(ProfileChange {
        first_name: Some(first_name?),
        last_name: Some(last_name?),
    })
}

/// What a button does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Lock,
    Unlock,
    ConfirmPhone,
    ConfirmEmail,
    EndSessions,
    ReleaseLimits,
    Rename,
    Delete,
}

impl Action {
    const ALL: [Self; 8] = [
        Self::Lock,
        Self::Unlock,
        Self::ConfirmPhone,
        Self::ConfirmEmail,
        Self::EndSessions,
        Self::ReleaseLimits,
        Self::Rename,
        Self::Delete,
    ];

    fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Unlock => "unlock",
            Self::ConfirmPhone => "confirm-phone",
            Self::ConfirmEmail => "confirm-email",
            Self::EndSessions => "end-sessions",
            Self::ReleaseLimits => "release-limits",
            Self::Rename => "rename",
            Self::Delete => "delete",
        }
    }

    const fn least(self) -> Role {
        match self {
            Self::Unlock | Self::EndSessions | Self::ReleaseLimits => Role::Support,
            Self::Lock | Self::ConfirmPhone | Self::ConfirmEmail | Self::Rename | Self::Delete => Role::Admin,
        }
    }

    const fn says(self) -> &'static str {
        match self {
            Self::Lock => "The account is locked.",
            Self::Unlock => "The account is unlocked.",
            Self::ConfirmPhone => "The phone opens the account now.",
            Self::ConfirmEmail => "The e-mail address opens the account now.",
            Self::EndSessions => "All its sessions ended.",
            Self::ReleaseLimits => "Its limits are released.",
            Self::Rename => "The name is changed.",
            Self::Delete => "The account is deleted.",
        }
    }
}
