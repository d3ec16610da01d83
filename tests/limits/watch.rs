//! The limits file while the service runs.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ringback::{
    clock::SystemClock,
    limits::{Limiter, LimiterOptions, LimitsWatch, MemoryCounters, Operation, Subject, file},
    supervision::Supervision,
};
use tokio::time::{Instant, sleep, timeout_at};

use super::unique;

/// A folder of its own, gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(unique());
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

struct Watched {
    limiter: Limiter,
    watch: LimitsWatch,
}

/// A limiter by the rules in `path`, and the watcher that keeps it so.
async fn watched(path: &Path) -> Watched {
    watched_with(path, None).await
}

async fn watched_with(path: &Path, networks: Option<&Path>) -> Watched {
    let (supervision, clock) = (Supervision::default(), Arc::new(SystemClock));
    let options = LimiterOptions {
        max_keys: 100,
        instances: 1,
        shards: 3,
    };
    let counters = Arc::new(MemoryCounters::new(clock.clone(), 100));
    let rules = file::load(path, networks).unwrap();
    let limiter = Limiter::start(&supervision, options, rules, counters, clock.clone());
    let watch = LimitsWatch::start(&supervision, path, networks, limiter.clone(), clock);
    Watched { limiter, watch }
}

impl Watched {
    /// Which quota is in force. Each rule here has its quota as id, and refuses at the second request.
    async fn active(&self) -> String {
        let client = Subject::new("203.0.113.7".parse::<IpAddr>().unwrap());
        for _ in 0..2 {
            if let Err(ringback::limits::Denied::Refused(refusal)) =
                self.limiter.admit(Operation::Me, &client).await
            {
                return refusal.rule.to_string();
            }
        }
        "none".to_owned()
    }

