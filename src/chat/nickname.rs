//! Nicknames: the check, the normal form, and the comparison of names that look alike.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};
use unicode_segmentation::UnicodeSegmentation as _;

use super::visible::{is_formatting, is_ignored, is_joiner, is_mark, is_spelled};

/// Maximum length of a nickname (grapheme clusters, the characters of a reader).
pub const NICKNAME_GRAPHEMES_MAX: usize = 24;
/// Maximum length of a nickname after normalisation (bytes of UTF-8).
pub const NICKNAME_BYTES_MAX: usize = 64;
/// Maximum length of a wished nickname before normalisation (bytes), which limits the work.
const WISH_BYTES_MAX: usize = 4 * NICKNAME_BYTES_MAX;

/// Number of random nicknames, `user-<number>`.
pub(crate) const GIVEN_NAMES: u32 = 100_000;

/// The name under which a client is shown. It is never a key of clients. `==` and the order compare
/// the characters; the server also refuses a nickname that only looks like another.
///
/// ```
/// use chinwag::{Nickname, NicknameError};
///
/// let nickname: Nickname = "ana".parse()?;
/// assert_eq!(nickname.as_str(), "ana");
/// assert_eq!(Nickname::parse("user-7"), Err(NicknameError::Reserved));
/// # Ok::<(), NicknameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Nickname(Arc<str>);

/// The reason why a text is not a nickname.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NicknameError {
    /// It is empty, has more than 24 grapheme clusters or more than 64 bytes.
    #[error("a nickname has 1 to 24 characters")]
    Length,
    /// It has a character that is invisible, unassigned, for private use or breaks the line; a mark
    /// without a letter, or too many marks on one; a joiner that no orthography needs; or a space at
    /// an end or beside another.
    #[error("a nickname has only visible characters, and single spaces between them")]
    Invisible,
    /// It has a colon, or a character that looks like one, before a space or at its end. That would
    /// make a line of the plain dialect, `nick: text`, ambiguous.
    #[error("a nickname has no colon before a space")]
    Colon,
    /// It has the form `user-<digits>` of the random nicknames.
    #[error("names like user-123 are given by the server")]
    Reserved,
}

impl Nickname {
    /// Parses a nickname, and normalises it to NFKC.
    ///
    /// # Errors
    /// If a client may not have this nickname.
    pub fn parse(wish: &str) -> Result<Self, NicknameError> {
        let nickname = Self::parse_any(wish)?;
        if is_reserved(&nickname.0) { Err(NicknameError::Reserved) } else { Ok(nickname) }
    }

    /// Parses a nickname, which may be a random one.
    pub(crate) fn parse_any(wish: &str) -> Result<Self, NicknameError> {
        let name = Self::recorded(wish)?;
        if !is_spelled(&name.0) {
            return Err(NicknameError::Invisible);
        }
        if has_colon(&name.0) { Err(NicknameError::Colon) } else { Ok(name) }
    }

    /// Parses the nickname of a stored message. It may be one that the server gave (`user-123`). An
    /// earlier version may have written it, with fewer rules: those that separate lines.
    ///
    /// # Errors
    /// If no author of a message can have had this nickname.
    pub fn recorded(wish: &str) -> Result<Self, NicknameError> {
        if wish.len() > WISH_BYTES_MAX {
            return Err(NicknameError::Length);
        }
        // Phones type variation selectors, which select one of two forms of an emoji. They are removed
        // first: between a letter and its accent, one would prevent the composition.
        let is_selector = |c: &char| matches!(c, '\u{fe0e}' | '\u{fe0f}');
        let name: String = wish.chars().filter(|c| !is_selector(c)).nfkc().collect();
        let graphemes = name.graphemes(true).count();
        if !(1..=NICKNAME_GRAPHEMES_MAX).contains(&graphemes) || name.len() > NICKNAME_BYTES_MAX {
            return Err(NicknameError::Length);
        }
        let stray_space = name.starts_with(' ') || name.ends_with(' ') || name.contains("  ");
        if stray_space || name.chars().any(is_formatting) {
            return Err(NicknameError::Invisible);
        }
        if name.contains(": ") || name.ends_with(':') {
            return Err(NicknameError::Colon);
        }
        Ok(Self(name.into()))
    }

