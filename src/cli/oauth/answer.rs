//! The answer to a consent: it comes to a listener on this machine, or a person pastes it.

use std::collections::HashMap;
use std::io::{BufRead, IsTerminal};
use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;
use url::{Host, Url};

use crate::cli::exit::{CliError, Exit};
use crate::domain::secret::Secret;
use crate::http::page::page;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The state; `None` of a code that was pasted alone.
    pub state: Option<Secret>,
    /// The code, or why there is none.
    pub code: Result<Secret, String>,
    reply: Option<oneshot::Sender<(StatusCode, String, String)>>,
}

impl Answer {
    fn of(parameters: &HashMap<String, String>) -> Option<Self> {
        let get = |name: &str| parameters.get(name).filter(|text| !text.is_empty());
        let code = match (get("code"), get("error")) {
            (Some(code), _) => Ok(Secret::new(code)),
            (None, Some(error)) => Err(get("error_description").unwrap_or(error).chars().take(200).collect()),
            (None, None) => return None,
        };
        Some(Self { state: get("state").map(|state| Secret::new(state)), code, reply: None })
    }

    /// Tells the browser what came of it.
    pub fn tell(self, good: bool, title: &str, said: &str) {
        let status = if good { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        if let Some(reply) = self.reply {
            // A browser that has gone away need not be told.
            let _ = reply.send((status, title.to_owned(), said.to_owned()));
        }
    }
}

/// Where answers come from.
#[derive(Debug)]
pub struct Answers {
    received: mpsc::Receiver<Answer>,
    listening: Option<Listening>,
}

/// The listener; ends with this.
#[derive(Debug)]
struct Listening {
    serving: AbortOnDropHandle<()>,
    stop: CancellationToken,
}

/// How long a browser may take to hear what came of its answer.
const PATIENCE: Duration = Duration::from_secs(2);

impl Answers {
    /// Listens at `redirect_uri` when that is on this machine, and reads what is pasted when there is somebody to paste or `paste`
    /// is set.
    pub async fn expect(redirect_uri: &Url, paste: bool) -> Result<Self, CliError> {
        let (send, received) = mpsc::channel(1);
        let listening = match port_here(redirect_uri).filter(|_| !paste) {
            Some(port) => Some(listen(port, redirect_uri.path(), send.clone()).await?),
            None => None,
        };
        if paste || listening.is_none() || std::io::stdin().is_terminal() {
            read_pasted(send);
        }
        Ok(Self { received, listening })
    }

    /// Whether a browser's answer is heard by itself.
    pub fn are_heard(&self) -> bool {
        self.listening.is_some()
    }

    /// Ends the listening, when the browser has heard what it was told: the process may end right after this.
    pub async fn end(self) {
        if let Some(Listening { serving, stop }) = self.listening {
            // Nobody is waited for any more.
            drop(self.received);
            stop.cancel();
            let _ = tokio::time::timeout(PATIENCE, serving).await;
        }
    }

    /// The next answer; `None` when there will be none.
    pub async fn next(&mut self) -> Option<Answer> {
        self.received.recv().await
    }
}

/// The port of an address that leads to this machine by plain http.
pub fn port_here(uri: &Url) -> Option<u16> {
    let here = match uri.host()? {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Domain(name) => name == "localhost",
        Host::Ipv6(_) => false,
    };
    (here && uri.scheme() == "http").then(|| uri.port_or_known_default()).flatten()
}

async fn listen(port: u16, path: &str, send: mpsc::Sender<Answer>) -> Result<Listening, CliError> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(|error| {
        let message = format!(
            "cannot listen on 127.0.0.1:{port} for the answer: {error}; choose another --redirect-uri, or --paste"
        );
        CliError::new(Exit::Failed, message)
    })?;
    let answer = move |Query(parameters): Query<HashMap<String, String>>| came(parameters, send.clone());
    let router = Router::new().route(path, get(answer));
    let stop = CancellationToken::new();
    let served = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let serving = tokio::spawn(async move {
        if let Err(error) = served.await {
            debug!("the listener for the answer ended: {error}");
        }
    });
    Ok(Listening { serving: AbortOnDropHandle::new(serving), stop })
}

async fn came(parameters: HashMap<String, String>, send: mpsc::Sender<Answer>) -> Response {
    let Some(answer) = Answer::of(&parameters) else {
        return page(StatusCode::BAD_REQUEST, "Not an answer", "There is neither a code nor an error in this address.");
    };
    let (reply, told) = oneshot::channel();
    let sent = send.send(Answer { reply: Some(reply), ..answer }).await;
    match told.await {
        Ok((status, title, said)) if sent.is_ok() => page(status, &title, &said),
        _ => page(StatusCode::SERVICE_UNAVAILABLE, "Not waiting", "netosync does not wait for this answer any more."),
    }
}

/// Reads lines on a thread of its own, which ends with the process: a read of the terminal cannot be given up.
fn read_pasted(send: mpsc::Sender<Answer>) {
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if let Some(answer) = pasted(&line)
                && send.blocking_send(answer).is_err()
            {
                return;
            }
        }
    });
}

/// An answer as people paste it: the whole address, its query, or the code alone.
fn pasted(line: &str) -> Option<Answer> {
    let line = line.trim();
    let query = Url::parse(line).ok().and_then(|url| url.query().map(str::to_owned));
    let query = query.or_else(|| line.contains('=').then(|| line.trim_start_matches('?').to_owned()));
    if let Some(query) = query {
        return Answer::of(&url::form_urlencoded::parse(query.as_bytes()).into_owned().collect());
    }
    let alone = !line.is_empty() && !line.contains(char::is_whitespace) && !line.contains("://");
    alone.then(|| Answer { state: None, code: Ok(Secret::new(line)), reply: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_as_it_is_pasted() {
        for (line, code, state) in [
            ("http://127.0.0.1:1/callback?code=c1&state=s1", Some("c1"), Some("s1")),
            ("?code=c1&state=s1", Some("c1"), Some("s1")),
            (" c1 ", Some("c1"), None),
            ("https://shop.example/", None, None),
            ("", None, None),
            ("two words", None, None),
        ] {
            let answer = pasted(line);
            let shown = |secret: &Secret| secret.expose().to_owned();
            let found = answer.as_ref().and_then(|answer| answer.code.as_ref().ok()).map(shown);
            assert_eq!(found.as_deref(), code, "{line}");
            assert_eq!(answer.and_then(|answer| answer.state).as_ref().map(shown).as_deref(), state, "{line}");
        }
        let refused = pasted("http://localhost/?error=access_denied&state=s").expect("an answer");
        assert_eq!(refused.code.expect_err("no code"), "access_denied");
    }

    #[test]
    fn only_plain_addresses_of_this_machine_are_listened_on() {
        let port = |text: &str| port_here(&text.parse().expect("a URL"));
        assert_eq!(port("http://127.0.0.1:8723/callback"), Some(8723));
        assert_eq!(port("http://localhost/"), Some(80));
        assert_eq!(port("https://127.0.0.1:8723/callback"), None);
        assert_eq!(port("https://we.example/callback"), None);
    }
}
