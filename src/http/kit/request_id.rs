//! The id of the request that is being answered.

use std::future::Future;

tokio::task_local! {
    static CURRENT: String;
}

/// What request ids look like, in examples.
pub const EXAMPLE: &str = "0b5b1d5c9f1e4b7f8a86c27a2f3a1d77";

/// The id of the request that this task answers.
pub fn request_id() -> String {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}

/// Runs a future for the request with this id.
pub async fn with<F: Future>(id: String, future: F) -> F::Output {
    CURRENT.scope(id, future).await
}

/// The same for what is done at once.
pub fn with_sync<R>(id: String, act: impl FnOnce() -> R) -> R {
    CURRENT.sync_scope(id, act)
}
