//! The format of the limits file, and what is said of each fault.

use std::time::Duration;

use ringback::limits::{
    IfStoreLost, KeyDimension, Mode, Networks, Operation, Scope,
    file::{parse, parse_with, read},
};

use super::{rules, unique};

const GOOD: &str = r#"
[[rule]]
id    = "otp-send-per-phone"
on    = "otp.send"
by    = "phone"
quota = 5
per   = "1h"
burst = 1
scope = "cluster"
mode  = "shadow"
"#;

/// [`GOOD`] with one line replaced.
fn with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replace(from, to)
}

fn faults(text: &str) -> Vec<String> {
    parse(text, "limits.toml").unwrap_err().fault_lines()
}

#[test]
fn a_rule_is_read_as_it_is_written() {
    let rules = rules(GOOD);
    let rule = rules.find("otp-send-per-phone").unwrap();
    assert_eq!(rule.on, Some(Operation::OtpSend));
    assert_eq!(
        (rule.by, rule.scope, rule.mode),
        (KeyDimension::Phone.into(), Scope::Cluster, Mode::Shadow)
    );
    assert_eq!(
        (rule.quota, rule.burst, rule.per),
        (5, 1, Duration::from_secs(3600))
    );
}

#[test]
fn what_is_left_out_is_the_usual() {
    let rules = rules("[[rule]]\nid='r'\non='any'\nby='ip'\nquota=1_000\nper='30d'");
    let rule = &rules.rules()[0];
    assert_eq!((rule.on, rule.burst, rule.quota), (None, 1000, 1000));
    assert_eq!((rule.scope, rule.mode), (Scope::Cluster, Mode::Enforce));
}

#[test]
fn a_rule_counts_by_one_thing_or_by_two() {
    let by = |text: &str| rules(&GOOD.replace("\"phone\"", text)).rules()[0].by.to_string();
    assert_eq!(by("'prefix'"), "prefix:6");
    assert_eq!(by("'prefix:15'"), "prefix:15");
    assert_eq!(by("['ip', 'phone']"), "ip+phone");
    assert_eq!(by("['prefix:4', 'country']"), "prefix:4+country");
    assert_eq!(rules(GOOD).rules()[0].if_store_lost, None);
    let said = rules(&with("burst = 1", "if_store_lost = 'local'"));
    assert_eq!(said.rules()[0].if_store_lost, Some(IfStoreLost::Local));
    let faults = faults(
        &GOOD
            .replace("\"otp.send\"", "\"me\"")
            .replace("\"phone\"", "['ip', 'phone']"),
    );
    assert!(
        faults[0].contains("\"me\" knows no phone; allowed on it: ip, user, network, global"),
        "{faults:?}"
    );
}

#[test]
fn no_rule_means_no_limits() {
    assert!(rules("").rules().is_empty());
    assert!(rules("# nothing\n").rules().is_empty());
}

