//! Seals credentials for the database: XChaCha20-Poly1305 with a random nonce.
//!
//! A sealed value is bound to its table, column, row and key: moved to another row (another store's credential, say)
//! it no longer opens. The form is `version (1 byte) | nonce (24) | ciphertext and tag`. The master keys themselves encrypt
//! nothing: from each, three keys are derived, one that seals, one that fingerprints, one that names it.

use chacha20poly1305::aead::{Aead, Generate, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::domain::secret::Secret;

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;

/// Why a sealed value does not open. Neither the value nor a key is in it.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CrypterError {
    /// Sealed with a key that is not in the key file.
    #[error(
        "it was sealed with master key {key_id}, which is not in the key file: put the key file there that has it (keys rotate made it), or enter the credential again"
    )]
    UnknownKey {
        /// The key.
        key_id: String,
    },
    /// Altered, moved from elsewhere, or sealed by something else.
    #[error("{location} does not open with master key {key_id}: it was altered or moved; enter the credential again")]
    Broken {
        /// Where it stands.
        location: Location,
        /// The key it says it was sealed with.
        key_id: String,
    },
    /// The cipher refused to seal; no input is known that makes it.
    #[error("{location} could not be sealed")]
    NotSealed {
        /// Where it was to stand.
        location: Location,
    },
}

/// Where a sealed value stands. It opens nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The row: the id of the store.
    pub row: i64,
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{} of row {}", self.table, self.column, self.row)
    }
}

impl Location {
    /// The data that is authenticated with the ciphertext; lengths keep two locations from reading the same.
    fn bind(&self, key_id: &str) -> Vec<u8> {
        let mut data = vec![VERSION];
        for part in [self.table, self.column, key_id] {
            data.extend((part.len() as u64).to_be_bytes());
            data.extend(part.as_bytes());
        }
        data.extend(self.row.to_be_bytes());
        data
    }
}

/// 32 random bytes from which all else is derived. Wiped from memory when dropped.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// A new key from the system's random numbers.
    #[must_use]
    pub fn generate() -> Self {
        let mut key = chacha20poly1305::Key::generate();
        let master = Self(Zeroizing::new(key.into()));
        zeroize::Zeroize::zeroize(key.as_mut_slice());
        master
    }

    /// The key out of its bytes.
    #[must_use]
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The name of the key, 8 hexadecimal digits. It gives nothing away.
    #[must_use]
    pub fn id(&self) -> String {
        hex(&self.derive("netosync 2026-11-21 name of a master key")[..4])
    }

    fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(blake3::derive_key(purpose, self.bytes()))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        let mut key = chacha20poly1305::Key::from(*self.derive("netosync 2026-11-21 sealing of credentials"));
        let cipher = XChaCha20Poly1305::new(&key);
        zeroize::Zeroize::zeroize(key.as_mut_slice());
        cipher
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKey({})", self.id())
    }
}

/// Seals with the first of its keys and opens with any of them.
#[derive(Debug)]
pub struct Crypter {
    first: MasterKey,
    others: Vec<MasterKey>,
}

impl Crypter {
    /// `first` seals and fingerprints; `others` only open what was sealed before a rotation.
    #[must_use]
    pub fn new(first: MasterKey, others: Vec<MasterKey>) -> Self {
        Self { first, others }
    }

    /// The names of the keys, the sealing one first.
    #[must_use]
    pub fn key_ids(&self) -> Vec<String> {
        self.keys().map(MasterKey::id).collect()
    }

    /// The name of the key that seals.
    #[must_use]
    pub fn sealing(&self) -> String {
        self.first.id()
    }

    /// These keys, and behind them those of `held` that are not among them: what could be opened once can be opened still.
    #[must_use]
    pub fn and_still(mut self, held: &Self) -> Self {
        let known = self.key_ids();
        self.others.extend(held.keys().filter(|key| !known.contains(&key.id())).cloned());
        self
    }

    /// Which of the keys that sealed something (`credentials.key_id`) are not there.
    #[must_use]
    pub fn missing(&self, in_use: &[String]) -> Vec<String> {
        let held = self.key_ids();
        in_use.iter().filter(|id| !held.contains(id)).cloned().collect()
    }

