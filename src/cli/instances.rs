//! `netosync status --instances`: the daemons that share the database.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::exit::CliError;
use super::text;
use crate::storage::Database;
use crate::storage::instances::{self, Instance};

/// The instances as a table; `None` when there are none.
pub async fn table(db: &Database, now: DateTime<Utc>) -> Result<Option<String>, CliError> {
    let all = instances::list(db).await?;
    let rows = all.iter().map(|instance| {
        [
            instance.name.clone(),
            if instance.is_alive(now) { "alive" } else { "not seen" }.to_owned(),
            format!("{} of {}", instance.running, instance.slots),
            text::age(instance.seen_at, now),
            text::time(instance.started_at),
            instance.version.clone(),
        ]
    });
    let header = ["INSTANCE", "STATE", "AT WORK", "LAST SEEN", "STARTED", "VERSION"];
    Ok((!all.is_empty()).then(|| text::table(header, rows)))
}

/// The instances as an array.
pub async fn array(db: &Database, now: DateTime<Utc>) -> Result<Value, CliError> {
    Ok(instances::list(db).await?.iter().map(|instance| object(instance, now)).collect())
}

fn object(instance: &Instance, now: DateTime<Utc>) -> Value {
    json!({
        "name": instance.name,
        "alive": instance.is_alive(now),
        "host": instance.host,
        "pid": instance.pid,
        "version": instance.version,
        "started_at": instance.started_at,
        "seen_at": instance.seen_at,
        "slots": instance.slots,
        "running": instance.running,
    })
}
