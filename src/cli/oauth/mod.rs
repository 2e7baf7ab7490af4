//! `netosync oauth`: stores that are connected by their merchants' consent.

mod answer;
mod connect;
mod disconnect;
mod party;

use clap::Subcommand;

use super::app::App;
use super::exit::{CliError, Exit};

/// Connect stores by OAuth, and disconnect them.
#[derive(Debug, Subcommand)]
pub enum OauthCommand {
    Connect(connect::ConnectArgs),
    Disconnect(disconnect::DisconnectArgs),
}

/// Runs the command.
pub async fn run(app: &App, command: &OauthCommand) -> Result<Exit, CliError> {
    match command {
        OauthCommand::Connect(args) => connect::run(app, args).await,
        OauthCommand::Disconnect(args) => disconnect::run(app, args).await,
    }
}
