//! Nicknames that are held for their sessions over a restart of the server.
//!
//! An earlier run of the server leaves the nicknames of its clients, each with a digest of the
//! session: whoever reads them where they are kept cannot take up a session. For the grace after the
//! start such a nickname is a person without a connection, which only the client with that session
//! gets.

use super::{Chat, Digest, Network, Nickname, Now, Person, PersonId, Token, Turn};

/// That a session has a nickname from now on, or is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameChange {
    pub(crate) session: Digest,
    pub(crate) nickname: Option<Nickname>,
}

impl Chat {
    /// Holds a nickname for the session that had it in an earlier run of the server.
    pub(crate) fn hold_name(&mut self, session: Digest, nickname: Nickname, now: Now) {
        let is_full = self.people.len() >= self.rules.quota.people_max;
        if self.rules.grace.is_zero() || is_full || !self.is_free(&nickname) {
            return self.name_changes.push(NameChange { session, nickname: None });
        }
        let person = self.add(Person::held(nickname, session), now);
        self.held.insert(session, person);
        self.keep_for_the_grace(person, now);
    }

    /// The nickname that is held for a session, which is held no longer.
    pub(super) fn take_held(&mut self, token: Token, turn: &mut Turn<'_>) -> Option<Nickname> {
        if self.held.is_empty() {
            return None;
        }
        let person = *self.held.get(&token.digest())?;
        let nickname = self.people[&person].nickname.clone();
        self.end_held(person, turn);
        Some(nickname)
    }

    /// What changed since this was last called, in its order. Empty where nothing is kept.
    pub(crate) fn take_name_changes(&mut self) -> Vec<NameChange> {
        std::mem::take(&mut self.name_changes)
    }

    /// The nicknames of all sessions that there are, and of those that are held.
    #[cfg(any(test, feature = "history"))]
    pub(crate) fn names(&self) -> impl Iterator<Item = (Digest, &Nickname)> {
        self.people.values().filter_map(|person| Some((person.digest()?, &person.nickname)))
    }

    /// Notes that a person has its nickname from now on.
    pub(super) fn note_name(&mut self, me: PersonId) {
        if !self.keeps_names() {
            return;
        }
        let person = &self.people[&me];
        if let Some(session) = person.digest() {
            let nickname = Some(person.nickname.clone());
            self.name_changes.push(NameChange { session, nickname });
        }
    }

    fn keeps_names(&self) -> bool {
        self.rules.has_archive && !self.rules.grace.is_zero()
    }

    /// Notes that a person is gone.
    pub(super) fn note_end(&mut self, person: &Person) {
        if !self.keeps_names() {
            return;
        }
        if let Some(session) = person.digest() {
            self.held.remove(&session);
            self.name_changes.push(NameChange { session, nickname: None });
        }
    }
}

impl Person {
    /// A nickname that is held for a session.
    fn held(nickname: Nickname, session: Digest) -> Self {
        let mut person = Self::without_client(nickname, Network::UNKNOWN);
        person.held_for = Some(session);
        // It can be told nothing.
        person.has_closed = true;
        person
    }

    fn digest(&self) -> Option<Digest> {
        self.held_for.or_else(|| self.session.map(Token::digest))
    }
}
