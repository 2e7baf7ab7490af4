//! The smallest HTTP/1.1 client that can see everything a fault does to an answer.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::SimulatedStore;

/// An answer as it came.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The message of an answer with `Ack: Error`.
    pub(super) fn error(&self) -> String {
        let json = self.json();
        assert_eq!((self.status, json["Ack"].as_str()), (200, Some("Error")));
        json["Messages"]["Error"]["Message"].as_str().unwrap().to_owned()
    }

    /// The keys on a page in any shape, as text.
    pub(super) fn ids(&self) -> Vec<String> {
        let json = self.json();
        let page = json.get("GetItemResponse").unwrap_or(&json);
        assert_eq!(page["Ack"].as_str().map(str::to_lowercase).as_deref(), Some("success"), "{json}");
        let rows = match page.get("Item") {
            Some(Value::Array(rows)) => rows.clone(),
            Some(row @ Value::Object(_)) => vec![row.clone()],
            _ => Vec::new(),
        };
        rows.iter().map(id).collect()
    }
}

fn id(row: &Value) -> String {
    let fields = row.as_object().unwrap();
    let (_, id) = fields.iter().find(|(key, _)| key.eq_ignore_ascii_case("InventoryID")).unwrap();
    let text = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    text.split('.').next().unwrap().to_owned()
}

/// Asks for a page with the right key.
pub(super) async fn get(store: &SimulatedStore, filter: Value) -> Answer {
    let key = format!("NETOAPI_KEY: {}\r\nAccept: application/json", store.key());
    call(store, "POST /do/WS/NetoAPI", &key, &json!({"Filter": filter}).to_string()).await
}

/// Sends `body` with these headers beside the action and reads until the store closes.
pub(super) async fn call(store: &SimulatedStore, target: &str, headers: &str, body: &str) -> Answer {
    let address = store.url().replace("http://", "");
    let mut socket = TcpStream::connect(&address).await.unwrap();
    let request = format!(
        "{target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nNETOAPI_ACTION: GetItem\r\n{headers}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    // A cut answer may end in a reset; what came before is what counts.
    drop(socket.read_to_end(&mut bytes).await);
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer has a head");
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
    Answer { status: head[9..12].parse().unwrap(), head, body: bytes[end + 4..].to_vec() }
}
