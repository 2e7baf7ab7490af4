//! The sealed key of a store.

use sea_orm::entity::prelude::*;

/// A row of `credentials`; what its columns mean is said once, in `storage::dictionary`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "credentials")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub store_id: i64,
    pub scheme: String,
    pub username: Option<String>,
    pub client_id: Option<String>,
    pub secret: Vec<u8>,
    pub refresh_secret: Option<Vec<u8>>,
    pub key_id: String,
    pub fingerprint: String,
    pub expires_at: Option<DateTimeUtc>,
    pub state: String,
    pub state_since: DateTimeUtc,
    pub last_checked_at: Option<DateTimeUtc>,
    pub last_ok_at: Option<DateTimeUtc>,
    pub last_error: Option<String>,
    pub refusals: i64,
    pub next_check_at: Option<DateTimeUtc>,
    pub last_failed_at: Option<DateTimeUtc>,
    pub last_status: Option<i64>,
    pub client_secret: Option<Vec<u8>>,
    pub token_url: Option<String>,
    pub scopes: Option<String>,
    pub renewed_at: Option<DateTimeUtc>,
    pub renewing_by: Option<String>,
    pub renewing_until: Option<DateTimeUtc>,
}

/// Joined by hand, where at all.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
