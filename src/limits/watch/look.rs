//! One look at the limits file: it becomes active when it has changed and is sound.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::super::{
    changes::changes,
    file::{self, FileError},
    limiter::Limiter,
    networks::Networks,
    rule::RuleSet,
};
use crate::clock::Clock;

/// A changed file is taken when it looks the same twice, this far apart: whoever writes in place truncates first, and
/// an empty file would mean no limits.
const SETTLE: Duration = Duration::from_millis(60);
/// How often a file that keeps changing is looked at before it is left for the next time.
const SETTLE_LOOKS: usize = 6;
/// After a change the content is compared at this many looks though the metadata stands still: two writes may lie
/// within one tick of the file system's clock.
const WARY_LOOKS: u8 = 8;

/// How the limits file stands: for `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStatus {
    pub path: PathBuf,
    /// When the rules in force were loaded.
    pub loaded_at: DateTime<Utc>,
    /// What is wrong with the file as it is now, a line for each fault; empty when it is in force.
    pub faults: Vec<String>,
}

/// The watcher's state and its one step, [`Watch::look`].
pub struct Watch {
    paths: Paths,
    limiter: Limiter,
    clock: Arc<dyn Clock>,
    pub status: Arc<Mutex<FileStatus>>,
    seen: Option<Seen>,
    wary: u8,
}

/// The limits file, and that of the lists of networks, if there is one.
#[derive(Debug, Clone)]
pub struct Paths {
    pub rules: PathBuf,
    pub networks: Option<PathBuf>,
}

/// What both files have.
struct Texts {
    rules: String,
    networks: Option<String>,
}

/// The files at one look.
#[derive(Clone, PartialEq, Eq)]
struct Seen {
    stamp: [Option<Stamp>; 2],
    content: Result<[u8; 32], FileError>,
}

/// What tells one file from another without reading it. Symlinks are followed, so a swapped link is another inode.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    #[cfg(unix)]
    identity: (u64, u64, i64, i64),
}

impl Watch {
    pub fn new(paths: Paths, limiter: Limiter, clock: Arc<dyn Clock>) -> Self {
        let status = FileStatus {
            path: paths.rules.clone(),
            loaded_at: clock.now(),
            faults: Vec::new(),
        };
        metrics::gauge!("ringback_limits_file_faulty").set(0.0);
        Self {
            paths,
            limiter,
            clock,
            status: Arc::new(Mutex::new(status)),
            seen: None,
            wary: 0,
        }
    }

    /// Looks at the file, and puts it in force if it changed and is sound. `again` reads and judges it in any case.
    pub async fn look(&mut self, again: bool) {
        if !again && self.wary == 0 {
            let stamp = blocking(self.paths.clone(), |paths| stamps(&paths)).await;
            if self
                .seen
                .as_ref()
                .is_some_and(|seen| Some(&seen.stamp) == stamp.as_ref())
            {
                return;
            }
        }
        self.wary = self.wary.saturating_sub(1);
        let Some((seen, text)) = self.settled(again).await else {
            return;
        };
        if self.seen.as_ref().is_some_and(|old| old.stamp != seen.stamp) {
            self.wary = WARY_LOOKS;
        }
        let known = self.seen.as_ref().is_some_and(|old| old.content == seen.content);
        self.seen = Some(seen);
        if again || !known {
            self.wary = WARY_LOOKS;
            self.judge(text, again);
        }
    }

    /// The file when two looks at it agree; `None` if it keeps changing. What is known already needs no second look.
    async fn settled(&self, again: bool) -> Option<(Seen, Result<Texts, FileError>)> {
        let mut last: Option<Seen> = None;
        for _ in 0..SETTLE_LOOKS {
            let (seen, text) = blocking(self.paths.clone(), |paths| observe(&paths)).await?;
            let known = self.seen.as_ref().is_some_and(|old| old.content == seen.content);
            if (known && !again) || last.as_ref() == Some(&seen) {
                return Some((seen, text));
            }
            last = Some(seen);
            tokio::time::sleep(SETTLE).await;
        }
        None
    }

    /// One that is faulty has the other refused as well: which rules mean which lists is read together.
    fn parse(&self, texts: &Texts) -> Result<RuleSet, FileError> {
        let networks = match (&texts.networks, &self.paths.networks) {
            (Some(text), Some(path)) => Networks::parse(text, &path.display().to_string())?,
            _ => Networks::default(),
        };
        let name = self.paths.rules.display().to_string();
        let rules = file::parse_with(&texts.rules, &name, networks)?;
        file::fitting(rules, self.limiter.prices().currency, &name)
    }

