//! The only user of HTTP. Every call of every connector passes through [`Transport::call`], which keeps the promises:
//!
//! ```text
//! budget ─► lease ─► send (time limits, size limit, guarded addresses, no redirects) ─► class by status ─► connector's decode
//!    ▲                                                                                                        │
//!    └──────────────────── wait with jitter ◄── transient, tries and time left ◄── redacted error ◄───────────┘
//! ```
//!
//! * No call without the budget's consent, repeats included; every one is counted.
//! * No call of a run unless its lease surely holds at that moment ([`LiveLease`]), however long the process stood still.
//! * Only transient errors are tried again here. HTTP 429 freezes the budget for a minute at least and is returned at
//!   once: a minute is too long to hold a worker's slot, so the run goes back to the queue for that time.
//! * An error never holds a header, nor a credential the server sent back, nor more than the first characters of a body.
//! * A call is at least once: one that timed out may have been answered. Connectors only read, so a repeat does no harm.

mod allowance;
mod body;
mod classify;
mod context;
mod guard;
mod live_lease;
mod pulse;
mod redact;
pub mod retry;
mod settings;
mod store_budget;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LINK, LOCATION, RETRY_AFTER};
use tokio::time::Instant;

use self::classify::{LEAST_SILENCE, Target};
use self::guard::{Reach, Resolver};
use self::redact::Redactor;
use crate::clock::SharedClock;
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::http::{Answer, Body, HeaderText, Method, Request};
use crate::metrics::Metrics;
use crate::metrics::labels::Called;

pub use allowance::Allowance;
pub use context::{CallContext, UnderLease};
pub use live_lease::{LiveLease, Renewal};
pub use pulse::Pulse;
pub use retry::RetryPolicy;
pub use settings::Settings;
pub use store_budget::StoreBudget;
pub use webhook::{NotDelivered, Webhook};

/// How we introduce ourselves.
const USER_AGENT: &str = concat!("netosync/", env!("CARGO_PKG_VERSION"));

/// How much of the body of an error is read.
const ERROR_BODY_BYTES: usize = 16 << 10;

