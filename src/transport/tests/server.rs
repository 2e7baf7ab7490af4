//! A server that answers each connection with the next of some prepared bytes, right or wrong.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use url::Url;

/// What is done with a connection once its request is read.
pub enum Step {
    /// Send this and close.
    Say(Vec<u8>),
    /// Send this and say no more, without closing.
    Stall(Vec<u8>),
}

/// Where it listens and what it has heard.
pub struct Server {
    pub port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers one connection a step. Connections beyond that are accepted by nobody and stall.
    pub fn start(steps: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let notes = heard.clone();
        std::thread::spawn(move || {
            let mut open = Vec::new();
            for step in steps {
                let Ok((mut stream, _)) = listener.accept() else { return };
                let heard = request(&mut stream);
                notes.lock().expect("no panic").push(heard);
                let (bytes, keep) = match step {
                    Step::Say(bytes) => (bytes, false),
                    Step::Stall(bytes) => (bytes, true),
                };
                // The client may have hung up, which is what some tests are about.
                let _ = stream.write_all(&bytes);
                if keep {
                    open.push(stream);
                }
            }
            // Holds the stalled connections, and the port, until the test's process ends.
            std::thread::park();
        });
        Self { port, heard }
    }

    pub fn url(&self) -> Url {
        format!("http://127.0.0.1:{}/do/WS/NetoAPI", self.port).parse().expect("a URL")
    }

    /// The requests, as they came.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("no panic").clone()
    }
}

/// Reads one request with its body.
fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = |line: &str| {
                line.to_ascii_lowercase().strip_prefix("content-length:").and_then(|n| n.trim().parse().ok())
            };
            let expected: usize = head.lines().find_map(length).unwrap_or(0);
            if body.len() >= expected {
                return text.into_owned();
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return String::from_utf8_lossy(&bytes).into_owned(),
            Ok(n) => bytes.extend_from_slice(&chunk[..n]),
        }
    }
}

/// An answer with its true length.
pub fn answer(status: &str, headers: &str, body: &[u8]) -> Step {
    Step::Say(bytes(status, headers, body, body.len()))
}

/// The bytes of an answer that claims a length.
pub fn bytes(status: &str, headers: &str, body: &[u8], length: usize) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// `text`, as gzip without compression.
pub fn gzip(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a short text");
    let mut deflate = vec![1];
    deflate.extend(length.to_le_bytes());
    deflate.extend((!length).to_le_bytes());
    deflate.extend_from_slice(text);
    gzip_of(&deflate, crc(text), length.into())
}

/// Zero bytes by the megabyte in a few kilobytes.
pub fn bomb(megabytes: u32) -> Vec<u8> {
    // One block with fixed codes: the byte 0 (8 bits), then "the last byte 258 times more" (8 and 5 bits) over and over.
    let mut bits = vec![1, 1, 0];
    bits.extend([0, 0, 1, 1, 0, 0, 0, 0]);
    for _ in 0..megabytes * 4064 {
        bits.extend([1, 1, 0, 0, 0, 1, 0, 1]);
        bits.extend([0; 5]);
    }
    bits.extend([0; 7]);
    let byte = |bits: &[u8]| bits.iter().enumerate().fold(0, |byte, (at, bit)| byte | (bit << at));
    let deflate: Vec<u8> = bits.chunks(8).map(byte).collect();
    gzip_of(&deflate, 0, 0)
}

fn gzip_of(deflate: &[u8], crc: u32, length: u32) -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    bytes.extend_from_slice(deflate);
    bytes.extend(crc.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes
}

fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
