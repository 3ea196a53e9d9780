//! Rooms: their names, and who is in them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization as _;

use super::ClientId;

/// The most characters in the name of a room.
pub const ROOM_NAME_CHARS_MAX: usize = 32;

/// The name of a room: 1 to 32 lower-case letters and digits of any script, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomName(Arc<str>);

/// The text is no name of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a room is 1 to 32 letters, digits, - or _")]
pub struct RoomNameError;

impl RoomName {
    /// Reads the name of a room. Upper case is folded to lower case.
    pub fn parse(name: &str) -> Result<Self, RoomNameError> {
        // No character folds to more than 18, so a longer text cannot become short enough.
        if name.len() > 4 * 18 * ROOM_NAME_CHARS_MAX {
            return Err(RoomNameError);
        }
        let folded: String = name.nfkc().collect::<String>().to_lowercase();
        let length = folded.chars().count();
        let fits = (1..=ROOM_NAME_CHARS_MAX).contains(&length);
        let plain = |c: char| (c.is_alphanumeric() && !c.is_uppercase()) || matches!(c, '-' | '_');
        if !fits || !folded.chars().all(plain) {
            return Err(RoomNameError);
        }
        Ok(Self(folded.into()))
    }

    /// The room that everybody who names none is in.
    pub fn lobby() -> Self {
        Self("lobby".into())
    }

    /// The name as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A room with somebody in it.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// In order of arrival, since ids only grow.
    pub(super) members: BTreeSet<ClientId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded() {
        assert_eq!(RoomName::parse("Kitchen").unwrap().as_str(), "kitchen");
        assert_eq!(RoomName::parse("КУХНЯ-2").unwrap().as_str(), "кухня-2");
        assert_eq!(RoomName::parse("厨房_१").unwrap().as_str(), "厨房_१");
    }

    #[test]
    fn anything_else_is_refused() {
        let long = "a".repeat(33);
        for name in ["", " ", "a b", "a/b", "#a", "a\u{200b}", "a.b", "😀", &long] {
            assert_eq!(RoomName::parse(name), Err(RoomNameError), "{name:?}");
        }
        assert!(RoomName::parse(&"a".repeat(32)).is_ok());
    }
}
