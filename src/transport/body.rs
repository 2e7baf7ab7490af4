//! The body of an answer: read up to a limit, and taken for text.

use super::classify::{self, Target};
use crate::domain::error::{ErrorClass, RemoteError};
use crate::metrics::Call;

/// Reads a decompressed body up to `limit`; `false` when there is more. Never holds more than that and one chunk.
pub async fn read(
    target: Target<'_>,
    mut response: reqwest::Response,
    limit: usize,
    call: &mut Call<'_>,
) -> Result<(Vec<u8>, bool), RemoteError> {
    let expected = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    let mut bytes = Vec::with_capacity(expected.min(limit).min(1 << 20));
    loop {
        let chunk = response.chunk().await.map_err(|error| {
            call.ended(classify::called(&error));
            classify::failure(target, &error, bytes.len())
        })?;
        let Some(chunk) = chunk else { return Ok((bytes, true)) };
        let room = limit - bytes.len();
        bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            return Ok((bytes, false));
        }
    }
}

/// A body with more than `limit` bytes.
pub fn too_large(target: Target<'_>, limit: usize, status: u16) -> RemoteError {
    let sentence = format!("the answer of {} is larger than fetch.max_body_bytes ({limit} bytes)", target.host());
    RemoteError::new(ErrorClass::Data, sentence)
        .status(status)
        .too_much()
        .hint("lower fetch.page_size, or raise fetch.max_body_bytes")
}

/// The body as text, without a byte order mark; `true` when bytes that are not UTF-8 were replaced.
pub fn text(bytes: Vec<u8>) -> (String, bool) {
    let (mut text, lossy) = match String::from_utf8(bytes) {
        Ok(text) => (text, false),
        Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), true),
    };
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    (text, lossy)
}
