//! A page for people.

use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use html_escape::encode_text;

/// A plain page, of this moment only, that nothing can be put into and that tells nobody where it came from.
#[must_use]
pub fn page(status: StatusCode, title: &str, said: &str) -> Response {
    let (title, said) = (encode_text(title), encode_text(said));
    let html = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>body{{font:1.1em sans-serif;max-width:34em;margin:4em auto;padding:0 1em}}</style></head>\
         <body><h1>{title}</h1><p>{said}</p></body></html>\n"
    );
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
    ];
    (status, headers, Html(html)).into_response()
}
