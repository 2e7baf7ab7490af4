//! What the tests share: a fresh database on each engine, and the macro that runs a test on both.

use std::ops::Deref;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use netosync::clock::ManualClock;
use netosync::domain::secret::Secret;
use netosync::storage::{Database, schema};
use tempfile::TempDir;

pub mod described;
pub mod dump;
pub mod fakes;
pub mod fleet;
pub mod group;
pub mod hook;
pub mod http;
pub mod mirrored;
pub mod postgres;
pub mod process;
pub mod rest;
pub mod retold;
pub mod theirs;
pub mod town;
pub mod virtual_clock;
pub mod watch;
pub mod world;

/// Makes two tests of each named `async fn(TestDb)` or `async fn(EmptyDb)`: `name::on_sqlite`, `name::on_postgres`.
macro_rules! on_both_engines {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test]
            async fn on_sqlite() {
                $crate::support::run_on_sqlite(super::$name).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                $crate::support::run_on_postgres(super::$name).await;
            }
        }
    )+};
}
pub(crate) use on_both_engines;

/// Something a test of both engines can begin with.
pub trait Fresh: Sized {
    /// A new one on an SQLite file.
    async fn on_sqlite() -> Self;
    /// A new one on the PostgreSQL server of this process.
    async fn on_postgres() -> Self;
}

/// What [`on_both_engines`] calls; in a function so that the test's argument says what it begins with.
pub async fn run_on_sqlite<T: Fresh, F: Future<Output = ()>>(test: impl FnOnce(T) -> F) {
    test(T::on_sqlite().await).await;
}

/// See [`run_on_sqlite`].
pub async fn run_on_postgres<T: Fresh, F: Future<Output = ()>>(test: impl FnOnce(T) -> F) {
    test(T::on_postgres().await).await;
}

/// A fresh database without tables.
pub struct EmptyDb {
    db: Database,
    /// The clock the database was opened with; it stands still.
    pub clock: Arc<ManualClock>,
    url: Secret,
    _place: Place,
}

/// A fresh database with all tables.
pub struct TestDb(EmptyDb);

/// What goes away with the database.
enum Place {
    Folder { _folder: TempDir },
    Server { _scratch: postgres::Scratch },
}

/// The time every test starts at.
pub fn start_of_time() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("a valid time")
}

impl EmptyDb {
    async fn open(url: String, place: Place) -> Self {
        let (url, clock) = (Secret::new(&url), ManualClock::new(start_of_time()));
        let db = Database::connect(&url, "netosync", clock.clone()).await.expect("a fresh database opens");
        Self { db, clock, url, _place: place }
    }

    /// The same database opened once more, as another process would.
    pub async fn opened_again(&self) -> Database {
        Database::connect(&self.url, "netosync", self.clock.clone()).await.expect("the database opens again")
    }

    /// Its address, for processes that are started on it.
    pub fn url(&self) -> &Secret {
        &self.url
    }
}

impl Fresh for EmptyDb {
    async fn on_sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("test.db").display());
        Self::open(url, Place::Folder { _folder: folder }).await
    }

    async fn on_postgres() -> Self {
        let scratch = postgres::Scratch::empty().await;
        Self::open(scratch.url(), Place::Server { _scratch: scratch }).await
    }
}

impl Fresh for TestDb {
    async fn on_sqlite() -> Self {
        let db = EmptyDb::on_sqlite().await;
        schema::migrate(&db).await.expect("an empty database is migrated");
        Self(db)
    }

    async fn on_postgres() -> Self {
        let scratch = postgres::Scratch::migrated().await;
        Self(EmptyDb::open(scratch.url(), Place::Server { _scratch: scratch }).await)
    }
}

impl Deref for EmptyDb {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.db
    }
}

impl Deref for TestDb {
    type Target = EmptyDb;

    fn deref(&self) -> &EmptyDb {
        &self.0
    }
}
