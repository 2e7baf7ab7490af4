//! One sync of one store: queue, lease and history.

use sea_orm::entity::prelude::*;

/// A row of `runs`; what its columns mean is said once, in `storage::dictionary`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "runs")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub store_id: i64,
    pub kind: String,
    pub trigger: String,
    pub state: String,
    pub scheduled_at: DateTimeUtc,
    pub attempt: i32,
    pub lease_owner: Option<String>,
    pub lease_epoch: i64,
    pub lease_expires_at: Option<DateTimeUtc>,
    pub checkpoint: Option<Json>,
    pub pages: i64,
    pub calls: i64,
    pub seen: i64,
    pub inserted: i64,
    pub updated: i64,
    pub unchanged: i64,
    pub removed: i64,
    pub quarantined: i64,
    pub verdict: Option<String>,
    pub error_class: Option<String>,
    pub error: Option<String>,
    pub started_at: Option<DateTimeUtc>,
    pub finished_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub cancel_requested_at: Option<DateTimeUtc>,
    pub repaired: i64,
    pub id_digest: Option<String>,
    pub approve_removals: bool,
    pub audit_request: Option<Json>,
    pub audit_findings: Option<Json>,
}

/// Joined by hand, where at all.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
