//! Room names: the check and the normal form.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization as _;

use super::visible::{is_formatting, is_joiner, is_mark, is_spelled};

/// Maximum length of a room name (characters).
pub const ROOM_NAME_CHARS_MAX: usize = 32;

/// The name of a room: 1 to 32 lower-case letters and digits of any script with their marks, `-`
/// and `_`.
///
/// ```
/// use chinwag::{RoomName, RoomNameError};
///
/// let room: RoomName = "Kitchen".parse()?;
/// assert_eq!(room.as_str(), "kitchen");
/// assert_eq!(RoomName::parse("no spaces"), Err(RoomNameError));
/// assert_eq!(RoomName::lobby().as_str(), "lobby");
/// # Ok::<(), RoomNameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomName(Arc<str>);

/// The text is not a valid room name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a room is 1 to 32 letters, digits, - or _")]
pub struct RoomNameError;

impl RoomName {
    /// Parses a room name. Upper case becomes lower case.
    ///
    /// # Errors
    ///
    /// If the text is not a valid room name.
    pub fn parse(name: &str) -> Result<Self, RoomNameError> {
        Self::plain(name).map_or_else(
            || {
                Self::folded(name)
                    .and_then(|room| is_spelled(&room.0).then_some(room).ok_or(RoomNameError))
            },
            Ok,
        )
    }

    /// Parses a room name of a history. An earlier version may have written it, with fewer rules.
    pub(crate) fn recorded(name: &str) -> Result<Self, RoomNameError> {
        Self::plain(name).map_or_else(|| Self::folded(name), Ok)
    }

    /// Returns the name if it is ASCII in normal form, as most names are.
    fn plain(name: &str) -> Option<Self> {
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        let is_plain = (1..=ROOM_NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(plain);
        is_plain.then(|| Self(name.into()))
    }

    fn folded(name: &str) -> Result<Self, RoomNameError> {
        // Limits the work. Normalisation makes no valid name from a longer text.
        if name.len() > 4 * 18 * ROOM_NAME_CHARS_MAX {
            return Err(RoomNameError);
        }
        // Normalised twice: two characters may be one in lower case.
        let folded: String = name.nfkc().collect::<String>().to_lowercase().nfkc().collect();
        let length = folded.chars().count();
        let fits = (1..=ROOM_NAME_CHARS_MAX).contains(&length);
        // A mark belongs to the character before it.
        if !fits || folded.starts_with(is_mark) || !folded.chars().all(is_name_char) {
            return Err(RoomNameError);
        }
        Ok(Self(folded.into()))
    }

    /// Returns the name of the lobby, the room of a client that names no other.
    pub fn lobby() -> Self {
        Self("lobby".into())
    }

    /// Returns the name as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_name_char(c: char) -> bool {
    let letter_or_digit = c.is_alphanumeric() && !c.is_uppercase();
    // Most scripts of India and South-East Asia write vowels with marks.
    let is_word_char = letter_or_digit || is_mark(c) || is_joiner(c) || matches!(c, '-' | '_');
    is_word_char && !is_formatting(c)
}

impl FromStr for RoomName {
    type Err = RoomNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::parse(name)
    }
}

impl AsRef<str> for RoomName {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_folded() {
        assert_eq!(RoomName::parse("Kitchen").unwrap().as_str(), "kitchen");
        assert_eq!(RoomName::parse("КУХНЯ-2").unwrap().as_str(), "кухня-2");
        assert_eq!(RoomName::parse("厨房_१").unwrap().as_str(), "厨房_१");
        assert_eq!(RoomName::parse("ห้องครัว").unwrap().as_str(), "ห้องครัว");
        assert_eq!(RoomName::parse("रसोई-घर्").unwrap().as_str(), "रसोई-घर्");
        assert_eq!(RoomName::parse("J\u{30c}").unwrap().as_str(), "ǰ");
        assert_eq!(RoomName::parse("Ω\u{301}\u{345}").unwrap().as_str(), "ῴ");
    }

    #[test]
    fn invalid_names_are_refused() {
        let long = "a".repeat(33);
        for name in [
            "",
            " ",
            "a b",
            "a/b",
            "#a",
            "a\u{200b}",
            "a.b",
            "😀",
            &long,
            "\u{301}",
            "\u{301}a",
            "ิ",
            "a\u{20dd}",
        ] {
            assert_eq!(RoomName::parse(name), Err(RoomNameError), "{name:?}");
        }
        assert!(RoomName::parse(&"a".repeat(32)).is_ok());
    }

    #[test]
    fn invisible_characters_are_refused() {
        for name in [
            "a\u{fe0f}",
            "a\u{34f}b",
            "\u{3164}",
            "a\u{e0100}",
            "a\u{13441}",
            "a\u{16fe4}",
            "a\u{200c}b",
            "a\u{200d}b",
            "a\u{332}",
            "a\u{301}\u{301}",
            "z\u{301}\u{302}\u{303}\u{304}\u{306}",
            "caf\u{fffd}",
        ] {
            assert_eq!(RoomName::parse(name), Err(RoomNameError), "{name:?}");
        }
    }

    #[test]
    fn joiners_are_accepted_where_an_orthography_needs_them() {
        for name in ["می\u{200c}خواهم", "ශ්\u{200d}රී"] {
            assert_eq!(RoomName::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn recorded_names_have_fewer_rules() {
        assert_eq!(RoomName::recorded("a\u{301}\u{332}").unwrap().as_str(), "á\u{332}");
        assert_eq!(RoomName::recorded("a b"), Err(RoomNameError));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn a_parsed_name_parses_to_itself(
            name in prop_oneof![
                "\\PC{0,40}",
                "[a-zA-Z0-9_ߊ厨ßẞİıςΣǰJéﷺﬁ①ⅧǅΐϴΩ가가٣\u{301}\u{30c}\u{345}\u{308}ิ้ร्ई\u{fe0f}\u{200c}\u{200d}-]{0,34}",
                any::<char>().prop_map(String::from),
            ]
        ) {
            let Ok(room) = RoomName::parse(&name) else { return Ok(()) };
            let name = room.as_str();
            prop_assert_eq!(RoomName::parse(name), Ok(room.clone()));
            prop_assert!((1..=32).contains(&name.chars().count()));
            prop_assert!(!name.chars().any(|c| c.is_whitespace() || c.is_control()));
            prop_assert!(!name.chars().any(|c| c.is_ascii_punctuation() && !"-_".contains(c)));
            prop_assert!(!name.chars().any(char::is_uppercase));
        }
    }
}
