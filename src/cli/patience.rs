//! Trying again what only the database kept from working.

use std::time::Duration;

use tokio::time::Instant;
use tracing::info;

use super::exit::CliError;

/// The first wait is up to this; the bound doubles each time ...
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// ... up to this.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Makes the attempt again, for as long as `longest`, while it fails for a passing reason. What is attempted must be safe to
/// repeat. The waits are random, because many may have met the same.
pub async fn patiently<T>(
    longest: Duration,
    mut attempt: impl AsyncFnMut() -> Result<T, CliError>,
) -> Result<T, CliError> {
    let (since, mut bound) = (Instant::now(), FIRST_WAIT);
    loop {
        match attempt().await {
            Err(error) if error.passing && since.elapsed() < longest => {
                info!("{}; trying again", error.message);
                tokio::time::sleep(bound.mul_f64(rand::random_range(0.5..=1.0))).await;
                bound = (bound * 2).min(LONGEST_WAIT);
            }
            outcome => return outcome,
        }
    }
}
