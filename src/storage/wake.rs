//! Wake-ups: a daemon hears at once that something in the queue has changed, and a reader of the change feed that there are
//! new lines, instead of looking all the time.
//!
//! - PostgreSQL: every statement that makes a run claimable or cancels one sends `NOTIFY netosync_<schema>` in its
//!   transaction (`notify`), and the one that numbers lines of the feed `NOTIFY netosync_feed_<schema>`; who waits listens on
//!   a connection of its own.
//! - SQLite: a connection of its own asks for `PRAGMA data_version` twice a second, a number that changes when another
//!   connection has committed. It reads one page of memory that is shared anyway; no file is touched.
//!
//! A wake-up says "look", never what for, and any number of them become one. One may get lost (a network that dies
//! silently): the scheduler's tick looks as well.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait, Statement};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;

use super::{Database, Engine, Pools, StorageError};

/// How often SQLite is asked whether the file has changed.
const LOOK: Duration = Duration::from_millis(500);
/// How long to wait before a lost connection is made anew.
const AGAIN: Duration = Duration::from_secs(1);

/// Tells the daemons of this database to look at the queue, once the transaction of `connection` commits.
///
/// # Errors
/// [`StorageError::Query`].
pub(super) async fn notify(connection: &impl ConnectionTrait, db: &Database) -> Result<(), StorageError> {
    if db.engine() == Engine::Postgres {
        let sql = format!("/* wake */ SELECT pg_notify('{}', '')", channel(db));
        let statement = Statement::from_string(connection.get_database_backend(), sql);
        connection.execute_raw(statement).await.map_err(StorageError::query("wake the daemons"))?;
    }
    Ok(())
}

/// The channel contains the schema, because channels belong to a whole PostgreSQL database. A name may have 63 bytes.
fn channel(db: &Database) -> String {
    let mut name = format!("netosync_{}", db.schema_name());
    name.truncate(63);
    name
}

/// An expression for PostgreSQL that tells the readers of the feed to look, once the transaction commits.
pub(super) const NOTIFY_FEED: &str = "pg_notify(left('netosync_feed_' || current_schema(), 63), '')";

fn feed_channel(db: &Database) -> String {
    let mut name = format!("netosync_feed_{}", db.schema_name());
    name.truncate(63);
    name
}

/// Hears wake-ups until dropped. Reconnects by itself; after a time without a connection it wakes once, because something
/// may have been missed.
#[derive(Debug)]
pub struct Wakeups {
    woken: Arc<Notify>,
    _listening: AbortOnDropHandle<()>,
}

impl Wakeups {
    /// Starts listening for changes of the queue, on a connection of its own.
    #[must_use]
    pub fn of(db: &Database) -> Self {
        Self::on(db, channel(db))
    }

    /// Starts listening for new lines of the change feed, on a connection of its own.
    #[must_use]
    pub fn of_feed(db: &Database) -> Self {
        Self::on(db, feed_channel(db))
    }

    fn on(db: &Database, channel: String) -> Self {
        let woken = Arc::new(Notify::new());
        let wake = woken.clone();
        let listening = match db.pools() {
            Pools::Postgres(pool) => {
                let options = (*pool.connect_options()).clone();
                tokio::spawn(async move { listen(options, &channel, &wake).await })
            }
            Pools::Sqlite(pool) => {
                let options = (*pool.connect_options()).clone();
                tokio::spawn(async move { watch(options, &wake).await })
            }
        };
        Self { woken, _listening: AbortOnDropHandle::new(listening) }
    }

    /// The next wake-up. One that came while nobody waited is not lost.
    pub async fn next(&self) {
        self.woken.notified().await;
    }
}

async fn listen(options: PgConnectOptions, channel: &str, wake: &Notify) {
    let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
    loop {
        if let Err(error) = listen_until_lost(&pool, channel, wake).await {
            debug!("the wake-ups of the database are not heard, trying again: {error}");
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn listen_until_lost(pool: &sqlx::PgPool, channel: &str, wake: &Notify) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(channel).await?;
    debug!("listening on {channel}");
    wake.notify_one();
    while listener.try_recv().await?.is_some() {
        wake.notify_one();
    }
    Ok(())
}

async fn watch(options: SqliteConnectOptions, wake: &Notify) {
    loop {
        if let Err(error) = watch_until_lost(&options, wake).await {
            debug!("it is not seen when the database changes, trying again: {error}");
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn watch_until_lost(options: &SqliteConnectOptions, wake: &Notify) -> sqlx::Result<()> {
    let mut connection = options.connect().await?;
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known = None;
    loop {
        ticks.tick().await;
        let version = data_version(&mut connection).await?;
        if known.replace(version) != Some(version) {
            wake.notify_one();
        }
    }
}

async fn data_version(connection: &mut SqliteConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("PRAGMA data_version").fetch_one(connection).await
}
