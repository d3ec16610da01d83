//! Whether a provider is called at all. No I/O, time as a value.
//!
//! ```text
//!             8 failures in a row,                  its pause is over:
//!             or 32 of the last 64                  one call may try
//!   working ───────────────────────▶ failing ─────────────────────────▶ probing
//!    │  ▲                               ▲                                │ │ │
//!    │  │                               └───── it failed: twice the pause┘ │ │
//!    │  └─────────────────────────────────── it was answered ──────────────┘ │
//!    └── the provider refuses this account ─▶ stopped ◀── and still does ────┘
//!                                                └─ probed in the same way
//! ```
//! The first message that a provider refuses may be refused for its own sake. So it does not judge the provider alone: one
//! that wasn't refused yet may probe first, the refused one after twice the pause. That it is refused again, or was cut off, keeps no other from probing.
//!
//! In the words of others: closed is `working`, open is `failing` or `stopped`, half-open is `probing`. While a provider
//! is failing, codes are issued as before, for the outbox has their messages; while all that could carry them are stopped,
//! none is, since nothing but an operator will mend that.

use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row that open it: at a fifth of calls failing by chance, once in 400000.
const RUN: u32 = 8;
/// Failures among the last 64 calls that open it.
const HALF: u32 = 32;

/// How a provider does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It is called.
    Working,
    /// It failed often, and is left alone for a while.
    Failing,
    /// It refuses this account, its sender or its credentials.
    Stopped,
    /// It is one of the two latter, and a single call is under way that will tell.
    Probing,
}

impl Health {
    /// The value of `ringback_delivery_breaker_state`: 0 closed, 1 half-open, 2 open, 3 stopped.
    pub const fn number(self) -> u8 {
        match self {
            Self::Working => 0,
            Self::Probing => 1,
            Self::Failing => 2,
            Self::Stopped => 3,
        }
    }

    /// Its name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Failing => "failing",
            Self::Stopped => "stopped",
            Self::Probing => "probing",
        }
    }
}

/// What a call told of the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Observation {
    /// It did its work, be it that it refused a number, or put one off.
    Answered,
    /// It may do better later.
    Failed,
    /// It takes nothing until an operator acts.
    Refused,
    /// It concerns this message, or it said so of it before: that tells nothing new of others.
    OfOneAlone,
    /// It was not called in the end.
    NotCalled,
}

/// Whether a call may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Free,
    NotBefore(Instant),
    /// A probe is under way.
    Closed,
}

/// How long a provider that fails is left alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pauses {
    pub first: Duration,
    /// Each is twice the one before, up to this.
    pub longest: Duration,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Working,
    Shut {
        stopped: bool,
        until: Instant,
        /// Until when it is shut for the message that it refused.
        again: Instant,
        pause: Duration,
    },
    Probing {
        stopped: bool,
        pause: Duration,
    },
}

#[derive(Debug)]
pub(super) struct Breaker {
    pauses: Pauses,
    state: State,
    /// The last 64 calls, the newest in the lowest bit; a set bit is a failure.
    history: u64,
}

impl Breaker {
    pub const fn new(pauses: Pauses) -> Self {
        Self {
            pauses,
            state: State::Working,
            history: 0,
        }
    }

    pub const fn health(&self) -> Health {
        match self.state {
            State::Working => Health::Working,
            State::Shut { stopped: true, .. } => Health::Stopped,
            State::Shut { stopped: false, .. } => Health::Failing,
            State::Probing { .. } => Health::Probing,
        }
    }

    pub fn access(&self, now: Instant) -> Access {
        match self.state {
            State::Shut { until, .. } if until > now => Access::NotBefore(until),
            State::Working | State::Shut { .. } => Access::Free,
            State::Probing { .. } => Access::Closed,
        }
    }

    /// Whether a call for a message may begin that it refused before.
    pub fn access_again(&self, now: Instant) -> Access {
        match self.state {
            State::Shut { again, .. } if again > now => Access::NotBefore(again),
            _ => self.access(now),
        }
    }

    /// Whether codes may be issued that it alone could carry.
    pub const fn admission(&self) -> Access {
        match self.state {
            State::Shut {
                stopped: true, until, ..
            } => Access::NotBefore(until),
            State::Probing { stopped: true, .. } => Access::Closed,
            _ => Access::Free,
        }
    }

