//! Calls over real sockets.

mod secrets;
pub mod server;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use url::Url;

use self::server::{Server, Step, answer, bomb, bytes, gzip};
use super::*;
use crate::clock::{Clock, ManualClock};
use crate::domain::budget::Budget;
use crate::domain::secret::Secret;

const KEY: &str = "canary-Zx81Qq72Lm90";
const JSON: &str = "Content-Type: application/json\r\n";

fn settings() -> Settings {
    let retry = RetryPolicy {
        initial: Duration::from_millis(1),
        max: Duration::from_millis(2),
        max_elapsed: Duration::from_mins(1),
        attempts: 3,
    };
    Settings {
        connect_timeout: Duration::from_secs(10),
        read_timeout: Duration::from_secs(10),
        timeout: Duration::from_secs(10),
        max_body_bytes: 4096,
        retry,
        allow_loopback: true,
    }
}

struct Caller {
    transport: Transport,
    ctx: CallContext,
}

impl Caller {
    fn new(settings: Settings) -> Self {
        let clock = ManualClock::new("2026-11-21T10:00:00Z".parse().expect("a time"));
        let budget = StoreBudget::new(Budget::new(1_000_000, clock.now()), clock.clone());
        let transport = Transport::new(settings, clock as Arc<dyn Clock>).expect("a client");
        Self { transport, ctx: CallContext::new("demo", budget, CancellationToken::new()) }
    }

