//! Rules by client networks: prefixes of IPv6, and named lists.

use std::net::IpAddr;

use ringback::limits::{Asker, Networks, Operation, RuleSet, Subject, file::parse};
use uuid::Uuid;

use super::stage::{OPTIONS, admitted, client, client_with_phone, clock, limiter, refusal};

fn from(client: &str) -> Subject {
    Subject::new(client.parse::<IpAddr>().unwrap())
}

fn rules(text: &str) -> RuleSet {
    parse(text, "limits.toml").unwrap()
}

#[actix::test]
async fn of_ipv6_so_many_bits_are_one_client_and_ipv4_is_counted_whole() {
    for scope in ["instance", "cluster"] {
        let text = format!("[[rule]]\nid='r'\non='me'\nby='ip:48'\nquota=3\nper='1d'\nscope='{scope}'");
        let limiter = limiter(OPTIONS, rules(&text), &clock());
        for n in 0..3 {
            let _ = limiter
                .admit(Operation::Me, &from(&format!("2001:db8:1:{n}::1")))
                .await
                .unwrap();
        }
        refusal(limiter.admit(Operation::Me, &from("2001:db8:1:ffff::1")).await);
        assert_eq!(admitted(&limiter, Operation::Me, &from("2001:db8:2::1")).await, 3);
        for client in ["203.0.113.7", "203.0.113.8"] {
            assert_eq!(admitted(&limiter, Operation::Me, &from(client)).await, 3);
        }
        // As translators and 6to4 write the same.
        for client in ["64:ff9b::203.0.113.7", "2002:cb00:7107:9::1"] {
            refusal(limiter.admit(Operation::Me, &from(client)).await);
        }
    }
}

#[actix::test]
async fn a_named_list_counts_together_or_is_left_out() {
    let lists = "office = ['203.0.113.0/24', '2001:db8:1::/48']\npartner = ['192.0.2.0/24']";
    let lists = || Networks::parse(lists, "networks.toml").unwrap();
    for scope in ["instance", "cluster"] {
        let text = format!(
            "[[rule]]\nid='lists'\non='me'\nby='network'\nquota=2\nper='1d'\nscope='{scope}'
             [[rule]]\nid='others'\non='me'\nby='ip'\nquota=1\nper='1d'\nscope='{scope}'\nexcept=['office', 'partner']"
        );
        let limiter = limiter(OPTIONS, rules(&text).with_networks(lists()), &clock());
        for client in ["203.0.113.7", "2001:db8:1:7::1"] {
            let _ = limiter.admit(Operation::Me, &from(client)).await.unwrap();
        }
        let told = refusal(limiter.admit(Operation::Me, &from("203.0.113.8")).await);
        assert_eq!(&*told.rule, "lists");
        assert_eq!(admitted(&limiter, Operation::Me, &from("192.0.2.7")).await, 2);
        assert_eq!(
            admitted(&limiter, Operation::Me, &from("198.51.100.7")).await,
            1,
            "in no list"
        );
        limiter.replace(rules(&text).with_networks(Networks::default()));
        assert_eq!(
            admitted(&limiter, Operation::Me, &from("203.0.113.9")).await,
            1,
            "nor is it in one now"
        );
    }
}

/// Whoever asks about an address has counters apart there, in every rule by it.
#[actix::test]
async fn strangers_claimants_owners_and_known_networks_count_apart() {
    let user = |n| Uuid::from_u128(n);
    for (claimants, of_two) in [("apart", [3, 3]), ("together", [3, 0])] {
        let text = format!(
            "[[rule]]\nid='r'\non='otp.send'\nby='phone'\nquota=3\nper='1d'\nscope='instance'\nclaimants='{claimants}'"
        );
        let limiter = limiter(OPTIONS, rules(&text), &clock());
        let send = async |asker: Asker| {
            admitted(
                &limiter,
                Operation::OtpSend,
                &client_with_phone().with_asker(asker),
            )
            .await
        };
        assert_eq!(send(Asker::Stranger).await, 3);
        assert_eq!(
            [
                send(Asker::Claimant(user(1))).await,
                send(Asker::Claimant(user(2))).await
            ],
            of_two
        );
        for apart in [Asker::Owner(user(3)), Asker::KnownNetwork] {
            assert_eq!(send(apart).await, 3, "{apart:?}");
        }
        assert_eq!(send(Asker::Stranger).await, 0);
    }
    let by_ip = "[[rule]]\nid='r'\non='otp.send'\nby='ip'\nquota=3\nper='1d'\nscope='instance'";
    let limiter = limiter(OPTIONS, rules(by_ip), &clock());
    assert_eq!(
        admitted(
            &limiter,
            Operation::OtpSend,
            &client().with_asker(Asker::Owner(user(1)))
        )
        .await,
        3
    );
    assert_eq!(
        admitted(&limiter, Operation::OtpSend, &client()).await,
        0,
        "what the asker controls is counted as ever"
    );
}
