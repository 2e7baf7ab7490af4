//! The life of a key, as one pure function: what a call with it says about it, when it may be used again, and what becomes of
//! the run that made the call.
//!
//! ```text
//!        refused                refused `tries` times more          works
//!  ok ------------> suspect --------------------------------> revoked ------> ok
//!   ^                  | works, or an outage of the vendor        |
//!   +------------------+ starts the count again                   +-- refused: asked again after 6, 12, 24, 24 … hours
//! ```
//! Nothing waits in here and nothing is slept through: each answer names the time of the next call. A key that has never
//! worked has no working state to come back to: its run ends at the first refusal, and it is asked again by itself like a
//! revoked one. What a person asks (`sync`, `store check`) is called at any time and judged by the same function.

use chrono::{DateTime, TimeDelta, Utc};

use super::outage;
use super::store::CredentialState;

/// What is known about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Standing {
    /// Whether it is believed to work.
    pub state: CredentialState,
    /// Since when it is in that state: of a suspect, its first refusal.
    pub since: DateTime<Utc>,
    /// Refused calls in a row, those during an outage of the vendor not counted.
    pub refusals: u32,
    /// Whether it has ever worked.
    pub worked: bool,
    /// No call by itself before.
    pub next_check_at: Option<DateTime<Utc>>,
}

impl Standing {
    /// A key that works, since then at the latest.
    #[must_use]
    pub fn working(since: DateTime<Utc>) -> Self {
        Self { state: CredentialState::Ok, since, refusals: 0, worked: true, next_check_at: None }
    }

    /// Whether the next call only asks if a key that was given up works again: one try, no walk before it is answered.
    #[must_use]
    pub fn is_retest(&self) -> bool {
        match self.state {
            CredentialState::Ok => false,
            CredentialState::Suspect => self.next_check_at.is_some(),
            CredentialState::Revoked => true,
        }
    }
}

/// What a call said about the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The store accepted it.
    Worked,
    /// The store refused it.
    Refused,
    /// Nothing: the store was not reached, asked for silence, or failed in another way.
    Untried,
}

/// What the other stores of the same vendor say about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// Many fail together, so it is the vendor. Since when.
    Outage(DateTime<Utc>),
    /// There are many, and none has answered since this key was first refused: it may become an outage.
    Silent,
    /// Nothing speaks for the vendor: others work, or there are too few to tell.
    Fine,
}

/// The limits (`[auth]` of the configuration).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Refused calls after the first before a key is given up.
    pub tries: u32,
    /// The wait before the first of them; it doubles each time …
    pub initial: TimeDelta,
    /// … up to this.
    pub max: TimeDelta,
    /// The shortest time before a revoked key is asked again; it doubles with the age of the flag …
    pub retest_initial: TimeDelta,
    /// … up to this.
    pub retest_max: TimeDelta,
    /// How long a refusal is doubted while no other store answers.
    pub doubt: TimeDelta,
}

/// What becomes of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It goes on.
    GoOn,
    /// It rests, and asks once more then.
    AskAgain(DateTime<Utc>),
    /// It ends.
    End,
    /// What the call's own error says: this is not about the key.
    AsTheErrorSays,
}

/// What the key is afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Its state.
    pub state: CredentialState,
    /// Refused calls in a row.
    pub refusals: u32,
    /// No call by itself before.
    pub next_check_at: Option<DateTime<Utc>>,
    /// What becomes of the run.
    pub then: Then,
}

/// Judges a call that was made at `now`.
#[must_use]
pub fn judge(key: &Standing, event: Event, others: Others, now: DateTime<Utc>, policy: &Policy) -> Judgement {
    use CredentialState::{Ok, Revoked, Suspect};
    let Standing { state, since, refusals, worked, next_check_at } = *key;
    let judged = |state, refusals, next_check_at, then| Judgement { state, refusals, next_check_at, then };
    let retest = |since| Some(now + policy.retest_wait(now - since));
    let again = refusals.saturating_add(1);
    match (event, others) {
        (Event::Worked, _) => judged(Ok, 0, None, Then::GoOn),
        (Event::Untried, _) if key.is_retest() => judged(state, refusals, retest(since), Then::End),
        (Event::Untried, _) => judged(state, refusals, next_check_at, Then::AsTheErrorSays),
        (Event::Refused, _) if state == Revoked => judged(Revoked, again, retest(since), Then::End),
        (Event::Refused, Others::Outage(begun)) => {
            judged(Suspect, 0, None, Then::AskAgain(now + outage::wait(now - begun, policy.retest_initial)))
        }
        (Event::Refused, _) if !worked => match next_check_at {
            Some(at) if state == Suspect && refusals > 0 && at <= now => judged(Revoked, again, retest(now), Then::End),
            Some(at) if state == Suspect && at > now => judged(Suspect, again, next_check_at, Then::End),
            _ => judged(Suspect, again, retest(now), Then::End),
        },
        (Event::Refused, others) => {
            let (refusals, first) = if state == Ok { (1, now) } else { (again, since) };
            let ask = |at| judged(Suspect, refusals, None, Then::AskAgain(at));
            let believed = first + policy.doubt;
            if refusals <= policy.tries {
                ask(now + policy.wait(refusals).min(policy.max))
            } else if others == Others::Silent && now < believed {
                ask((now + policy.wait(refusals)).min(believed))
            } else {
                judged(Revoked, refusals, retest(now), Then::End)
            }
        }
    }
}

impl Policy {
    /// The wait after so many refusals in a row, doubling without an end.
    fn wait(&self, refusals: u32) -> TimeDelta {
        self.initial * (1 << refusals.saturating_sub(1).min(20))
    }

    /// The wait before a key that was given up `age` ago is asked again: twice its age, so 6, 12, 24 hours by default.
    fn retest_wait(&self, age: TimeDelta) -> TimeDelta {
        (age * 2).clamp(self.retest_initial, self.retest_max)
    }
}

#[cfg(test)]
mod tests;
