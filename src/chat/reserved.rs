//! The nicknames under which the embedder speaks.

use std::collections::{BTreeMap, HashMap};

use super::{Chat, Nickname};

/// Maximum count of reserved nicknames. The one that was used least recently is given up first.
pub(super) const RESERVED_MAX: usize = 1000;

/// A client has the nickname, or one that looks the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NicknameTaken;

/// Nicknames that no client can take, by their lookalike_keys ([`Nickname::lookalike_keys`]).
#[derive(Debug, Default)]
pub(super) struct Reserved {
    /// When each form was used last, counted in uses of all.
    used: HashMap<String, u64>,
    oldest_first: BTreeMap<u64, [String; 2]>,
    uses: u64,
}

impl Reserved {
    /// Whether any reserved nickname has this form.
    pub(super) fn has(&self, form: &str) -> bool {
        self.used.contains_key(form)
    }

    fn insert(&mut self, lookalike_keys: [String; 2]) {
        if let Some(used) = self.used.get(&lookalike_keys[0]) {
            // Two nicknames may share a form. Only the same one is moved.
            if self.oldest_first.get(used).is_some_and(|other| other[0] == lookalike_keys[0]) {
                self.oldest_first.remove(used);
            }
        }
        self.uses += 1;
        self.used.extend(lookalike_keys.clone().map(|form| (form, self.uses)));
        self.oldest_first.insert(self.uses, lookalike_keys);
        if self.oldest_first.len() > RESERVED_MAX {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((oldest, lookalike_keys)) = self.oldest_first.pop_first() else { return };
        for form in lookalike_keys {
            if self.used.get(&form) == Some(&oldest) {
                self.used.remove(&form);
            }
        }
    }
}

impl Chat {
    /// Takes a nickname away from all clients that may come, unless one has it already.
    pub(crate) fn reserve_for_embedder(
        &mut self,
        nickname: &Nickname,
    ) -> Result<(), NicknameTaken> {
        let lookalike_keys = nickname.lookalike_keys();
        if lookalike_keys.iter().any(|form| self.taken.contains_key(form)) {
            return Err(NicknameTaken);
        }
        // Names that the server gives must not run out, and cannot be wished for.
        if Nickname::parse(nickname.as_str()).is_ok() {
            self.reserved.insert(lookalike_keys);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookalike_keys(name: &str) -> [String; 2] {
        Nickname::parse(name).unwrap().lookalike_keys()
    }

    fn has(reserved: &Reserved, name: &str) -> bool {
        lookalike_keys(name).iter().any(|form| reserved.has(form))
    }

    #[test]
    fn the_least_recently_used_is_given_up() {
        let mut reserved = Reserved::default();
        (0..RESERVED_MAX)
            .for_each(|number| reserved.insert(lookalike_keys(&format!("bot{number}"))));
        reserved.insert(lookalike_keys("BOT0"));
        reserved.insert(lookalike_keys("one-more"));
        assert!(has(&reserved, "bot0") && has(&reserved, "one-more"));
        assert!(!has(&reserved, "bot1") && has(&reserved, "bot2"));
        assert_eq!(reserved.oldest_first.len(), RESERVED_MAX);
        assert!(reserved.used.len() <= 2 * RESERVED_MAX);
    }

    #[cfg(feature = "confusables")]
    #[test]
    fn nicknames_that_share_a_form_do_not_add_up() {
        let mut reserved = Reserved::default();
        for number in 0..3 * RESERVED_MAX {
            reserved.insert(lookalike_keys(if number % 2 == 0 { "Iris" } else { "lris" }));
        }
        assert!(reserved.oldest_first.len() <= RESERVED_MAX);
        (0..RESERVED_MAX)
            .for_each(|number| reserved.insert(lookalike_keys(&format!("bot-{number}-x"))));
        assert!(!has(&reserved, "Iris") && !has(&reserved, "lris"));
        assert!(reserved.used.len() <= 2 * RESERVED_MAX);
    }
}
