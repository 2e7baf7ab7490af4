//! A client for the pages of `http.listen`, and a check of what Prometheus would read.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::PATIENCE;

/// An answer.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub head: String,
    pub body: String,
    /// Where it sends the browser, as it was sent.
    pub location: Option<String>,
}

/// Sends `request` as it is and gives what comes back until the server hangs up.
pub fn send(address: &str, request: &[u8]) -> Page {
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    // A server that has read enough may hang up before everything is sent.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
    let location = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("location").then(|| value.to_owned())
    });
    Page { status, head: head.to_ascii_lowercase(), body: body.to_owned(), location }
}

/// Asks for a page.
pub fn get(address: &str, path: &str) -> Page {
    send(address, format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())
}

/// Asks for a one-line page: its status and its line.
pub fn line(address: &str, path: &str) -> (u16, String) {
    let page = get(address, path);
    assert!(page.head.contains("content-type: text/plain"), "{page:?}");
    assert_eq!(page.body.matches('\n').count(), 1, "{page:?}");
    (page.status, page.body.trim_end().to_owned())
}

/// The series of `/metrics` by name with labels (in the order of the page), after a check of the format: every series
/// belongs to a family that was declared with type and help, no label is unexpected, no series is there twice, the end is marked.
pub fn scrape(address: &str) -> BTreeMap<String, f64> {
    let page = get(address, "/metrics");
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{page:?}");
    let body = page.body.strip_suffix("# EOF\n").expect("the end is marked");
    let (mut family, mut series) = (("", ""), BTreeMap::new());
    let mut helped = String::new();
    for line in body.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').expect("a text");
            assert!(name.starts_with("netosync_") && text.len() > 10, "{line}");
            name.clone_into(&mut helped);
        } else if let Some(declared) = line.strip_prefix("# TYPE ") {
            family = declared.split_once(' ').expect("a type");
            assert_eq!(family.0, helped, "{line}");
        } else {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            let (bare, labels) = name.strip_suffix('}').map_or((name, ""), |n| n.split_once('{').expect("labels"));
            let suffix = bare.strip_prefix(family.0).unwrap_or_else(|| panic!("{line} is not of {family:?}"));
            let fits = match family.1 {
                "counter" => suffix == "_total",
                "gauge" => suffix.is_empty(),
                "info" => suffix == "_info",
                "histogram" => ["_sum", "_count", "_bucket"].contains(&suffix),
                other => panic!("{other}"),
            };
            assert!(fits, "{line} is not of {family:?}");
            for label in labels.split(',').filter(|label| !label.is_empty()) {
                let (key, quoted) = label.split_once('=').expect("a label has a value");
                let known = ["kind", "outcome", "status", "class", "effect", "store", "state", "le", "version"];
                assert!(known.contains(&key) && quoted.starts_with('"') && quoted.ends_with('"'), "{line}");
            }
            let value = if value == "+Inf" { f64::INFINITY } else { value.parse().expect("a number") };
            assert!(series.insert(name.to_owned(), value).is_none(), "{line} is there twice");
        }
    }
    series
}
