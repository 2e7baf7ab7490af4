//! One row of the import: a store as it ought to be, or why not.

use std::collections::HashMap;

use super::columns::Columns;
use super::key::Given;
use super::{Name, Refused};
use crate::config::check_cron;
use crate::connector;
use crate::connector::described::{NoConnector, Registry};
use crate::domain::given;
use crate::domain::secret::Secret;
use crate::domain::store::{NETO, Scheme};
use crate::storage::foreign::Value;
use crate::storage::stores::{self, NewStore};
use crate::storage::vault::PlainCredential;

/// The range of a budget, as in the configuration.
const CALLS: std::ops::RangeInclusive<u32> = 1..=1_000_000;

/// A store as its row wants it.
#[derive(Debug)]
pub struct Wanted {
    /// Name, address and settings; those without a column are `None`.
    pub store: NewStore,
    /// Columns that the query has: the settings of others are the operator's.
    pub settings: Vec<&'static str>,
    /// Its key.
    pub key: PlainCredential,
    /// Whether it is to rest.
    pub paused: bool,
}

/// Reads all rows. A name that comes twice is nobody's: both rows are refused.
pub fn read_all(
    columns: &Columns,
    rows: &[Vec<Value>],
    connectors: &Registry,
    allow_loopback: bool,
) -> (Vec<Wanted>, Vec<Refused>) {
    let mut times: HashMap<&str, u32> = HashMap::new();
    for row in rows {
        if let Value::Text(name) = columns.value(row, "name") {
            *times.entry(name.expose()).or_default() += 1;
        }
    }
    let (mut wanted, mut refused) = (Vec::with_capacity(rows.len()), Vec::new());
    for (at, row) in rows.iter().enumerate() {
        let row = Row { columns, row };
        let name = row.text("name").ok().flatten().map(|name| name.expose().to_owned());
        let twice = name.as_ref().is_some_and(|name| times.get(name.as_str()).is_some_and(|times| *times > 1));
        let read =
            if twice { Err("its name comes more than once".to_owned()) } else { row.read(connectors, allow_loopback) };
        match read {
            Ok(row) => wanted.push(row),
            Err(reason) => refused.push(Refused { row: at + 1, name: name.as_deref().map(Name::new), reason }),
        }
    }
    (wanted, refused)
}

struct Row<'a> {
    columns: &'a Columns,
    row: &'a [Value],
}

/// The settings that a row may have, in the order of [`Wanted::settings`].
const SETTINGS: [&str; 5] = ["timezone", "schedule_full", "schedule_incremental", "schedule_sweep", "calls_per_minute"];

impl Row<'_> {
    /// A value that is there and not empty.
    fn text(&self, column: &str) -> Result<Option<&Secret>, String> {
        match self.columns.value(self.row, column) {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text).filter(|text| !text.is_empty())),
            Value::Unreadable => Err(format!("its {column} is not text in UTF-8, or too long")),
        }
    }

    /// A value read by `read`, whose error follows the column's name.
    fn read_as<T, E: std::fmt::Display>(
        &self,
        column: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, String> {
        let text = self.text(column)?;
        text.map(|text| read(text.expose()).map_err(|why| format!("its {column} {why}"))).transpose()
    }

    fn secret(&self, column: &str) -> Result<Option<Secret>, String> {
        self.read_as(column, |text| given::key(text).map(Secret::new))
    }

    fn read(&self, connectors: &Registry, allow_loopback: bool) -> Result<Wanted, String> {
        let name = self.text("name")?.ok_or("its name is empty")?.expose().to_owned();
        stores::check_name(&name)
            .map_err(|_| "its name cannot be used: 1 to 64 of a-z, 0-9, dot, underscore and hyphen")?;
        let connector = self.text("connector")?.map_or_else(|| NETO.to_owned(), |text| text.expose().to_owned());
        let ways = connector::ways_in(connectors, &connector).map_err(|error| match error {
            // Its name is not repeated: it may be a key that stands in the wrong column.
            NoConnector::Unknown { known, .. } => format!("its connector is none of {known}"),
            NoConnector::Wrong { .. } => "its connector's file is wrong, see `netosync connector list`".to_owned(),
        })?;
        let known = connectors.get(&connector).ok().and_then(|described| described.default_url.clone());
        let url = self.read_as("url", |text| {
            given::address(text, allow_loopback).map_err(|why| format!("cannot be used: {why}"))
        })?;
        let cron = |column| self.read_as(column, |text| check_cron(text).map(|()| text.to_owned()));
        let store = NewStore {
            url: url.or(known).ok_or("its url is empty")?,
            timezone: self.read_as("timezone", |text| {
                text.parse::<chrono_tz::Tz>().map(|zone| zone.name().to_owned()).map_err(|_| "is not an IANA time zone")
            })?,
            schedule_full: cron("schedule_full")?,
            schedule_incremental: cron("schedule_incremental")?,
            schedule_sweep: cron("schedule_sweep")?,
            calls_per_minute: self.read_as("calls_per_minute", calls)?,
            name,
            connector,
        };
        Ok(Wanted {
            store,
            settings: SETTINGS.into_iter().filter(|column| self.columns.has(column)).collect(),
            key: self.key(&ways)?,
            paused: self.read_as("paused", truth)?.unwrap_or(false),
        })
    }

    fn key(&self, ways: &[Scheme]) -> Result<PlainCredential, String> {
        let scheme = self.read_as("scheme", |text| {
            Scheme::parse(text).filter(|scheme| ways.contains(scheme)).ok_or_else(|| {
                let known: Vec<_> = ways.iter().map(|scheme| scheme.as_str()).collect();
                format!("is none of {}", known.join(", "))
            })
        })?;
        let given = Given {
            scheme: scheme.unwrap_or(ways[0]),
            secret: self.secret("secret")?,
            username: self.read_as("username", given::header)?,
            client_id: self.read_as("client_id", given::header)?,
            client_secret: self.secret("client_secret")?,
            refresh_token: self.secret("refresh_token")?,
            token_url: self.read_as("token_url", |text| text.parse().map_err(|_| "is not an address"))?,
            scopes: self.read_as("scopes", given::header)?,
        };
        given.credential()
    }
}

fn calls(text: &str) -> Result<u32, String> {
    let calls = text.parse().ok().filter(|calls| CALLS.contains(calls));
    calls.ok_or_else(|| format!("is not a whole number from {} to {}", CALLS.start(), CALLS.end()))
}

/// A truth value as databases and people write it.
fn truth(text: &str) -> Result<bool, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "t" | "true" | "y" | "yes" | "on" => Ok(true),
        "0" | "f" | "false" | "n" | "no" | "off" => Ok(false),
        _ => Err("is neither true nor false"),
    }
}
