//! A store that refuses a request: what of it has to be given up so that the rest is answered.
//!
//! The same is asked once more first, because the refusal may have been an accident and what is not asked for is lost to the
//! mirror. Then what the message names is given up, or else what is found by halving. The store's [`Learned`](crate::domain::learned) remembers it.

use tracing::{info, warn};

use super::at_work::AtWork;
use super::outcome::Stop;
use crate::connector::neto::{self, Shape};
use crate::domain::error::{ErrorClass, RemoteError};

impl AtWork<'_> {
    /// Makes `shape` one that the store may answer after it has refused it. `again` is whether it was asked twice already.
    /// `false` when the refusal has nothing to do with the shape.
    pub async fn ask_otherwise(
        &mut self,
        shape: &mut Shape,
        again: &mut bool,
        error: &RemoteError,
    ) -> Result<bool, Stop> {
        if !std::mem::replace(again, true) {
            info!("asking once more: {error}");
            return Ok(true);
        }
        if !shape.give_up(&error.message) {
            let refused = self.refused_parts(shape).await?;
            if refused.is_empty() {
                return Ok(false);
            }
            shape.give_up_parts(refused);
        }
        warn!("asking without what the store refuses ({}): {error}", shape.given_up.join(", "));
        self.checkpoint.given_up.clone_from(&shape.given_up);
        Ok(true)
    }

    /// Which parts of a shape the store refuses, found by asking for one product with ever smaller parts of it: about fourteen
    /// calls for one part in a hundred. None when it refuses even a request without any of them.
    async fn refused_parts(&mut self, shape: &Shape) -> Result<Vec<String>, Stop> {
        let mut refused = Vec::new();
        if !self.accepts(&shape.only(&[])).await? {
            return Ok(refused);
        }
        let (likely, others) = shape.parts();
        let mut suspects = vec![likely.as_slice(), others.as_slice()];
        while let Some(parts) = suspects.pop() {
            if parts.is_empty() || self.accepts(&shape.only(parts)).await? {
                continue;
            }
            if let [part] = parts {
                refused.push(part.clone());
            } else {
                let (left, right) = parts.split_at(parts.len() / 2);
                suspects.extend([left, right]);
            }
        }
        Ok(refused)
    }

    async fn accepts(&mut self, shape: &Shape) -> Result<bool, Stop> {
        let request = neto::walk(&self.store.url, &self.credential, shape, 0, 1, None);
        match self.call(request, "one product, to see what the store refuses".to_owned()).await {
            Ok(_) => Ok(true),
            Err(Stop::Remote(error)) if error.class == ErrorClass::Rejected => Ok(false),
            Err(stop) => Err(stop),
        }
    }
}
