//! A store is removed with everything we hold of it.

use sea_orm::{ConnectionTrait, DatabaseTransaction, ModelTrait, Statement};

use super::stores::row_named;
use super::{Database, Engine, StorageError};
use crate::domain::catalogue::CHILDREN;

/// Removes the store of that name with everything we hold of it. A run of it in flight loses its lease by that.
///
/// # Errors
/// [`StorageError::UnknownStore`] or [`StorageError::Query`].
pub async fn remove_store(db: &Database, name: &str) -> Result<(), StorageError> {
    /// By this the pages that are being written lose their right to it. It is done before anything else: they follow one another
    /// without a gap, so nobody else would get at the run as long as they do.
    const LOSE: &str =
        "UPDATE runs SET lease_epoch = lease_epoch + 1 WHERE store_id = $1 AND state IN ('queued', 'running')";
    /// A page that is being written ends first, and no other begins. In the order of a page: the run, then the store; a run that
    /// is queued meanwhile waits for the store.
    const LOCKS: [&str; 2] = [
        "SELECT FROM runs WHERE store_id = $1 AND state IN ('queued', 'running') ORDER BY id FOR UPDATE",
        "SELECT FROM stores WHERE id = $1 FOR UPDATE",
    ];
    let execute = async |connection: &DatabaseTransaction, sql: &str, store_id: i64| {
        let (backend, sql) = (connection.get_database_backend(), format!("/* remove_store */ {sql}"));
        let statement = Statement::from_sql_and_values(backend, sql, [store_id.into()]);
        connection.execute_raw(statement).await.map(drop).map_err(StorageError::query("remove the store"))
    };
    let failed = || StorageError::query("remove the store");
    let transaction = db.begin_write().await?;
    execute(&transaction, LOSE, row_named(&transaction, name).await?.id).await?;
    transaction.commit().await.map_err(failed())?;

    let transaction = db.begin_write().await?;
    let row = row_named(&transaction, name).await?;
    let locks = if db.engine() == Engine::Postgres { LOCKS.as_slice() } else { &[] };
    for sql in locks {
        execute(&transaction, sql, row.id).await?;
    }
    // Not all of these have a foreign key; all others go with the store by theirs.
    for table in CHILDREN.iter().map(|child| child.name).chain(["product_texts", "product_change_lines", "products"]) {
        execute(&transaction, &format!("DELETE FROM {table} WHERE store_id = $1"), row.id).await?;
    }
    row.delete(&transaction).await.map_err(failed())?;
    transaction.commit().await.map_err(failed())
}
