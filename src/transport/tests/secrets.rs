//! No secret in an error, a debug output or the log, whatever the server does with it.

use std::io::Write;
use std::sync::Mutex;

use super::*;
use crate::config::{Log, LogFormat};

#[tokio::test]
async fn a_key_the_server_sends_back_is_in_no_error() {
    let body = format!("{{\"error\":\"Invalid key {KEY}\"}}");
    let location = format!("Location: https://{KEY}.example.com/?key={KEY}\r\n");
    let steps = [
        answer("400 Bad Request", JSON, body.as_bytes()),
        answer("401 Unauthorized", JSON, body.as_bytes()),
        answer("404 Not Found", "Content-Type: text/html\r\n", KEY.as_bytes()),
        answer("500 Internal Server Error", JSON, body.as_bytes()),
        answer("301 Moved Permanently", &location, b""),
        answer("429 Too Many Requests", &format!("Retry-After: {KEY}\r\n"), KEY.as_bytes()),
        Step::Say(format!("HTTP/1.1 {KEY}\r\n\r\n").into_bytes()),
    ];
    for step in steps {
        let server = Server::start(vec![step]);
        let mut settings = settings();
        settings.retry.attempts = 1;
        let caller = Caller::new(settings);
        let error = caller.error(server.url()).await;
        let shown = format!("{error} {error:?} {:?} {:?}", caller.ctx, caller.transport).to_lowercase();
        assert!(!shown.contains(&KEY.to_lowercase()), "{shown}");
    }
}

#[tokio::test]
async fn a_key_the_connector_repeats_is_in_no_error() {
    let server = Server::start(vec![answer("200 OK", JSON, KEY.as_bytes())]);
    let caller = Caller::new(settings());
    let request = Request::new(server.url(), "{}").secret("Authorization", Secret::new(&format!("Bearer {KEY}")));
    let decode =
        |answer: Answer| Err::<(), _>(RemoteError::new(ErrorClass::Rejected, answer.body.clone()).hint(answer.body));
    let error = caller.transport.call(&caller.ctx, &request, decode).await.expect_err("refused");
    assert_eq!((error.message.as_str(), error.hint.as_deref()), ("[REDACTED]", Some("[REDACTED]")));
}

#[tokio::test]
async fn a_key_that_is_no_header_is_refused_without_showing_it() {
    let server = Server::start(Vec::new());
    let caller = Caller::new(settings());
    for wrong in [format!("{KEY}\nX-Other: 1"), format!("{KEY}\u{1f511}")] {
        let request = Request::new(server.url(), "{}").secret("NETOAPI_KEY", Secret::new(&wrong));
        let error = caller.transport.call(&caller.ctx, &request, Ok).await.expect_err("refused");
        assert_eq!((error.class, caller.ctx.calls_made()), (ErrorClass::Config, 0));
        assert!(error.message.contains("NETOAPI_KEY") && !format!("{error:?}").contains(KEY), "{error:?}");
    }
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_most_detailed_log_shows_no_key() {
    let buffer = Buffer::default();
    let writer = buffer.clone();
    let log = Log { format: LogFormat::Json, filter: "trace,hyper=trace,reqwest=trace,h2=trace".to_owned() };
    let (subscriber, _) = crate::telemetry::subscriber(&log, false, move || writer.clone()).expect("a log");
    let _log = tracing::subscriber::set_default(subscriber);
    let busy = answer("503 Service Unavailable", "", KEY.as_bytes());
    let server = Server::start(vec![busy, answer("200 OK", JSON, b"{}")]);
    Caller::new(settings()).call(server.url()).await.expect("an answer");
    let text = String::from_utf8(buffer.0.lock().expect("no panic").clone()).expect("text");
    assert!(text.contains("made again") && text.contains("503") && !text.contains("canary"), "{text}");
}
