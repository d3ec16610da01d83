//! One shard of the instance rules' counters: what one actor owns. Plain state, tested without an actor.

use std::sync::Arc;

use super::{
    buckets::Keys,
    slice::{Full, Slice},
};
use crate::{
    clock::Clock,
    limits::{
        active::ActiveRules,
        gcra::QuotaStatus,
        operation::Operation,
        rule::{Rule, RuleSet},
        store::Verdict,
    },
};

/// A shard is swept in so many steps, so that none holds its thread up for more than a millisecond.
pub const SLICES: usize = 32;

/// One counter that a request asks, and what it answers.
#[derive(Debug)]
pub struct Ask {
    /// The rule's place among those that are active on the operation.
    pub at: usize,
    /// The counter's name within the rule.
    pub key: String,
    /// Tells which shard and slice the counter lies in.
    pub hash: u64,
    pub answer: Result<Verdict, Full>,
}

/// All that one request asks one shard.
#[derive(Debug)]
pub struct Request {
    pub rules: Arc<ActiveRules>,
    pub operation: Operation,
    pub asks: Vec<Ask>,
    /// Whether what is admitted is spent. It isn't where another shard has refused the request already.
    pub spends: bool,
}

impl Request {
    pub fn rule(&self, ask: &Ask) -> &Arc<Rule> {
        self.rules.on(self.operation)[ask.at].counted_here()
    }

    /// Whether an answer refuses the whole request.
    pub fn is_refusal(&self, ask: &Ask) -> bool {
        match ask.answer {
            Ok(verdict) => verdict.is_refused() && self.rule(ask).mode.refuses(),
            Err(Full) => self.operation.is_strict(),
        }
    }

    /// Whether any answer does.
    pub fn is_refused(&self) -> bool {
        self.asks.iter().any(|ask| self.is_refusal(ask))
    }
}

/// The counters.
pub struct Shard {
    slices: Vec<Slice>,
    /// How many shards there are: a counter's hash tells first which of them, then which slice.
    shards: u64,
    next_sweep: usize,
    keys: Arc<Keys>,
    clock: Arc<dyn Clock>,
}

impl Shard {
    pub fn new(shards: usize, keys: &Arc<Keys>, clock: Arc<dyn Clock>) -> Self {
        Self {
            slices: (0..SLICES).map(|_| Slice::new(Arc::clone(keys))).collect(),
            shards: shards.max(1) as u64,
            next_sweep: 0,
            keys: Arc::clone(keys),
            clock,
        }
    }

    /// Answers every ask in one step. When one refuses, nothing stays spent.
    pub fn decide(&mut self, request: &mut Request) {
        let now_us = self.now_us();
        let mut asks = std::mem::take(&mut request.asks);
        for ask in &mut asks {
            let (rule, slice) = (request.rule(ask), self.slice(ask.hash));
            ask.answer = slice.check(rule, &ask.key, now_us);
        }
        request.asks = asks;
        if !request.spends || request.is_refused() {
            self.give_back(request);
        }
    }

    /// Gives back what the asks that were admitted have spent.
    pub fn give_back(&mut self, request: &Request) {
        let now_us = self.now_us();
        for ask in &request.asks {
            if ask.answer.is_ok_and(|verdict| !verdict.is_refused()) {
                let rule = request.rule(ask);
                self.slice(ask.hash).give_back(&rule.id, &ask.key, now_us);
            }
        }
    }

    /// How a counter stands; nothing is spent.
    pub fn look(&mut self, rule: &Rule, key: &str, hash: u64) -> QuotaStatus {
        let now_us = self.now_us();
        self.slice(hash).look(rule, key, now_us)
    }

    /// Gives a key its whole quota back.
    pub fn reset(&mut self, rule: &str, key: &str, hash: u64) {
        self.slice(hash).reset(rule, key);
    }

    /// Forgets the counters of rules that are gone or count by something else now; retains the others.
    pub fn retain(&mut self, rules: &RuleSet) {
        for slice in &mut self.slices {
            slice.retain(rules);
        }
    }

    /// Drops the keys of the next slice whose buckets are empty.
    pub fn sweep_next(&mut self) {
        let now_us = self.now_us();
        self.slices[self.next_sweep].sweep(now_us);
        self.next_sweep = (self.next_sweep + 1) % SLICES;
    }

    /// The same for all slices.
    pub fn sweep(&mut self) {
        (0..SLICES).for_each(|_| self.sweep_next());
    }

