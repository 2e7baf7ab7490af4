//! What a failed call says about the store's key, and what becomes of the run (design §4). What is decided is
//! [`crate::domain::lifecycle`]'s; here it is asked, written down and said.
//!
//! A refused key is asked again by small calls, and the run gives its slot back in between: it rests in the queue, and
//! whoever claims it next begins with the small call. So waiting costs nothing, and a crash in the middle of it loses nothing.

use chrono::{DateTime, Utc};

use super::Syncer;
use super::outcome::{self, Patience, Step, Stop, failed};
use super::vendor::Vendor;
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::lifecycle::{self, Event, Judgement, Others, Standing, Then};
use crate::domain::outage;
use crate::domain::run::RunState;
use crate::domain::store::{Credential, CredentialState, Store};
use crate::storage::runs::{End, Return};
use crate::storage::standings::{self, Flag};
use crate::storage::{StorageError, credentials::load_credential};
use crate::tokens;

/// Decides what becomes of a run whose call has failed. `standing` is what is known of the key now.
pub async fn after_failure(
    syncer: &Syncer,
    store: &Store,
    credential: &Credential,
    standing: Standing,
    attempt: i32,
    error: RemoteError,
) -> Result<Step, StorageError> {
    let case = Case { syncer, store, credential, standing, now: syncer.clock.now() };
    if error.class == ErrorClass::Unauthorized {
        case.refused(&error).await
    } else {
        case.untried(error, attempt).await
    }
}

/// What bought the store's tokens is dead: its run ends.
pub async fn dead(
    syncer: &Syncer,
    store: &Store,
    credential: &Credential,
    standing: Standing,
    error: &RemoteError,
) -> Result<Step, StorageError> {
    let Some(said) = syncer.tokens().give_up(store, credential, standing, error).await? else {
        return Ok(asking_again_at(syncer.clock.now()));
    };
    Ok(Step::End(cancelled(ErrorClass::Unauthorized, format!("{said}; until then the key counts as revoked"))))
}

/// A key that was given up and does not even open is looked at later, like one that is refused.
pub async fn postpone_what_does_not_open(syncer: &Syncer, store: &Store) -> Result<(), StorageError> {
    if let Some(found) = load_credential(&syncer.db, store.id).await?
        && found.standing().is_retest()
    {
        let later = syncer.clock.now() + syncer.config.auth.policy().retest_initial;
        standings::postpone_check(&syncer.db, store.id, &found.sealed.fingerprint, Some(later)).await?;
    }
    Ok(())
}

struct Case<'a> {
    syncer: &'a Syncer,
    store: &'a Store,
    credential: &'a Credential,
    standing: Standing,
    now: DateTime<Utc>,
}

