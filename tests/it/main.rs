//! The tests that need a database, a socket or a process, in one binary.

mod audit;
mod away;
mod chaos;
mod crowd;
mod decimals;
mod drift;
mod feed;
mod key_life;
mod mirror;
mod prune;
mod queue;
mod rehearse;
mod schedule;
mod schema;
mod stores;
mod support;
mod sync_budget;
mod sync_crash;
mod sync_faults;
mod sync_lease;
mod sync_live_lease;
mod sync_slices;
mod sync_sweep;
mod takeover;
mod vendor_outage;