#[test]
fn each_fault_is_named_with_its_place_and_what_is_allowed() {
    for (from, to, fault) in [
        (
            "\"otp.send\"",
            "\"otp.sned\"",
            "4:9: unknown on \"otp.sned\"; allowed: register, login, otp.send, otp.verify, otp.status, \
             token.refresh, password.change, me, admin, notice, other, any",
        ),
        (
            "\"phone\"",
            "\"fax\"",
            "5:9: unknown by \"fax\"; allowed: ip (or ip:16 to ip:64, bits of IPv6), phone, email, user, country, prefix (or prefix:1 to prefix:15), network, global, or two of them: [\"ip\", \"phone\"]",
        ),
        (
            "\"phone\"",
            "\"prefix:16\"",
            "5:9: unknown by \"prefix:16\"; allowed: ip (or ip:16 to ip:64, bits of IPv6), phone, email, user, country, prefix (or prefix:1 to prefix:15), network, global, or two of them: [\"ip\", \"phone\"]",
        ),
        (
            "\"phone\"",
            "[\"ip\", \"fax\"]",
            "5:16: unknown by \"fax\"; allowed: ip (or ip:16 to ip:64, bits of IPv6), phone, email, user, country, prefix (or prefix:1 to prefix:15), network, global, or two of them: [\"ip\", \"phone\"]",
        ),
        (
            "\"phone\"",
            "[\"ip\"]",
            "5:9: by names one thing or two; allowed: ip (or ip:16 to ip:64, bits of IPv6), phone, email, user, country, prefix (or prefix:1 to prefix:15), network, global, or two of them: [\"ip\", \"phone\"]",
        ),
        (
            "\"phone\"",
            "[\"ip\", \"global\"]",
            "5:9: ip and global are no pair; allowed: two different ones, without global",
        ),
        (
            "\"phone\"",
            "[\"prefix:3\", \"prefix\"]",
            "5:9: prefix:3 and prefix:6 are no pair; allowed: two different ones, without global",
        ),
        (
            "burst = 1",
            "if_store_lost = \"allow\"",
            "8:17: unknown if_store_lost \"allow\"; allowed: refuse, local",
        ),
        (
            "burst = 1",
            "channel = \"fax\"",
            "8:11: unknown channel \"fax\"; allowed: sms, email",
        ),
        (
            "burst = 1",
            "channel = \"email\"",
            "8:11: this rule can never apply: no code by email has a phone",
        ),
        ("\"phone\"", "7", "5:9: by 7; allowed: a text in quotes"),
        (
            "\"cluster\"",
            "\"world\"",
            "9:9: unknown scope \"world\"; allowed: cluster, instance",
        ),
        (
            "\"shadow\"",
            "\"on\"",
            "10:9: unknown mode \"on\"; allowed: enforce, prove, shadow, off",
        ),
        (
            "quota = 5",
            "quota = 0",
            "6:9: quota 0; allowed: a whole number, 1 to 4294967295",
        ),
        (
            "quota = 5",
            "quota = -5",
            "6:9: quota -5; allowed: a whole number, 1 to 4294967295",
        ),
        (
            "quota = 5",
            "quota = 5.0",
            "6:9: quota 5.0; allowed: a whole number, 1 to 4294967295",
        ),
        (
            "quota = 5",
            "quota = 99999999999999999999999",
            "6:9: quota 99999999999999999999999; allowed: a whole number, 1 to 4294967295",
        ),
        (
            "quota = 5",
            "quota = 360000001",
            "6:9: quota 360000001 is too much; allowed: 100000 a second",
        ),
        (
            "burst = 1",
            "burst = 0",
            "8:9: burst 0; allowed: a whole number, 1 to 4294967295",
        ),
        (
            "burst = 1",
            "burst = 6",
            "8:9: burst 6 is more than the quota; allowed: 1 to 5",
        ),
        (
            "burst = 1",
            "brust = 1",
            "8:1: unknown key \"brust\"; allowed: id, on, by, quota, per, burst, scope, mode, channel, if_store_lost, counts, grows_to, claimants, ceiling, except",
        ),
        (
            "[[rule]]",
            "[[rules]]",
            "2:3: unknown key \"rules\"; allowed: [[rule]] tables",
        ),
        (
            "[[rule]]",
            "[rule]",
            "2:2: `rule` is written [[rule]], with two brackets",
        ),
        (
            "\"otp-send-per-phone\"",
            "\"Otp Send\"",
            "3:9: id \"Otp Send\"; allowed: 1 to 64 of a-z, 0-9 and -",
        ),
        (
            "\"otp-send-per-phone\"",
            "\"\"",
            "3:9: id \"\"; allowed: 1 to 64 of a-z, 0-9 and -",
        ),
        (
            "\"otp.send\"",
            "\"me\"",
            "5:9: this rule can never apply: \"me\" knows no phone; allowed on it: ip, user, network, global",
        ),
        ("by    = \"phone\"\n", "", "2:1: this rule has no `by`"),
    ] {
        assert_eq!(faults(&with(from, to)), [format!("limits.toml:{fault}")]);
    }
}

