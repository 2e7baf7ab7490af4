//! `netosync demo`: the newcomer's first minute. A simulated store, a first sync, a few edits, a second sync.
//!
//! It needs nothing and leaves nothing but its database: no configuration is read, and the master key lives in memory,
//! because the key it seals opens a store that is gone with the process.

mod file;
mod show;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Args;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::app::App;
use super::change_text;
use super::exit::{CliError, Exit};
use super::progress::Progress;
use super::sync::{self, Follower, Hands, Wish};
use crate::config::Config;
use crate::domain::run::RunKind;
use crate::domain::secret::Secret;
use crate::domain::store::NETO;
use crate::domain::store::{Scheme, Store};
use crate::simulator::{Catalogue, SimProduct, SimValue, SimulatedStore, SimulatorConfig};
use crate::storage::crypter::{Crypter, MasterKey};
use crate::storage::stores::{self, NewStore};
use crate::storage::vault::{PlainCredential, Vault};
use crate::storage::{Database, changes};
use crate::sync::Patience;

/// What is sold out: the first question of every merchant.
const SOLD_OUT: &str = "SELECT sku, name, available_sell_quantity AS available FROM products \
     WHERE is_active AND available_sell_quantity <= 0 ORDER BY available_sell_quantity, sku LIMIT 5";
/// What the feed is for.
const PRICES: &str = "SELECT at, sku, fields -> 'default_price' ->> 0 AS old, fields -> 'default_price' ->> 1 AS new \
     FROM product_changes WHERE kind = 'changed' AND fields -> 'default_price' IS NOT NULL ORDER BY seq";

/// How many lines of the feed are shown.
const LINES: u64 = 12;

/// See it work: a simulated webstore is synced into a database in this folder.
///
/// Starts a simulated store on this machine, syncs it, changes a few products, syncs again and shows what changed.
/// Needs no configuration, no key and no network.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// How many products the simulated store has.
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    products: u32,
    /// Database to make; one of an earlier demo is replaced, anything else is left alone.
    #[arg(long, alias = "keep", value_name = "FILE", default_value = "netosync-demo.db")]
    database: PathBuf,
}

/// Runs the command.
pub async fn run(args: &DemoArgs) -> Result<Exit, CliError> {
    file::renew(&args.database).await?;
    let app = app(args)?;
    let shop = SimulatorConfig { products: args.products as usize, quirks: true, ..SimulatorConfig::default() };
    let shop = SimulatedStore::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), shop).await?;
    let db = app.database().await?;
    let told = tell(&app, &db, &shop, args).await;
    db.close().await;
    shop.stop().await;
    told
}

/// The configuration of the demonstration: its own database, a store on loopback, as many calls as it likes.
fn app(args: &DemoArgs) -> Result<App, CliError> {
    let settings = [
        ("NETOSYNC__DATABASE__URL", file::url(&args.database)),
        ("NETOSYNC__TRANSPORT__ALLOW_LOOPBACK", "true".to_owned()),
        ("NETOSYNC__BUDGET__CALLS_PER_MINUTE", "1000000".to_owned()),
        ("NETOSYNC__LOG__FILTER", "warn".to_owned()),
    ];
    let settings: BTreeMap<_, _> = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    App::set_up(Config::from_parts(None, &settings)?)
}

