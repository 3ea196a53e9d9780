//! Nicknames: what one may look like, and when two are the same to a reader.

use std::fmt;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};
use unicode_segmentation::UnicodeSegmentation as _;

/// The most grapheme clusters (what a reader calls a character) in a nickname.
pub const NICKNAME_GRAPHEMES_MAX: usize = 24;
/// The most bytes of UTF-8 in a nickname, after normalisation.
pub const NICKNAME_BYTES_MAX: usize = 64;
/// A wish longer than this is refused unread: normalising it would be work without an end in sight.
const WISH_BYTES_MAX: usize = 4 * NICKNAME_BYTES_MAX;

/// How many different names of the shape `user-<n>` the server can give.
pub(crate) const GIVEN_NAMES: u32 = 100_000;

/// The name by which people know a client. It is shown, and never used as a key of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nickname(Arc<str>);

/// Why a text is no nickname.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NicknameError {
    /// It is empty, has more than 24 grapheme clusters or more than 64 bytes.
    #[error("a nickname has 1 to 24 characters")]
    Length,
    /// It has a character that is invisible, unassigned or breaks the line, or a space where none
    /// can be seen: at an end, or beside another.
    #[error("a nickname has only visible characters, and single spaces between them")]
    Invisible,
    /// It has a colon and a space: a line of the plain dialect, `nick: text`, could not be read.
    #[error("a nickname has no colon before a space")]
    Colon,
    /// It has the shape `user-<digits>`, which the server alone gives.
    #[error("names like user-123 are given by the server")]
    Reserved,
}

impl Nickname {
    /// Reads a wished nickname, normalising it to NFKC.
    pub fn parse(wish: &str) -> Result<Self, NicknameError> {
        let nickname = Self::parse_any(wish)?;
        if is_reserved(&nickname.0) { Err(NicknameError::Reserved) } else { Ok(nickname) }
    }

    /// Reads a nickname that somebody may have, also one that the server gave.
    pub(crate) fn parse_any(wish: &str) -> Result<Self, NicknameError> {
        if wish.len() > WISH_BYTES_MAX {
            return Err(NicknameError::Length);
        }
        // Variation selectors choose between two drawings of an emoji, and phones type them. They go
        // first, because one between a letter and its accent keeps the two from becoming one.
        let is_selector = |c: &char| matches!(c, '\u{fe0e}' | '\u{fe0f}');
        let name: String = wish.chars().filter(|c| !is_selector(c)).nfkc().collect();
        let graphemes = name.graphemes(true).count();
        if !(1..=NICKNAME_GRAPHEMES_MAX).contains(&graphemes) || name.len() > NICKNAME_BYTES_MAX {
            return Err(NicknameError::Length);
        }
        let stray_space = name.starts_with(' ') || name.ends_with(' ') || name.contains("  ");
        if stray_space || name.chars().any(is_invisible) {
            return Err(NicknameError::Invisible);
        }
        if name.contains(": ") || name.ends_with(':') {
            return Err(NicknameError::Colon);
        }
        Ok(Self(name.into()))
    }

    /// The name `user-<number>`, which only the server gives.
    pub(crate) fn given(number: u32) -> Self {
        Self(format!("user-{number}").into())
    }

    /// The name as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The forms under which the name is taken. Two names of which any form is shared are the same
    /// to a reader, be it by letter case (`Ana`, `ANA`) or by looks (`Iris` with a capital i,
    /// `lris` with a small L).
    pub(crate) fn forms(&self) -> [String; 2] {
        [fold(&self.0), fold(&look(&self.0))]
    }
}

impl fmt::Display for Nickname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Letter case removed. Through upper case first, so that `ß` and `SS` meet.
fn fold(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}

#[cfg(feature = "confusables")]
fn look(name: &str) -> String {
    unicode_security::skeleton(name).collect()
}

#[cfg(not(feature = "confusables"))]
fn look(name: &str) -> String {
    name.to_owned()
}

pub(super) fn is_invisible(c: char) -> bool {
    use GeneralCategory as Category;
    let invisible = matches!(
        c.general_category(),
        Category::Control
            | Category::Format
            | Category::LineSeparator
            | Category::ParagraphSeparator
            | Category::Unassigned
            | Category::Surrogate
    );
    let other_space = c != ' ' && c.general_category() == Category::SpaceSeparator;
    invisible || other_space || is_ignorable(c)
}

/// Letters and marks that are drawn as nothing, such as the Hangul filler.
#[cfg(feature = "confusables")]
fn is_ignorable(c: char) -> bool {
    use unicode_security::GeneralSecurityProfile as _;
    use unicode_security::general_security_profile::IdentifierType;
    c.identifier_type() == Some(IdentifierType::Default_Ignorable)
}

#[cfg(not(feature = "confusables"))]
fn is_ignorable(_: char) -> bool {
    false
}

