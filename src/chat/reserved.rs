//! Nicknames that are reserved for the embedder.

use std::collections::{BTreeMap, HashMap};

use super::Chat;
use super::nickname::Nickname;

/// Maximum number of reserved nicknames. The least recently used one is released first.
pub(super) const RESERVED_MAX: usize = 1000;

/// A client has the nickname, or one that looks like it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NicknameTaken;

/// Nicknames that no client can take, by their keys ([`Nickname::lookalike_keys`]).
#[derive(Debug, Default)]
pub(super) struct Reserved {
    /// When each key was used last: the number of that use.
    used: HashMap<String, u64>,
    by_use: BTreeMap<u64, [String; 2]>,
    /// Number of uses of all nicknames so far.
    uses: u64,
}

impl Reserved {
    /// Returns whether a reserved nickname has this key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.used.contains_key(key)
    }

    fn insert(&mut self, keys: [String; 2]) {
        if let Some(used) = self.used.get(&keys[0]) {
            // Two nicknames may share a key. Only the same nickname is replaced.
            if self.by_use.get(used).is_some_and(|other| other[0] == keys[0]) {
                self.by_use.remove(used);
            }
        }
        self.uses += 1;
        self.used.extend(keys.clone().map(|key| (key, self.uses)));
        self.by_use.insert(self.uses, keys);
        if self.by_use.len() > RESERVED_MAX {
            self.release_oldest();
        }
    }

    fn release_oldest(&mut self) {
        let Some((oldest, keys)) = self.by_use.pop_first() else { return };
        for key in keys {
            if self.used.get(&key) == Some(&oldest) {
                self.used.remove(&key);
            }
        }
    }
}

impl Chat {
    /// Reserves a nickname: no client can take it from now on. Fails if a client has it already.
    pub(crate) fn reserve_for_embedder(
        &mut self,
        nickname: &Nickname,
    ) -> Result<(), NicknameTaken> {
        let keys = nickname.lookalike_keys();
        let mut holders = keys.iter().filter_map(|key| self.taken.get(key));
        if holders.any(|holder| !self.people[holder].is_of_embedder) {
            return Err(NicknameTaken);
        }
        // Random nicknames must not run out, and no client can wish for one.
        if Nickname::parse(nickname.as_str()).is_ok() {
            self.reserved.insert(keys);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(name: &str) -> [String; 2] {
        Nickname::parse(name).unwrap().lookalike_keys()
    }

    fn has(reserved: &Reserved, name: &str) -> bool {
        keys(name).iter().any(|key| reserved.has(key))
    }

    #[test]
    fn the_least_recently_used_nickname_is_released() {
        let mut reserved = Reserved::default();
        (0..RESERVED_MAX).for_each(|number| reserved.insert(keys(&format!("bot{number}"))));
        reserved.insert(keys("BOT0"));
        reserved.insert(keys("one-more"));
        assert!(has(&reserved, "bot0") && has(&reserved, "one-more"));
        assert!(!has(&reserved, "bot1") && has(&reserved, "bot2"));
        assert_eq!(reserved.by_use.len(), RESERVED_MAX);
        assert!(reserved.used.len() <= 2 * RESERVED_MAX);
    }

    #[cfg(feature = "confusables")]
    #[test]
    fn nicknames_that_share_a_key_stay_within_the_limit() {
        let mut reserved = Reserved::default();
        for number in 0..3 * RESERVED_MAX {
            reserved.insert(keys(if number % 2 == 0 { "Iris" } else { "lris" }));
        }
        assert!(reserved.by_use.len() <= RESERVED_MAX);
        (0..RESERVED_MAX).for_each(|number| reserved.insert(keys(&format!("bot-{number}-x"))));
        assert!(!has(&reserved, "Iris") && !has(&reserved, "lris"));
        assert!(reserved.used.len() <= 2 * RESERVED_MAX);
    }
}
