//! Prints the feed page by page: a page is written, flushed, then acknowledged, then the next is read.

use std::collections::HashMap;
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use serde_json::json;
use tokio::io::Interest;
use tokio::net::unix::pipe;
use tokio_util::sync::CancellationToken;

use super::ReadArgs;
use crate::cli::exit::{CliError, Exit};
use crate::cli::patience::patiently;
use crate::cli::{change_text, signals, text};
use crate::domain::store::Store;
use crate::storage::changes::{self, ChangeLine, Subject};
use crate::storage::wake::Wakeups;
use crate::storage::{Database, StorageError, consumers, stores};

/// Lines read, printed and acknowledged at once. An added product's line holds all of it.
const PAGE: u64 = 500;
/// A wake-up may get lost, so a follower looks this often anyway.
const LOOK: Duration = Duration::from_mins(1);
/// For how long a follower waits for a database that is away.
const DATABASE_PATIENCE: Duration = Duration::from_mins(5);

/// Reads on from where it is.
pub struct Reader<'a> {
    db: &'a Database,
    args: &'a ReadArgs,
    stop: CancellationToken,
    /// The last line printed of each store; nothing of one whose lines are read from the oldest.
    printed: HashMap<i64, i64>,
    /// The last line acknowledged of each store, as far as this process knows.
    acknowledged: HashMap<i64, i64>,
    /// How many more lines to print.
    left: u64,
}

/// Why a look at the feed ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// There are no more lines now.
    All,
    /// As many as were asked for.
    Enough,
    /// A signal.
    Stopped,
    /// Nobody reads what we print.
    Closed,
}

impl<'a> Reader<'a> {
    /// A reader that has read nothing yet.
    pub fn new(db: &'a Database, args: &'a ReadArgs) -> Self {
        Self {
            db,
            args,
            stop: CancellationToken::new(),
            printed: HashMap::new(),
            acknowledged: HashMap::new(),
            left: args.limit.unwrap_or(u64::MAX),
        }
    }

    /// Prints all there is; as a follower until stopped.
    pub async fn run(mut self) -> Result<Exit, CliError> {
        let _signals = signals::stop_on_signal(self.stop.clone());
        // Before the first look, so that no line slips between a look and the wait.
        let wakeups = self.args.follow.then(|| Wakeups::of_feed(self.db));
        let patience = if self.args.follow { DATABASE_PATIENCE } else { Duration::ZERO };
        loop {
            match patiently(patience, async || self.look().await).await? {
                Seen::Stopped => return Ok(Exit::Interrupted),
                Seen::Closed | Seen::Enough => return Ok(Exit::Done),
                Seen::All => {}
            }
            let Some(wakeups) = &wakeups else { return Ok(Exit::Done) };
            tokio::select! {
                () = self.stop.cancelled() => return Ok(Exit::Interrupted),
                () = closed() => return Ok(Exit::Done),
                () = wakeups.next() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn look(&mut self) -> Result<Seen, CliError> {
        let stores = match &self.args.store {
            Some(name) => vec![stores::find_store(self.db, name).await?],
            None => stores::list_stores(self.db).await?,
        };
        for store in stores {
            match self.look_at(&store).await {
                Ok(Seen::All) => {}
                Ok(seen) => return Ok(seen),
                // One of all stores that was removed while we looked.
                Err(StorageError::UnknownStore { .. }) if self.args.store.is_none() => {}
                Err(error) => return Err(of_store(&store, error)),
            }
        }
        Ok(Seen::All)
    }

    async fn look_at(&mut self, store: &Store) -> Result<Seen, StorageError> {
        loop {
            let after = self.settle(store.id).await?;
            if self.stop.is_cancelled() {
                return Ok(Seen::Stopped);
            }
            if self.left == 0 {
                return Ok(Seen::Enough);
            }
            let lines = changes::after(self.db, store.id, after, PAGE.min(self.left)).await?;
            let Some(last) = lines.last() else { return Ok(Seen::All) };
            if !self.print(store, &lines) {
                return Ok(Seen::Closed);
            }
            self.printed.insert(store.id, last.seq);
            self.left -= lines.len() as u64;
        }
    }

    /// Acknowledges what was printed, if that is ours to do, and gives the line after which to go on.
    async fn settle(&mut self, store_id: i64) -> Result<Option<i64>, StorageError> {
        let Some(name) = &self.args.consumer else {
            return Ok(self.printed.get(&store_id).copied().or(self.args.since));
        };
        let now = self.db.clock().now();
        let Some(printed) = self.printed.get(&store_id).copied() else {
            let position = consumers::position(self.db, name, store_id, now).await?;
            self.printed.insert(store_id, position);
            self.acknowledged.insert(store_id, position);
            return Ok(Some(position));
        };
        if self.args.no_ack || self.acknowledged.get(&store_id) == Some(&printed) {
            return Ok(Some(printed));
        }
        // What another process of that name has printed and acknowledged need not be printed again.
        let position = consumers::acknowledge(self.db, name, store_id, printed, now).await?;
        self.printed.insert(store_id, position);
        self.acknowledged.insert(store_id, position);
        Ok(Some(position))
    }

    /// Writes and flushes lines; `false` when nobody reads them.
    fn print(&self, store: &Store, lines: &[ChangeLine]) -> bool {
        let mut page = String::new();
        for line in lines {
            page.push_str(&if self.args.json { object(store, line) } else { sentence(store, line) });
            page.push('\n');
        }
        let mut out = std::io::stdout().lock();
        match out.write_all(page.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::BrokenPipe => false,
            Err(error) => {
                crate::cli::complain(&format!("error: the lines cannot be written: {error}"));
                std::process::exit(Exit::Failed as i32);
            }
        }
    }
}

/// Resolves when nobody can read our output any more; never, where that cannot be seen (a file, for example).
async fn closed() {
    // Unchecked, because the check would make our output non-blocking. What cannot be watched is refused here.
    if let Ok(stdout) = std::io::stdout().as_fd().try_clone_to_owned()
        && let Ok(stdout) = pipe::Sender::from_owned_fd_unchecked(stdout)
        && stdout.ready(Interest::ERROR).await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// Says which store it is about, where that is not clear.
fn of_store(store: &Store, error: StorageError) -> CliError {
    let about_feed = matches!(error, StorageError::ChangesGone { .. } | StorageError::ChangesAhead { .. });
    let mut error = CliError::from(error);
    if about_feed {
        error.message = format!("store {}: {}", store.name, error.message);
    }
    error
}

fn object(store: &Store, line: &ChangeLine) -> String {
    let mut object = json!({
        "store": store.name,
        "seq": line.seq,
        "at": line.at,
        "kind": line.kind,
        "run_id": line.run_id,
        "fields": line.fields,
    });
    match &line.subject {
        Subject::Product { inventory_id, sku } => {
            object["inventory_id"] = json!(inventory_id);
            object["sku"] = json!(sku);
        }
        Subject::Record { stream, key } => {
            object["stream"] = json!(stream);
            object["key"] = json!(key);
        }
    }
    object.to_string()
}

fn sentence(store: &Store, line: &ChangeLine) -> String {
    format!("{} {:>6}  {}  {}", store.name, line.seq, text::time(line.at), change_text::change(line))
}
