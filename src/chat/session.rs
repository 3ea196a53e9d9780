//! Sessions: the identity of a JSON client over several connections.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::str::FromStr;

use rand::Rng;
use sha2::{Digest as _, Sha256};

use super::message::Id;
use super::nickname::Nickname;
use super::room_name::RoomName;

/// Maximum number of receipts of a session. The oldest is removed first.
pub(super) const RECEIPTS_MAX: usize = 256;

/// The secret of a session, which only its client knows: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Token(u128);

impl Token {
    pub(super) fn new(random: &mut dyn Rng) -> Self {
        Self(u128::from(random.next_u64()) << 64 | u128::from(random.next_u64()))
    }

    /// Returns the token for a secret of the embedder's own: always the same.
    pub(crate) fn of_secret(secret: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        let (token, _) = digest.split_at(16);
        Self(token.iter().fold(0, |token, byte| token << 8 | u128::from(*byte)))
    }

    pub(super) fn digest(self) -> Digest {
        Digest(Sha256::digest(self.0.to_be_bytes()).into())
    }
}

/// The SHA-256 hash of a token. It identifies a session in the history, where the token must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Digest(pub(crate) [u8; 32]);

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Hides the token, which must not be in a log.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl FromStr for Token {
    type Err = std::num::ParseIntError;

    /// Parses the output of `Display`. Rust accepts a sign before it, which does no harm.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

/// The record of a message that a session sent, so that a repeated request does not send it twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Receipt {
    Said { room: RoomName, seq: u64, time: u64, nickname: Nickname },
    Told { to: Nickname, time: u64, nickname: Nickname },
}

/// The receipts of the last messages of a session, by their ids.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    by_id: HashMap<Id, Receipt>,
    oldest_first: VecDeque<Id>,
}

impl Receipts {
    pub(super) fn get(&self, id: &Id) -> Option<&Receipt> {
        self.by_id.get(id)
    }

    pub(super) fn len(&self) -> usize {
        self.oldest_first.len()
    }

    pub(super) fn insert(&mut self, id: Id, receipt: Receipt) {
        if self.oldest_first.len() == RECEIPTS_MAX {
            if let Some(oldest) = self.oldest_first.pop_front() {
                self.by_id.remove(&oldest);
            }
        }
        self.oldest_first.push_back(id.clone());
        self.by_id.insert(id, receipt);
    }
}
