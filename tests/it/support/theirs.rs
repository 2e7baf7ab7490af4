//! The operator's own database, from which stores and keys are imported into ours: each engine into each.

use netosync::config::{Import, SecretUrl};
use netosync::connector::described::Registry;
use netosync::domain::incident::{Incident, IncidentKind};
use netosync::domain::secret::Secret;
use netosync::domain::store::Store;
use netosync::import::{self, ImportError, Report, Terms};
use netosync::storage::crypter::{Crypter, MasterKey};
use netosync::storage::vault::Vault;
use netosync::storage::{Engine, incidents, stores};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::mirrored;
use super::{EmptyDb, Fresh, TestDb};

/// Makes four tests of each named `async fn(Desk)`: ours and theirs on each engine.
macro_rules! on_all_pairs {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use netosync::storage::Engine::{Postgres, Sqlite};

            #[tokio::test]
            async fn sqlite_from_sqlite() {
                super::$name($crate::support::theirs::Desk::of(Sqlite, Sqlite).await).await;
            }

            #[tokio::test]
            async fn sqlite_from_postgres() {
                super::$name($crate::support::theirs::Desk::of(Sqlite, Postgres).await).await;
            }

            #[tokio::test]
            async fn postgres_from_sqlite() {
                super::$name($crate::support::theirs::Desk::of(Postgres, Sqlite).await).await;
            }

            #[tokio::test]
            async fn postgres_from_postgres() {
                super::$name($crate::support::theirs::Desk::of(Postgres, Postgres).await).await;
            }
        }
    )+};
}
pub(crate) use on_all_pairs;

/// Our database, theirs with a table `shops`, and how the one is imported into the other.
pub struct Desk {
    pub ours: TestDb,
    pub theirs: EmptyDb,
    pub vault: Vault,
    pub settings: Import,
}

impl Desk {
    pub async fn of(ours: Engine, theirs: Engine) -> Self {
        let (ours, theirs) = match (ours, theirs) {
            (Engine::Sqlite, Engine::Sqlite) => (TestDb::on_sqlite().await, EmptyDb::on_sqlite().await),
            (Engine::Sqlite, Engine::Postgres) => (TestDb::on_sqlite().await, EmptyDb::on_postgres().await),
            (Engine::Postgres, Engine::Sqlite) => (TestDb::on_postgres().await, EmptyDb::on_sqlite().await),
            (Engine::Postgres, Engine::Postgres) => (TestDb::on_postgres().await, EmptyDb::on_postgres().await),
        };
        let settings = Import {
            // Our connections look for names in our schema, which is not there.
            url: Some(SecretUrl::new(theirs.url().expose())),
            query: Secret::new("SELECT name, url, secret, username, paused FROM shops ORDER BY name"),
            interval_secs: 300,
            timeout_secs: 30,
            max_share: 1.0,
        };
        let vault = Vault::new(Crypter::new(MasterKey::generate(), Vec::new()));
        let desk = Self { ours, theirs, vault, settings };
        desk.theirs(
            "CREATE TABLE public.shops (name varchar(80), url text, secret text, username text, paused boolean)",
        )
        .await;
        desk
    }

    /// Runs SQL on their database, as its owner does.
    pub async fn theirs(&self, sql: &str) {
        let sql = match self.theirs.engine() {
            Engine::Sqlite => sql.replace("public.", ""),
            Engine::Postgres => sql.to_owned(),
        };
        self.theirs.orm().execute_unprepared(&sql).await.expect(&sql);
    }

    /// Adds a row.
    pub async fn row(&self, name: &str, host: &str, secret: &str) {
        self.theirs(&format!("INSERT INTO public.shops VALUES ('{name}', 'https://{host}', '{secret}', NULL, FALSE)"))
            .await;
    }

    pub async fn import(&self) -> Result<Report, ImportError> {
        self.import_with(&self.settings, false).await
    }

    /// With another query.
    pub async fn import_by(&self, query: &str) -> Result<Report, ImportError> {
        self.import_with(&Import { query: Secret::new(query), ..self.settings.clone() }, false).await
    }

    pub async fn import_with(&self, settings: &Import, approved: bool) -> Result<Report, ImportError> {
        let connectors = &Registry::built_in();
        let terms = Terms { settings, connectors, allow_loopback: false, approved, dry: false };
        import::run(&self.ours, &self.vault, terms).await
    }

    pub async fn store(&self, name: &str) -> Store {
        stores::find_store(&self.ours, name).await.expect("there")
    }

    /// The key of a store, as it goes out.
    pub async fn key(&self, name: &str) -> String {
        let store = self.store(name).await;
        self.vault.open(&self.ours, store.id, name).await.expect("it opens").secret.expose().to_owned()
    }

    /// The open incident about the import, if there is one.
    pub async fn incident(&self) -> Option<Incident> {
        let open = incidents::open(&self.ours, None).await.expect("the database works");
        open.into_iter().find(|incident| incident.kind == IncidentKind::ImportFailed)
    }

    /// Everything their table holds.
    pub async fn their_rows(&self) -> Vec<Vec<Option<String>>> {
        let sql =
            "SELECT CAST(name AS TEXT), url, secret, username, CAST(paused AS TEXT) FROM public.shops ORDER BY 1, 2, 3";
        let sql = if self.theirs.engine() == Engine::Sqlite { sql.replace("public.", "") } else { sql.to_owned() };
        mirrored::texts(&self.theirs, &sql).await
    }

    /// How many rows a query of their database has.
    pub async fn count_of_theirs(&self, sql: &str) -> usize {
        let backend = match self.theirs.engine() {
            Engine::Sqlite => DbBackend::Sqlite,
            Engine::Postgres => DbBackend::Postgres,
        };
        self.theirs.orm().query_all_raw(Statement::from_string(backend, sql)).await.expect(sql).len()
    }
}