/// The story.
async fn tell(app: &App, db: &Database, shop: &SimulatedStore, args: &DemoArgs) -> Result<Exit, CliError> {
    let file = args.database.display();
    let products = args.products;
    super::say(format_args!(
        "A simulated webstore with {products} products, in all the odd spellings of real ones, is copied into {file}.\n"
    ));
    let vault = Vault::new(Crypter::new(MasterKey::generate(), Vec::new()));
    let store = stores::add_store(db, &demo_store(&shop.url())).await?;
    let key = Secret::new(shop.key());
    vault.put(db, store.id, PlainCredential::new(Scheme::ApiKey, key)).await?;
    let syncer = app.syncer_with(db, vault, Patience::Foreground)?;
    let stop = CancellationToken::new();
    let _signals = super::signals::stop_on_signal(stop.clone());
    let sync = async |store: &Store| {
        let progress = Progress::new(false).without_forecast();
        let hands = Hands::with(app, syncer.clone(), db, stop.clone());
        let wish = Wish { kind: RunKind::Full, approve_removals: false, audit: None };
        let follower = Follower { app, db, wish, stop: &stop, progress: &progress, hands };
        let mut outcome = Err(CliError::new(Exit::Failed, "the sync has no outcome"));
        follower.follow([store.clone()], |_, run| outcome = run).await?;
        let run = outcome?;
        sync::report(&store.name, &run, false);
        Ok::<_, CliError>(Exit::of_run(&run))
    };

    super::say("1. The first sync reads everything.");
    let exit = sync(&store).await?;
    if exit != Exit::Done {
        return Ok(exit);
    }
    let before = changes::last(db, store.id).await?;
    let now = app.now();
    super::say(format_args!(
        "\n2. Somebody works in the shop: {}.",
        shop.with_catalogue(|catalogue| work(catalogue, now))
    ));
    super::say("\n3. The second sync writes only what changed.");
    let exit = sync(&store).await?;
    if exit != Exit::Done {
        return Ok(exit);
    }
    super::say("\nWhat changed, as the table product_changes tells it:");
    for line in changes::after(db, store.id, Some(before), LINES).await? {
        super::say(format_args!("  {}", change_text::change(&line)));
    }
    super::say(format_args!("\nNow ask with SQL. What is sold out?\n\n  sqlite3 {file} \"{SOLD_OUT}\"\n"));
    super::say(show::result(db, SOLD_OUT).await?);
    super::say(format_args!("\nWhich prices changed?\n\n  sqlite3 {file} \"{PRICES}\"\n"));
    super::say("Your own store is next: netosync store add --help");
    super::say("And to rehearse a revoked key or a busy store: netosync simulate --help");
    Ok(Exit::Done)
}

fn demo_store(url: &str) -> NewStore {
    NewStore {
        name: "demo".to_owned(),
        connector: NETO.to_owned(),
        url: Url::parse(url).expect("the simulator's address is one"),
        timezone: None,
        schedule_full: None,
        schedule_incremental: None,
        schedule_sweep: None,
        calls_per_minute: None,
    }
}

/// An hour of a merchant's work, and what it was in words.
fn work(catalogue: &mut Catalogue, now: DateTime<Utc>) -> String {
    let ids: Vec<i64> = catalogue.ids().collect();
    // Spread over the whole list; a small shop has less to do.
    let mut todo = ids.iter().copied().step_by(ids.len().div_ceil(8)).collect::<Vec<_>>().into_iter();
    let mut done = Vec::new();
    let mut each = |count: usize, one: &str, many: &str, edit: &dyn Fn(&mut Catalogue, i64)| {
        let edited = todo.by_ref().take(count).inspect(|id| edit(catalogue, *id)).count();
        if edited > 0 {
            done.push(format!("{edited} {}", if edited == 1 { one } else { many }));
        }
    };
    each(3, "new price", "new prices", &|catalogue, id| _ = catalogue.edit_price(id, now));
    each(2, "new name", "new names", &|catalogue, id| _ = catalogue.change(id, now, rename));
    each(2, "delivery", "deliveries", &|catalogue, id| _ = catalogue.change(id, now, restock));
    each(1, "new barcode", "new barcodes", &|catalogue, id| _ = catalogue.change(id, now, relabel));
    done.push(format!("{} new products", catalogue.add(2, now).len()));
    done.join(", ")
}

fn rename(product: &mut SimProduct) {
    let name = format!("New season: {}", product.get("Name").as_text().unwrap_or_default());
    product.set("Name", SimValue::text(name));
}

fn relabel(product: &mut SimProduct) {
    product.set("UPC", SimValue::text("9300000000017"));
}

fn restock(product: &mut SimProduct) {
    const PIECES: i64 = 24;
    let more = |value: &SimValue| SimValue::Int(value.as_int().unwrap_or(0) + PIECES);
    product.set("AvailableSellQuantity", more(product.get("AvailableSellQuantity")));
    if let Some(warehouse) = product.stock.first_mut() {
        let quantity = more(warehouse.get("Quantity"));
        warehouse.set("Quantity", quantity);
    }
}
