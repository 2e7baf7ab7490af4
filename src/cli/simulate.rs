//! `netosync simulate`: the simulated store by itself, to rehearse what a real one does to its clients.

use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::TimeDelta;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::exit::{CliError, Exit};
use crate::clock::{Clock, SystemClock};
use crate::domain::secret::Secret;
use crate::simulator::oauth::OauthConfig;
use crate::simulator::{DEFAULT_KEY, Fault, SimulatedStore, SimulatorConfig, fault};

/// How many products an edit touches that nobody has said a share of.
const EDITS: usize = 3;

/// Run a simulated webstore, to rehearse outages, revoked keys and busy stores.
///
/// It answers `GetItem` like a real store, out of products made from a seed, until Ctrl-C. It is a toy: let it listen
/// where only you can reach it.
#[derive(Debug, Args)]
#[command(after_help = help())]
pub struct SimulateArgs {
    /// Address to listen on; port 0 takes any free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// How many products it starts with.
    #[arg(long, value_name = "N", default_value_t = 2000)]
    products: usize,
    /// The same seed makes the same products.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Answer in the hostile spellings of real stores instead of the documented ones.
    #[arg(long)]
    quirks: bool,
    /// File with the key it accepts (- for stdin); without it the key is `simulated-key`.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Staff user it asks for beside the key.
    #[arg(long, value_name = "USER")]
    username: Option<String>,
    /// The most products on a page, whatever is asked for.
    #[arg(long, value_name = "N")]
    page_cap: Option<usize>,
    /// Answer a wrong key with HTTP 401 instead of `Ack: Error` over HTTP 200.
    #[arg(long)]
    wrong_key_as_401: bool,
    /// Answer calls beyond this many in a minute with HTTP 429.
    #[arg(long, value_name = "N")]
    calls_per_minute: Option<u32>,
    /// For how long a token of its OAuth is good.
    #[arg(long, value_name = "SECS", default_value_t = 1800, value_parser = clap::value_parser!(u32).range(1..))]
    token_secs: u32,
    /// What goes wrong and when, see below; may be given several times.
    #[arg(long = "fault", value_name = "SPEC")]
    faults: Vec<Fault>,
    /// Edit some products this often; SIGUSR1 does so at any time.
    #[arg(long, value_name = "SECS", value_parser = clap::value_parser!(u64).range(1..))]
    edit_every: Option<u64>,
    /// Which share of the products an edit touches (0 to 1), instead of a few.
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    edit_share: Option<f64>,
    /// How many megabytes of rendered products are kept, so that they are not rendered again.
    #[arg(long, value_name = "MB", default_value_t = 128)]
    cache_mb: usize,
}

fn help() -> String {
    format!(
        "Faults: {}\n\nExamples:\n  \
         netosync simulate --products 500 --fault revoke@10\n  \
         netosync simulate --fault 429:retry-after=90@3x2 --fault latency:ms=200\n  \
         netosync simulate --quirks --edit-every 10\n  \
         netosync simulate --products 50000 --cache-mb 1024 --edit-share 0.01",
        fault::GRAMMAR
    )
}

/// Runs the command.
pub async fn run(args: &SimulateArgs) -> Result<Exit, CliError> {
    let key = args.key_file.as_deref().map(read_key).transpose()?;
    let config = SimulatorConfig {
        products: args.products,
        seed: args.seed,
        quirks: args.quirks,
        key: key.as_ref().map_or(DEFAULT_KEY, Secret::expose).to_owned(),
        username: args.username.clone(),
        page_cap: args.page_cap,
        wrong_key_as_401: args.wrong_key_as_401,
        faults: args.faults.clone(),
        calls_per_minute: args.calls_per_minute,
        cache_bytes: args.cache_mb.saturating_mul(1 << 20),
        oauth: OauthConfig { lifetime: TimeDelta::seconds(args.token_secs.into()), ..OauthConfig::default() },
        ..SimulatorConfig::default()
    };
    let shop = SimulatedStore::start(args.listen, config).await.map_err(|error| {
        let message = format!("cannot listen on {}: {error}; choose another address with --listen", args.listen);
        CliError::new(Exit::Failed, message)
    })?;
    super::say(introduction(args, &shop.url()).trim_end());
    let stop = CancellationToken::new();
    let _signals = super::signals::stop_on_signal(stop.clone());
    tokio::select! {
        () = stop.cancelled() => {}
        edited = edit(&shop, args) => edited?,
    }
    let calls = shop.calls_made();
    shop.stop().await;
    super::say(format_args!("stopped after {calls} calls"));
    Ok(Exit::Done)
}

/// What a person needs to use the store: its address, its key, the lines to type.
fn introduction(args: &SimulateArgs, url: &str) -> String {
    let (key, pipe, file) = match &args.key_file {
        None => (format!("is {DEFAULT_KEY}"), format!("printf {DEFAULT_KEY} | "), "-".to_owned()),
        Some(path) if path == Path::new("-") => ("came from stdin".to_owned(), String::new(), "KEYFILE".to_owned()),
        Some(path) => (format!("is in {}", path.display()), String::new(), path.display().to_string()),
    };
    let OauthConfig { client_id: client, client_secret: secret, .. } = OauthConfig::default();
    let username = args.username.as_ref().map_or(String::new(), |username| format!(" --username {username}"));
    format!(
        "A simulated store with {} products listens on {url}, its key {key}. Ctrl-C ends it.\n\
         By OAuth it knows the client {client} with the secret {secret}; oauth.v1_url and oauth.v2_url are {url}.\n\n\
         To sync it, in another terminal:\n\n  \
         export NETOSYNC__TRANSPORT__ALLOW_LOOPBACK=true\n  \
         {pipe}netosync store add rehearsal --url {url} --auth api-key{username} --key-file {file}\n  \
         netosync sync rehearsal\n",
        args.products
    )
}

fn read_key(path: &Path) -> Result<Secret, CliError> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(|error| {
        CliError::new(Exit::Failed, format!("the key file {} cannot be read: {error}", path.display()))
    })?;
    let key = Secret::new(&text);
    if key.is_empty() {
        return Err(CliError::new(Exit::Failed, format!("the key file {} holds no key", path.display())));
    }
    Ok(key)
}

fn parse_share(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| "a share is from 0 to 1".to_owned())
}

/// Edits products for ever: as often as asked to, and at SIGUSR1.
async fn edit(shop: &SimulatedStore, args: &SimulateArgs) -> std::io::Result<()> {
    let mut told = signal(SignalKind::user_defined1())?;
    let every = Duration::from_secs(args.edit_every.unwrap_or(u64::from(u32::MAX)));
    let mut ticks = interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = told.recv() => {}
        }
        let edited = shop.with_catalogue(|catalogue| {
            let all = catalogue.len();
            let some = args.edit_share.map_or(EDITS, |share| share_of(all, share));
            catalogue.edit_random(some.min(all), SystemClock.now())
        });
        match edited.len() {
            few if few <= EDITS => super::say(format_args!("edited the products {edited:?}")),
            many => super::say(format_args!("edited {many} products")),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count is a count")]
fn share_of(all: usize, share: f64) -> usize {
    (all as f64 * share).round() as usize
}