#[test]
fn a_channel_is_that_of_a_code() {
    let with = |on: &str, by: &str, channel: &str| {
        let rule = format!("[[rule]]\nid='r'\non='{on}'\nby='{by}'\nquota=1\nper='1h'\nchannel='{channel}'");
        parse(&rule, "limits.toml")
    };
    for (on, by, channel) in [
        ("otp.send", "email", "email"),
        ("otp.verify", "ip", "email"),
        ("any", "global", "sms"),
    ] {
        let rules = with(on, by, channel).unwrap();
        assert_eq!(
            rules,
            parse(&rules.to_string(), "again").unwrap(),
            "{on} {by} {channel}"
        );
    }
    let fault = |on, by, channel| with(on, by, channel).unwrap_err().to_string();
    assert!(
        fault("me", "ip", "sms")
            .contains("\"me\" has no channel; allowed on otp.send, otp.verify, notice and any")
    );
    assert!(fault("otp.send", "email", "sms").contains("no code by sms has a email"));
}

#[test]
fn claimants_count_together_by_an_address_alone() {
    let with = |by: &str, claimants: &str| {
        let rule =
            format!("[[rule]]\nid='r'\non='otp.send'\nby={by}\nquota=1\nper='1h'\nclaimants='{claimants}'");
        parse(&rule, "limits.toml")
    };
    for by in ["'phone'", "'email'", "['ip', 'phone']"] {
        let rules = with(by, "together").unwrap();
        assert_eq!(rules, parse(&rules.to_string(), "again").unwrap());
        assert_ne!(rules, with(by, "apart").unwrap());
    }
    let fault = with("'ip'", "together").unwrap_err().to_string();
    assert!(
        fault.contains("nobody claims what this rule counts by"),
        "{fault}"
    );
    assert!(
        with("'phone'", "both")
            .unwrap_err()
            .to_string()
            .contains("allowed: apart, together")
    );
}

#[test]
fn a_rule_names_lists_of_networks_that_there_are() {
    let rule = "[[rule]]\nid='r'\non='any'\nby='network'\nquota=1\nper='1h'\nexcept=['office', 'partner-2']";
    let rules = parse(rule, "limits.toml").unwrap();
    assert_eq!(rules, parse(&rules.to_string(), "again").unwrap());
    let lists = |text: &str| Networks::parse(text, "networks.toml").unwrap();
    let with = |text: &str| parse_with(rule, "limits.toml", lists(text));
    let both = with("office = ['203.0.113.0/24']\npartner-2 = ['192.0.2.0/24']").unwrap();
    assert_eq!(
        **both.networks(),
        lists("office = ['203.0.113.0/24']\npartner-2 = ['192.0.2.0/24']")
    );
    let fault = with("office = ['203.0.113.0/24']").unwrap_err().to_string();
    assert_eq!(
        fault,
        "limits.toml:7:19: no list \"partner-2\"; allowed: the names in the file of limits.networks"
    );
    let fault = parse(
        &rule.replace("['office', 'partner-2']", "'office'"),
        "limits.toml",
    )
    .unwrap_err()
    .to_string();
    assert!(fault.contains("except is a list of names"), "{fault}");
}

#[test]
fn times_run_from_a_second_to_thirty_days() {
    for per in ["1s", "90m", "24h", "30d", "2592000s"] {
        assert!(parse(&with("1h", per), "limits.toml").is_ok(), "{per}");
    }
    let long = "99999999999999999999d";
    for per in [
        "", "1", "h", "0s", "-1h", "1.5h", "31d", "1w", "1 h", "1H", "720h1s", "1ms", long,
    ] {
        let allowed = "allowed: a whole number and a unit (s, m, h, d), \"1s\" to \"30d\"";
        assert_eq!(
            faults(&with("1h", per)),
            [format!("limits.toml:7:9: per {per:?}; {allowed}")]
        );
    }
}

