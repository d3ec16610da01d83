//! Admits a request: the instance's rules first, so that what they refuse costs no I/O, then the cluster's.

use std::sync::Arc;

use super::{
    decision::{Admission, Denied},
    instance::Ask,
    limiter::Limiter,
    operation::Operation,
    rule::Scope,
    store::Counter,
    subject::Subject,
};

/// What is to be asked: of this process's counters, and of the cluster's, with the places of their rules.
type Asks = (Vec<Ask>, Vec<(usize, Counter)>);

impl Limiter {
    /// Asks every rule that applies; the instance's first, so that what they refuse costs no I/O.
    ///
    /// # Errors
    /// [`Denied::Refused`] when a rule that is enforced refuses: nothing is spent then. [`Denied::Unavailable`] when a
    /// rule that is enforced can't be counted: there is no room for its key, or its store is lost and it says `refuse`
    /// to that ([`Rule::if_store_lost`](super::Rule::if_store_lost)).
    pub async fn admit(&self, operation: Operation, subject: &Subject) -> Result<Admission, Denied> {
        if let Some(refusal) = self.paused(subject).filter(|_| operation == Operation::OtpSend) {
            return Err(Denied::Refused(refusal));
        }
        let mut admission = Admission::new(operation, self.active(), subject.has_worked());
        let asks = self.asks(subject, &mut admission, |_| true);
        self.ask(subject, asks, &mut admission).await?;
        Ok(admission)
    }

    /// The first half of [`Limiter::admit`]: asks the instance's rules alone. A flood is shed by them before it takes a place
    /// in a queue.
    ///
    /// # Errors
    /// As for [`Limiter::admit`].
    pub async fn shed(&self, operation: Operation, subject: &Subject) -> Result<Admission, Denied> {
        if let Some(refusal) = self.paused(subject).filter(|_| operation == Operation::OtpSend) {
            return Err(Denied::Refused(refusal));
        }
        let mut admission = Admission::new(operation, self.active(), subject.has_worked());
        let asks = self.asks(subject, &mut admission, |scope| scope == Scope::Instance);
        self.ask(subject, asks, &mut admission).await?;
        Ok(admission)
    }

    /// The second half, for what the first has let in: asks the cluster's rules.
    ///
    /// # Errors
    /// As for [`Limiter::admit`].
    pub async fn admit_further(
        &self,
        mut admission: Admission,
        subject: &Subject,
    ) -> Result<Admission, Denied> {
        let asks = self.asks(subject, &mut admission, |scope| scope == Scope::Cluster);
        self.ask(subject, asks, &mut admission).await?;
        Ok(admission)
    }

    /// What the rules of some scopes are to be asked; those that are attached are noted in the admission.
    fn asks(&self, subject: &Subject, admission: &mut Admission, is_asked: impl Fn(Scope) -> bool) -> Asks {
        let (mut asks, mut counted) = (Vec::new(), Vec::new());
        let active = Arc::clone(&admission.active);
        active.prepare(subject);
        let applying = active.on(admission.operation);
        if applying.iter().any(|applying| applying.is_attached) {
            admission.attached.reserve(applying.len());
            admission.attached_rules.reserve(applying.len());
        }
        for (at, applying) in applying.iter().enumerate() {
            let rule = &applying.rule;
            if !is_asked(rule.scope) {
                continue;
            }
            if rule.scope == Scope::Instance {
                asks.extend(self.ask_of(at, rule, subject));
            } else if let Some(counter) = applying.counter(subject) {
                if applying.is_attached {
                    admission.attached.push(counter);
                    admission.attached_rules.push(at);
                } else {
                    counted.push((at, counter));
                }
            }
        }
        (asks, counted)
    }

    /// Asks them; what was spent is noted in the admission, and given back when one refuses.
    async fn ask(
        &self,
        subject: &Subject,
        (asks, counted): Asks,
        admission: &mut Admission,
    ) -> Result<(), Denied> {
        if !asks.is_empty() {
            self.ask_instance(asks, admission).await?;
        }
        if !counted.is_empty()
            && let Err(denied) = self.ask_cluster(subject, counted, admission).await
        {
            let spent = std::mem::take(&mut admission.instance);
            self.give_back_instance(admission, spent);
            return Err(denied);
        }
        Ok(())
    }
}