    /// Begins a call that has access; answers whether it is a probe.
    pub fn begin(&mut self) -> bool {
        match self.state {
            State::Shut { stopped, pause, .. } => {
                self.state = State::Probing { stopped, pause };
                true
            }
            State::Working | State::Probing { .. } => false,
        }
    }

    /// Takes note of how a call ended. Once it is shut, only the probe decides: others began before that.
    pub fn observe(&mut self, was_probe: bool, observation: Observation, now: Instant) {
        match (self.state, observation) {
            (State::Working, Observation::Answered | Observation::Failed) => {
                self.history = self.history << 1 | u64::from(observation == Observation::Failed);
                if self.history.trailing_ones() >= RUN || self.history.count_ones() >= HALF {
                    self.shut(false, self.pauses.first, now);
                }
            }
            (State::Working, Observation::Refused) => self.shut(true, self.pauses.first, now),
            (
                State::Shut {
                    stopped: false,
                    pause,
                    ..
                },
                Observation::Refused,
            ) => self.shut(true, pause, now),
            (State::Probing { stopped, pause }, _) if was_probe => match observation {
                Observation::Answered => self.state = State::Working,
                // The next call is the probe, then.
                Observation::NotCalled => self.open(stopped, pause, now, now),
                Observation::OfOneAlone => self.open(stopped, pause, now + self.pauses.longest, now),
                Observation::Failed => self.shut(stopped, self.longer(pause), now),
                Observation::Refused => self.shut(true, self.longer(pause), now),
            },
            _ => {}
        }
    }

    fn longer(&self, pause: Duration) -> Duration {
        (pause * 2).min(self.pauses.longest)
    }

    fn shut(&mut self, stopped: bool, pause: Duration, now: Instant) {
        self.history = 0;
        let until = now + pause;
        self.state = State::Shut {
            stopped,
            until,
            again: until + pause,
            pause,
        };
    }

