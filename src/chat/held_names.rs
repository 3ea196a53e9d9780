//! Nicknames that are held for their sessions over a restart of the server.
//!
//! The history stores the nickname of each session, with a digest of its token: a reader of the file
//! cannot resume the session. After the start the nickname is held for the grace, as a person without
//! a connection, until the client of that session comes back.

use super::network::Network;
use super::nickname::Nickname;
use super::person::Person;
use super::session::{Digest, Token};
use super::{Chat, Now, PersonId, Turn};

/// A change that the history must store: a session has a nickname, or has ended (`None`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameChange {
    pub(crate) session: Digest,
    pub(crate) nickname: Option<Nickname>,
}

impl Chat {
    /// Holds a nickname for a session of an earlier run of the server.
    pub(crate) fn hold_name(&mut self, session: Digest, nickname: Nickname, now: Now) {
        let is_full = self.people.len() >= self.rules.quota.people_max;
        if self.rules.grace.is_zero() || is_full || !self.is_free(&nickname) {
            return self.name_changes.push(NameChange { session, nickname: None });
        }
        let person = self.add_person(Person::held(nickname, session), now);
        self.held.insert(session, person);
        self.start_grace(person, now);
    }

    /// Returns the nickname that is held for a session, and releases it.
    pub(super) fn take_held(&mut self, token: Token, turn: &mut Turn<'_>) -> Option<Nickname> {
        if self.held.is_empty() {
            return None;
        }
        let id = *self.held.get(&token.digest())?;
        let person = &self.people[&id];
        let (nickname, until) = (person.nickname.clone(), person.grace_until);
        if let Some(until) = until {
            self.end_grace(until, id, turn);
        }
        Some(nickname)
    }

    /// Returns the changes since the last call, in their order. Without a history there are none.
    pub(crate) fn take_name_changes(&mut self) -> Vec<NameChange> {
        std::mem::take(&mut self.name_changes)
    }

    /// Returns the nicknames of all sessions, and of those for which one is held.
    #[cfg(any(test, feature = "history"))]
    pub(crate) fn names(&self) -> impl Iterator<Item = (Digest, &Nickname)> {
        self.people.values().filter_map(|person| Some((person.digest()?, &person.nickname)))
    }

    /// Records the nickname of a person for the history.
    pub(super) fn record_name(&mut self, id: PersonId) {
        if !self.stores_names() {
            return;
        }
        let person = &self.people[&id];
        if let Some(session) = person.digest() {
            let nickname = Some(person.nickname.clone());
            self.name_changes.push(NameChange { session, nickname });
        }
    }

    /// Records for the history that a person is gone.
    pub(super) fn record_end(&mut self, person: &Person) {
        if !self.stores_names() {
            return;
        }
        if let Some(session) = person.digest() {
            self.held.remove(&session);
            self.name_changes.push(NameChange { session, nickname: None });
        }
    }

    fn stores_names(&self) -> bool {
        self.rules.has_archive && !self.rules.grace.is_zero()
    }
}

impl Person {
    /// Returns a person that only holds a nickname for a session.
    fn held(nickname: Nickname, session: Digest) -> Self {
        let mut person = Self::without_client(nickname, Network::UNKNOWN);
        person.held_for = Some(session);
        // It cannot get private messages.
        person.has_closed = true;
        person
    }

    fn digest(&self) -> Option<Digest> {
        self.held_for.or_else(|| self.session.map(Token::digest))
    }
}