    async fn call(&self, url: Url) -> Result<Answer, RemoteError> {
        let request = Request::new(url, r#"{"Filter":{}}"#)
            .plain("NETOAPI_ACTION", "GetItem")
            .secret("NETOAPI_KEY", Secret::new(KEY));
        self.transport.call(&self.ctx, &request, Ok).await
    }

    async fn error(&self, url: Url) -> RemoteError {
        self.call(url).await.expect_err("the call fails")
    }
}

#[tokio::test]
async fn a_request_arrives_as_the_connector_built_it_and_its_answer_comes_back() {
    let server = Server::start(vec![answer("200 OK", JSON, br#"{"Ack":"Success"}"#)]);
    let caller = Caller::new(settings());
    let got = caller.call(server.url()).await.expect("an answer");
    assert_eq!((got.status, got.body.as_str(), got.lossy), (200, r#"{"Ack":"Success"}"#, false));
    assert_eq!(got.content_type.as_deref(), Some("application/json"));
    let heard = &server.heard()[0];
    assert!(heard.starts_with("POST /do/WS/NetoAPI HTTP/1.1\r\n") && heard.ends_with(r#"{"Filter":{}}"#), "{heard}");
    let lines = heard.to_lowercase();
    for line in [
        "netoapi_action: getitem".to_owned(),
        format!("netoapi_key: {}", KEY.to_lowercase()),
        "content-type: application/json".to_owned(),
        "accept: application/json".to_owned(),
        "accept-encoding: gzip".to_owned(),
        format!("user-agent: {USER_AGENT}"),
    ] {
        assert!(lines.contains(&format!("\r\n{line}\r\n")), "{line} in {heard}");
    }
    assert_eq!(caller.ctx.calls_made(), 1);
}

#[tokio::test]
async fn text_that_is_not_utf8_is_flagged_and_a_byte_order_mark_is_dropped() {
    let server = Server::start(vec![
        answer("200 OK", JSON, b"{\"a\":\"caf\xe9\"}"),
        answer("200 OK", JSON, "\u{feff}{}".as_bytes()),
    ]);
    let caller = Caller::new(settings());
    let got = caller.call(server.url()).await.expect("an answer");
    assert!(got.lossy && got.body.contains("caf\u{fffd}"));
    let got = caller.call(server.url()).await.expect("an answer");
    assert_eq!((got.lossy, got.body.as_str()), (false, "{}"));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_says_where_it_led() {
    let elsewhere = Server::start(vec![answer("200 OK", JSON, b"{}")]);
    let location = format!("Location: http://localhost:{}/do/WS/NetoAPI\r\n", elsewhere.port);
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let server = Server::start(vec![answer(status, &location, b"")]);
        let caller = Caller::new(settings());
        let error = caller.error(server.url()).await;
        assert_eq!((error.class, caller.ctx.calls_made()), (ErrorClass::Config, 1), "{status}");
        assert!(error.message.contains("127.0.0.1 sends us on to localhost"), "{error}");
        assert_eq!(
            error.hint.as_deref(),
            Some("if the store has moved: netosync store set demo --url https://localhost")
        );
    }
    assert!(elsewhere.heard().is_empty());
}

#[tokio::test]
async fn loopback_is_refused_before_anything_is_sent() {
    let server = Server::start(vec![answer("200 OK", JSON, b"{}")]);
    let caller = Caller::new(Settings { allow_loopback: false, ..settings() });
    for host in ["127.0.0.1", "localhost", "2130706433", "[::1]", "0.0.0.0"] {
        let error = caller.error(format!("https://{host}:{}/", server.port).parse().expect("a URL")).await;
        assert_eq!(error.class, ErrorClass::Config, "{host}: {error}");
        assert!(error.message.contains("is not a public address"), "{host}: {error}");
        assert!(error.hint.expect("a hint").contains("transport.allow_loopback"));
    }
    let error = caller.error(server.url()).await;
    assert!(error.class == ErrorClass::Config && error.message.contains("plain http"), "{error}");
    assert!(server.heard().is_empty());
}

#[tokio::test]
async fn a_store_that_does_not_answer_in_time_is_transient() {
    let half = bytes("200 OK", JSON, b"{\"Item\":[", 1000);
    let limits = [
        Settings { timeout: Duration::from_millis(50), ..settings() },
        Settings { read_timeout: Duration::from_millis(50), ..settings() },
    ];
    for limits in limits {
        for (step, sentence) in
            [(Vec::new(), "did not answer within the time limit"), (half.clone(), "9 bytes of it came")]
        {
            let server = Server::start(vec![Step::Stall(step)]);
            let mut limits = limits;
            limits.retry.attempts = 1;
            let error = Caller::new(limits).error(server.url()).await;
            assert_eq!(error.class, ErrorClass::Transient, "{error}");
            assert!(error.message.contains(sentence), "{error}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_transient_and_asked_for_again() {
    let cut = || Step::Say(bytes("200 OK", JSON, b"{\"Item\":[", 1000));
    let packed = gzip(b"{\"Item\":[]}");
    let cut_gzip = Step::Say(bytes("200 OK", "Content-Encoding: gzip\r\n", &packed[..packed.len() - 12], packed.len()));
    let server = Server::start(vec![cut(), cut_gzip, answer("200 OK", JSON, b"{}")]);
    let caller = Caller::new(settings());
    assert_eq!(caller.call(server.url()).await.expect("an answer").body, "{}");
    assert_eq!(caller.ctx.calls_made(), 3);
    let server = Server::start(vec![cut(), cut(), cut()]);
    let error = caller.error(server.url()).await;
    assert_eq!((error.class, error.status), (ErrorClass::Transient, Some(200)));
    assert!(error.message.contains("broke off after 9 bytes"), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_data_trouble_and_not_asked_for_again() {
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n".to_vec();
    let endless =
        [chunked, vec![b' '; 0x1000], b"\r\n1000\r\n".to_vec(), vec![b' '; 0x1000], b"\r\n".to_vec()].concat();
    let steps = [
        answer("200 OK", JSON, &[b' '; 4097]),
        Step::Stall(endless),
        answer("200 OK", "Content-Encoding: gzip\r\n", &bomb(20)),
    ];
    for step in steps {
        let server = Server::start(vec![step]);
        let caller = Caller::new(settings());
        let error = caller.error(server.url()).await;
        assert_eq!((error.class, caller.ctx.calls_made()), (ErrorClass::Data, 1), "{error}");
        assert!(error.message.contains("fetch.max_body_bytes (4096 bytes)"), "{error}");
        assert!(error.hint.expect("a hint").contains("fetch.page_size"));
    }
    let server = Server::start(vec![
        answer("200 OK", JSON, &[b' '; 4096]),
        answer("200 OK", "Content-Encoding: gzip\r\n", &gzip(b"{\"Item\":[]}")),
    ]);
    let caller = Caller::new(settings());
    assert_eq!(caller.call(server.url()).await.expect("fits").body.len(), 4096);
    assert_eq!(caller.call(server.url()).await.expect("unpacked").body, "{\"Item\":[]}");
}

#[tokio::test]
async fn a_rate_limit_silences_the_store_for_a_minute_or_as_long_as_it_asks() {
    for (header, least) in [
        ("", 60),
        ("Retry-After: 5\r\n", 60),
        ("Retry-After: 300\r\n", 300),
        ("Retry-After: Sat, 21 Nov 2026 10:02:00 GMT\r\n", 120),
    ] {
        let server =
            Server::start(vec![answer("429 Too Many Requests", header, b"slow down"), answer("200 OK", JSON, b"{}")]);
        let caller = Caller::new(settings());
        let error = caller.error(server.url()).await;
        let wait = error.retry_after.expect("a wait").as_secs();
        assert!(
            error.class == ErrorClass::RateLimited && (least..=least + 5).contains(&wait),
            "{header}: {error} {wait}"
        );
        let error = caller.error(server.url()).await;
        assert!(error.class == ErrorClass::RateLimited && error.message.contains("no call was made"), "{error}");
        assert!(error.retry_after.expect("a wait").as_secs() >= least - 1);
        assert_eq!((caller.ctx.calls_made(), server.heard().len()), (1, 1));
        assert!(caller.ctx.budget.silence().is_some());
    }
}

#[tokio::test]
async fn a_rate_limit_the_connector_found_silences_the_store_too() {
    let server = Server::start(vec![answer("200 OK", JSON, b"{}")]);
    let caller = Caller::new(settings());
    let request = Request::new(server.url(), "{}");
    let limited = |_| Err::<(), _>(RemoteError::new(ErrorClass::RateLimited, "too many calls"));
    let error = caller.transport.call(&caller.ctx, &request, limited).await.expect_err("limited");
    assert!(error.retry_after >= Some(Duration::from_mins(1)) && caller.ctx.budget.silence().is_some());
}

#[tokio::test]
async fn transient_errors_are_tried_again_as_often_as_configured() {
    let busy = || answer("503 Service Unavailable", "", b"busy");
    let server = Server::start(vec![busy(), busy(), answer("200 OK", JSON, b"{}")]);
    let caller = Caller::new(settings());
    assert!(caller.call(server.url()).await.is_ok());
    assert_eq!(caller.ctx.calls_made(), 3);
    let server = Server::start(vec![busy(), busy(), busy(), busy()]);
    let caller = Caller::new(settings());
    let error = caller.error(server.url()).await;
    assert_eq!(error.message, "127.0.0.1 answered HTTP 503 Service Unavailable: busy");
    assert_eq!((error.class, error.status, server.heard().len()), (ErrorClass::Transient, Some(503), 3));
}

#[tokio::test]
async fn a_wait_that_does_not_fit_is_left_to_the_next_run() {
    let server = Server::start(vec![answer("503 Service Unavailable", "Retry-After: 600\r\n", b"")]);
    let caller = Caller::new(settings());
    let error = caller.error(server.url()).await;
    assert_eq!((error.retry_after, caller.ctx.calls_made()), (Some(Duration::from_mins(10)), 1));
}

#[tokio::test]
async fn what_the_connector_calls_transient_is_tried_again() {
    let server = Server::start(vec![answer("200 OK", "", b"<html>"), answer("200 OK", JSON, b"{}")]);
    let caller = Caller::new(settings());
    let request = Request::new(server.url(), "{}");
    let decode = |answer: Answer| {
        let page = answer.looks_like_html();
        if page { Err(RemoteError::new(ErrorClass::Transient, "a web page")) } else { Ok(answer.body) }
    };
    assert_eq!(caller.transport.call(&caller.ctx, &request, decode).await.expect("an answer"), "{}");
}

#[tokio::test]
async fn refusals_are_not_tried_again() {
    for (status, headers, class) in [
        ("401 Unauthorized", JSON, ErrorClass::Unauthorized),
        ("403 Forbidden", JSON, ErrorClass::Unauthorized),
        ("400 Bad Request", JSON, ErrorClass::Rejected),
        ("404 Not Found", JSON, ErrorClass::Rejected),
        ("404 Not Found", "Content-Type: text/html\r\n", ErrorClass::Config),
    ] {
        let server = Server::start(vec![answer(status, headers, b"no"), answer("200 OK", JSON, b"{}")]);
        let caller = Caller::new(settings());
        let error = caller.error(server.url()).await;
        assert_eq!((error.class, caller.ctx.calls_made()), (class, 1), "{status}");
    }
}

#[tokio::test]
async fn a_store_nobody_listens_for_is_transient() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port();
    let caller = Caller::new(settings());
    let error = caller.error(format!("http://127.0.0.1:{port}/").parse().expect("a URL")).await;
    assert_eq!((error.class, caller.ctx.calls_made()), (ErrorClass::Transient, 3));
    assert!(error.message.starts_with("no connection to 127.0.0.1: ") && error.message.contains("refused"), "{error}");
}

#[tokio::test]
async fn a_stop_ends_a_call_that_waits_for_the_store_or_for_its_turn() {
    let server = Server::start(vec![Step::Stall(Vec::new())]);
    let caller = Caller::new(settings());
    let cancel = caller.ctx.cancel.clone();
    let (error, ()) = tokio::join!(caller.error(server.url()), async {
        while server.heard().is_empty() {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    });
    assert!(error.message.contains("being stopped"), "{error}");
    let mut caller = Caller::new(settings());
    caller.ctx.budget =
        StoreBudget::new(Budget::empty(1, caller.transport.clock.now()), caller.transport.clock.clone());
    let cancel = caller.ctx.cancel.clone();
    let (error, ()) = tokio::join!(caller.error(server.url()), async { cancel.cancel() });
    assert!(error.message.contains("being stopped") && caller.ctx.calls_made() == 0, "{error}");
}

#[tokio::test]
async fn a_call_can_be_made_from_any_task() {
    fn sendable<T: Send>(future: T) -> T {
        future
    }
    let server = Server::start(vec![answer("200 OK", JSON, b"{}")]);
    let caller = Caller::new(settings());
    assert!(sendable(caller.call(server.url())).await.is_ok());
}
