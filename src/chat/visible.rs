//! Visibility of characters, and the orthography of marks and joiners.
//!
//! Names must pass [`is_spelled`]. Texts may have any mark; [`draws_nothing`] finds the texts that
//! would be an empty bubble.

use unicode_joining_type::{JoiningType, get_joining_type};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::canonical_combining_class;
use unicode_properties::{
    GeneralCategory as Category, GeneralCategoryGroup as Group, UnicodeEmoji as _,
    UnicodeGeneralCategory as _,
};

/// Maximum number of nonspacing marks on one character (UTS 39, section 5.4). Burmese needs four.
const MARKS_MAX: usize = 4;

const ZWNJ: char = '\u{200c}';
const ZWJ: char = '\u{200d}';
/// Encloses the digit before it in a key.
const KEYCAP: char = '\u{20e3}';

/// The flags of England, Scotland and Wales, the only tag sequences that Unicode recommends.
const FLAGS: [&str; 3] = [
    "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
    "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
    "🏴\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}",
];

/// Returns whether a font draws nothing for a character, or only a gap.
pub(super) fn draws_nothing(c: char) -> bool {
    if c.is_ascii_graphic() {
        return false;
    }
    // Format characters that are drawn around or before digits.
    let is_sign = matches!(
        c,
        '\u{600}'
            ..='\u{605}'
                | '\u{6dd}'
                | '\u{70f}'
                | '\u{890}'
                | '\u{891}'
                | '\u{8e2}'
                | '\u{110bd}'
                | '\u{110cd}'
    );
    let category = c.general_category();
    c.is_whitespace()
        || is_ignorable(c)
        || is_blank(c)
        || (matches!(category, Category::Control | Category::Format) && !is_sign)
}

/// Returns whether a character controls how others are shown, breaks the line, is unassigned, or is
/// a space other than the ASCII space. Joiners and tags do not count: [`is_spelled`] checks them.
pub(super) fn is_formatting(c: char) -> bool {
    let category = matches!(
        c.general_category(),
        Category::Control
            | Category::Format
            | Category::LineSeparator
            | Category::ParagraphSeparator
            | Category::Unassigned
            | Category::Surrogate
    );
    let other_space = c != ' ' && c.general_category() == Category::SpaceSeparator;
    (category || other_space || is_ignorable(c)) && !is_joiner(c) && !is_tag(c)
}

/// Returns whether every character of a name is drawn as a part of the name. A mark needs a letter,
/// with at most [`MARKS_MAX`] of them on one. Joiners are valid only where a script or an emoji
/// sequence needs them.
pub(super) fn is_spelled(name: &str) -> bool {
    // Most names are ASCII.
    if name.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return true;
    }
    let name = FLAGS.iter().fold(name.to_owned(), |name, flag| name.replace(flag, "🏴"));
    let name: Vec<char> = name.chars().collect();
    (0..name.len()).all(|at| {
        let (before, c, after) = (&name[..at], name[at], &name[at + 1..]);
        match c {
            ZWNJ => follows_virama(before) || breaks_join(before, after),
            ZWJ => follows_virama(before) || joins_emoji(before, after) || is_ya_phalaa(after),
            KEYCAP => matches!(before, [.., '0'..='9' | '#' | '*']),
            _ if is_invisible(c) => false,
            _ if is_mark(c) => is_carried(before, c),
            _ => true,
        }
    })
}

/// Returns whether a character is part of the letter before it, such as an accent or a vowel sign.
pub(super) fn is_mark(c: char) -> bool {
    matches!(c.general_category(), Category::NonspacingMark | Category::SpacingMark)
}

/// Returns whether a comparison of two names ignores a character.
pub(super) fn is_ignored(c: char) -> bool {
    is_ignorable(c) || c == KEYCAP
}

pub(super) fn is_joiner(c: char) -> bool {
    matches!(c, ZWNJ | ZWJ)
}

fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0020}'..='\u{e007f}')
}

/// Returns whether a font draws nothing, a box or a decoration for a character.
fn is_invisible(c: char) -> bool {
    let category = matches!(c.general_category(), Category::PrivateUse | Category::EnclosingMark);
    category
        || is_formatting(c)
        || is_tag(c)
        || is_blank(c)
        || is_decoration(c)
        || matches!(c, '\u{fffd}' | '\u{13430}'..='\u{1345f}')
}

/// Returns whether a character has the property `Default_Ignorable_Code_Point`. Unicode gives it to
/// new characters only in these ranges.
pub(super) fn is_ignorable(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Returns whether a character is drawn as nothing although no Unicode property says so: the empty
/// Braille pattern, the object replacement character, a null note head, fillers and selectors.
pub(super) fn is_blank(c: char) -> bool {
    matches!(
        c,
        '\u{2800}'
            | '\u{fffc}'
            | '\u{13441}'
            | '\u{13442}'
            | '\u{16fe4}'
            | '\u{1bc9d}'
            | '\u{1d159}'
            | '\u{1da9b}'..='\u{1daaf}'
    )
}

/// Returns whether a character is a mark that no orthography uses: a line over, under or through a
/// letter, a half mark, or a mark of mathematics or music.
fn is_decoration(c: char) -> bool {
    let is_range = matches!(
        c,
        '\u{305}' | '\u{332}'..='\u{338}' | '\u{33f}' | '\u{347}' | '\u{35e}' | '\u{35f}'
            | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2d}' | '\u{1cf00}'..='\u{1cf4f}'
            | '\u{1d100}'..='\u{1d24f}'
    );
    is_range && is_mark(c)
}