/// The HTTP client could not be set up, for want of root certificates for example.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client could not be set up: {0}")]
pub struct TransportError(#[from] reqwest::Error);

/// What a store said in a good answer, fit for the log: without the credentials of `request`, short, on one line.
#[must_use]
pub fn quotable(request: &Request, said: &str) -> String {
    Redactor::of(request).excerpt(said)
}

/// Sends requests. One for the whole process: it keeps the connections.
#[derive(Clone, Debug)]
pub struct Transport {
    https: reqwest::Client,
    /// Plain http to addresses that are not public; there is none unless it is allowed.
    http: Option<reqwest::Client>,
    settings: Settings,
    clock: SharedClock,
    metrics: Arc<Metrics>,
    /// How many calls it makes at the most, if there is such a limit.
    allowance: Option<Arc<Allowance>>,
}

impl Transport {
    /// Sets up the connections' rules; connects to nobody yet.
    pub fn new(settings: Settings, clock: SharedClock) -> Result<Self, TransportError> {
        let https = client(&settings, if settings.allow_loopback { Reach::Any } else { Reach::Public })?;
        let http = settings.allow_loopback.then(|| client(&settings, Reach::NotPublic)).transpose()?;
        Ok(Self { https, http, settings, clock, metrics: Arc::default(), allowance: None })
    }

    /// Counts its calls there.
    #[must_use]
    pub fn counting(self, metrics: Arc<Metrics>) -> Self {
        Self { metrics, ..self }
    }

    /// The same connections, for so many calls and no more.
    #[must_use]
    pub fn allowed(self, allowance: Arc<Allowance>) -> Self {
        Self { allowance: Some(allowance), ..self }
    }

    /// Where its calls are counted; whoever works with it counts there too.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The limits it was set up with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Sends `request` and gives a 2xx answer to `decode`, whose error may ask for another try by its class.
    ///
    /// A [`ErrorClass::RateLimited`] error always says in `retry_after` how long the store is to be left alone.
    /// When `ctx.cancel` fires the call ends at once with a transient error; look at the token before judging errors.
    pub async fn call<T>(
        &self,
        ctx: &CallContext,
        request: &Request,
        decode: impl Fn(Answer) -> Result<T, RemoteError>,
    ) -> Result<T, RemoteError> {
        self.within(ctx, request, decode, self.settings.retry).await
    }

    /// [`Transport::call`] that is made once, whatever becomes of it.
    pub async fn call_once<T>(
        &self,
        ctx: &CallContext,
        request: &Request,
        decode: impl Fn(Answer) -> Result<T, RemoteError>,
    ) -> Result<T, RemoteError> {
        self.within(ctx, request, decode, RetryPolicy { attempts: 1, ..self.settings.retry }).await
    }

    async fn within<T>(
        &self,
        ctx: &CallContext,
        request: &Request,
        decode: impl Fn(Answer) -> Result<T, RemoteError>,
        policy: RetryPolicy,
    ) -> Result<T, RemoteError> {
        tokio::select! {
            biased;
            () = ctx.cancel.cancelled() => Err(context::given_up()),
            result = self.tries(ctx, request, decode, policy) => result,
        }
    }

    async fn tries<T>(
        &self,
        ctx: &CallContext,
        request: &Request,
        decode: impl Fn(Answer) -> Result<T, RemoteError>,
        policy: RetryPolicy,
    ) -> Result<T, RemoteError> {
        let target = Target { url: &request.url, store: &ctx.store };
        let redactor = Redactor::of(request);
        let headers = headers(target, request)?;
        let client = self.client(target)?;
        let mut retries = None;
        loop {
            ctx.turn(target.host()).await?;
            self.allowance.as_deref().map_or(Ok(()), Allowance::take)?;
            let retries = retries.get_or_insert_with(|| policy.begin());
            let call = self.once(target, prepare(client, request, &headers), &request.accepts, &redactor);
            let error = match ctx.try_once(call).await?.and_then(&decode) {
                Ok(value) => return Ok(value),
                Err(error) => silence(ctx, redactor.error(error)),
            };
            self.metrics.failed_call(error.class);
            let wait = match error.class {
                ErrorClass::Transient => retries.next_wait(error.retry_after),
                _ => None,
            };
            let Some(wait) = wait else { return Err(error) };
            tracing::debug!(
                store.name = ctx.store,
                wait_ms = millis(wait),
                error = error.message,
                "the call failed and is made again"
            );
            ctx.rest(wait).await?;
        }
    }

    /// One try: the answer, when it is a 2xx or has one of the statuses `accepts`.
    async fn once(
        &self,
        target: Target<'_>,
        prepared: reqwest::RequestBuilder,
        accepts: &[u16],
        redactor: &Redactor<'_>,
    ) -> Result<Answer, RemoteError> {
        let (begun, mut call) = (Instant::now(), self.metrics.call());
        let response = prepared.send().await.map_err(|error| {
            call.ended(classify::called(&error));
            classify::failure(target, &error, 0)
        })?;
        let status = response.status();
        let header =
            |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (content_type, location, link) = (header(CONTENT_TYPE), header(LOCATION), header(LINK));
        let retry_after = header(RETRY_AFTER).and_then(|text| classify::retry_after(&text, self.clock.now()));
        let limit = if status.is_success() { self.settings.max_body_bytes } else { ERROR_BODY_BYTES };
        let body = match body::read(target, response, limit, &mut call).await {
            // Of an error, whatever can be had will do.
            Err(_) if !status.is_success() => Vec::new(),
            Ok((_, false)) if status.is_success() => {
                call.ended(Called::Broken);
                return Err(body::too_large(target, limit, status.as_u16()));
            }
            Ok((bytes, _)) => bytes,
            Err(error) => return Err(error.status(status.as_u16())),
        };
        call.ended(Called::of_status(status.as_u16()));
        drop(call);
        tracing::debug!(
            store.name = target.store,
            http.status = status.as_u16(),
            bytes = body.len(),
            duration_ms = millis(begun.elapsed()),
            "answer"
        );
        let (body, lossy) = body::text(body);
        let answer = Answer { status: status.as_u16(), content_type, link, body, lossy };
        if status.is_success() || accepts.contains(&answer.status) {
            return Ok(answer);
        }
        let mut error = classify::status(target, &answer, &redactor.excerpt(&answer.body), location.as_deref());
        error.retry_after = retry_after;
        Err(error)
    }

    fn client(&self, target: Target<'_>) -> Result<&reqwest::Client, RemoteError> {
        let reach = Reach::check(target.url, self.settings.allow_loopback)
            .map_err(|forbidden| forbidden.into_error(target.store))?;
        Ok(self.http.as_ref().filter(|_| reach == Reach::NotPublic).unwrap_or(&self.https))
    }
}

/// A client that connects within `reach` only, asks nobody for a proxy and repeats nothing by itself.
#[expect(clippy::disallowed_methods, reason = "the one place that makes HTTP clients, with all limits")]
fn client(settings: &Settings, reach: Reach) -> Result<reqwest::Client, reqwest::Error> {
    let json = HeaderValue::from_static("application/json");
    let mut builder = reqwest::Client::builder();
    if reach == Reach::NotPublic {
        // It meets no certificate, and to read those of the system takes some milliseconds.
        builder = builder.tls_certs_only([]);
    }
    builder
        .user_agent(USER_AGENT)
        .default_headers(HeaderMap::from_iter([(CONTENT_TYPE, json.clone()), (ACCEPT, json)]))
        .dns_resolver(Resolver::new(reach))
        .https_only(reach != Reach::NotPublic)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .retry(reqwest::retry::never())
        .connect_timeout(settings.connect_timeout)
        .read_timeout(settings.read_timeout)
        .timeout(settings.timeout)
        .build()
}

/// The request as the client sends it.
fn prepare(client: &reqwest::Client, request: &Request, headers: &HeaderMap) -> reqwest::RequestBuilder {
    let url = request.url.clone();
    let prepared = match request.method {
        Method::Get => client.get(url),
        Method::Post => client.post(url),
    };
    let prepared = match &request.body {
        Body::Empty => prepared,
        Body::Json(text) => prepared.body(text.clone()),
        Body::Form(text) => prepared
            .header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
            .body(text.clone()),
    };
    prepared.headers(headers.clone())
}

/// The headers of a request, credentials marked so that no library shows them.
fn headers(target: Target<'_>, request: &Request) -> Result<HeaderMap, RemoteError> {
    let mut headers = HeaderMap::with_capacity(request.headers.len());
    for (name, text) in &request.headers {
        let unsendable = || {
            RemoteError::new(
                ErrorClass::Config,
                format!("the header {name} cannot be sent: its value has characters that are not allowed"),
            )
            .hint(format!("enter the credential again: netosync store rekey {}", target.store))
        };
        let (text, sensitive) = match text {
            HeaderText::Plain(text) => (text.as_str(), false),
            HeaderText::Secret(secret) => (secret.expose(), true),
        };
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsendable())?;
        // The library would let more through, which servers read in different ways.
        if !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(unsendable());
        }
        let mut value = HeaderValue::from_str(text).map_err(|_| unsendable())?;
        value.set_sensitive(sensitive);
        headers.append(header, value);
    }
    Ok(headers)
}

/// After a rate limit, said by status or by the connector: silence for a minute at least, and a little at random so
/// that a merchant's integrations do not all come back at once.
fn silence(ctx: &CallContext, mut error: RemoteError) -> RemoteError {
    if error.class == ErrorClass::RateLimited {
        let spread = Duration::from_millis(rand::random_range(0..5000));
        let silence = error.retry_after.unwrap_or_default().max(LEAST_SILENCE) + spread;
        ctx.budget.freeze(silence);
        error.retry_after = Some(silence);
    }
    error
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
