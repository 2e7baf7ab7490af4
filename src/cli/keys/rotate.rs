//! `netosync keys rotate`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::app::{self, App};
use crate::cli::exit::{CliError, Exit};
use crate::cli::{complain, say};
use crate::storage::crypter::MasterKey;
use crate::storage::key_file::KeyFile;
use crate::storage::master_key::{self, Found, KeyError, Places};
use crate::storage::rotation::{self, Resealed};
use crate::storage::vault::Vault;
use crate::storage::{Database, instances};

/// Seal everything with a new master key, while services run.
///
/// Puts a new key before the old one in the key file and seals each credential with it. Services read the file again by
/// themselves. Stopped in between, run it again: it goes on. The old key stays in the file, for backups and for other machines,
/// until --forget-old takes it out.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    netosync keys rotate\n  \
    netosync keys rotate --copied         the other machines have the new key file\n  \
    netosync keys rotate --forget-old     when no backup needs the old key any more")]
pub struct RotateArgs {
    /// The key file, where it is not the one of the configuration.
    #[arg(long, value_name = "PATH")]
    key_file: Option<PathBuf>,
    /// Take the old keys out of the key file, provided that nothing is sealed with them.
    #[arg(long)]
    forget_old: bool,
    /// Services on other machines have this key file as it is now.
    #[arg(long)]
    copied: bool,
}

/// Runs the command.
pub async fn run(app: &App, args: &RotateArgs) -> Result<Exit, CliError> {
    let mut places = Places::of(&app.config);
    if let Some(path) = &args.key_file {
        places.key_file = Some(path.clone());
    }
    let Some(found) = master_key::find_existing(&places)? else {
        let path = places.beside_database().ok_or(KeyError::Nowhere)?;
        let message = format!("there is no master key to rotate: {} does not exist", path.display());
        return Err(CliError::new(Exit::Configuration, message));
    };
    let db = app.database().await?;
    let done = if args.forget_old { forget(app, args, &db, &found).await } else { rotate(app, args, &db, found).await };
    db.close().await;
    done
}

async fn rotate(app: &App, args: &RotateArgs, db: &Database, found: Found) -> Result<Exit, CliError> {
    let path = found.path.display().to_string();
    let file = KeyFile::lock(&found)?;
    let ids = file.key_ids();
    let in_use = rotation::keys_in_use(db.orm()).await?;
    let unfinished = in_use.iter().any(|id| *id != ids[0]);
    if ids.len() == 1 && !unfinished {
        let new = MasterKey::generate();
        file.put_first(&new)?;
        say(format_args!("made master key {} in {path}; {} still opens", new.id(), ids[0]));
    } else if unfinished {
        drop(file);
        say(format_args!("going on with master key {}", ids[0]));
    } else {
        say(format_args!(
            "nothing to do: everything is sealed with master key {} and the old one ({}) is still in {path}; \
             `netosync keys rotate --forget-old` takes it out, then another rotation can begin",
            ids[0],
            ids[1..].join(", ")
        ));
        return Ok(Exit::Done);
    }
    others_have_it(app, args, db, &path).await?;
    let vault = Vault::of_file(found);
    vault.read_again()?;
    let sealing = vault.sealing();
    let outcome = rotation::reseal_all(db, &vault, |done, total| {
        if done == total || done.is_multiple_of((total / 20).max(10)) {
            complain(&format!("sealed {done} of {total}"));
        }
    })
    .await?;
    tell(&outcome, &sealing, &path)
}

fn tell(outcome: &Resealed, sealing: &str, path: &str) -> Result<Exit, CliError> {
    let Resealed { total, resealed, closed } = outcome;
    // One that was replaced meanwhile, or a store that was removed, may have been counted before.
    let already = total.saturating_sub(resealed + closed.len());
    say(format_args!("{resealed} credentials sealed with master key {sealing} now, {already} were already"));
    if let Some((store_id, error)) = closed.first() {
        let message = format!(
            "{} of {total} credentials do not open and stay as they are; that of store number {store_id}: {error}; then \
             `netosync keys rotate` goes on",
            closed.len()
        );
        return Err(CliError::new(Exit::Configuration, message));
    }
    say(format_args!(
        "the old key stays in {path}: backups of the database from before need it; keep a copy of the file as it is now\n\
         next: `netosync keys rotate --forget-old`, when none of them is needed any more"
    ));
    Ok(Exit::Done)
}

async fn forget(app: &App, args: &RotateArgs, db: &Database, found: &Found) -> Result<Exit, CliError> {
    let path = found.path.display().to_string();
    let file = KeyFile::lock(found)?;
    let ids = file.key_ids();
    let old = ids[1..].to_vec();
    if old.is_empty() {
        say(format_args!("nothing to do: {path} holds no other master key than {}", ids[0]));
        return Ok(Exit::Done);
    }
    others_have_it(app, args, db, &path).await?;
    let forgotten = rotation::unless_in_use(db, &old, || file.keep_first().map_err(CliError::from)).await?;
    if !forgotten {
        let message = format!(
            "credentials are still sealed with an old master key ({}), so it stays in {path}: `netosync keys rotate` seals them \
             with {}",
            old.join(", "),
            ids[0]
        );
        return Err(CliError::new(Exit::Failed, message));
    }
    say(format_args!("took master key {} out of {path}; {} is the only one now", old.join(", "), ids[0]));
    Ok(Exit::Done)
}

/// A service on another machine may have a key file of its own: it would meet what it cannot open, or seal with a key that
/// is forgotten here.
async fn others_have_it(app: &App, args: &RotateArgs, db: &Database, path: &str) -> Result<(), CliError> {
    let (now, here) = (app.now(), app::host());
    let mut hosts: Vec<_> =
        instances::list(db).await?.into_iter().filter(|one| one.is_alive(now)).map(|one| one.host).collect();
    hosts.retain(|host| *host != here);
    hosts.sort();
    hosts.dedup();
    if args.copied || hosts.is_empty() {
        return Ok(());
    }
    let message = format!(
        "netosync also runs on {}: give it the key file {path} as it is now (it needs no restart), then run this again with \
         --copied; nothing has been sealed or forgotten",
        hosts.join(", ")
    );
    Err(CliError::new(Exit::Failed, message))
}