/// Returns whether a base before the mark can carry it, and has not too many marks already.
fn is_carried(before: &[char], mark: char) -> bool {
    let is_of_base = |c: &&char| is_mark(**c) || is_joiner(**c);
    let carried = before.iter().rev().take_while(is_of_base).count();
    let Some(base) = before.len().checked_sub(carried + 1) else { return false };
    let is_base = matches!(before[base].general_category_group(), Group::Letter | Group::Number)
        || before[base].general_category() == Category::OtherSymbol
        || before[base] == ' ';
    if !is_base || (is_cased(before[base]) && !is_accent(mark)) {
        return false;
    }
    let stacks = |c: &char| c.general_category() == Category::NonspacingMark;
    if !stacks(&mark) {
        return true;
    }
    // Decomposed, because normalisation may have merged marks with the base.
    let stack = before[base..].iter().copied().chain([mark]).nfd();
    let stack: Vec<char> = stack.filter(stacks).collect();
    let repeats = |at: usize| stack[..at].contains(&stack[at]);
    stack.len() <= MARKS_MAX && !(0..stack.len()).any(repeats)
}

fn is_cased(c: char) -> bool {
    c.is_lowercase() || c.is_uppercase() || c.general_category() == Category::TitlecaseLetter
}

/// Returns whether a mark stands above, below or attached to its letter, as in scripts with letter
/// case. Fonts draw a box for other marks on such letters.
fn is_accent(mark: char) -> bool {
    const NUKTA: u8 = 7;
    const ATTACHED_BELOW: u8 = 202;
    let class = canonical_combining_class(mark);
    class == NUKTA || class >= ATTACHED_BELOW
}

/// Returns whether a joiner follows a virama, and selects the shape of a conjunct (RFC 5892, A.1 and
/// A.2).
fn follows_virama(before: &[char]) -> bool {
    before.last().is_some_and(|c| is_virama(*c))
}

fn is_virama(c: char) -> bool {
    const VIRAMA: u8 = 9;
    canonical_combining_class(c) == VIRAMA
}

/// Returns whether a non-joiner separates letters that would be joined (RFC 5892, A.1).
fn breaks_join(before: &[char], after: &[char]) -> bool {
    use JoiningType::{DualJoining, LeftJoining, RightJoining, Transparent};
    let joins = |c: &char| Some(get_joining_type(*c)).filter(|it| *it != Transparent);
    let (left, right) = (before.iter().rev().find_map(joins), after.iter().find_map(joins));
    matches!(left, Some(LeftJoining | DualJoining))
        && matches!(right, Some(RightJoining | DualJoining))
}

/// Returns whether a joiner makes one emoji from two (UTS 51, ED-16).
fn joins_emoji(before: &[char], after: &[char]) -> bool {
    let is_skin = |c: &char| matches!(c, '\u{1f3fb}'..='\u{1f3ff}');
    let is_emoji = |c: &char| !c.is_ascii() && c.is_emoji_char() && !is_skin(c);
    let left = match before {
        [base, skin] | [.., base, skin] if is_skin(skin) => Some(base),
        _ => before.last(),
    };
    left.is_some_and(is_emoji) && after.first().is_some_and(is_emoji)
}

/// Returns whether a Bengali ya-phalaa follows, which after RA needs a joiner (The Unicode Standard,
/// section 12.2).
fn is_ya_phalaa(after: &[char]) -> bool {
    matches!(after, ['\u{9cd}', '\u{9af}', ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with the data of UTS 39.
    #[cfg(feature = "confusables")]
    #[test]
    fn ignorable_characters_are_those_of_unicode() {
        for c in '\0'..=char::MAX {
            let is_gone = unicode_security::skeleton(c.encode_utf8(&mut [0; 4])).next().is_none();
            assert_eq!(is_ignorable(c), is_gone, "{c:?}");
        }
    }

    #[test]
    fn invisible_characters_are_recognised() {
        for c in " \t\n\u{a0}\u{3000}\u{200b}\u{200d}\u{feff}\u{ad}\u{2060}\u{2800}\u{3164}\u{115f}\
            \u{ffa0}\u{17b4}\u{180e}\u{fe0f}\u{e0100}\u{e0067}\u{e007f}\u{fff0}\u{fffb}\u{fffc}\
            \u{1d159}\u{1d173}\u{13430}\u{13441}\u{16fe4}\u{85}\u{7}"
            .chars()
        {
            assert!(draws_nothing(c), "{c:?}");
        }
        for c in "a.0é你\u{301}\u{600}\u{6dd}🎉\u{fffd}\u{e000}\u{378}ـ一ㅤ"
            .chars()
            .filter(|c| *c != '\u{3164}')
        {
            assert!(!draws_nothing(c), "{c:?}");
        }
    }
}
