//! Work that comes to its end though whoever asked for it left.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio::runtime::Handle;

/// What [`carry_on`] gives.
pub struct CarryOn<T: Send + 'static>(Option<Pin<Box<dyn Future<Output = T> + Send>>>);

/// Does `work`, and lets it go on by itself if this is dropped before its end: actix-web drops a handler whose client hung
/// up.
///
/// So long as it isn't dropped the work is part of its caller's task, which costs less than to spawn one for each
/// request. Work that panics ends there. Dropped outside a Tokio runtime, or as its runtime ends, the work ends too.
pub fn carry_on<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> CarryOn<T> {
    CarryOn(Some(Box::pin(work)))
}

impl<T: Send + 'static> Future for CarryOn<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        // Taken out, lest work that panics be done again by `drop`.
        let mut work = self
            .0
            .take()
            .expect("it is polled until it is ready, and no longer");
        let outcome = work.as_mut().poll(context);
        if outcome.is_pending() {
            self.0 = Some(work);
        }
        outcome
    }
}

impl<T: Send + 'static> Drop for CarryOn<T> {
    fn drop(&mut self) {
        if let Some(work) = self.0.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_goes_on_when_nobody_waits_for_it_any_more() {
        let (go, gone) = oneshot::channel::<()>();
        let (done, outcome) = oneshot::channel();
        let mut work = carry_on(async move {
            let _ = gone.await;
            done.send(7)
        });
        assert!(futures_util::poll!(&mut work).is_pending());
        drop(work);
        go.send(()).unwrap();
        assert_eq!(outcome.await, Ok(7));
    }

    #[tokio::test]
    async fn work_that_is_waited_for_answers_and_is_done_once() {
        assert_eq!(carry_on(async { 7 }).await, 7);
    }

    #[tokio::test]
    async fn work_that_panics_ends_there() {
        let work = carry_on(async { panic!("on purpose") });
        assert!(tokio::spawn(work).await.unwrap_err().is_panic());
    }
}