    fn judge(&self, texts: Result<Texts, FileError>, asked: bool) {
        let name = self.paths.rules.display().to_string();
        let rules = texts.and_then(|texts| self.parse(&texts));
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        let (faulty, was_faulty) = (rules.is_err(), !status.faults.is_empty());
        match rules {
            Ok(rules) => {
                let before = self.limiter.rules();
                let mut changed = changes(&before, &rules);
                if before.networks() != rules.networks() {
                    changed.push("other networks".to_owned());
                }
                // The first look finds what the start has put in force already.
                if asked || was_faulty || !changed.is_empty() {
                    tracing::info!(
                        limits.action = "reload",
                        limits.file = name,
                        limits.rules = rules.rules().len(),
                        limits.changes = changed.join("; "),
                        "limits.audit"
                    );
                }
                if was_faulty {
                    tracing::info!(limits.file = name, "the limits file is sound again");
                }
                if rules.rules().is_empty() {
                    tracing::warn!(
                        limits.file = name,
                        "the limits file has no rule: nothing is limited"
                    );
                }
                self.limiter.replace(rules);
                status.loaded_at = self.clock.now();
                status.faults = Vec::new();
            }
            Err(error) => {
                tracing::info!(
                    limits.action = "reload",
                    limits.file = name,
                    limits.refused = true,
                    "limits.audit"
                );
                status.faults = error.fault_lines();
                tracing::error!(
                    limits.faults = status.faults.join("; "),
                    "the limits file is refused, the last good one stays"
                );
            }
        }
        metrics::gauge!("ringback_limits_file_faulty").set(if faulty { 1.0 } else { 0.0 });
        let outcome = if faulty { "refused" } else { "applied" };
        metrics::counter!("ringback_limits_reloads_total", "outcome" => outcome).increment(1);
    }
}

/// Runs file I/O where it may block; `None` if that died.
async fn blocking<T: Send + 'static>(paths: Paths, work: fn(Paths) -> T) -> Option<T> {
    tokio::task::spawn_blocking(move || work(paths)).await.ok()
}

fn observe(paths: &Paths) -> (Seen, Result<Texts, FileError>) {
    let stamp = stamps(paths);
    let texts = read(paths);
    let content = match &texts {
        Ok(texts) => {
            let mut hash = Sha256::new();
            hash.update(texts.rules.len().to_be_bytes());
            hash.update(&texts.rules);
            hash.update(texts.networks.as_deref().unwrap_or_default());
            Ok(hash.finalize().into())
        }
        Err(error) => Err(error.clone()),
    };
    (Seen { stamp, content }, texts)
}

fn read(paths: &Paths) -> Result<Texts, FileError> {
    Ok(Texts {
        rules: file::read(&paths.rules)?,
        networks: paths.networks.as_deref().map(file::read).transpose()?,
    })
}

fn stamps(paths: &Paths) -> [Option<Stamp>; 2] {
    let networks = paths.networks.as_deref();
    [stamp(&paths.rules), networks.and_then(stamp)]
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(Stamp {
        modified: metadata.modified().ok(),
        length: metadata.len(),
        #[cfg(unix)]
        identity: {
            use std::os::unix::fs::MetadataExt;
            (
                metadata.dev(),
                metadata.ino(),
                metadata.ctime(),
                metadata.ctime_nsec(),
            )
        },
    })
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn another_file_of_the_same_age_and_length_is_another_file() {
        let folder = std::env::temp_dir().join(format!("ringback-stamp-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let at = |name: &str| folder.join(name);
        for name in ["one", "two"] {
            fs::write(at(name), name).unwrap();
            let file = fs::File::options().write(true).open(at(name)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        }
        symlink("one", at("link")).unwrap();
        let before = stamp(&at("link"));
        assert_eq!(before, stamp(&at("link")));
        symlink("two", at("next")).unwrap();
        fs::rename(at("next"), at("link")).unwrap();
        assert_ne!(before, stamp(&at("link")), "the link was swapped");
        fs::rename(at("two"), at("one")).unwrap();
        assert_ne!(before, stamp(&at("one")), "a file was moved over it");
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(stamp(&at("one")), None);
    }
}
