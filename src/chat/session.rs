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
/// How many of their words are, in all: some 20 MiB.
const ENDED_RECEIPTS_MAX: usize = 100_000;
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

    fn len(&self) -> usize {
        self.oldest_first.len()
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
    /// How many receipts they have.
    receipts: usize,
}

impl Memory {
    pub(super) fn keep(&mut self, token: Token, ended: Ended, now: Instant) {
        self.receipts += ended.receipts.len();
        self.ended.insert(token, ended);
        self.forgotten_at.push_back((now + REMEMBERED_FOR, token));
        self.forget(now);
    }

    /// Takes a session up again, if it is remembered.
    pub(super) fn take(&mut self, token: Token, now: Instant) -> Option<Ended> {
        self.forget(now);
        let ended = self.remove(token)?;
        self.forgotten_at.retain(|(_, other)| *other != token);
        Some(ended)
    }

    /// Those of which the time is over go.
    pub(super) fn forget(&mut self, now: Instant) {
        while let Some((at, token)) = self.forgotten_at.front().copied() {
            let fit = self.forgotten_at.len() <= ENDED_MAX && self.receipts <= ENDED_RECEIPTS_MAX;
            if at > now && fit {
                return;
            }
            self.remove(token);
            self.forgotten_at.pop_front();
        }
    }

    fn remove(&mut self, token: Token) -> Option<Ended> {
        let ended = self.ended.remove(&token)?;
        self.receipts -= ended.receipts.len();
        Some(ended)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.ended.len().max(self.forgotten_at.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_that_said_much_make_way_for_others_sooner() {
        let nickname = Nickname::parse("ana").unwrap();
        let (mut memory, now) = (Memory::default(), Instant::now());
        let sessions = ENDED_RECEIPTS_MAX / RECEIPTS_MAX + 2;
        for token in 0..sessions as u128 {
            let mut receipts = Receipts::default();
            for id in 0..RECEIPTS_MAX {
                let receipt =
                    Receipt::Told { to: nickname.clone(), time: 0, nickname: nickname.clone() };
                receipts.keep(Id::parse(&id.to_string()).unwrap(), receipt);
            }
            memory.keep(Token(token), Ended { nickname: nickname.clone(), receipts }, now);
        }
        assert_eq!(memory.len(), ENDED_RECEIPTS_MAX / RECEIPTS_MAX);
        assert!(memory.take(Token(1), now).is_none());
        assert!(memory.take(Token(2), now).is_some());
        assert_eq!(memory.receipts, (memory.len()) * RECEIPTS_MAX);
    }
}
