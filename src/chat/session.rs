//! Sessions: by what somebody is known again who comes back.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use rand::Rng;

use super::{Id, Nickname, RoomName};

/// How many of the last words of a session are remembered.
const RECEIPTS_MAX: usize = 256;
/// How many sessions that have ended are remembered. The oldest goes first.
const ENDED_MAX: usize = 4096;
/// For how long they are.
const REMEMBERED_FOR: Duration = Duration::from_secs(10 * 60);

/// What only the client of a session knows: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Token(u128);

impl Token {
    pub(super) fn new(random: &mut impl Rng) -> Self {
        Self(u128::from(random.next_u64()) << 64 | u128::from(random.next_u64()))
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// It is a secret, and no log shall have it.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl FromStr for Token {
    type Err = std::num::ParseIntError;

    /// Reads what [`Token`] writes. A sign in front, which Rust takes, makes it no other token.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

/// That something was said, so that it is not said again when it is sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Receipt {
    Said { room: RoomName, seq: u64, time: u64, nickname: Nickname },
    Told { to: Nickname, time: u64, nickname: Nickname },
}

/// The last things that a session said.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    by_id: HashMap<Id, Receipt>,
    oldest_first: VecDeque<Id>,
}

impl Receipts {
    pub(super) fn get(&self, id: &Id) -> Option<&Receipt> {
        self.by_id.get(id)
    }

    pub(super) fn keep(&mut self, id: Id, receipt: Receipt) {
        if self.oldest_first.len() == RECEIPTS_MAX {
            if let Some(oldest) = self.oldest_first.pop_front() {
                self.by_id.remove(&oldest);
            }
        }
        self.oldest_first.push_back(id.clone());
        self.by_id.insert(id, receipt);
    }
}

/// A session that nobody is in any more.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) nickname: Nickname,
    pub(super) receipts: Receipts,
}

/// The sessions that have ended and are remembered.
#[derive(Debug, Default)]
pub(super) struct Memory {
    ended: HashMap<Token, Ended>,
    /// When each is forgotten.
    forgotten_at: VecDeque<(Instant, Token)>,
}

impl Memory {
    pub(super) fn keep(&mut self, token: Token, ended: Ended, now: Instant) {
        self.ended.insert(token, ended);
        self.forgotten_at.push_back((now + REMEMBERED_FOR, token));
        self.forget(now);
    }

    /// Takes a session up again, if it is remembered.
    pub(super) fn take(&mut self, token: Token, now: Instant) -> Option<Ended> {
        self.forget(now);
        let ended = self.ended.remove(&token)?;
        self.forgotten_at.retain(|(_, other)| *other != token);
        Some(ended)
    }

    /// Those of which the time is over go.
    pub(super) fn forget(&mut self, now: Instant) {
        while let Some((at, token)) = self.forgotten_at.front() {
            if *at > now && self.forgotten_at.len() <= ENDED_MAX {
                return;
            }
            self.ended.remove(token);
            self.forgotten_at.pop_front();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.ended.len().max(self.forgotten_at.len())
    }
}
