//! Splits texts into words for the search. Queries and the search index of the history must agree on
//! them, so both use this module.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};
use unicode_segmentation::UnicodeSegmentation as _;

use super::nickname::fold;
use super::visible::{is_blank, is_ignorable, is_mark};

/// Returns the words of a text for the search index. The index splits a word at its apostrophes, so
/// such a word is added once more without them: `don't` is found as `don` and as `dont`.
pub(crate) fn indexed(text: &str) -> String {
    let mut words = words(text);
    let joined: Vec<_> = words.iter().filter_map(|word| without_apostrophes(word)).collect();
    words.extend(joined);
    words.join(" ")
}

/// Returns a word without its apostrophes, or `None` if it has none.
pub(super) fn without_apostrophes(word: &str) -> Option<String> {
    word.contains(APOSTROPHE).then(|| word.replace(APOSTROPHE, ""))
}

/// Returns the words of a text as they are compared: without letter case, accents, and signs that are
/// optional in their script. In scripts without letter case every character is a word, so that a
/// search finds any part of a text: most of them do not write spaces between words, or join short
/// words to longer ones.
pub(super) fn words(text: &str) -> Vec<String> {
    let text = with_one_apostrophe(text);
    if text.is_ascii() {
        let parts = text.split_word_bounds();
        let words = parts.filter(|part| part.bytes().any(|byte| byte.is_ascii_alphanumeric()));
        return words.map(str::to_ascii_lowercase).collect();
    }
    // Ignorable characters do not separate words. Blank ones do.
    let visible = text.chars().filter_map(|c| match c {
        '\u{200b}' | '\u{3164}' | '\u{ffa0}' => Some(' '),
        c if is_blank(c) => Some(' '),
        c => (!is_ignorable(c)).then_some(c),
    });
    let composed: String = visible.nfkc().collect();
    let mut words = Vec::new();
    for part in composed.split_word_bounds().map(str::trim) {
        push_words(part, &mut words);
    }
    words.retain(|word| word.chars().any(is_word_char));
    words
}

const APOSTROPHE: char = '\'';

/// Replaces the apostrophes within words by one of them, because keyboards differ.
fn with_one_apostrophe(text: &str) -> Cow<'_, str> {
    if !text.contains(is_other_apostrophe) {
        return Cow::Borrowed(text);
    }
    let is_letter = |c: char| c.is_alphanumeric() || is_mark(c);
    let (mut before, mut after) = (None, text.chars());
    let one = |c: char| {
        after.next();
        let is_within =
            before.is_some_and(is_letter) && after.clone().next().is_some_and(is_letter);
        before = Some(c);
        if is_within && is_other_apostrophe(c) { APOSTROPHE } else { c }
    };
    text.chars().map(one).collect()
}

fn is_other_apostrophe(c: char) -> bool {
    is_letter_apostrophe(c) || matches!(c, '`' | '´' | '‘' | '’' | '‛' | '′' | '＇')
}

/// Returns whether a character is an apostrophe that Unicode counts as a letter.
fn is_letter_apostrophe(c: char) -> bool {
    matches!(c, '\u{2b9}' | '\u{2bb}'..='\u{2bf}' | '\u{2c8}' | '\u{2ee}' | '՚' | 'ꞌ' | 'Ꞌ')
}

/// Adds the words of a part between two word boundaries.
fn push_words(part: &str, words: &mut Vec<String>) {
    if part.is_ascii() {
        return words.push(part.to_ascii_lowercase());
    }
    let is_uncased = |c: char| c.general_category() == GeneralCategory::OtherLetter;
    if !part.contains(is_uncased) {
        return words.push(normalise_cased(part));
    }
    // Modifier letters, such as the Japanese long vowel mark, are words of their own, too.
    let is_word =
        |c: char| is_uncased(c) || c.general_category() == GeneralCategory::ModifierLetter;
    let mut cased = String::new();
    for grapheme in part.graphemes(true) {
        if !grapheme.starts_with(is_word) {
            cased.push_str(grapheme);
            continue;
        }
        words.push(normalise_cased(&std::mem::take(&mut cased)));
        words.push(normalise_uncased(grapheme));
    }
    words.push(normalise_cased(&cased));
}

