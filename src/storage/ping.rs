//! Does the database answer?

use sea_orm::ConnectionTrait;
use sqlx::{ConnectOptions, Connection};

use super::{Database, Pools, StorageError};

/// Asks over a connection of the pool. Waits for one as long as the pool does, so set a time limit.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn ping(db: &Database) -> Result<(), StorageError> {
    let asked = db.orm().execute_unprepared("/* ping */ SELECT 1").await;
    asked.map(drop).map_err(StorageError::query("ask the database whether it is there"))
}

/// Asks over a new connection that is not the pool's, which tells a pool that is stuck from a database that is away. Makes no
/// file.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn from_outside(db: &Database) -> Result<(), StorageError> {
    let asked = async {
        match db.pools() {
            Pools::Sqlite(pool) => {
                let options = pool.connect_options().as_ref().clone().create_if_missing(false);
                let mut connection = options.connect().await?;
                sqlx::query("/* ping::from_outside */ SELECT 1 FROM sqlite_master").execute(&mut connection).await?;
                connection.close().await
            }
            Pools::Postgres(pool) => {
                let mut connection = pool.connect_options().connect().await?;
                connection.ping().await?;
                connection.close().await
            }
        }
    };
    asked.await.map_err(StorageError::sql("connect to the database once more"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::clock::SystemClock;
    use crate::domain::secret::Secret;

    #[tokio::test]
    async fn a_pool_that_is_used_up_keeps_nobody_outside() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("t.db");
        let url = Secret::new(&format!("sqlite://{}?mode=rwc", file.display()));
        let db = Database::connect(&url, "netosync", Arc::new(SystemClock)).await.expect("it opens");
        let Pools::Sqlite(pool) = db.pools() else { panic!("it is SQLite") };
        ping(&db).await.expect("it answers");
        let mut all = Vec::new();
        for _ in 0..pool.options().get_max_connections() {
            all.push(pool.acquire().await.expect("a connection"));
        }
        assert!(tokio::time::timeout(Duration::from_millis(1), ping(&db)).await.is_err());
        from_outside(&db).await.expect("it answers others");
        drop(all);
        db.close().await;
        std::fs::remove_file(&file).expect("our file");
        from_outside(&db).await.expect_err("there is none");
        assert!(!file.exists(), "asking makes no file");
    }
}
