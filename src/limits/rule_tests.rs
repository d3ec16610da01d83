//! Tests of `rule.rs`.

use super::*;

pub fn rule(by: impl Into<RuleKey>) -> Rule {
    Rule {
        id: "r".into(),
        on: None,
        by: by.into(),
        channel: None,
        counts: Counts::Requests,
        claimants: Claimants::Apart,
        currency: None,
        except: Arc::default(),
        quota: 7,
        per: Duration::from_secs(3600),
        burst: 7,
        grows_to: 7,
        ceiling: 7,
        scope: Scope::Cluster,
        mode: Mode::Enforce,
        if_store_lost: None,
    }
}

#[test]
fn the_cost_of_a_request_is_rounded_so_that_no_quota_is_exceeded() {
    let cost = rule(KeyDimension::Ip).emission_us();
    assert!(cost * 7 >= 3_600_000_000 && (cost - 1) * 7 < 3_600_000_000);
}

#[test]
fn cluster_rules_that_lie_with_a_code_ride_with_it() {
    let attached_rules = |operation| rule(KeyDimension::Phone).is_attached(operation, false);
    assert!(
        attached_rules(Operation::OtpSend)
            && attached_rules(Operation::OtpVerify)
            && !attached_rules(Operation::Login)
    );
    let pair = RuleKey::pair(KeyDimension::Ip, KeyDimension::Phone).unwrap();
    for elsewhere in [rule(KeyDimension::Ip), rule(pair)] {
        assert!(
            !elsewhere.is_attached(Operation::OtpSend, false)
                && elsewhere.is_attached(Operation::OtpSend, true)
        );
        assert!(!elsewhere.is_attached(Operation::Login, true));
    }
    let instance = Rule {
        scope: Scope::Instance,
        ..rule(KeyDimension::Phone)
    };
    assert!(!instance.is_attached(Operation::OtpSend, true));
}

#[test]
fn without_the_store_guessing_and_sending_stop_and_the_rest_goes_on() {
    let lost =
        |rule: &Rule| Operation::ALL.map(|operation| rule.if_store_lost(operation) == IfStoreLost::Local);
    assert_eq!(
        lost(&rule(KeyDimension::Ip)),
        [
            false, false, false, false, true, true, false, true, true, false, true
        ]
    );
    for said in IfStoreLost::ALL {
        let rule = Rule {
            if_store_lost: Some(said),
            ..rule(KeyDimension::Ip)
        };
        assert_eq!(lost(&rule), [said == IfStoreLost::Local; 11]);
    }
}

#[test]
fn the_shares_of_all_instances_are_no_more_than_the_whole() {
    let shares = [1, 2, 3, 7].map(|instances| rule(KeyDimension::Ip).share_of(instances).quota * instances);
    assert_eq!(shares, [7, 6, 6, 7]);
    let least = rule(KeyDimension::Ip).share_of(100);
    assert_eq!((least.quota, least.burst, least.scope), (1, 1, Scope::Instance));
}

#[test]
fn a_time_is_told_in_its_largest_unit() {
    let told =
        [1, 59, 60, 90, 5400, 7200, 86_400, 90_000].map(|seconds| per_text(Duration::from_secs(seconds)));
    assert_eq!(told, ["1s", "59s", "1m", "90s", "90m", "2h", "1d", "25h"]);
}