/// Removes letter case, accents, and apostrophes that count as letters.
fn normalise_cased(part: &str) -> String {
    let is_accent = |c: char| c.general_category() == GeneralCategory::NonspacingMark;
    let is_kept = |c: &char| !is_accent(*c) && !is_letter_apostrophe(*c);
    part.nfkd().filter(is_kept).flat_map(fold).collect()
}

/// Removes optional signs: Hebrew points and accents, Arabic vowel signs and the hamza above or below
/// a letter, Syriac and Ethiopic points, Vedic accents, and tatweel. Vowel signs of other scripts
/// stay.
fn normalise_uncased(grapheme: &str) -> String {
    if let Some(letter) = single_letter(grapheme) {
        return unify_arabic(letter).into();
    }
    let is_optional = |c: &char| {
        let is_range = matches!(
            c,
            '\u{300}'..='\u{36f}' | '\u{590}'..='\u{74f}' | '\u{800}'..='\u{8ff}'
                | '\u{951}'..='\u{954}' | '\u{135d}'..='\u{135f}' | '\u{1cd0}'..='\u{1cff}'
                | '\u{a8e0}'..='\u{a8f1}' | '\u{fb1e}' | '\u{10efa}'..='\u{10eff}'
        );
        let is_lengthening = matches!(c, '\u{640}' | '\u{7fa}' | '\u{180a}');
        is_lengthening || (is_range && c.general_category() == GeneralCategory::NonspacingMark)
    };
    let decomposed = grapheme.chars().map(unify_arabic).nfd();
    decomposed.filter(|c| !is_optional(c)).map(unify_arabic).nfc().collect()
}

/// Returns the only character of a grapheme if nothing of it is optional, as in most cases.
fn single_letter(grapheme: &str) -> Option<char> {
    let mut chars = grapheme.chars();
    let letter = chars.next().filter(|_| chars.next().is_none());
    letter.filter(|c| match c {
        '\u{627}'..='\u{63f}' | '\u{641}'..='\u{64a}' => true,
        c => !matches!(c, '\u{600}'..='\u{8ff}'),
    })
}

/// Unifies Arabic letters that keyboards and habits exchange: the forms of alef, yeh, kaf and heh in
/// Arabic, Persian and Urdu, and teh marbuta.
fn unify_arabic(c: char) -> char {
    match c {
        'ٱ' | 'ٲ' | 'ٳ' => 'ا',
        'ى' | 'ی' => 'ي',
        'ک' => 'ك',
        'ة' | 'ہ' | 'ۃ' | 'ۀ' | 'ۂ' => 'ه',
        other => other,
    }
}

