//! A value that is read at most every few seconds, however often it is asked for: being watched must cost nothing.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// Keeps a value for a while. Those who ask while it is read wait for that one reading.
#[derive(Debug)]
pub(super) struct Cached<T> {
    keep: Duration,
    value: Mutex<Option<(Instant, T)>>,
}

impl<T: Clone> Cached<T> {
    /// Keeps values for so long.
    pub fn new(keep: Duration) -> Self {
        Self { keep, value: Mutex::new(None) }
    }

    /// The value, read anew if it is too old.
    pub async fn get(&self, read: impl Future<Output = T>) -> T {
        let mut held = self.value.lock().await;
        if let Some((_, value)) = held.as_ref().filter(|(at, _)| at.elapsed() < self.keep) {
            return value.clone();
        }
        let value = read.await;
        *held = Some((Instant::now(), value.clone()));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_value_is_read_once_for_all_who_ask_and_again_when_it_is_old() {
        let cached = Cached::new(Duration::from_secs(5));
        let slow = |value| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            value
        };
        assert_eq!(tokio::join!(cached.get(slow(1)), cached.get(slow(2))), (1, 1));
        tokio::time::advance(Duration::from_millis(4900)).await;
        assert_eq!(cached.get(slow(3)).await, 1);
        tokio::time::advance(Duration::from_millis(100)).await;
        assert_eq!(cached.get(slow(4)).await, 4);
    }
}