    /// Returns the random nickname `user-<number>`.
    pub(crate) fn given(number: u32) -> Self {
        Self(format!("user-{number}").into())
    }

    /// Returns the nickname as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the keys of the nickname in a comparison. Two nicknames that share a key look alike:
    /// they differ only in letter case (`Ana`, `ANA`), or in letters of the same shape (`Iris` with a
    /// capital i, `lris` with a small L). Joiners and tags are ignored, because not every font draws
    /// them.
    pub(crate) fn lookalike_keys(&self) -> [String; 2] {
        let visible = without_ignored(&self.0);
        [folded(&visible), folded(&skeleton(&visible))]
    }
}

impl FromStr for Nickname {
    type Err = NicknameError;

    fn from_str(wish: &str) -> Result<Self, Self::Err> {
        Self::parse(wish)
    }
}

impl AsRef<str> for Nickname {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Nickname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Removes letter case. The step through upper case makes `ß`, `ẞ` and `SS` equal, and `ς` and `σ`.
pub(super) fn fold(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

/// Removes letter case, and the combining dot of an i or a j, which has one already.
fn folded(name: &str) -> String {
    let folded: String = name.chars().flat_map(fold).collect();
    folded.replace("i\u{307}", "i").replace("j\u{307}", "j")
}

fn without_ignored(name: &str) -> String {
    name.chars().filter(|c| !is_ignored(*c)).collect()
}

/// Replaces letters that look alike by one of them (UTS 39).
#[cfg(feature = "confusables")]
fn skeleton(name: &str) -> String {
    unicode_security::skeleton(name).collect()
}

#[cfg(not(feature = "confusables"))]
fn skeleton(name: &str) -> String {
    name.to_owned()
}

/// Returns whether a colon, or a character that looks like one, stands at the end or before a space.
fn has_colon(name: &str) -> bool {
    let mut before = None;
    name.char_indices().any(|(at, c)| {
        let letter = before.replace(c);
        let rest = name[at + c.len_utf8()..].trim_start_matches(|c| is_mark(c) || is_joiner(c));
        COLONS.contains(c) && (rest.starts_with(' ') || (rest.is_empty() && !is_visarga(letter, c)))
    })
}

/// Characters that look like a colon, by UTS 39 or by their name, and survive normalisation.
const COLONS: &str = ":ː˸։׃܃܄܅܆܇܈܉࠱\u{903}\u{a83}፡፥፦᎓᛬᠃᠄᠉⁚⁝⁞∶∷≕⋮⦂⫶⸪⸫⸬ꓽ꛴꞉\u{1015b}\u{10781}\u{10af5}\
    \u{10b3a}\u{10b3b}\u{10b3c}\u{10b3d}\u{10f88}\u{11002}\u{1104a}\u{11082}\u{11182}\u{1123a}\
    \u{115be}\u{116ac}\u{11838}\u{11dd9}\u{12471}\u{12472}\u{1d108}\u{1da8a}";

/// Returns whether `c` is a visarga, a breath sign, after a letter without case. Indic names may end
/// with it.
fn is_visarga(letter: Option<char>, c: char) -> bool {
    let is_cased = |c: char| c.general_category() != GeneralCategory::OtherLetter && !is_mark(c);
    is_mark(c) && !letter.is_none_or(is_cased)
}

/// Returns whether a name looks like a random one.
fn is_reserved(name: &str) -> bool {
    let form = folded(&skeleton(&folded(&without_ignored(name))));
    let digits = form.strip_prefix("user-").unwrap_or_default();
    // 0 and 1 become these letters.
    let is_digit = |c: char| c.is_numeric() || matches!(c, 'o' | 'l');
    !digits.is_empty() && digits.chars().all(is_digit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_normalised() {
        assert_eq!(Nickname::parse("Ana").unwrap().as_str(), "Ana");
        assert_eq!(Nickname::parse("Ａｎａ").unwrap().as_str(), "Ana");
        assert_eq!(Nickname::parse("Jose\u{301}").unwrap().as_str(), "José");
        assert_eq!(Nickname::parse("ana ❤\u{fe0f}").unwrap().as_str(), "ana ❤");
        assert_eq!(Nickname::parse("Jose\u{fe0f}\u{301}").unwrap().as_str(), "José");
        assert_eq!(Nickname::parse("李 小龙").unwrap().as_str(), "李 小龙");
    }

    #[test]
    fn the_length_counts_grapheme_clusters_and_bytes() {
        assert!(Nickname::parse(&"e\u{301}".repeat(24)).is_ok());
        assert_eq!(Nickname::parse(&"a".repeat(25)), Err(NicknameError::Length));
        assert!(Nickname::parse(&("李".repeat(21) + "a")).is_ok(), "64 bytes");
        assert_eq!(Nickname::parse(&"李".repeat(22)), Err(NicknameError::Length));
        assert_eq!(Nickname::parse(""), Err(NicknameError::Length));
        assert_eq!(Nickname::parse(&"a".repeat(1 << 20)), Err(NicknameError::Length));
    }

    #[test]
    fn a_wish_of_too_many_bytes_is_refused() {
        // Variation selectors are removed, so only the length of the wish matters.
        let wish = |name: &str| Nickname::parse(&(name.to_owned() + &"\u{fe0f}".repeat(85)));
        assert!(wish("a").is_ok(), "256 bytes");
        assert_eq!(wish("ab"), Err(NicknameError::Length));
    }

    #[test]
    fn invisible_characters_are_refused() {
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

    /// Such a character could imitate the name of another person, or be an empty name.
    #[test]
    fn characters_drawn_as_nothing_or_as_a_box_are_refused() {
        let blanks = "\u{2800}\u{fffc}\u{1d159}\u{1d173}\u{13430}\u{13440}\u{13441}\u{13442}\u{13443}\
            \u{13446}\u{13447}\u{13455}\u{16fe4}\u{1bc9d}\u{1da9b}";
        let boxes = "\u{fffd}\u{e000}\u{f8ff}\u{f0000}\u{ffffd}\u{100000}\u{10fffd}\u{fffe}\u{fdd0}\u{10ffff}";
        let ignorable = "\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180b}\u{180e}\u{180f}\u{200e}\
            \u{2060}\u{2064}\u{206f}\u{3164}\u{fe00}\u{fe0d}\u{feff}\u{ffa0}\u{fff0}\u{1bca0}\u{e0001}\u{e0061}\
            \u{e007f}\u{e0100}\u{e01ef}";
        for c in blanks.chars().chain(boxes.chars()).chain(ignorable.chars()) {
            for wish in [format!("ana{c}"), format!("{c}ana"), format!("a{c}na"), c.into()] {
                assert_eq!(Nickname::parse(&wish), Err(NicknameError::Invisible), "{wish:?}");
            }
        }
    }

    #[test]
    fn decorations_are_refused() {
        for c in "\u{20dd}\u{20e0}\u{20e3}\u{488}\u{a670}\u{1abe}\u{332}\u{333}\u{305}\u{33f}\u{335}\u{336}\u{338}\
            \u{347}\u{35f}\u{20d2}\u{20e5}\u{fe26}\u{1d165}\u{1d185}\u{1d242}\u{1cf00}"
            .chars()
        {
            let wish = format!("ana{c}");
            assert_eq!(Nickname::parse(&wish), Err(NicknameError::Invisible), "{wish:?}");
        }
        assert!(Nickname::parse("ana 7\u{fe0f}\u{20e3}").is_ok(), "a keycap is an emoji");
        assert!(same("ana 7\u{20e3}", "ana 7"));
    }

    #[test]
    fn marks_of_every_orthography_are_accepted() {
        for name in [
            "Nguyễn Thị Ánh",
            "Nguye\u{302}\u{303}n",
            "שָׁלוֹם",
            "שָּׁ\u{594}",
            "مُحَمَّدٌ",
            "لِلّٰهِ",
            "น้ำผึ้ง ที่",
            "क्षितिज",
            "हिन्दी",
            "ज़िंदगी",
            "தமிழ்",
            "လျှို့",
            "ကြွေး",
            "ស្ត្រី",
            "བསྒྲུབས",
            "ཧཱུྃ",
            "ọ̀ọ́",
            "ė̃",
            "Я\u{301}на",
            "𞤀𞤁𞤊\u{1e94a}\u{1e944}",
            "Ω\u{313}\u{301}\u{345}",
            "ガギグ",
            "Z\u{301}\u{302}\u{303}\u{304}",
        ] {
            assert!(Nickname::parse(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn stacked_or_lone_marks_are_refused() {
        let stack = "Z".to_owned() + &"\u{301}\u{302}\u{303}".repeat(9);
        for wish in [
            &*stack,
            "Z\u{301}\u{302}\u{303}\u{304}\u{306}",
            "Z\u{301}\u{301}",
            "ทิิ",
            "ש\u{5b7}\u{5b7}",
            "क\u{94d}\u{200d}\u{301}\u{302}\u{303}\u{304}",
            "का\u{301}ा\u{302}ा\u{303}ा\u{304}ा\u{306}",
            "\u{301}",
            "\u{301}ana",
            "\u{93e}",
            ".\u{307}",
            "-\u{301}a",
            "ana\u{903}",
            "ana\u{1039}",
            "ana\u{93e}",
            "ana\u{5b8}",
            "ana\u{e34}",
        ] {
            assert_eq!(Nickname::parse(wish), Err(NicknameError::Invisible), "{wish:?}");
        }
    }

    /// RFC 5892, appendix A; UTS 51; The Unicode Standard, section 12.2.
    #[test]
    fn joiners_are_accepted_where_an_orthography_needs_them() {
        for (name, without) in [
            ("می\u{200c}خواهم", "میخواهم"),
            ("خانه\u{200c}ام", "خانهام"),
            ("بچّه\u{200c}ها", "بچّهها"),
            ("شِ\u{200c}می", "شِمی"),
            ("ශ්\u{200d}රී", "ශ්රී"),
            ("क्\u{200d}ष", "क्ष"),
            ("क्\u{200c}ष", "क्ष"),
            ("ന്\u{200d}", "ന്"),
            ("র\u{200d}্যাব", "র্যাব"),
            ("👨\u{200d}👩\u{200d}👧\u{200d}👦", "👨👩👧👦"),
            ("👩🏽\u{200d}❤\u{fe0f}\u{200d}👨🏿", "👩🏽❤👨🏿"),
            ("👩🏽\u{200d}💻", "👩🏽💻"),
            ("🏳\u{fe0f}\u{200d}🌈", "🏳🌈"),
            ("🏃\u{200d}♀\u{fe0f}", "🏃♀"),
            ("👨🏽\u{200d}🦰", "👨🏽🦰"),
            ("🙂\u{200d}↔\u{fe0f}", "🙂↔"),
            ("🏴\u{200d}☠\u{fe0f}", "🏴☠"),
            ("🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}", "🏴"),
            ("🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}", "🏴"),
            ("ana 🏴\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f} b", "ana 🏴 b"),
        ] {
            let nickname = Nickname::parse(name);
            assert!(nickname.is_ok(), "{name:?}");
            let shown = name.replace('\u{fe0f}', "");
            assert_eq!(nickname.unwrap().as_str(), shown, "joiners stay");
            assert!(same(name, without), "{name:?}");
        }
    }

    #[test]
    fn joiners_are_refused_elsewhere() {
        for wish in [
            "a\u{200c}b",
            "a\u{200d}b",
            "ana\u{200c}",
            "ana\u{200d}",
            "\u{200d}ana",
            "\u{200c}",
            "李\u{200d}龙",
            "می\u{200c}",
            "\u{200c}می",
            "می\u{200c}\u{200c}خواهم",
            "می\u{200d}خواهم",
            "می\u{200c} خواهم",
            "می\u{200c}a",
            "د\u{200c}د",
            "क\u{200d}ष",
            "क्\u{200d}\u{200d}ष",
            "👨\u{200d}",
            "👨\u{200d}a",
            "1\u{200d}👨",
            "👨\u{200d}\u{200d}👩",
            "🏴\u{e0067}\u{e007f}",
            "🏴\u{e0075}\u{e0073}\u{e0074}\u{e0078}\u{e007f}",
            "a\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}",
        ] {
            assert_eq!(Nickname::parse(wish), Err(NicknameError::Invisible), "{wish:?}");
        }
    }

    #[test]
    fn lookalikes_of_a_colon_count_as_colons() {
        for c in ":：﹕︓∶꞉ː˸׃։܃܄፡᠃⁚∷≕᛬ꓽ\u{1365}\u{1804}\u{a6f4}\u{10af5}\u{1d108}".chars()
        {
            for wish in [
                format!("ana{c} send money to"),
                format!("ana{c}\u{a0}send"),
                format!("ana{c}\u{3000}send"),
                format!("ana{c}\u{2009}send"),
                format!("ana{c}´send"),
                format!("ana{c}\u{fe0f} send"),
                format!("ana{c}"),
            ] {
                assert_eq!(Nickname::parse(&wish), Err(NicknameError::Colon), "{wish:?}");
            }
            for blank in ["\u{2800}", "\u{3164}", "\u{200b}", "\u{200c} ", "\u{1680}", "\u{323} "] {
                let wish = format!("ana{c}{blank}send");
                assert!(Nickname::parse(&wish).is_err(), "{wish:?}");
            }
        }
        for name in ["re:ana", "12∶30", "Aːmos", "रामः", "रामःक", "মোঃ রহিম", "မောင်း မောင်", "ana;"]
        {
            assert!(Nickname::parse(name).is_ok(), "{name:?}");
        }
        for wish in ["रामः देव", "राम7ः", "રામઃ દેવ"] {
            assert_eq!(Nickname::parse(wish), Err(NicknameError::Colon), "{wish:?}");
        }
    }

    /// A new version of UTS 39 may add some.
    #[cfg(feature = "confusables")]
    #[test]
    fn every_lookalike_of_a_colon_is_in_the_list() {
        for c in '\0'..=char::MAX {
            let shown: String = [c].iter().copied().nfkc().collect();
            if skeleton(&shown).ends_with(':') {
                assert!(shown.ends_with(|c| COLONS.contains(c)), "{c:?}");
            }
        }
    }

    #[test]
    fn recorded_nicknames_have_fewer_rules() {
        for name in ["ana\u{2800}", "Jos\u{fffd}", "ana∶ send", "q\u{301}\u{301}", "ana\u{e000}"]
        {
            assert!(Nickname::parse_any(name).is_err());
            assert_eq!(Nickname::recorded(name).unwrap().as_str(), name);
        }
        for name in ["a\nb", "a\u{2028}b", "ana: b", "", "a\u{202e}b", "a\u{2060}"] {
            assert!(Nickname::recorded(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_name_cannot_imitate_a_line_or_a_random_name() {
        assert_eq!(Nickname::parse("ana: hi"), Err(NicknameError::Colon));
        assert_eq!(Nickname::parse("ana:"), Err(NicknameError::Colon));
        for wish in ["user-1", "USER-99999", "user-007", "ｕser-1", "user-٣", "user-1\u{20e3}"] {
            assert_eq!(Nickname::parse(wish), Err(NicknameError::Reserved), "{wish:?}");
        }
        assert!(Nickname::parse("user-").is_ok());
        assert!(Nickname::parse("user-one").is_ok());
    }

    fn same(a: &str, b: &str) -> bool {
        let (a, b) = (Nickname::parse(a).unwrap(), Nickname::parse(b).unwrap());
        a.lookalike_keys().iter().any(|key| b.lookalike_keys().contains(key))
    }

    #[test]
    fn names_that_differ_only_in_case_are_equal() {
        assert!(same("Ana", "aNA"));
        assert!(same("straße", "STRASSE"));
        assert!(same("straße", "STRAẞE") && same("STRASSE", "STRAẞE"));
        assert!(same("Maria", "Mari\u{307}a") && same("İpek", "ipek"));
        assert!(same("ΟΔΟΣ", "οδος") && same("οδοσ", "οδος"));
        assert!(!same("ana", "anna"));
    }

    #[cfg(feature = "confusables")]
    #[test]
    fn names_that_look_alike_are_equal() {
        assert!(same("Iris", "lris"));
        assert!(same("paypal", "pаypal"), "the second has a Cyrillic а");
        assert!(!same("bo", "ba"));
    }

    /// Returns names of difficult characters: marks, spaces, digits, joiners, selectors, and letters
    /// that change in normalisation or case folding.
    fn hard_names() -> impl Strategy<Value = String> {
        let hard: Vec<char> =
            "aAoOlI1 :-٣１ｕßẞİıςΣǰJéﷺﬁ①Ⅷ가가❤👍👨e\u{301}\u{30c}\u{345}\u{308}\u{fe0e}\
            \u{fe0f}\u{200d}\u{200b}\u{202e}\u{3164}\u{a0}\u{ad}\u{2028}\n\u{1f3fd}\
            \u{200c}क्षःدیر্যː´∶\u{20e3}\u{332}\u{2800}\u{fffd}\u{e000}🏴"
                .chars()
                .collect();
        let hard = prop::sample::select(hard);
        let c = prop_oneof![4 => hard, 1 => any::<char>(), 1 => prop::char::range('a', 'z')];
        let name = proptest::collection::vec(c, 0..30).prop_map(|it| it.into_iter().collect());
        let given = "(user|USER|ｕser)-[0-9oOlI٣]{1,6}\u{fe0f}?";
        let few = "[ea가J:1 \u{301}\u{30c}\u{11a8}\u{fe0f}-]{1,8}";
        let joined = "([aक्یید👨❤1ः: ]|্য|\u{200c}|\u{200d}|\u{fe0f}|\u{20e3}){1,6}";
        prop_oneof![6 => name, 2 => few, 2 => joined, 1 => any::<String>(), 1 => given]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn a_parsed_nickname_parses_to_itself(wish in hard_names()) {
            let Ok(nickname) = Nickname::parse_any(&wish) else { return Ok(()) };
            let name = nickname.as_str();
            prop_assert_eq!(Nickname::parse_any(name), Ok(nickname.clone()));
            prop_assert!(name.nfkc().eq(name.chars()), "{:?}", name);
            prop_assert!((1..=64).contains(&name.len()));
            prop_assert!((1..=24).contains(&name.graphemes(true).count()));
            prop_assert!(!name.chars().any(is_formatting) && is_spelled(name));
            let without: String = name.chars().filter(|c| !is_joiner(*c)).collect();
            if let Ok(without) = Nickname::parse_any(&without) {
                prop_assert!(nickname.lookalike_keys().iter().any(|key| without.lookalike_keys().contains(key)));
            }
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
