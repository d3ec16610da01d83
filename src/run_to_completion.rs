//! Work that comes to its end though whoever asked for it left.

use std::panic::resume_unwind;

/// Does `work` on a task of its own, which goes on when this is dropped: actix-web drops a handler whose client hung up.
///
/// Runs inside a Tokio runtime; as that ends, so does the work. What panics there, panics here.
pub fn run_to_completion<T, W>(work: W) -> impl Future<Output = T> + Send + use<T, W>
where
    T: Send + 'static,
    W: Future<Output = T> + Send + 'static,
{
    // Boxed, and that at once: a task is moved several times, and so is whoever waits for it, each with all that it holds.
    let work = Box::pin(work);
    async move {
        match tokio::spawn(work).await {
            Ok(outcome) => outcome,
            Err(panic) => resume_unwind(panic.into_panic()),
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
        let work = run_to_completion(async move {
            let _ = gone.await;
            done.send(7)
        });
        let mut work = Box::pin(work);
        assert!(futures_util::poll!(&mut work).is_pending());
        drop(work);
        go.send(()).unwrap();
        assert_eq!(outcome.await, Ok(7));
    }

    #[tokio::test]
    async fn work_that_panics_does_so_where_it_is_waited_for() {
        let waited = tokio::spawn(run_to_completion(async { panic!("on purpose") }));
        assert!(waited.await.unwrap_err().is_panic());
    }
}
