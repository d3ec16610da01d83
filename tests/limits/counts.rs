//! What a rule may count, as the limits file says it.

use ringback::limits::{Prices, file::parse};

#[test]
fn messages_are_counted_at_a_send_by_what_no_asker_controls() {
    let with = |on: &str, by: &str, counts: &str, more: &str| {
        let rule =
            format!("[[rule]]\nid='r'\non='{on}'\nby='{by}'\ncounts='{counts}'\nquota=4\nper='1h'\n{more}");
        parse(&rule, "limits.toml")
    };
    for by in ["prefix:8", "country", "network", "global"] {
        for counts in ["messages", "unverified"] {
            let rules = with("otp.send", by, counts, "").unwrap();
            assert_eq!(rules.rules()[0].counts.name(), counts);
            assert_eq!(rules, parse(&rules.to_string(), "again").unwrap());
        }
    }
    let allowed = "allowed: on otp.send, by prefix, country, network or global, scope cluster";
    for (on, by, more) in [
        ("otp.verify", "global", ""),
        ("any", "global", ""),
        ("otp.send", "ip", ""),
        ("otp.send", "phone", ""),
        ("otp.send", "user", ""),
        ("otp.send", "email", ""),
        ("otp.send", "global", "scope='instance'"),
    ] {
        let fault = with(on, by, "messages", more).unwrap_err().to_string();
        assert_eq!(
            fault,
            format!("limits.toml:5:8: no rule like this counts messages; {allowed}")
        );
        assert!(with(on, by, "requests", more).is_ok());
    }
    let unknown = with("otp.send", "global", "codes", "").unwrap_err().to_string();
    assert!(
        unknown.ends_with("unknown counts \"codes\"; allowed: requests, messages, unverified, money"),
        "{unknown}"
    );
}

#[test]
fn money_is_counted_in_amounts_of_one_currency() {
    let with = |rest: &str| {
        parse(
            &format!("[[rule]]\nid='r'\non='otp.send'\nby='country'\ncounts='money'\nper='1d'\n{rest}"),
            "limits.toml",
        )
    };
    let rules = with("quota='25 USD'\nburst='0.5 USD'").unwrap();
    let rule = &rules.rules()[0];
    assert_eq!(
        (rule.quota, rule.burst, rule.told(rule.burst)),
        (250_000, 5000, "0.5 USD".to_owned())
    );
    assert_eq!(rules, parse(&rules.to_string(), "again").unwrap());
    for (rest, fault) in [
        (
            "quota=25",
            "limits.toml:7:7: quota is an amount, where money is counted",
        ),
        ("quota='25'", "limits.toml:7:7: quota is an amount"),
        (
            "quota='25 USD'\nburst='1 EUR'",
            "limits.toml:8:7: burst is in EUR, and the quota in USD",
        ),
        (
            "quota='25 USD'\nburst='26 USD'",
            "limits.toml:8:7: burst 260000 is more than the quota",
        ),
        (
            "quota='25 USD'\nchannel='email'",
            "limits.toml:5:8: no e-mail costs money",
        ),
    ] {
        let told = with(rest).unwrap_err().to_string();
        assert!(told.starts_with(fault), "{told}");
    }
    let euros = with("quota='25 EUR'").unwrap();
    let unfit = euros.unfit(Prices::shipped().currency);
    assert_eq!(unfit, ["rule \"r\" counts EUR, and the prices are in USD"]);
}

#[test]
fn work_is_asked_for_where_a_code_is_and_up_to_a_ceiling() {
    let with = |on: &str, more: &str| {
        parse(
            &format!("[[rule]]\nid='r'\non='{on}'\nby='ip'\nquota=4\nper='1h'\nburst=2\n{more}"),
            "limits.toml",
        )
    };
    for ceiling in [2, 9, 400] {
        let rules = with("otp.send", &format!("mode='prove'\nceiling={ceiling}")).unwrap();
        assert_eq!(rules.rules()[0].ceiling, ceiling);
        assert_eq!(rules, parse(&rules.to_string(), "again").unwrap());
    }
    for (on, more, fault) in [
        (
            "otp.send",
            "mode='prove'",
            "8:6: a rule in mode \"prove\" has no `ceiling`",
        ),
        (
            "otp.send",
            "mode='prove'\nceiling=1",
            "9:9: ceiling 1; allowed: 2 (the burst) to 400",
        ),
        (
            "otp.send",
            "mode='prove'\nceiling=401",
            "9:9: ceiling 401; allowed",
        ),
        (
            "otp.send",
            "ceiling=9",
            "8:9: only a rule in mode \"prove\" has a ceiling",
        ),
        (
            "login",
            "mode='prove'\nceiling=9",
            "8:6: no rule like this proves; allowed: on otp.send",
        ),
        (
            "otp.send",
            "mode='prove'\nceiling=9\nscope='instance'",
            "8:6: no rule like this proves",
        ),
    ] {
        let told = with(on, more).unwrap_err().to_string();
        assert!(told.starts_with(&format!("limits.toml:{fault}")), "{told}");
    }
    assert!(
        with("otp.send", "mode='shadow'\nceiling=9").is_ok(),
        "to be tried first"
    );
}

#[test]
fn a_budget_may_grow_where_codes_are_given_back() {
    let with = |counts: &str, to: u32| {
        let rule = format!(
            "[[rule]]\nid='r'\non='otp.send'\nby='global'\ncounts='{counts}'\nquota=4\nper='1h'\nburst=2\ngrows_to={to}"
        );
        parse(&rule, "limits.toml")
    };
    for to in [2, 9, 400] {
        let rules = with("unverified", to).unwrap();
        assert_eq!(rules.rules()[0].grows_to, to);
        assert_eq!(rules, parse(&rules.to_string(), "again").unwrap());
    }
    for to in [1, 401] {
        let fault = with("unverified", to).unwrap_err().to_string();
        let allowed = "allowed: 2 (the burst) to 400 (100 times the quota)";
        assert_eq!(fault, format!("limits.toml:9:10: grows_to {to}; {allowed}"));
    }
    let fault = with("messages", 9).unwrap_err().to_string();
    assert!(
        fault.contains("only a rule that counts unverified messages grows"),
        "{fault}"
    );
}

/// Counters are told apart by short tags of the rules' ids. Hardly any two have the same; these have.
#[test]
fn ids_that_would_be_counted_as_one_are_refused() {
    let rule = |id: &str| format!("[[rule]]\nid='{id}'\non='login'\nby='ip'\nquota=5\nper='1h'\n");
    let text = [rule("mail-first-hour"), rule("other"), rule("block-first-day")].concat();
    let faults = parse(&text, "limits.toml").unwrap_err().fault_lines();
    let expected = "limits.toml:14:4: id \"block-first-day\": \"mail-first-hour\" would be counted as the same; change one of them";
    assert_eq!(faults, [expected]);
}