    /// Seals `secret` for `location`: the name of the key, and the bytes to store.
    pub fn seal(&self, location: &Location, secret: &Secret) -> Result<(String, Vec<u8>), CrypterError> {
        let key_id = self.first.id();
        let nonce = XNonce::generate();
        let aad = location.bind(&key_id);
        let payload = Payload { msg: secret.expose().as_bytes(), aad: &aad };
        let text = self
            .first
            .cipher()
            .encrypt(&nonce, payload)
            .map_err(|_| CrypterError::NotSealed { location: *location })?;
        let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + text.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&text);
        Ok((key_id, sealed))
    }

    /// Opens what [`Crypter::seal`] made for the same `location` with key `key_id`.
    pub fn open(&self, location: &Location, key_id: &str, sealed: &[u8]) -> Result<Secret, CrypterError> {
        let key = self
            .keys()
            .find(|key| key.id() == key_id)
            .ok_or_else(|| CrypterError::UnknownKey { key_id: key_id.to_owned() })?;
        self::open(key, location, key_id, sealed)
            .ok_or_else(|| CrypterError::Broken { location: *location, key_id: key_id.to_owned() })
    }

    /// Tells one secret from another without giving it away: 16 hexadecimal digits. It depends on the sealing key of
    /// the day, so it is made when a credential is stored and kept beside it as long as the secret is the same, whatever key seals it.
    #[must_use]
    pub fn fingerprint(&self, secret: &Secret) -> String {
        let key = self.first.derive("netosync 2026-11-21 fingerprint of a credential");
        hex(&blake3::keyed_hash(&key, secret.expose().as_bytes()).as_bytes()[..8])
    }

    fn keys(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

fn open(key: &MasterKey, location: &Location, key_id: &str, sealed: &[u8]) -> Option<Secret> {
    let (version, rest) = sealed.split_first()?;
    let (nonce, text) = rest.split_first_chunk::<NONCE_BYTES>()?;
    if *version != VERSION {
        return None;
    }
    let payload = Payload { msg: text, aad: &location.bind(key_id) };
    let plain = Zeroizing::new(key.cipher().decrypt(&XNonce::from(*nonce), payload).ok()?);
    std::str::from_utf8(&plain).ok().map(Secret::new)
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Location = Location { table: "credentials", column: "secret", row: 7 };

    fn crypter() -> Crypter {
        Crypter::new(MasterKey::generate(), Vec::new())
    }

    #[test]
    fn what_was_sealed_opens_in_its_place() {
        let crypter = crypter();
        let (key_id, sealed) = crypter.seal(&HERE, &Secret::new("canary")).expect("seals");
        assert_eq!(crypter.open(&HERE, &key_id, &sealed).expect("opens").expose(), "canary");
        assert!(!sealed.windows(6).any(|window| window == b"canary"));
        assert_ne!(sealed, crypter.seal(&HERE, &Secret::new("canary")).expect("seals").1, "a new nonce each time");
    }

    #[test]
    fn a_moved_or_altered_value_does_not_open() {
        let crypter = crypter();
        let (key_id, sealed) = crypter.seal(&HERE, &Secret::new("canary")).expect("seals");
        for moved in [
            Location { row: 8, ..HERE },
            Location { column: "refresh_secret", ..HERE },
            Location { table: "tokens", ..HERE },
            Location { table: "credential", column: "ssecret", ..HERE },
        ] {
            let error = crypter.open(&moved, &key_id, &sealed).expect_err("moved");
            assert_eq!(error, CrypterError::Broken { location: moved, key_id: key_id.clone() });
        }
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(crypter.open(&HERE, &key_id, &altered).is_err(), "byte {at}");
            assert!(crypter.open(&HERE, &key_id, &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn after_a_rotation_old_values_open_and_new_ones_use_the_new_key() {
        let (old, new) = (MasterKey::generate(), MasterKey::generate());
        let (old_id, sealed) =
            Crypter::new(old.clone(), Vec::new()).seal(&HERE, &Secret::new("canary")).expect("seals");
        let rotated = Crypter::new(new.clone(), vec![old]);
        assert_eq!(rotated.open(&HERE, &old_id, &sealed).expect("opens").expose(), "canary");
        assert_eq!(rotated.seal(&HERE, &Secret::new("canary")).expect("seals").0, new.id());
        let without = Crypter::new(new, Vec::new());
        assert_eq!(
            without.open(&HERE, &old_id, &sealed).expect_err("no key"),
            CrypterError::UnknownKey { key_id: old_id.clone() }
        );
        assert_eq!(without.missing(&[old_id.clone(), without.key_ids()[0].clone()]), vec![old_id]);
    }

    #[test]
    fn a_fingerprint_tells_secrets_apart_and_depends_on_the_key() {
        let crypter = crypter();
        let print = crypter.fingerprint(&Secret::new("canary"));
        assert_eq!(print.len(), 16);
        assert_eq!(print, crypter.fingerprint(&Secret::new(" canary\n")));
        assert_ne!(print, crypter.fingerprint(&Secret::new("canarz")));
        assert_ne!(print, self::crypter().fingerprint(&Secret::new("canary")));
    }

    #[test]
    fn no_key_is_in_the_debug_output() {
        let key = MasterKey::from_bytes(Zeroizing::new([0x5a; 32]));
        let shown = format!("{:?}", Crypter::new(key.clone(), vec![key]));
        assert!(!shown.contains("5a5a") && !shown.contains("90, 90"), "{shown}");
    }
}