    /// Lets the next call be the probe at once; one that was refused before not until `again`.
    fn open(&mut self, stopped: bool, pause: Duration, again: Instant, now: Instant) {
        self.state = State::Shut {
            stopped,
            until: now,
            again,
            pause,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    struct Bench {
        breaker: Breaker,
        now: Instant,
    }

    impl Bench {
        fn new() -> Self {
            let pauses = Pauses {
                first: 5 * SECOND,
                longest: 60 * SECOND,
            };
            Self {
                breaker: Breaker::new(pauses),
                now: Instant::now(),
            }
        }

        fn observe(&mut self, observation: Observation) -> Health {
            self.breaker.observe(false, observation, self.now);
            self.breaker.health()
        }

        fn fail(&mut self, times: u32) {
            (0..times).for_each(|_| self.breaker.observe(false, Observation::Failed, self.now));
        }

        /// Waits until a probe may begin, which ends so; answers how long that was.
        fn probe(&mut self, observation: Observation) -> Duration {
            let began = self.now;
            if let Access::NotBefore(until) = self.breaker.access(self.now) {
                self.now = until;
            }
            assert_eq!(self.breaker.access(self.now), Access::Free);
            assert!(self.breaker.begin(), "it is a probe");
            assert_eq!(self.breaker.health(), Health::Probing);
            assert_eq!(self.breaker.access(self.now), Access::Closed, "one at a time");
            self.breaker.observe(true, observation, self.now);
            self.now - began
        }
    }

    #[test]
    fn a_run_of_failures_opens_it_and_an_answer_breaks_the_run() {
        let mut bench = Bench::new();
        bench.fail(RUN - 1);
        assert_eq!(bench.observe(Observation::Answered), Health::Working);
        bench.fail(RUN - 1);
        assert_eq!(bench.observe(Observation::Failed), Health::Failing);
        let until = bench.now + 5 * SECOND;
        assert_eq!(bench.breaker.access(bench.now), Access::NotBefore(until));
    }

    #[test]
    fn half_of_many_failing_opens_it_and_less_does_not() {
        let mut bench = Bench::new();
        for _ in 0..1000 {
            assert_eq!(bench.observe(Observation::Failed), Health::Working);
            bench.observe(Observation::Answered);
            bench.observe(Observation::Answered);
        }
        let opened = (0..64).any(|_| {
            bench.observe(Observation::Answered);
            bench.observe(Observation::Failed) == Health::Failing
        });
        assert!(opened);
    }

    #[test]
    fn what_is_not_called_tells_nothing() {
        let mut bench = Bench::new();
        bench.fail(RUN - 1);
        bench.observe(Observation::NotCalled);
        assert_eq!(bench.observe(Observation::Failed), Health::Failing);
    }

    #[test]
    fn a_probe_that_is_answered_closes_it_and_others_double_the_pause() {
        let mut bench = Bench::new();
        bench.fail(RUN);
        let pauses = [5, 10, 20, 40, 60, 60].map(|seconds| seconds * SECOND);
        for pause in pauses {
            assert_eq!(bench.probe(Observation::Failed), pause);
            assert_eq!(bench.breaker.health(), Health::Failing);
        }
        assert_eq!(bench.probe(Observation::NotCalled), 60 * SECOND);
        assert_eq!(
            bench.probe(Observation::Answered),
            Duration::ZERO,
            "the next is the probe"
        );
        assert_eq!(bench.breaker.health(), Health::Working);
        assert!(!bench.breaker.begin());
        assert_eq!(
            bench.observe(Observation::Failed),
            Health::Working,
            "it begins anew"
        );
    }

    #[test]
    fn reports_of_calls_that_began_before_change_nothing() {
        let mut bench = Bench::new();
        bench.fail(RUN);
        assert_eq!(bench.observe(Observation::Answered), Health::Failing);
        assert_eq!(bench.observe(Observation::Failed), Health::Failing);
        bench.now += 5 * SECOND;
        bench.breaker.begin();
        assert_eq!(bench.observe(Observation::Answered), Health::Probing);
        assert_eq!(bench.observe(Observation::Refused), Health::Probing);
    }

    #[test]
    fn a_refusal_stops_it_at_once_and_admits_no_code_but_for_the_probe() {
        let mut bench = Bench::new();
        assert_eq!(bench.observe(Observation::Refused), Health::Stopped);
        let until = bench.now + 5 * SECOND;
        assert_eq!(bench.breaker.admission(), Access::NotBefore(until));
        assert_eq!(bench.probe(Observation::Refused), 5 * SECOND);
        assert_eq!(bench.probe(Observation::Failed), 10 * SECOND);
        assert_eq!(bench.breaker.health(), Health::Stopped, "it did not take it back");
        bench.now += 20 * SECOND;
        bench.breaker.begin();
        assert_eq!(bench.breaker.admission(), Access::Closed);
        bench.breaker.observe(true, Observation::Answered, bench.now);
        assert_eq!(bench.breaker.admission(), Access::Free);
    }

    #[test]
    fn who_was_refused_probes_after_all_others_and_judges_nobody_but_himself() {
        let mut bench = Bench::new();
        bench.observe(Observation::Refused);
        let (until, again) = (bench.now + 5 * SECOND, bench.now + 10 * SECOND);
        assert_eq!(bench.breaker.access(bench.now), Access::NotBefore(until));
        assert_eq!(bench.breaker.access_again(bench.now), Access::NotBefore(again));
        bench.now = again;
        assert_eq!(bench.breaker.access_again(bench.now), Access::Free);
        assert_eq!(bench.probe(Observation::OfOneAlone), Duration::ZERO);
        assert_eq!(bench.breaker.health(), Health::Stopped);
        let admission = bench.breaker.admission();
        assert_eq!(
            admission,
            Access::NotBefore(bench.now),
            "codes may be issued at once"
        );
        let again = bench.now + 60 * SECOND;
        assert_eq!(bench.breaker.access_again(bench.now), Access::NotBefore(again));
        assert_eq!(bench.probe(Observation::Answered), Duration::ZERO);
        assert_eq!(
            bench.observe(Observation::OfOneAlone),
            Health::Working,
            "others are taken"
        );
        assert_eq!(bench.breaker.access_again(bench.now), Access::Free);
    }

    #[test]
    fn while_it_fails_codes_are_admitted_and_a_refusal_ends_that() {
        let mut bench = Bench::new();
        bench.fail(RUN);
        assert_eq!(bench.breaker.admission(), Access::Free);
        assert_eq!(bench.observe(Observation::Refused), Health::Stopped);
    }
}
