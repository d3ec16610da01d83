//! The rules that requests are admitted by.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use super::{base::Base, stores::Stores, warnings};
use crate::{
    clock::Clock,
    limits::{Limiter, LimitsWatch, Prices, RuleSet},
    supervision::Supervision,
};

/// The limiter, and what watches its file.
pub(super) struct Limits {
    pub(super) limiter: Limiter,
    /// Set at the start, or once a file that is awaited has come.
    pub(super) watch: Arc<OnceLock<LimitsWatch>>,
    awaited: Vec<PathBuf>,
    /// The file with the prices, if there is one.
    prices: Option<PathBuf>,
    networks: Option<PathBuf>,
    supervision: Supervision,
    clock: Arc<dyn Clock>,
}

pub(super) fn start(base: &Base<'_>, stores: &Stores, rules: RuleSet, prices: Prices) -> Limits {
    let settings = &base.settings.limits;
    warnings::tell(base.settings, &rules, base.clock.now());
    let limits = Limits {
        limiter: Limiter::start(
            &base.supervision,
            settings.limiter,
            rules,
            Arc::clone(&stores.counters),
            Arc::clone(&base.clock),
        )
        .priced(Arc::new(prices)),
        prices: settings.prices.clone(),
        watch: Arc::default(),
        awaited: settings.awaited.clone(),
        networks: settings.networks.clone(),
        supervision: base.supervision.clone(),
        clock: Arc::clone(&base.clock),
    };
    limits.limiter.prices().note_file(false);
    if let Some(file) = &settings.file {
        limits.watch(file);
    }
    tokio::spawn(limits.limiter.clone().keep_looking_for_pauses());
    limits
}

impl Limits {
    /// Reads the file again; one that has come since the start, for the first time.
    pub(super) async fn reload(&self) {
        if self.watch.get().is_none()
            && let Some(file) = self.awaited.iter().find(|file| file.is_file())
        {
            tracing::info!(limits.file = %file.display(), "the limits file has come");
            self.watch(file);
        }
        self.reload_prices();
        if let Some(watch) = self.watch.get() {
            let _ = watch.reload().await;
        }
    }

    /// A faulty file changes nothing. It is small, and read at a signal alone.
    fn reload_prices(&self) {
        let Some(path) = &self.prices else {
            return;
        };
        let told = match Prices::load(path) {
            Err(error) => error.to_string(),
            Ok(prices) => match self.limiter.prices().replace(prices) {
                Ok(()) => {
                    self.limiter.prices().note_file(false);
                    return tracing::info!(limits.prices = %path.display(), "the prices are read");
                }
                Err(currency) => format!("the prices are in {currency}: another currency takes a start"),
            },
        };
        self.limiter.prices().note_file(true);
        tracing::error!(
            limits.fault = told,
            "the prices are refused, those of before stay"
        );
    }

    fn watch(&self, file: &Path) {
        self.watch.get_or_init(|| {
            LimitsWatch::start(
                &self.supervision,
                file,
                self.networks.as_deref(),
                self.limiter.clone(),
                Arc::clone(&self.clock),
            )
        });
    }
}
