//! A throw-away PostgreSQL server for this test process, from the distribution's binaries.
//!
//! It starts when the first test asks for it and is reached through a socket in its own folder. A shell holds the
//! read end of a pipe whose write end is ours: however this process ends, `kill -9` included, the pipe closes, and
//! the shell stops the server and removes the folder. Every test gets a database of its own, cloned from a
//! migrated template. A test that stops the server takes one of its own ([`OwnServer`]).

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use netosync::clock::SystemClock;
use netosync::domain::secret::Secret;
use netosync::storage::{Database, schema};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// A role that needs [`LOCKED_PASSWORD`]; the others need none.
pub const LOCKED_ROLE: &str = "locked";
/// The password of [`LOCKED_ROLE`].
pub const LOCKED_PASSWORD: &str = "open-sesame";

const TEMPLATE: &str = "netosync_template";

/// `$1` is our folder, `$2` the server's programs. Says `ready` on its output, then stops the server when told `stop fast` or
/// `stop immediate`, starts it when told `start`, says `ready` each time, and waits for its input to end.
const KEEPER: &str = r#"
trap '' HUP INT TERM
fail() { cat "$1/log" >&2; rm -rf "$1"; exit 1; }
"$2/initdb" -D "$1/data" -U postgres -A trust -E UTF8 --no-locale --no-sync >"$1/log" 2>&1 </dev/null || fail "$1"
printf 'local all locked scram-sha-256\nlocal all all trust\n' >"$1/data/pg_hba.conf"
cat >>"$1/data/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$1'
fsync = off
full_page_writes = off
synchronous_commit = off
max_connections = 200
shared_buffers = 64MB
END
"$2/pg_ctl" -w -s -D "$1/data" -l "$1/log" start </dev/null >>"$1/log" 2>&1 || fail "$1"
echo ready
while read -r what mode; do
    case $what in
        stop) "$2/pg_ctl" -w -s -D "$1/data" -m "$mode" stop </dev/null >>"$1/log" 2>&1 || fail "$1" ;;
        start) "$2/pg_ctl" -w -s -D "$1/data" -l "$1/log" start </dev/null >>"$1/log" 2>&1 || fail "$1" ;;
    esac
    echo ready
done
"$2/pg_ctl" -s -D "$1/data" -m immediate stop >/dev/null 2>&1 </dev/null
rm -rf "$1"
"#;

struct Server {
    folder: PathBuf,
    /// Holds the pipe. Never waited for: what matters is that the pipe closes when this process ends.
    keeper: Child,
    answers: BufReader<ChildStdout>,
}

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

/// The template database, made once.
static MIGRATED: LazyLock<()> = LazyLock::new(|| {
    blocking(async {
        admin(&format!("CREATE ROLE {LOCKED_ROLE} LOGIN PASSWORD '{LOCKED_PASSWORD}'")).await;
        admin(&format!("CREATE DATABASE {TEMPLATE}")).await;
        let url = Secret::new(&SERVER.url(TEMPLATE));
        let db =
            Database::connect(&url, "netosync", std::sync::Arc::new(SystemClock)).await.expect("the template opens");
        schema::migrate(&db).await.expect("the template is migrated");
        // A database somebody is connected to cannot be cloned.
        db.close().await;
    })
    .unwrap_or_else(|panic| resume_unwind(panic));
});

impl Server {
    fn start() -> Self {
        let programs = find_programs();
        let folder = tempfile::Builder::new().prefix("netosync-pg-").tempdir().expect("a temporary folder").keep();
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(&folder).arg(&programs).current_dir(&folder);
        keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        if fs::metadata(&folder).expect("our own folder").uid() == 0 {
            // PostgreSQL refuses to run as root.
            let (user, group) = unprivileged_user();
            chown(&folder, Some(user), Some(group)).expect("root may give its folder away");
            keeper.uid(user).gid(group);
        }
        let mut keeper = keeper.spawn().expect("every system has sh");
        let answers = BufReader::new(keeper.stdout.take().expect("it was piped"));
        let mut server = Self { folder, keeper, answers };
        server.is_ready();
        server
    }

    fn is_ready(&mut self) {
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the keeper speaks UTF-8");
        assert_eq!(answer, "ready\n", "PostgreSQL did not start or stop, see above");
    }

