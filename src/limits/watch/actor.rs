//! The shell around the limits file: a timer and a way to ask for a look now.

use std::{sync::Arc, time::Duration};

use actix::{Actor, AsyncContext, Context, Handler, Message, ResponseFuture, Supervised};
use tokio::sync::Mutex;

use super::look::Watch;
use crate::supervision::{AskError, Mailbox, Supervision};

/// How often the limits file is looked at: a change is active within a second.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Reloads that may wait: each is a whole look at the file, so more have no use.
const MAX_RELOADS: usize = 4;

/// The way to the `ConfigWatcher`.
#[derive(Clone)]
pub(super) struct Watcher(Mailbox<ConfigWatcher>);

impl Watcher {
    pub fn start(supervision: &Supervision, watch: Watch) -> Self {
        let watch = Arc::new(Mutex::new(watch));
        Self(supervision.start("config_watcher", MAX_RELOADS, |_| ConfigWatcher { watch }))
    }

    /// Looks at the file now, whether or not it seems to have changed.
    pub async fn reload(&self) -> Result<(), AskError> {
        self.0.ask(Reload).await
    }
}

pub(super) struct ConfigWatcher {
    /// Locked while a look is on its way, so that there is never more than one.
    watch: Arc<Mutex<Watch>>,
}

impl Actor for ConfigWatcher {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(LOOK_EVERY, |this, _| {
            if let Ok(mut watch) = Arc::clone(&this.watch).try_lock_owned() {
                actix::spawn(async move { watch.look(false).await });
            }
        });
    }
}

impl Supervised for ConfigWatcher {}

#[derive(Message)]
#[rtype(result = "()")]
struct Reload;

impl Handler<Reload> for ConfigWatcher {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Reload, _: &mut Self::Context) -> Self::Result {
        let watch = Arc::clone(&self.watch);
        Box::pin(async move { watch.lock().await.look(true).await })
    }
}
