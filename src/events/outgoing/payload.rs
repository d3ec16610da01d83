//! An event as it goes out.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

/// An event as the table has it when it is sent: after an erasure, without whose it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingEvent {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub kind: String,
    pub actor: String,
    pub actor_id: Option<Uuid>,
    pub user_id: Option<Uuid>,
    pub network: Option<String>,
    pub reason: Option<String>,
    /// A JSON object.
    pub details: String,
    pub times: u32,
}

impl OutgoingEvent {
    /// The body of its webhook: what Standard Webhooks advises, `type`, `timestamp` and `data`.
    pub fn body(&self) -> String {
        let at = self.at.to_rfc3339_opts(SecondsFormat::Micros, true);
        let details: Value = serde_json::from_str(&self.details).unwrap_or_default();
        json!({
            "type": self.kind,
            "timestamp": at,
            "data": {
                "id": self.id,
                "actor": self.actor,
                "actor_id": self.actor_id,
                "user_id": self.user_id,
                "network": self.network,
                "reason": self.reason,
                "details": details,
                "times": self.times,
            },
        })
        .to_string()
    }
}
