//! Answers that come after whoever asked was told that there is none: Redis did what it was asked to, only later.

use std::{pin::Pin, sync::Arc, time::Duration};

use ::redis::{FromRedisValue, Value, from_redis_value};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::failure::Failure;
use crate::unavailable::Unavailable;

/// How long a late answer is waited for.
const AWAITED: Duration = Duration::from_secs(60);
/// For how many at once.
pub(super) const MOST: usize = 1024;

/// A request that was not answered in time.
pub struct Unanswered {
    pub why: Unavailable,
    /// Its answer, which may yet come. `None` where none can, or where too many are waited for.
    pub later: Option<LateAnswer>,
}

pub(super) type Answer = Pin<Box<dyn Future<Output = Result<Value, Failure>> + Send>>;

/// An answer that may yet come.
pub struct LateAnswer {
    answer: Answer,
    _place: OwnedSemaphorePermit,
}

impl LateAnswer {
    /// Takes one of the places, if one is left.
    pub(super) fn of(answer: Answer, places: &Arc<Semaphore>) -> Option<Self> {
        let place = Arc::clone(places).try_acquire_owned().ok()?;
        Some(Self {
            answer,
            _place: place,
        })
    }

    /// Waits for a minute at most. `None` if nothing came.
    pub async fn wait<T: FromRedisValue>(self) -> Option<T> {
        let answer = timeout(AWAITED, self.answer).await.ok()?;
        from_redis_value(answer.ok()?).ok()
    }
}
