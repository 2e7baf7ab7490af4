//! The database schema of netosync, as an ordered list of changes.
//!
//! To change the schema: add a file `mYYYYMMDD_NNNNNN_verb_noun.rs` with one change, up and down, and append it to
//! [`Migrator::migrations`]. A released migration is never edited. A breaking change takes two releases: first
//! expand (old and new program both work), then contract. All pending migrations run in one transaction, so none
//! may need to be outside of one (`CREATE INDEX CONCURRENTLY`, for example). Who changes the columns of products has to make the view
//! `product_changes` anew, which names all of them.

pub use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait};

use sea_orm_migration::prelude::*;

mod columns;
mod m20261121_000001_create_stores;
mod m20261121_000002_create_credentials;
mod m20261121_000003_create_runs;
mod m20261121_000004_create_cursors;
mod m20261121_000005_create_products;
mod m20261121_000006_create_product_texts;
mod m20261121_000007_create_product_children;
mod m20261121_000008_create_product_changes;
mod m20261121_000009_create_quarantine;
mod m20261121_000010_create_records;
mod m20261121_000011_create_instances;
mod m20261121_000012_index_runs;
mod m20261121_000013_add_stores_silent_until;
mod m20261121_000014_extend_credentials;
mod m20261121_000015_create_incidents;
mod m20261121_000020_add_light_hash;
mod m20261121_000021_create_findings;
mod m20261121_000022_add_evidence_to_runs;
mod m20261121_000023_create_consumers;
mod m20261121_000024_add_audits_to_runs;
mod m20261121_000025_add_learned_to_stores;
mod m20261121_000026_add_oauth;
mod m20261121_000027_create_record_changes;
mod m20261121_000028_import_stores;
mod m20261122_000029_add_answer_hash;
mod m20261122_000030_keep_feed_as_written;
mod m20261122_000031_compress_large_values;
mod m20261122_000032_thin_indexes;
mod m20261122_000033_unlock_stores;
mod m20261122_000034_drop_date_index;
mod m20261122_000035_tell_added_once;

/// The table that remembers which migrations were applied; not the library's default, because netosync may share
/// a database with another program that uses the same library.
pub const HISTORY_TABLE: &str = "netosync_migrations";

/// The list of changes.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_create_stores::Migration),
            Box::new(m20261121_000002_create_credentials::Migration),
            Box::new(m20261121_000003_create_runs::Migration),
            Box::new(m20261121_000004_create_cursors::Migration),
            Box::new(m20261121_000005_create_products::Migration),
            Box::new(m20261121_000006_create_product_texts::Migration),
            Box::new(m20261121_000007_create_product_children::Migration),
            Box::new(m20261121_000008_create_product_changes::Migration),
            Box::new(m20261121_000009_create_quarantine::Migration),
            Box::new(m20261121_000010_create_records::Migration),
            Box::new(m20261121_000011_create_instances::Migration),
            Box::new(m20261121_000012_index_runs::Migration),
            Box::new(m20261121_000013_add_stores_silent_until::Migration),
            Box::new(m20261121_000014_extend_credentials::Migration),
            Box::new(m20261121_000015_create_incidents::Migration),
            Box::new(m20261121_000020_add_light_hash::Migration),
            Box::new(m20261121_000021_create_findings::Migration),
            Box::new(m20261121_000022_add_evidence_to_runs::Migration),
            Box::new(m20261121_000023_create_consumers::Migration),
            Box::new(m20261121_000024_add_audits_to_runs::Migration),
            Box::new(m20261121_000025_add_learned_to_stores::Migration),
            Box::new(m20261121_000026_add_oauth::Migration),
            Box::new(m20261121_000027_create_record_changes::Migration),
            Box::new(m20261121_000028_import_stores::Migration),
            Box::new(m20261122_000029_add_answer_hash::Migration),
            Box::new(m20261122_000030_keep_feed_as_written::Migration),
            Box::new(m20261122_000031_compress_large_values::Migration),
            Box::new(m20261122_000032_thin_indexes::Migration),
            Box::new(m20261122_000033_unlock_stores::Migration),
            Box::new(m20261122_000034_drop_date_index::Migration),
            Box::new(m20261122_000035_tell_added_once::Migration),
        ]
    }

    fn migration_table_name() -> DynIden {
        HISTORY_TABLE.into_iden()
    }
}