/// Returns whether a character is a letter, a digit or an emoji.
fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || c.general_category() == GeneralCategory::OtherSymbol
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words_of(text: &str) -> String {
        words(text).join("|")
    }

    #[test]
    fn words_are_compared_without_case_and_accents() {
        assert_eq!(words_of("Crème BRÛLÉE, don't!"), "creme|brulee|don't");
        assert_eq!(words_of("Ёлка и Ελλάδα ﬁn"), "елка|и|ελλαδα|fin");
    }

    #[test]
    fn in_scripts_without_case_every_character_is_a_word() {
        assert_eq!(words_of("日本語です。"), "日|本|語|で|す");
        assert_eq!(words_of("ｶﾞﾗｽとクレジットカード"), "ガ|ラ|ス|と|ク|レ|ジ|ッ|ト|カ|ー|ド");
        assert_eq!(words_of("ห้องครัว"), "ห้|อ|ง|ค|รั|ว");
        assert_eq!(words_of("안녕하세요 Ana"), "안|녕|하|세|요|ana");
        assert_eq!(words_of("السلام 🎉"), "ا|ل|س|ل|ا|م|🎉");
    }

    #[test]
    fn optional_signs_make_no_difference() {
        for (one, other) in [
            ("Hauptstraße", "HAUPTSTRASSE"),
            ("HAUPTSTRAẞE", "hauptstrasse"),
            ("ΟΔΟΣ", "οδός"),
            ("οδοσ", "οδος"),
            ("İstanbul ISPARTA", "istanbul ısparta"),
            ("ŒUVRE Ǆ", "œuvre ǆ"),
            ("KBS방송", "kbs방송"),
            ("שָׁלוֹם", "שלום"),
            ("בְּרֵאשִׁ֖ית", "בראשית"),
            ("שׁלום", "שלום"),
            ("السَّلام عليكم", "السلام عليكم"),
            ("سـلام", "سلام"),
            ("أحمد إلى آخر ٱلله", "احمد الى اخر الله"),
            ("مؤمن رئيس", "مومن رييس"),
            ("مدرسة على", "مدرسه علي"),
            ("کتاب یک", "كتاب يك"),
            ("خانۀ", "خانه"),
            ("ہم", "هم"),
            ("می\u{200c}خواهم", "میخواهم"),
            ("ශ්\u{200d}රී", "ශ්රී"),
            ("Donau\u{ad}dampf", "Donaudampf"),
            ("foo\u{2060}bar\u{feff}", "foobar"),
            ("葛\u{e0100}", "葛"),
            ("❤\u{fe0f}", "❤"),
            ("👨\u{200d}👩", "👨👩"),
            ("ܡܰܠܟܳܐ", "ܡܠܟܐ"),
            ("አበ፞በ", "አበበ"),
            ("अ॒ग्निम्", "अग्निम्"),
        ] {
            assert_eq!(words(one), words(other));
            assert!(!words(one).is_empty());
        }
    }

    #[test]
    fn significant_signs_make_a_difference() {
        for (one, other) in [
            ("किताब", "कताब"),
            ("की", "का"),
            ("กิน", "กัน"),
            ("มา", "ม้า"),
            ("ガス", "カス"),
            ("ދަރި", "ދރ"),
            ("பட்", "பட"),
            ("dont", "don t"),
            ("øl", "ol"),
            ("a\u{200b}b", "ab"),
            ("a\u{2800}b", "ab"),
        ] {
            assert_ne!(words(one), words(other));
        }
        assert!(
            words("\u{2800} \u{3164}\u{fffc}\u{200d} ـ\u{64e}".trim_end_matches("ـ\u{64e}"))
                .is_empty()
        );
    }

    #[cfg(feature = "history")]
    #[test]
    fn a_word_is_indexed_with_and_without_its_apostrophe() {
        assert_eq!(indexed("I don’t, Ana’s"), "i don't ana's dont anas");
    }

    #[test]
    fn all_apostrophes_are_equal() {
        for c in "'’‘‛ʼʻʹ′＇`´՚".chars() {
            let text = format!("I don{c}t {c}know{c} l{c}été п{c}ять");
            assert_eq!(words_of(&text), "i|don't|know|l'ete|п'ять");
        }
    }

    proptest! {
        #[test]
        fn words_are_neither_empty_nor_have_spaces(text in "\\PC{0,60}") {
            for word in words(&text) {
                prop_assert!(!word.is_empty() && !word.contains(char::is_whitespace), "{word:?}");
            }
        }

        /// ASCII has a faster path.
        #[test]
        fn ascii_is_split_like_other_text(text in "[a-cA-C0-2'`.,_:@ \n-]{0,40}") {
            let mut long = words(&format!("{text} é"));
            prop_assert_eq!(long.pop(), Some("e".to_owned()));
            prop_assert_eq!(words(&text), long);
        }
    }
}
