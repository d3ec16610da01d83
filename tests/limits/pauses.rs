//! What whoever keeps the cluster's counters promises of pauses.

use futures_util::future::join_all;
use ringback::limits::{Pause, Paused};

use crate::store::Adapter;

const NOW: i64 = 1_800_000_000_000;
const ALWAYS: i64 = i64::MAX;

fn pause(name: &str, until_ms: i64) -> Pause {
    let what = Paused::of_name(name).unwrap();
    Pause { what, until_ms }
}

#[actix::test]
async fn a_pause_is_replaced_unless_it_lasts_long_enough() {
    for adapter in Adapter::all() {
        let [one, two, _] = &adapter.instances[..] else {
            panic!("three instances");
        };
        let name = adapter.name;
        let set = async |until, enough| one.pause(&pause("TJ", until), enough, NOW).await.unwrap();
        assert_eq!(set(NOW + 100, ALWAYS).await, None, "{name}");
        assert_eq!(
            set(NOW + 200, NOW + 100).await,
            Some(NOW + 100),
            "{name}: left as it is"
        );
        assert_eq!(two.pauses().await.unwrap(), [pause("TJ", NOW + 100)], "{name}");
        assert_eq!(
            set(NOW + 200, NOW + 101).await,
            Some(NOW + 100),
            "{name}: replaced"
        );
        assert_eq!(set(NOW + 50, ALWAYS).await, Some(NOW + 200), "{name}: shortened");
        two.pause(&pause("7", NOW + 300), ALWAYS, NOW).await.unwrap();
        // What is over is as if it had not been.
        let later = NOW + 60;
        let again = one.pause(&pause("TJ", NOW + 400), NOW + 10, later).await.unwrap();
        assert_eq!(again, None, "{name}");
        assert_eq!(two.pauses().await.unwrap().len(), 2, "{name}");
        let what = pause("TJ", 0).what;
        assert_eq!(two.resume(&what, later).await.unwrap(), Some(NOW + 400), "{name}");
        assert_eq!(one.resume(&what, later).await.unwrap(), None, "{name}");
        assert_eq!(
            one.resume(&pause("7", 0).what, NOW + 301).await.unwrap(),
            None,
            "{name}: over"
        );
        assert_eq!(one.pauses().await.unwrap(), [], "{name}");
    }
}

#[actix::test]
async fn of_many_who_pause_or_resume_at_once_one_finds_a_difference() {
    for adapter in Adapter::all() {
        let name = adapter.name;
        for round in 0..20 {
            let what = pause("FR", NOW + 1000 + round);
            let all = (0..24).map(|n| adapter.instances[n % 3].pause(&what, NOW + 10, NOW));
            let firsts = join_all(all)
                .await
                .into_iter()
                .filter(|before| before.as_ref().unwrap().is_none())
                .count();
            assert_eq!(firsts, 1, "{name}");
            let all = (0..24).map(|n| adapter.instances[n % 3].resume(&what.what, NOW));
            let ended = join_all(all)
                .await
                .into_iter()
                .filter(|before| before.as_ref().unwrap().is_some())
                .count();
            assert_eq!(ended, 1, "{name}");
        }
    }
}

#[actix::test]
async fn there_is_a_bound_and_what_is_over_makes_room() {
    for adapter in Adapter::all() {
        let (one, name) = (&adapter.instances[0], adapter.name);
        for number in 0..1000 {
            let prefix = format!("{}", 10_000 + number);
            one.pause(&pause(&prefix, NOW + 100), ALWAYS, NOW).await.unwrap();
        }
        assert!(
            one.pause(&pause("TJ", NOW + 100), ALWAYS, NOW).await.is_err(),
            "{name}"
        );
        assert!(
            one.pause(&pause("10007", NOW + 900), ALWAYS, NOW).await.is_ok(),
            "{name}: one that is there"
        );
        assert!(
            one.pause(&pause("TJ", NOW + 900), ALWAYS, NOW + 101)
                .await
                .is_ok(),
            "{name}"
        );
        assert_eq!(one.pauses().await.unwrap().len(), 2, "{name}");
    }
}
