//! The nicknames in use.

use rand::{Rng, RngExt as _};

use super::admission::WAIT_WHEN_FULL;
use super::command::CommandError;
use super::nickname::{GIVEN_NAMES, Nickname};
use super::{Chat, ClientId, PersonId};

impl Chat {
    /// Returns the wished nickname if it is free, or else a random one.
    pub(super) fn choose_nickname(
        &self,
        wish: Option<Nickname>,
        random: &mut dyn Rng,
    ) -> Result<Nickname, CommandError> {
        let free_wish = wish.filter(|nickname| self.is_free(nickname));
        let nickname = free_wish.or_else(|| self.random_nickname(random));
        nickname.ok_or_else(|| CommandError::rate_limited(WAIT_WHEN_FULL))
    }

    /// Returns the nickname that the embedder has given to a client. It may be reserved.
    ///
    /// # Errors
    /// If a person has it, or one that looks like it.
    pub(super) fn granted_nickname(
        &self,
        client: ClientId,
    ) -> Result<Option<Nickname>, CommandError> {
        let granted = self.grants.get(&client).and_then(|grant| grant.nickname.clone());
        match granted {
            Some(nickname) if self.holder_of(&nickname).is_some() => {
                Err(CommandError::NickTaken(nickname))
            }
            granted => Ok(granted),
        }
    }

    /// Returns whether the embedder has given a client its nickname.
    pub(super) fn has_granted_nickname(&self, client: ClientId) -> bool {
        self.grants.get(&client).is_some_and(|grant| grant.nickname.is_some())
    }

    /// Returns a free random nickname, or `None` if all are in use. Searches from a random number on,
    /// so that it ends even when nearly all are.
    fn random_nickname(&self, random: &mut dyn Rng) -> Option<Nickname> {
        let start = random.random_range(0..GIVEN_NAMES);
        (start..GIVEN_NAMES)
            .chain(0..start)
            .map(Nickname::given)
            .find(|nickname| self.is_free(nickname))
    }

    /// Gives a person a free nickname, and returns the previous one.
    pub(super) fn change_nickname(&mut self, id: PersonId, to: Nickname) -> Nickname {
        let from = std::mem::replace(&mut self.person_mut(id).nickname, to.clone());
        self.release_nickname(&from);
        self.take_nickname(id, &to);
        self.record_name(id);
        from
    }

    /// Marks a nickname as in use by a person.
    pub(super) fn take_nickname(&mut self, id: PersonId, nickname: &Nickname) {
        self.taken.extend(nickname.lookalike_keys().map(|key| (key, id)));
    }

    pub(super) fn release_nickname(&mut self, nickname: &Nickname) {
        for key in nickname.lookalike_keys() {
            self.taken.remove(&key);
        }
    }

    /// Returns the person with this nickname, or with one that looks like it.
    pub(super) fn holder_of(&self, nickname: &Nickname) -> Option<PersonId> {
        nickname.lookalike_keys().iter().find_map(|key| self.taken.get(key)).copied()
    }

    /// Returns whether a new person may have this nickname.
    pub(super) fn is_free(&self, nickname: &Nickname) -> bool {
        self.is_free_except_for(None, nickname)
    }

    /// Returns whether a person may have this nickname, which may look like its present one.
    pub(super) fn is_free_for(&self, id: PersonId, nickname: &Nickname) -> bool {
        self.is_free_except_for(Some(id), nickname)
    }

    fn is_free_except_for(&self, id: Option<PersonId>, nickname: &Nickname) -> bool {
        let is_used = |key: &String| {
            self.taken.get(key).is_some_and(|holder| Some(*holder) != id) || self.reserved.has(key)
        };
        !nickname.lookalike_keys().iter().any(is_used)
    }
}
