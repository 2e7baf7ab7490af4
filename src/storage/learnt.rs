//! What a vendor has told about a store.

use sea_orm::Set;
use url::Url;

use super::{Database, StorageError, stores};
use crate::domain::store::Store;

/// What was told; `None` leaves what is known.
#[derive(Clone, Debug, Default)]
pub struct Learnt {
    /// How the vendor names the store.
    pub remote_id: Option<String>,
    /// The shop's own domain.
    pub domain: Option<String>,
    /// Its time zone; taken when it is one (IANA name) and the store has none of its own.
    pub timezone: Option<String>,
    /// Where calls go.
    pub url: Option<Url>,
    /// Where they would go if a person approved it; what waited before does not any more.
    pub pending_url: Option<Url>,
}

/// Writes down what was told about the store of that name.
///
/// # Errors
/// [`StorageError::UnknownStore`], [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn learn(db: &Database, name: &str, learnt: Learnt) -> Result<Store, StorageError> {
    let zone = learnt.timezone.filter(|zone| zone.parse::<chrono_tz::Tz>().is_ok());
    stores::edit(db, name, |row| {
        let zone = zone.filter(|_| row.timezone.as_ref().is_none());
        for (column, told) in
            [(&mut row.remote_id, learnt.remote_id), (&mut row.domain, learnt.domain), (&mut row.timezone, zone)]
        {
            if told.is_some() {
                *column = Set(told);
            }
        }
        if let Some(url) = learnt.url {
            row.url = Set(url.into());
        }
        row.pending_url = Set(learnt.pending_url.map(String::from));
    })
    .await
}
