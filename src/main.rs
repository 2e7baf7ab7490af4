//! The `netosync` program. Everything it does is in the library.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    ExitCode::from(netosync::cli::main().await as u8)
}
