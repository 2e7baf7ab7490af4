//! PostgreSQL: a pool with our settings and somebody's manners, and why the server cannot be reached.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool};
use tracing::info;

use super::{ACQUIRE, bad_url, configuration_reason};
use crate::storage::manners::{Manners, Patience, SHORT_LIFE};
use crate::storage::{Pool, StorageError};

/// A statement that takes longer is given up, in milliseconds. Writing a page takes far less than a second.
const STATEMENT_MS: &str = "120000";
/// A transaction in which nothing happens for so long lost its program, in milliseconds. Shorter than a lease by default: a
/// worker that stands still in the middle of a page must not keep the run from the one that takes it over.
const IDLE_IN_TRANSACTION_MS: &str = "10000";
/// How long to wait for a server to answer the first time.
const CONNECT: Duration = Duration::from_secs(10);
/// A connection that was used within this time is taken for a good one.
const JUST_USED: Duration = Duration::from_secs(1);

/// Opens the server's database at `url`, where all names resolve in `schema`.
pub(super) async fn open(url: &str, schema: &str, manners: &Manners) -> Result<(Pool, String), StorageError> {
    let options = PgConnectOptions::from_str(url).map_err(|error| bad_url(configuration_reason(&error)))?;
    let options = options
        .application_name("netosync")
        .options([
            ("search_path", schema),
            ("statement_timeout", STATEMENT_MS),
            ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_MS),
        ])
        .disable_statement_logging();
    let target = target(&options);
    // One connection outside of the pool first: the pool would hide a refused connection behind its own time-out.
    let probe = async || {
        let answer = tokio::time::timeout(CONNECT, options.connect()).await;
        answer.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
    };
    let (probe, crowded) = patiently(manners, &target, probe).await?;
    // Whether the probe says good-bye properly matters to nobody.
    drop(probe.close().await);
    Ok((Pool::Postgres(pool_of(options, manners, crowded)), target))
}

/// Another pool of a server that answers.
pub(super) async fn another(pool: &PgPool, manners: &Manners, target: &str) -> Result<PgPool, StorageError> {
    let pool = pool_of((*pool.connect_options()).clone(), manners, false);
    patiently(manners, target, || pool.acquire()).await?;
    Ok(pool)
}

/// Tries as long as the patience lasts; what came of it, and whether the server was full at least once.
async fn patiently<T, F: Future<Output = sqlx::Result<T>>>(
    manners: &Manners,
    target: &str,
    connect: impl Fn() -> F,
) -> Result<(T, bool), StorageError> {
    let mut patience = Patience::new(manners);
    loop {
        match connect().await {
            Ok(connected) => return Ok((connected, patience.was_crowded())),
            Err(source) => {
                let first = !patience.has_waited();
                let wait = patience.wait_after(&source);
                let refused = refused(target, source);
                let Some(wait) = wait else { return Err(refused) };
                if first {
                    info!("{refused}; waiting for it");
                }
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// A pool that connects when somebody wants a connection; `crowded` says that the server was full a moment ago.
fn pool_of(options: PgConnectOptions, manners: &Manners, crowded: bool) -> PgPool {
    let mut pool = PgPoolOptions::new()
        .max_connections(manners.connections)
        .acquire_timeout(ACQUIRE)
        .acquire_slow_threshold(ACQUIRE)
        .idle_timeout(manners.keep_unused)
        // One that has just been used is asked nothing: a server that has gone meanwhile is met by the statement itself.
        .test_before_acquire(false)
        .before_acquire(|connection, used| {
            Box::pin(async move {
                if used.idle_for > JUST_USED {
                    connection.ping().await?;
                }
                Ok(true)
            })
        });
    if manners.makes_room && crowded {
        // Others wait for a place as we did.
        pool = pool.after_release(|_, connection| Box::pin(std::future::ready(Ok(connection.age < SHORT_LIFE))));
    }
    pool.connect_lazy_with(options)
}

fn target(options: &PgConnectOptions) -> String {
    let host = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    format!("{host}/{}", options.get_database().unwrap_or(options.get_username()))
}

fn refused(target: &str, source: sqlx::Error) -> StorageError {
    let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default().into_owned();
    let (reason, hint) = match (code.as_str(), &source) {
        ("28P01", _) => ("the server refused the password", "correct user and password in database.url"),
        ("28000", _) => (
            "the server lets this user not in from here",
            "check the user in database.url and the server's pg_hba.conf",
        ),
        ("3D000", _) => ("there is no such database", "create it, or correct its name in database.url"),
        ("53300", _) => ("the server has no connection left", "raise max_connections there, or stop other programs"),
        ("57P03", _) => ("the server is starting or stopping", "try again in a moment"),
        (_, sqlx::Error::PoolTimedOut) => {
            ("it had no connection to give for 30 seconds", "raise max_connections there, or stop other programs")
        }
        (_, sqlx::Error::Io(error)) if error.kind() == std::io::ErrorKind::TimedOut => {
            ("no answer within 10 seconds", "check host, port and firewall")
        }
        (_, sqlx::Error::Io(_)) => {
            ("nothing answers there", "check that the server runs, and host and port in database.url")
        }
        (_, sqlx::Error::Tls(_)) => {
            ("the encrypted connection failed", "check sslmode and sslrootcert in database.url")
        }
        _ => {
            let reason = source.to_string();
            let hint = "check database.url and the server's log";
            return StorageError::Connect { target: target.to_owned(), reason, hint, source };
        }
    };
    StorageError::Connect { target: target.to_owned(), reason: reason.to_owned(), hint, source }
}