    /// How many keys all shards hold together.
    pub fn keys_held(&self) -> usize {
        self.keys.held()
    }

    fn slice(&mut self, hash: u64) -> &mut Slice {
        // The remainder is below 32, so nothing is cut off.
        &mut self.slices[(hash / self.shards % SLICES as u64) as usize]
    }

    fn now_us(&self) -> i64 {
        self.clock.now().timestamp_micros().max(0)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::{
        clock::ManualClock,
        limits::{file, shadow_counts::Shadows},
    };

    const RULES: &str = "
        [[rule]]\nid='wide'\non='me'\nby='ip'\nquota=9\nper='1h'\nscope='instance'\n
        [[rule]]\nid='tight'\non='me'\nby='global'\nquota=3\nper='1h'\nscope='instance'\n
        [[rule]]\nid='tried'\non='me'\nby='ip'\nquota=1\nper='1h'\nscope='instance'\nmode='shadow'";

    fn shard(max_keys: usize) -> (Shard, ManualClock) {
        let clock = ManualClock::new(DateTime::from_timestamp_nanos(1_800_000_000_000_000_000));
        let keys = Arc::new(Keys::at_most(max_keys));
        (Shard::new(1, &keys, Arc::new(clock.clone())), clock)
    }

    fn rules(text: &str) -> RuleSet {
        file::parse(text, "test").unwrap()
    }

    /// A request that asks the first so many rules about one key each.
    fn request(keys: &[&str], hash: u64) -> Request {
        let ask = |(at, key): (usize, &&str)| Ask {
            at,
            key: (*key).to_owned(),
            hash,
            answer: Err(Full),
        };
        Request {
            rules: Arc::new(ActiveRules::new(
                rules(RULES),
                1,
                true,
                &Arc::new(crate::limits::Prices::shipped()),
                &Shadows::default(),
            )),
            operation: Operation::Me,
            asks: keys.iter().enumerate().map(ask).collect(),
            spends: true,
        }
    }

    fn remaining(shard: &mut Shard, at: usize, key: &str) -> u32 {
        shard.look(&rules(RULES).rules()[at], key, 7).remaining
    }

    #[test]
    fn a_request_spends_from_all_or_from_none() {
        let (mut shard, _) = shard(100);
        let mut admitted = 0;
        for _ in 0..8 {
            let mut request = request(&["k", "*", "k"], 7);
            shard.decide(&mut request);
            admitted += usize::from(!request.is_refused());
        }
        assert_eq!(admitted, 3, "a shadow rule refuses nothing");
        let left = [(0, "k"), (1, "*"), (2, "k")].map(|(at, key)| remaining(&mut shard, at, key));
        assert_eq!(left, [6, 0, 0]);
    }

    #[test]
    fn what_is_not_to_be_spent_is_answered_alike_and_not_spent() {
        let (mut shard, _) = shard(100);
        for _ in 0..5 {
            let mut request = request(&["k", "*"], 7);
            request.spends = false;
            shard.decide(&mut request);
            assert!(
                request
                    .asks
                    .iter()
                    .all(|ask| ask.answer.is_ok_and(|said| !said.is_refused()))
            );
        }
        assert_eq!(
            (remaining(&mut shard, 0, "k"), remaining(&mut shard, 1, "*")),
            (9, 3)
        );
    }

    #[test]
    fn all_slices_together_hold_no_more_than_the_bound_and_are_swept_in_turn() {
        let (mut shard, clock) = shard(1000);
        let mut counted = 0;
        for n in 0..3000 {
            let mut request = request(&[&n.to_string()], n);
            shard.decide(&mut request);
            counted += usize::from(request.asks[0].answer.is_ok());
        }
        assert_eq!((counted, shard.keys_held()), (1000, 1000));
        clock.advance(TimeDelta::hours(1));
        shard.sweep_next();
        let left = shard.keys_held();
        assert!(900 < left && left < 1000, "{left}");
        (1..SLICES).for_each(|_| shard.sweep_next());
        assert_eq!(shard.keys_held(), 0);
    }

    #[test]
    fn a_rule_that_goes_takes_its_counters_from_every_slice() {
        let (mut shard, _) = shard(1000);
        for n in 0..200 {
            let key = n.to_string();
            shard.decide(&mut request(&[&key, &key], n));
        }
        let stays = rules(RULES).rules()[0].as_ref().clone();
        shard.retain(&RuleSet::new(vec![stays]));
        assert_eq!(shard.keys_held(), 200);
    }
}