    async fn becomes(&self, rule: &str) {
        let deadline = Instant::now() + Duration::from_secs(5);
        let wait = async {
            while self.active().await != rule {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout_at(deadline, wait)
            .await
            .unwrap_or_else(|_| panic!("{rule} never came into force"));
    }

    async fn status_until(&self, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let faults = self.watch.status().faults;
            if wanted(&faults) {
                return faults;
            }
            assert!(Instant::now() < deadline, "{faults:?}");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

fn rule(id: &str) -> String {
    format!("[[rule]]\nid='{id}'\non='me'\nby='ip'\nquota=1\nper='30d'\nscope='instance'\n")
}

#[actix::test]
async fn a_file_written_in_place_renamed_over_or_linked_anew_comes_into_force() {
    let folder = Folder::new();
    let path = folder.at("limits.toml");
    fs::write(&path, rule("first")).unwrap();
    let watched = watched(&path).await;
    watched.becomes("first").await;

    fs::write(&path, rule("other")).unwrap(); // of the same length
    watched.becomes("other").await;

    fs::write(folder.at("next"), rule("moved")).unwrap(); // and as old, as archives and copies may leave it
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    fs::File::options()
        .write(true)
        .open(folder.at("next"))
        .unwrap()
        .set_modified(modified)
        .unwrap();
    fs::rename(folder.at("next"), &path).unwrap();
    watched.becomes("moved").await;
}

/// As a ConfigMap is mounted: `limits.toml` links to `..data/limits.toml`, and `..data` is what is swapped.
#[cfg(unix)]
#[actix::test]
async fn a_swapped_link_comes_into_force() {
    use std::os::unix::fs::symlink;

    let folder = Folder::new();
    for version in ["v1", "v2"] {
        fs::create_dir(folder.at(version)).unwrap();
        fs::write(folder.at(version).join("limits.toml"), rule(version)).unwrap();
    }
    symlink("v1", folder.at("..data")).unwrap();
    symlink("..data/limits.toml", folder.at("limits.toml")).unwrap();
    let watched = watched(&folder.at("limits.toml")).await;
    watched.becomes("v1").await;
    symlink("v2", folder.at("..data_tmp")).unwrap();
    fs::rename(folder.at("..data_tmp"), folder.at("..data")).unwrap();
    watched.becomes("v2").await;
}

/// Who writes in place truncates first, and an empty file would mean no limits.
#[actix::test]
async fn a_file_that_is_being_written_is_left_until_it_stands_still() {
    let folder = Folder::new();
    let path = folder.at("limits.toml");
    fs::write(&path, rule("whole")).unwrap();
    let watched = watched(&path).await;
    watched.becomes("whole").await;
    for _ in 0..10 {
        let writer = std::thread::spawn({
            let path = path.clone();
            move || {
                let (start, mut last) = (std::time::Instant::now(), std::time::Instant::now());
                let mut longest_pause = Duration::ZERO;
                while start.elapsed() < Duration::from_millis(700) {
                    for torn in ["", "# half of"] {
                        fs::write(&path, torn).unwrap();
                        longest_pause = longest_pause.max(last.elapsed());
                        last = std::time::Instant::now();
                        // A writer that goes on writing is what this is about.
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
                fs::write(&path, rule("whole")).unwrap();
                longest_pause.max(last.elapsed())
            }
        });
        let mut held = true;
        while !writer.is_finished() {
            held &= watched.active().await == "whole";
            sleep(Duration::from_millis(5)).await;
        }
        // A writer that the machine held up for so long did leave the file standing still.
        if writer.join().unwrap() < Duration::from_millis(50) {
            assert!(held, "the limits were off while the file was written");
            return;
        }
        watched.becomes("whole").await;
    }
    panic!("this machine holds every writer up");
}

#[actix::test]
async fn a_faulty_or_missing_file_changes_nothing_and_is_told() {
    let folder = Folder::new();
    let path = folder.at("limits.toml");
    fs::write(&path, rule("good")).unwrap();
    let watched = watched(&path).await;
    watched.becomes("good").await;
    assert!(watched.watch.status().faults.is_empty());

    fs::write(
        &path,
        format!("{}{}", rule("x"), rule("x").replace("'me'", "'you'")),
    )
    .unwrap();
    let faults = watched.status_until(|faults| faults.len() == 2).await;
    assert!(faults[0].contains("limits.toml:9:4: duplicate id"), "{faults:?}");
    assert!(faults[1].contains("limits.toml:10:4: unknown on"), "{faults:?}");
    assert_eq!(watched.active().await, "good");

    fs::remove_file(&path).unwrap();
    let said = async |what: &str| {
        let faults = watched
            .status_until(|faults| faults.len() == 1 && faults[0].contains(what))
            .await;
        assert_eq!(watched.active().await, "good", "{faults:?}");
    };
    said("No such file").await;
    fs::create_dir(&path).unwrap();
    said("directory").await;
    fs::remove_dir(&path).unwrap();
    fs::write(&path, format!("{}{}", rule("huge"), "#".repeat(10 * 1024 * 1024))).unwrap();
    said("larger than 1 MiB").await;
    fs::write(&path, b"id = \xff").unwrap();
    said("not UTF-8").await;
    fs::remove_file(&path).unwrap();
    // Nobody ever writes to it.
    std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    said("not a file").await;
    fs::remove_file(&path).unwrap();

    fs::write(&path, rule("fixed")).unwrap();
    watched.becomes("fixed").await;
    watched.status_until(<[_]>::is_empty).await;
}

#[actix::test]
async fn a_reload_is_answered_when_it_is_done_and_counters_stay() {
    let folder = Folder::new();
    let path = folder.at("limits.toml");
    fs::write(&path, rule("same")).unwrap();
    let watched = watched(&path).await;
    watched.becomes("same").await;
    let before = watched.watch.status().loaded_at;
    let status = watched.watch.reload().await.unwrap();
    assert!(status.faults.is_empty() && status.loaded_at >= before);
    let client = Subject::new("203.0.113.7".parse::<IpAddr>().unwrap());
    assert!(
        watched.limiter.admit(Operation::Me, &client).await.is_err(),
        "the counter is kept"
    );

    fs::write(&path, "[[rule]]\nid='same'").unwrap();
    let status = watched.watch.reload().await.unwrap();
    assert_eq!(status.faults.len(), 4, "{:?}", status.faults);
    assert_eq!(status.path, path);
}

#[actix::test]
async fn lists_of_networks_are_reloaded_and_a_faulty_one_changes_nothing() {
    let folder = Folder::new();
    let (path, networks) = (folder.at("limits.toml"), folder.at("networks.toml"));
    let by_list = "[[rule]]\nid='list'\non='me'\nby='network'\nquota=1\nper='30d'\nscope='instance'\n";
    let except = rule("others").replace("quota", "except=['office']\nquota");
    fs::write(&path, by_list.to_owned() + &except).unwrap();
    fs::write(&networks, "office = ['192.0.2.0/24']\n").unwrap();
    let watched = watched_with(&path, Some(&networks)).await;
    watched.becomes("others").await;
    fs::write(&networks, "office = ['203.0.113.0/24']\n").unwrap();
    watched.becomes("list").await;
    // The last good one stays.
    for faulty in ["office = ['203.0.113.0/24'\n", "home = ['203.0.113.0/24']\n"] {
        fs::write(&networks, faulty).unwrap();
        let faults = watched.status_until(|faults| !faults.is_empty()).await;
        assert!(
            faults[0].contains("networks.toml") || faults[0].contains("no list"),
            "{faults:?}"
        );
        assert_eq!(watched.active().await, "list");
        fs::write(&networks, "office = ['203.0.113.0/24']\n").unwrap();
        watched.status_until(<[String]>::is_empty).await;
    }
    fs::remove_file(&networks).unwrap();
    watched.status_until(|faults| !faults.is_empty()).await;
    assert_eq!(watched.active().await, "list");
}
