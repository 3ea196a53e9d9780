//! Sessions that have ended a short time ago.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::network::Network;
use super::nickname::Nickname;
use super::session::{Receipts, Token};

/// Maximum number of ended sessions that are remembered. When there are more, the oldest one of the
/// network with the most is forgotten.
const ENDED_MAX: usize = 4096;
/// Maximum number of receipts of all ended sessions: about 20 MiB.
const ENDED_RECEIPTS_MAX: usize = 100_000;
/// How long an ended session is remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(10 * 60);

/// A session that has ended.
#[derive(Debug)]
pub(super) struct EndedSession {
    pub(super) nickname: Nickname,
    pub(super) receipts: Receipts,
    /// The network of its last connection.
    pub(super) network: Network,
}

/// Ended sessions with receipts. They can be resumed for a while, so that a client that comes back late
/// still does not send a message twice.
#[derive(Debug, Default)]
pub(super) struct RecentSessions {
    /// The sessions, and when each is forgotten.
    ended: HashMap<Token, (Instant, EndedSession)>,
    /// The same times, in their order.
    expiries: BTreeSet<(Instant, Token)>,
    /// The part of each network.
    shares: HashMap<Network, Share>,
    /// Number of receipts of all sessions.
    receipts: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Share {
    receipts: usize,
    sessions: usize,
}

impl RecentSessions {
    /// Remembers a session. One without receipts would be of no use, and is not remembered.
    pub(super) fn insert(&mut self, token: Token, ended: EndedSession, now: Instant) {
        if ended.receipts.len() == 0 {
            return;
        }
        let share = self.shares.entry(ended.network).or_default();
        share.sessions += 1;
        share.receipts += ended.receipts.len();
        self.receipts += ended.receipts.len();
        let until = now + REMEMBERED_FOR;
        self.ended.insert(token, (until, ended));
        self.expiries.insert((until, token));
        self.expire(now);
    }

    /// Returns whether a session is remembered.
    pub(super) fn contains(&self, token: Token) -> bool {
        self.ended.contains_key(&token)
    }

    /// Removes a session and returns it, if it is remembered.
    pub(super) fn take(&mut self, token: Token, now: Instant) -> Option<EndedSession> {
        self.expire(now);
        self.remove(token)
    }

    /// Forgets the sessions whose time is over. If too many are left, forgets the oldest ones of the
    /// network that has the most.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((_, token)) = self.expiries.first().copied().filter(|it| it.0 <= now) {
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
        let is_of_network = |(_, token): &&(Instant, Token)| {
            self.ended.get(token).map(|(_, ended)| ended.network) == network
        };
        let oldest = self.expiries.iter().find(is_of_network).map(|(_, token)| *token);
        if let Some(token) = oldest {
            self.remove(token);
        }
    }

    fn remove(&mut self, token: Token) -> Option<EndedSession> {
        let (until, ended) = self.ended.remove(&token)?;
        self.expiries.remove(&(until, token));
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
        assert_eq!(self.ended.len(), self.expiries.len());
        assert_eq!(
            self.ended.len(),
            self.shares.values().map(|share| share.sessions).sum::<usize>()
        );
        self.ended.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::Id;
    use super::super::session::{RECEIPTS_MAX, Receipt};
    use super::*;

    #[test]
    fn the_number_of_receipts_is_limited() {
        let nickname = Nickname::parse("ana").unwrap();
        let (mut recent, now) = (RecentSessions::default(), Instant::now());
        let sessions = ENDED_RECEIPTS_MAX / RECEIPTS_MAX + 2;
        let token = |number: u128| format!("{number:032x}").parse::<Token>().unwrap();
        for number in 0..sessions as u128 {
            let mut receipts = Receipts::default();
            for id in 0..RECEIPTS_MAX {
                let receipt =
                    Receipt::Told { to: nickname.clone(), time: 0, nickname: nickname.clone() };
                receipts.insert(Id::parse(&id.to_string()).unwrap(), receipt);
            }
            recent.insert(
                token(number),
                EndedSession { nickname: nickname.clone(), receipts, network: Network::UNKNOWN },
                now,
            );
        }
        assert_eq!(recent.len(), ENDED_RECEIPTS_MAX / RECEIPTS_MAX);
        assert!(recent.take(token(1), now).is_none());
        assert!(recent.take(token(2), now).is_some());
        assert_eq!(recent.receipts, recent.len() * RECEIPTS_MAX);
    }
}