#[test]
fn a_rule_that_could_never_apply_is_refused() {
    for (on, by) in [
        ("register", "user"),
        ("password.change", "phone"),
        ("password.change", "country"),
        ("token.refresh", "user"),
        ("token.refresh", "phone"),
        ("me", "country"),
        ("me", "prefix"),
        ("otp.status", "phone"),
        ("login", "email"),
        ("me", "email"),
        ("otp.status", "user"),
    ] {
        let text = with("\"otp.send\"", &format!("{on:?}")).replace("\"phone\"", &format!("{by:?}"));
        let faults = faults(&text);
        assert!(
            faults.len() == 1 && faults[0].contains("can never apply"),
            "{on} by {by}: {faults:?}"
        );
    }
    for (on, by) in [
        ("any", "user"),
        ("any", "phone"),
        ("otp.send", "user"),
        ("login", "phone"),
        ("login", "user"),
    ] {
        let text = with("\"otp.send\"", &format!("{on:?}")).replace("\"phone\"", &format!("{by:?}"));
        assert!(parse(&text, "limits.toml").is_ok(), "{on} by {by}");
    }
}

#[test]
fn every_fault_of_a_file_is_named_at_once_in_its_order() {
    let text = format!(
        "{GOOD}{}{}",
        with("quota = 5", "quota = 0"),
        "limit = 3\n[other]\n"
    );
    assert_eq!(
        faults(&text),
        [
            "limits.toml:13:9: duplicate id \"otp-send-per-phone\": line 3 has it already",
            "limits.toml:16:9: quota 0; allowed: a whole number, 1 to 4294967295",
            "limits.toml:21:1: unknown key \"limit\"; allowed: id, on, by, quota, per, burst, scope, mode, channel, if_store_lost, counts, grows_to, claimants, ceiling, except",
            "limits.toml:22:2: unknown key \"other\"; allowed: [[rule]] tables",
        ]
    );
}

#[test]
fn columns_count_characters_and_broken_toml_has_its_place() {
    assert_eq!(
        faults("rule = [ { 'ключ' = 1, id = 'r', on = 'me', by = 'ip', quota = 1, per = 'x' } ]"),
        [
            "limits.toml:1:12: unknown key \"ключ\"; allowed: id, on, by, quota, per, burst, scope, mode, channel, if_store_lost, counts, grows_to, claimants, ceiling, except",
            "limits.toml:1:73: per \"x\"; allowed: a whole number and a unit (s, m, h, d), \"1s\" to \"30d\"",
        ]
    );
    for broken in ["[[rule]]\nid = ", "[[rule]]\nid = 'a'\nid = 'b'", "[[rule"] {
        let faults = faults(broken);
        assert!(faults[0].contains(": not TOML: "), "{faults:?}");
    }
    assert!(faults("[[rule]]\nid = 'a'\nid = 'b'")[0].starts_with("limits.toml:3:1: "));
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let folder = std::env::temp_dir().join(unique());
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("limits.toml");
    let why = |path: &std::path::Path| read(path).unwrap_err().to_string();
    assert!(why(&path).contains("No such file"), "{}", why(&path));
    assert!(why(&folder).contains("directory"), "{}", why(&folder));
    std::fs::write(&path, b"# \xff").unwrap();
    assert!(why(&path).ends_with("not UTF-8, at byte 3"), "{}", why(&path));
    std::fs::write(&path, "#".repeat(1024 * 1024)).unwrap();
    assert!(read(&path).is_ok());
    std::fs::write(&path, "#".repeat(10 * 1024 * 1024)).unwrap();
    assert!(why(&path).ends_with("larger than 1 MiB"), "{}", why(&path));
    std::fs::remove_dir_all(&folder).unwrap();
}
