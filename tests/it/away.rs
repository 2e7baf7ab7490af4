//! A service whose PostgreSQL goes away and comes back: it stays up, says so, and needs nobody.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use netosync::storage::crypter::MasterKey;
use netosync::storage::master_key;
use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::support::postgres::Scratch;
use crate::support::process::HANGS;

const SOCKET: &str = ".s.PGSQL.5432";

/// A way to the test server that can be cut: a socket of its own that hands everything through.
struct Way {
    folder: TempDir,
    open: Option<JoinHandle<()>>,
}

impl Way {
    fn new() -> Self {
        let mut way = Self { folder: tempfile::tempdir().expect("a temporary folder"), open: None };
        way.open();
        way
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join(SOCKET)
    }

    fn open(&mut self) {
        let listener = UnixListener::bind(self.socket()).expect("a socket");
        self.open = Some(tokio::spawn(async move {
            let mut through = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                through.spawn(async move {
                    let mut far = UnixStream::connect(Scratch::socket_folder().join(SOCKET)).await?;
                    tokio::io::copy_bidirectional(&mut near, &mut far).await
                });
            }
        }));
    }

    /// Every connection breaks, and no other comes about.
    async fn cut(&mut self) {
        let open = self.open.take().expect("it is open");
        open.abort();
        drop(open.await);
        std::fs::remove_file(self.socket()).expect("our own socket");
    }
}

struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Starts the service; gives the address of its pages.
fn start(database: &str, key_file: &Path) -> (Service, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netosync"));
    command.arg("run").env_clear().stdin(Stdio::null()).stderr(Stdio::piped());
    command.env("NETOSYNC__DATABASE__URL", database).env("NETOSYNC__SECRETS__KEY_FILE", key_file);
    command.env("NETOSYNC__HTTP__LISTEN", "127.0.0.1:0").env("NETOSYNC__SCHEDULE__TICK_SECS", "1");
    let mut service = Service(command.spawn().expect("the program starts"));
    let mut log = BufReader::new(service.0.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
    let line = log.find(|line| line.contains("/metrics are on http://")).expect("it says where its pages are");
    // Whoever closes the pipe ends those who write into it.
    std::thread::spawn(move || log.for_each(drop));
    let address = line.split("http://").nth(1).and_then(|rest| rest.split(' ').next()).expect("an address");
    (service, address.to_owned())
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    answer
}

/// Asks until the answer has these words, which it must have at last.
async fn until(address: &str, path: &'static str, words: &str) {
    let begun = Instant::now();
    loop {
        let address = address.to_owned();
        let answer = tokio::task::spawn_blocking(move || get(&address, path)).await.expect("no panic");
        if answer.contains(words) {
            return;
        }
        assert!(begun.elapsed() < HANGS, "{path} never said {words:?}, but: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_its_database_is_alive_not_ready_and_recovers_by_itself() {
    let scratch = Scratch::migrated().await;
    let mut way = Way::new();
    let folder = Scratch::socket_folder().display().to_string();
    let database = scratch.url().replace(&folder, &way.folder.path().display().to_string());
    let keys = tempfile::tempdir().expect("a temporary folder");
    let key_file = keys.path().join("master.key");
    assert!(master_key::create(&key_file, &[MasterKey::generate()]).expect("writable"));
    let (_service, address) = start(&database, &key_file);
    until(&address, "/readyz", "netosync is ready").await;
    until(&address, "/metrics", "netosync_database_up 1").await;

    way.cut().await;
    until(&address, "/readyz", "the database does not answer").await;
    until(&address, "/metrics", "netosync_database_up 0").await;
    let page = get(&address, "/metrics");
    assert!(page.contains("netosync_runs_total{") && !page.contains("netosync_queue_runs"), "{page}");
    assert!(get(&address, "/healthz").contains("netosync is alive"));

    way.open();
    until(&address, "/readyz", "netosync is ready").await;
    until(&address, "/metrics", "netosync_queue_runs{state=\"due\"} 0").await;
}
