//! Sessions: by what somebody is known again who comes back.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use rand::Rng;
use sha2::{Digest as _, Sha256};

use super::{Id, Network, Nickname, RoomName};

/// How many of the last words of a session are remembered.
const RECEIPTS_MAX: usize = 256;
/// Maximum number of sessions that have ended and are remembered. The oldest goes first, of the
/// network that has the most.
const ENDED_MAX: usize = 4096;
/// How many of their words are, in all: some 20 MiB.
const ENDED_RECEIPTS_MAX: usize = 100_000;
/// For how long they are.
const REMEMBERED_FOR: Duration = Duration::from_secs(10 * 60);

/// What only the client of a session knows: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Token(u128);

impl Token {
    pub(super) fn new(random: &mut dyn Rng) -> Self {
        Self(u128::from(random.next_u64()) << 64 | u128::from(random.next_u64()))
    }
}

/// A hash of a token (SHA-256), by which a session is known to a server that is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Digest(pub(crate) [u8; 32]);

impl Token {
    pub(super) fn digest(self) -> Digest {
        Digest(Sha256::digest(self.0.to_be_bytes()).into())
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
pub(super) struct EndedSession {
    pub(super) nickname: Nickname,
    pub(super) receipts: Receipts,
    /// The network of its last connection.
    pub(super) network: Network,
}

/// The sessions that have ended and are remembered.
#[derive(Debug, Default)]
pub(super) struct RecentSessions {
    ended: HashMap<Token, (Instant, EndedSession)>,
    /// When each is forgotten.
    forgotten_at: BTreeSet<(Instant, Token)>,
    /// What each network has there.
    shares: HashMap<Network, Share>,
    /// How many receipts they have.
    receipts: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Share {
    receipts: usize,
    sessions: usize,
}

impl RecentSessions {
    /// Remembers a session in which something was said. There is nothing to remember of another.
    pub(super) fn keep(&mut self, token: Token, ended: EndedSession, now: Instant) {
        if ended.receipts.len() == 0 {
            return;
        }
        let share = self.shares.entry(ended.network).or_default();
        share.sessions += 1;
        share.receipts += ended.receipts.len();
        self.receipts += ended.receipts.len();
        let until = now + REMEMBERED_FOR;
        self.ended.insert(token, (until, ended));
        self.forgotten_at.insert((until, token));
        self.forget(now);
    }

    /// Whether a session is remembered.
    pub(super) fn knows(&self, token: Token) -> bool {
        self.ended.contains_key(&token)
    }

    /// Takes a session up again, if it is remembered.
    pub(super) fn take(&mut self, token: Token, now: Instant) -> Option<EndedSession> {
        self.forget(now);
        self.remove(token)
    }

    /// Those of which the time is over go, and where there are too many, those of the network that
    /// has the most.
    pub(super) fn forget(&mut self, now: Instant) {
        while let Some((_, token)) = self.forgotten_at.first().copied().filter(|it| it.0 <= now) {
            self.remove(token);
        }
        while self.ended.len() > ENDED_MAX {
            self.forget_oldest_of_the_largest(|share| share.sessions);
        }
        while self.receipts > ENDED_RECEIPTS_MAX {
            self.forget_oldest_of_the_largest(|share| share.receipts);
        }
    }

    fn forget_oldest_of_the_largest(&mut self, size: impl Fn(&Share) -> usize) {
        let largest = self.shares.iter().max_by_key(|(_, share)| size(share));
        let network = largest.map(|(network, _)| *network);
        let is_of_it = |(_, token): &&(Instant, Token)| {
            self.ended.get(token).map(|(_, ended)| ended.network) == network
        };
        let oldest = self.forgotten_at.iter().find(is_of_it).map(|(_, token)| *token);
        if let Some(token) = oldest {
            self.remove(token);
        }
    }

    fn remove(&mut self, token: Token) -> Option<EndedSession> {
        let (until, ended) = self.ended.remove(&token)?;
        self.forgotten_at.remove(&(until, token));
        self.receipts -= ended.receipts.len();
        if let Some(share) = self.shares.get_mut(&ended.network) {
            share.sessions -= 1;
            share.receipts -= ended.receipts.len();
            if share.sessions == 0 {
                self.shares.remove(&ended.network);
            }
        }
        Some(ended)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.ended.len(), self.forgotten_at.len());
        assert_eq!(
            self.ended.len(),
            self.shares.values().map(|share| share.sessions).sum::<usize>()
        );
        self.ended.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_that_said_much_make_way_for_others_sooner() {
        let nickname = Nickname::parse("ana").unwrap();
        let (mut memory, now) = (RecentSessions::default(), Instant::now());
        let sessions = ENDED_RECEIPTS_MAX / RECEIPTS_MAX + 2;
        for token in 0..sessions as u128 {
            let mut receipts = Receipts::default();
            for id in 0..RECEIPTS_MAX {
                let receipt =
                    Receipt::Told { to: nickname.clone(), time: 0, nickname: nickname.clone() };
                receipts.keep(Id::parse(&id.to_string()).unwrap(), receipt);
            }
            memory.keep(
                Token(token),
                EndedSession { nickname: nickname.clone(), receipts, network: Network::UNKNOWN },
                now,
            );
        }
        assert_eq!(memory.len(), ENDED_RECEIPTS_MAX / RECEIPTS_MAX);
        assert!(memory.take(Token(1), now).is_none());
        assert!(memory.take(Token(2), now).is_some());
        assert_eq!(memory.receipts, (memory.len()) * RECEIPTS_MAX);
    }
}