    fn tell(&mut self, what: &str) {
        let input = self.keeper.stdin.as_mut().expect("it was piped");
        writeln!(input, "{what}").expect("the keeper listens");
        self.is_ready();
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.folder.display())
    }
}

/// A server of one test, which may stop it. Gone when dropped.
pub struct OwnServer(Server);

impl OwnServer {
    /// A new one, with an empty database `shops`.
    pub async fn start() -> Self {
        find_programs();
        let server = tokio::task::spawn_blocking(Server::start).await.expect("the server starts");
        let mut connection = PgConnection::connect(&server.url("postgres")).await.expect("the server answers");
        // It survives its crashes like one in production: what was committed is there.
        for statement in ["CREATE DATABASE shops", "ALTER DATABASE shops SET synchronous_commit = on"] {
            sqlx::raw_sql(statement).execute(&mut connection).await.expect(statement);
        }
        Self(server)
    }

    /// Address of the database.
    pub fn url(&self) -> String {
        self.0.url("shops")
    }

    /// Stops the server: `fast` breaks every connection, `immediate` is a crash. Blocks until it is down.
    pub fn stop(&mut self, mode: &str) {
        self.0.tell(&format!("stop {mode}"));
    }

    /// Starts it again. Blocks until it answers.
    pub fn start_again(&mut self) {
        self.0.tell("start");
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // The pipe closes, the server stops, its folder goes.
        drop(self.0.keeper.stdin.take());
        drop(self.0.keeper.wait());
    }
}

/// The folder with `initdb` and `pg_ctl`: from `PATH`, `pg_config`, or where Debian keeps them (newest first).
fn find_programs() -> PathBuf {
    let in_path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&in_path).collect();
    if let Ok(answer) = Command::new("pg_config").arg("--bindir").output() {
        folders.push(PathBuf::from(String::from_utf8_lossy(&answer.stdout).trim()));
    }
    let mut debian: Vec<_> =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    debian.sort_by_key(|path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()));
    folders.extend(debian.into_iter().rev().map(|version| version.join("bin")));
    folders
        .into_iter()
        // A link in PATH leads to the folder that holds the rest of the programs.
        .filter_map(|folder| Some(folder.join("initdb").canonicalize().ok()?.parent()?.to_owned()))
        .find(|folder| ["pg_ctl", "postgres"].iter().all(|program| folder.join(program).exists()))
        .expect("the tests need PostgreSQL's server programs: apt-get install postgresql")
}

/// User and group to run the server as when we are root.
fn unprivileged_user() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").expect("every Unix has /etc/passwd");
    ["postgres", "nobody"]
        .iter()
        .find_map(|wanted| {
            let line = users.lines().find(|line| line.split(':').next() == Some(wanted))?;
            let mut ids = line.split(':').skip(2);
            Some((ids.next()?.parse().ok()?, ids.next()?.parse().ok()?))
        })
        .expect("running as root needs a user postgres or nobody for the server")
}

/// Runs `work` to its end on a runtime of its own: the caller's may end with the test.
fn blocking(work: impl Future<Output = ()> + Send + 'static) -> std::thread::Result<()> {
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(work);
    })
    .join()
}

async fn admin(statement: &str) {
    let mut connection = PgConnection::connect(&SERVER.url("postgres")).await.expect("the test server answers");
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.expect(statement);
    connection.close().await.expect("the connection closes");
}

/// A database of one test; dropped with it.
pub struct Scratch {
    name: String,
}

impl Scratch {
    /// A new database without tables.
    pub async fn empty() -> Self {
        Self::create("template0").await
    }

    /// A new database with all tables.
    pub async fn migrated() -> Self {
        Self::create(TEMPLATE).await
    }

    async fn create(template: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        // Here too, so that every test says what is missing, not only the first.
        find_programs();
        tokio::task::spawn_blocking(|| LazyLock::force(&MIGRATED)).await.expect("the test server starts");
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        admin(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        Self { name }
    }

    /// Its address, as the server's superuser.
    pub fn url(&self) -> String {
        SERVER.url(&self.name)
    }

    /// Its address for another user.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        self.url().replace("postgres@", &format!("{user}:{password}@"))
    }

    /// Folder of the server's socket.
    pub fn socket_folder() -> &'static Path {
        &SERVER.folder
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A test that fails already must not be made to abort; the server is thrown away anyhow.
        drop(blocking(async move { admin(&statement).await }));
    }
}