fn is_reserved(name: &str) -> bool {
    let seen = fold(&look(&fold(name)));
    let digits = seen.strip_prefix("user-").unwrap_or_default();
    // That is how 0 and 1 are seen.
    let is_digit = |c: char| c.is_numeric() || matches!(c, 'o' | 'l');
    !digits.is_empty() && digits.chars().all(is_digit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_normalised_and_kept() {
        assert_eq!(Nickname::parse("Ana").unwrap().as_str(), "Ana");
        assert_eq!(Nickname::parse("Ａｎａ").unwrap().as_str(), "Ana");
        assert_eq!(Nickname::parse("Jose\u{301}").unwrap().as_str(), "José");
        assert_eq!(Nickname::parse("ana ❤\u{fe0f}").unwrap().as_str(), "ana ❤");
        assert_eq!(Nickname::parse("Jose\u{fe0f}\u{301}").unwrap().as_str(), "José");
        assert_eq!(Nickname::parse("李 小龙").unwrap().as_str(), "李 小龙");
    }

    #[test]
    fn length_is_counted_as_a_reader_counts() {
        assert!(Nickname::parse(&"e\u{301}".repeat(24)).is_ok());
        assert_eq!(Nickname::parse(&"a".repeat(25)), Err(NicknameError::Length));
        assert!(Nickname::parse(&("李".repeat(21) + "a")).is_ok(), "64 bytes");
        assert_eq!(Nickname::parse(&"李".repeat(22)), Err(NicknameError::Length));
        assert_eq!(Nickname::parse(""), Err(NicknameError::Length));
        assert_eq!(Nickname::parse(&"a".repeat(1 << 20)), Err(NicknameError::Length));
    }

    #[test]
    fn a_wish_that_is_too_long_to_be_read_is_refused() {
        // Nothing is left of a variation selector, so that only the length of the wish counts.
        let wish = |name: &str| Nickname::parse(&(name.to_owned() + &"\u{fe0f}".repeat(85)));
        assert!(wish("a").is_ok(), "256 bytes");
        assert_eq!(wish("ab"), Err(NicknameError::Length));
    }

    #[test]
    fn what_cannot_be_seen_is_refused() {
        for wish in [
            " ana",
            "ana ",
            "an  a",
            "a\nb",
            "a\u{2028}b",
            "a\u{200b}b",
            "a\u{202e}b",
            "a\u{7f}b",
            "a\u{85}b",
            "a\u{378}b",
            "a\u{1680}b",
            "a\u{feff}",
        ] {
            assert_eq!(Nickname::parse(wish), Err(NicknameError::Invisible), "{wish:?}");
        }
    }

    #[cfg(feature = "confusables")]
    #[test]
    fn a_filler_is_no_name() {
        assert_eq!(Nickname::parse("\u{3164}"), Err(NicknameError::Invisible));
    }

    #[test]
    fn a_name_cannot_pass_for_a_line_or_for_the_servers_own() {
        assert_eq!(Nickname::parse("ana: hi"), Err(NicknameError::Colon));
        assert_eq!(Nickname::parse("ana:"), Err(NicknameError::Colon));
        assert!(Nickname::parse("re:ana").is_ok());
        for wish in ["user-1", "USER-99999", "user-007", "ｕser-1", "user-٣"] {
            assert_eq!(Nickname::parse(wish), Err(NicknameError::Reserved), "{wish:?}");
        }
        assert!(Nickname::parse("user-").is_ok());
        assert!(Nickname::parse("user-one").is_ok());
    }

    fn same(a: &str, b: &str) -> bool {
        let (a, b) = (Nickname::parse(a).unwrap(), Nickname::parse(b).unwrap());
        a.forms().iter().any(|form| b.forms().contains(form))
    }

    #[test]
    fn names_that_differ_by_case_are_the_same() {
        assert!(same("Ana", "aNA"));
        assert!(same("straße", "STRASSE"));
        assert!(!same("ana", "anna"));
    }

    #[cfg(feature = "confusables")]
    #[test]
    fn names_that_look_alike_are_the_same() {
        assert!(same("Iris", "lris"));
        assert!(same("paypal", "pаypal"), "the second has a Cyrillic а");
        assert!(!same("bo", "ba"));
    }

    /// Names that are made of what is hard to read: marks, spaces, digits, joiners, selectors, and
    /// letters that change when they are normalised or change their case.
    fn hard_names() -> impl Strategy<Value = String> {
        let hard: Vec<char> =
            "aAoOlI1 :-٣１ｕßẞİıςΣǰJéﷺﬁ①Ⅷ가가❤👍👨e\u{301}\u{30c}\u{345}\u{308}\u{fe0e}\
            \u{fe0f}\u{200d}\u{200b}\u{202e}\u{3164}\u{a0}\u{ad}\u{2028}\n\u{1f3fd}"
                .chars()
                .collect();
        let hard = prop::sample::select(hard);
        let c = prop_oneof![4 => hard, 1 => any::<char>(), 1 => prop::char::range('a', 'z')];
        let name = proptest::collection::vec(c, 0..30).prop_map(|it| it.into_iter().collect());
        let given = "(user|USER|ｕser)-[0-9oOlI٣]{1,6}\u{fe0f}?";
        let few = "[ea가J:1 \u{301}\u{30c}\u{11a8}\u{fe0f}-]{1,8}";
        prop_oneof![6 => name, 2 => few, 1 => any::<String>(), 1 => given]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn what_is_read_once_is_a_nickname_for_good(wish in hard_names()) {
            let Ok(nickname) = Nickname::parse_any(&wish) else { return Ok(()) };
            let name = nickname.as_str();
            prop_assert_eq!(Nickname::parse_any(name), Ok(nickname.clone()));
            prop_assert!(name.nfkc().eq(name.chars()), "{:?}", name);
            prop_assert!((1..=64).contains(&name.len()));
            prop_assert!((1..=24).contains(&name.graphemes(true).count()));
            prop_assert!(!name.chars().any(is_invisible));
            prop_assert!(!name.chars().any(|c| c.is_control() || (c.is_whitespace() && c != ' ')));
            prop_assert!(name.trim() == name && !name.contains("  ") && !name.contains(": "));
            prop_assert_eq!(Nickname::parse(&wish), Nickname::parse(name));
            if Nickname::parse(&wish).is_ok() {
                let digits = name.to_lowercase().strip_prefix("user-").map(str::to_owned);
                let given = digits.is_some_and(|it| it.chars().all(|c| c.is_ascii_digit()));
                prop_assert!(!given || name.len() == "user-".len());
            }
        }
    }
}
