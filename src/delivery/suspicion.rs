//! Answers that may concern one recipient alone: one of them tells nothing of others, many in a row do.
//!
//! "Relaying is denied" is what a mail server says of a sender that it doesn't know, and of a recipient that it doesn't
//! want. Strangers name recipients, and must be able neither to stop a provider nor to raise an alarm. So such an answer
//! stops nothing. It is told when recipients of several domains had it for a while, and no message was taken meanwhile.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

/// Domains that make it more than one recipient's affair.
const DOMAINS: usize = 5;
/// For how long no message may have been taken.
const AT_LEAST: Duration = Duration::from_secs(60);

/// Such answers in a row.
#[derive(Debug, Default)]
pub(super) struct Suspicion {
    since: Option<Instant>,
    /// Of these, so many as are looked for.
    domains: BTreeSet<String>,
}

impl Suspicion {
    /// One more answer, for a recipient of this domain; whether they are many by now.
    pub fn hardens(&mut self, domain: &str, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        if self.domains.len() < DOMAINS {
            self.domains.insert(two_labels(domain).to_owned());
        }
        self.domains.len() == DOMAINS && now - since >= AT_LEAST
    }
}

/// Nearly what somebody registered: who has one domain can name any number of hosts in it.
fn two_labels(domain: &str) -> &str {
    let second_dot = domain.rmatch_indices('.').nth(1);
    second_dot.map_or(domain, |(at, dot)| &domain[at + dot.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_of_several_domains_harden_it_after_a_while() {
        let (mut suspicion, start) = (Suspicion::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for number in 0..100 {
            let domain = format!("x{number}.example.com");
            assert!(!suspicion.hardens(&domain, at(number)), "one domain, {number}");
        }
        for domain in ["b.example", "c.example", "d.example"] {
            assert!(!suspicion.hardens(domain, at(100)), "{domain}");
        }
        assert!(suspicion.hardens("mail.e.example", at(100)));
        assert!(suspicion.hardens("b.example", at(101)), "until one is taken");
        let mut suspicion = Suspicion::default();
        for domain in ["a.example", "b.example", "c.example", "d.example", "e.example"] {
            assert!(!suspicion.hardens(domain, at(0)), "all at once, {domain}");
        }
        assert!(!suspicion.hardens("a.example", at(59)));
        assert!(suspicion.hardens("a.example", at(60)));
    }
}
