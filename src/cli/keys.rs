//! `netosync keys`: the master key, which seals the stores' credentials.

mod rotate;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::app::App;
use super::exit::{CliError, Exit};
use crate::storage::crypter::MasterKey;
use crate::storage::master_key::{self, KeyError, Places};

/// Make and rotate the master key, which seals the stores' credentials.
#[derive(Debug, Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make a new master key in a file of its own, readable by its owner only.
    ///
    /// Without --key-file the place is secrets.key_file, or with SQLite <database file>.key. A file that exists is never
    /// touched.
    Init {
        /// The file to make.
        #[arg(long, value_name = "PATH")]
        key_file: Option<PathBuf>,
    },
    Rotate(rotate::RotateArgs),
}

/// Runs the command.
pub async fn run(app: &App, args: &KeysArgs) -> Result<Exit, CliError> {
    match &args.command {
        KeysCommand::Init { key_file } => init(app, key_file.as_deref()),
        KeysCommand::Rotate(args) => rotate::run(app, args).await,
    }
}

fn init(app: &App, key_file: Option<&Path>) -> Result<Exit, CliError> {
    let places = Places::of(&app.config);
    let usual = places.key_file.clone().or_else(|| places.beside_database());
    let refused = |message: String| CliError::new(Exit::Configuration, message);
    let path = match key_file {
        Some(path) => path.to_owned(),
        None => usual.clone().ok_or_else(|| {
            refused("with PostgreSQL the master key has no usual place: say where with --key-file PATH".to_owned())
        })?,
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        let message = format!("the folder {} does not exist: create it, then try again", folder.display());
        return Err(refused(message));
    }
    if !master_key::create(&path, &[MasterKey::generate()])? {
        return Err(refused(format!(
            "{} exists already and was left alone: whoever replaces a master key loses every credential sealed with it; \
             name another file with --key-file",
            path.display()
        )));
    }
    super::say(format_args!(
        "made the master key {}\n\
         keep it as safe as the database, and a copy of it elsewhere: without it no stored credential opens",
        path.display()
    ));
    if Some(&path) != usual.as_ref() {
        super::say(format_args!(
            "netosync does not look there by itself: set secrets.key_file = \"{0}\" (or the environment variable \
             NETOSYNC__SECRETS__KEY_FILE), or hand it to the service with LoadCredential=netosync.key:{0}",
            absolute(&path)?.display()
        ));
    }
    super::say("`netosync check` shows whether it is found and opens what is stored");
    Ok(Exit::Done)
}

fn absolute(path: &Path) -> Result<PathBuf, KeyError> {
    path.canonicalize().map_err(|source| KeyError::Unreadable { path: path.to_owned(), source })
}