impl Case<'_> {
    /// The store refused the key.
    async fn refused(&self, error: &RemoteError) -> Result<Step, StorageError> {
        let Self { syncer, store, credential, standing, now } = self;
        let first = if standing.state == CredentialState::Suspect { standing.since } else { *now };
        let others = self.vendor().others(store.id, first, *now).await?;
        let after = lifecycle::judge(standing, Event::Refused, others, *now, &syncer.config.auth.policy());
        let flag = Flag {
            before: *standing,
            after,
            said: &error.message,
            // An error in the body of a good answer carries no status.
            status: error.status.unwrap_or(200),
            incident: &format!(
                "store {} refuses its key for good ({}); {}, or see `netosync store show {0}`",
                store.name,
                error.message,
                self.fix()
            ),
        };
        if !standings::flag_credential(&syncer.db, store.id, &credential.fingerprint, &flag, *now).await? {
            return Ok(asking_again_at(*now));
        }
        Ok(match after.then {
            Then::AskAgain(at) => {
                snooze(at, ErrorClass::Unauthorized, self.asking_again(&error.message, after, others, at))
            }
            Then::End => Step::End(self.given_up(&error.message, after)),
            // Said of other events only.
            Then::GoOn | Then::AsTheErrorSays => Step::End(failed(error.class, error.message.clone())),
        })
    }

    /// The call says nothing about the key.
    async fn untried(&self, error: RemoteError, attempt: i32) -> Result<Step, StorageError> {
        let Self { syncer, store, credential, standing, now } = self;
        let auth = &syncer.config.auth;
        let not_reached = error.class == ErrorClass::Transient;
        if not_reached {
            standings::store_not_reached(&syncer.db, store.id, &credential.fingerprint, *now).await?;
        }
        let after = lifecycle::judge(standing, Event::Untried, Others::Fine, *now, &auth.policy());
        if after.then == Then::End {
            standings::postpone_check(&syncer.db, store.id, &credential.fingerprint, after.next_check_at).await?;
            let sentence = format!(
                "{}; so it is not known whether the {} key works again{}",
                outcome::sentence(&error),
                standing.state,
                later(after)
            );
            return Ok(Step::End(cancelled(error.class, sentence)));
        }
        // A person who waits is told at once.
        if not_reached
            && syncer.patience == Patience::Daemon
            && let Others::Outage(begun) = self.vendor().others(store.id, *now - auth.outage().window, *now).await?
        {
            let at = *now + outage::wait(*now - begun, auth.policy().retest_initial);
            return Ok(snooze(at, error.class, format!("{}; {}", error.message, self.outage(begun))));
        }
        Ok(outcome::decide(Stop::Remote(error), attempt, syncer))
    }

    /// What a person does about it.
    fn fix(&self) -> String {
        if tokens::by_consent(self.credential.scheme, self.credential.client_id.as_deref()) {
            format!("the merchant must reconnect: {}", tokens::reconnect(&self.syncer.config, self.store))
        } else {
            format!("give a working key with `netosync store rekey {}`", self.store.name)
        }
    }

    fn vendor(&self) -> Vendor<'_> {
        let rule = self.syncer.config.auth.outage();
        Vendor { db: &self.syncer.db, rule, connector: &self.store.connector }
    }

    fn asking_again(&self, said: &str, after: Judgement, others: Others, at: DateTime<Utc>) -> String {
        let tries = self.syncer.config.auth.canary_tries;
        // Up, so that a wait of milliseconds in a rehearsal does not read as none.
        let seconds = (at - self.now + chrono::TimeDelta::milliseconds(999)).num_seconds();
        let again = format!("asking again in {seconds} s");
        match others {
            Others::Outage(begun) => format!("{said}; {}; {again}", self.outage(begun)),
            _ if after.refusals <= tries => format!("{said}; {again} ({} of {tries})", after.refusals),
            _ => format!("{said}; no other store has answered since, so it may be the vendor; {again}"),
        }
    }

    fn outage(&self, begun: DateTime<Utc>) -> String {
        format!("an outage of {} seems to be on since {}", self.store.connector, begun.format("%Y-%m-%d %H:%M:%SZ"))
    }

    fn given_up(&self, said: &str, after: Judgement) -> End {
        let fix = self.fix();
        let later = later(after);
        let sentence = match (self.standing.state, after.state) {
            (CredentialState::Revoked, _) => format!("{said}; it is known to be revoked: {fix}{later}"),
            (_, CredentialState::Revoked) => {
                format!("{said}; refused {} times in a row, so the key counts as revoked: {fix}{later}", after.refusals)
            }
            _ => format!("{said}; this key has never worked: {fix}{later}"),
        };
        match after.state {
            CredentialState::Revoked => cancelled(ErrorClass::Unauthorized, sentence),
            _ => failed(ErrorClass::Unauthorized, sentence),
        }
    }
}

fn asking_again_at(now: DateTime<Utc>) -> Step {
    let error = "the key was replaced or judged by somebody else meanwhile; asking again".to_owned();
    snooze(now, ErrorClass::Unauthorized, error)
}

fn snooze(at: DateTime<Utc>, class: ErrorClass, error: String) -> Step {
    Step::Return(Return::Snooze { at, class, error })
}

fn cancelled(class: ErrorClass, error: String) -> End {
    End { state: RunState::Cancelled, ..failed(class, error) }
}

fn later(after: Judgement) -> String {
    after
        .next_check_at
        .map_or(String::new(), |at| format!("; it is asked again by itself at {}", at.format("%Y-%m-%d %H:%M:%SZ")))
}
