//! What somebody searches for, and the words in which texts are compared with it.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};
use unicode_segmentation::UnicodeSegmentation as _;

use super::Nickname;
use super::nickname::fold;
use super::visible::{is_blank, is_ignorable, is_mark};

/// The longest query (bytes of UTF-8).
pub(crate) const QUERY_BYTES_MAX: usize = 256;
/// So many words of a query count. Each takes its time to look for, and those behind them hardly
/// ever make a difference.
const WORDS_MAX: usize = 12;

/// What a message is to have. Nothing is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    /// All of these are to be in the text.
    pub(crate) phrases: Vec<Phrase>,
    /// One of each of these is to have written it: the nicknames that a `from:` may mean.
    pub(crate) authors: Vec<Vec<Nickname>>,
}

/// Words that are to follow upon each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Phrase {
    pub(crate) words: Vec<String>,
    /// The last word may be the beginning of a longer one: it is still being typed.
    pub(crate) is_open: bool,
}

/// Why nothing can be searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueryError {
    #[error("there is nothing to search for in it")]
    Empty,
    #[error("what is searched for is longer than {QUERY_BYTES_MAX} bytes")]
    TooLong,
}

impl Query {
    /// Reads words, `"words that follow upon each other"`, and `from:` with a nickname, in quotes
    /// where it has spaces.
    pub(crate) fn parse(query: &str) -> Result<Self, QueryError> {
        if query.len() > QUERY_BYTES_MAX {
            return Err(QueryError::TooLong);
        }
        let (mut phrases, mut authors, mut words_left) = (Vec::new(), Vec::new(), WORDS_MAX);
        let mut rest = query.trim_start();
        while !rest.is_empty() {
            let author = author_part(rest);
            let (part, is_quoted, after) = part_of(author.unwrap_or(rest));
            let is_open = after.is_empty() && !is_quoted;
            if author.is_none() {
                let mut words = words(part);
                if let ([word], false) = (&mut *words, is_quoted) {
                    *word = in_one(word).unwrap_or_else(|| std::mem::take(word));
                }
                words.truncate(words_left);
                words_left -= words.len();
                phrases.extend((!words.is_empty()).then_some(Phrase { words, is_open }));
            } else if !(part.is_empty() && is_open) {
                let names = names_of(part, is_quoted);
                // Nobody can be called anything else.
                authors.push(Some(names).filter(|it| !it.is_empty()).ok_or(QueryError::Empty)?);
            }
            rest = after.trim_start();
        }
        if phrases.is_empty() && authors.is_empty() {
            return Err(QueryError::Empty);
        }
        Ok(Self { phrases, authors })
    }
}

/// The quotation marks that phones and word processors put in place of `"`.
const QUOTES: [char; 7] = ['“', '”', '„', '‟', '＂', '«', '»'];

/// What is behind a `from:`, with or without a space.
fn author_part(text: &str) -> Option<&str> {
    let (name, rest) = text.split_at_checked("from".len())?;
    let author = rest.strip_prefix([':', '：'])?;
    name.eq_ignore_ascii_case("from").then(|| author.trim_start())
}

/// The nicknames that may be meant. People write `@ana`, and go on with a comma; a nickname may have
/// these, too.
fn names_of(part: &str, is_quoted: bool) -> Vec<Nickname> {
    let is_punctuation = |c: char| c.general_category() == GeneralCategory::OtherPunctuation;
    let mut meant = vec![part];
    if !is_quoted {
        let bare = part.strip_prefix(['@', '＠']).unwrap_or(part);
        meant.extend([part, bare].map(|it| it.trim_end_matches(is_punctuation)));
        meant.push(bare);
    }
    let mut names: Vec<_> = meant.iter().filter_map(|it| Nickname::recorded(it).ok()).collect();
    names.dedup();
    names
}

/// The next part, whether it stands in quotes, and what is behind it.
fn part_of(text: &str) -> (&str, bool, &str) {
    let in_quotes = match text.strip_prefix('"') {
        Some(quoted) => Some((quoted, quoted.split_once('"'))),
        None => text.strip_prefix(QUOTES).map(|quoted| (quoted, quoted.split_once(QUOTES))),
    };
    if let Some((quoted, split)) = in_quotes {
        return split.map_or((quoted, false, ""), |(part, after)| (part, true, after));
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], false, &text[end..])
}

/// The words of a text, to be kept for a search. A word that apostrophes divide is there in its parts
/// (the index divides it), and once more in one: `don't` is found as `don` and as `dont`.
#[cfg(feature = "history")]
pub(crate) fn indexed(text: &str) -> String {
    let mut words = words(text);
    let in_one: Vec<_> = words.iter().filter_map(|word| in_one(word)).collect();
    words.extend(in_one);
    words.join(" ")
}

/// A word without its apostrophes, if it has any.
fn in_one(word: &str) -> Option<String> {
    word.contains(APOSTROPHE).then(|| word.replace(APOSTROPHE, ""))
}

/// The words of a text as they are compared: without letter case, accents, and the points and signs
/// that scripts leave out at will. Scripts that do not know letter case seldom know spaces either, or
/// put small words together with large ones; of their words every character is one, so that any part
/// of a text is found.
fn words(text: &str) -> Vec<String> {
    let text = with_one_apostrophe(text);
    if text.is_ascii() {
        let parts = text.split_word_bounds();
        let words = parts.filter(|part| part.bytes().any(|byte| byte.is_ascii_alphanumeric()));
        return words.map(str::to_ascii_lowercase).collect();
    }
    // What is never drawn makes no word, and parts none. A gap parts words.
    let seen = text.chars().filter_map(|c| match c {
        '\u{200b}' | '\u{3164}' | '\u{ffa0}' => Some(' '),
        c if is_blank(c) => Some(' '),
        c => (!is_ignorable(c)).then_some(c),
    });
    let composed: String = seen.nfkc().collect();
    let mut words = Vec::new();
    for part in composed.split_word_bounds().map(str::trim) {
        push_words(part, &mut words);
    }
    words.retain(|word| word.chars().any(is_of_a_word));
    words
}

const APOSTROPHE: char = '\'';

/// Keyboards disagree on the apostrophe of a word.
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

/// Those that are of a word wherever they stand.
fn is_letter_apostrophe(c: char) -> bool {
    matches!(c, '\u{2b9}' | '\u{2bb}'..='\u{2bf}' | '\u{2c8}' | '\u{2ee}' | '՚' | 'ꞌ' | 'Ꞌ')
}

fn push_words(part: &str, words: &mut Vec<String>) {
    if part.is_ascii() {
        return words.push(part.to_ascii_lowercase());
    }
    let is_uncased = |c: char| c.general_category() == GeneralCategory::OtherLetter;
    if !part.contains(is_uncased) {
        return words.push(bare(part));
    }
    // A sign that makes a sound longer stands alone, too.
    let is_alone =
        |c: char| is_uncased(c) || c.general_category() == GeneralCategory::ModifierLetter;
    let mut cased = String::new();
    for grapheme in part.graphemes(true) {
        if !grapheme.starts_with(is_alone) {
            cased.push_str(grapheme);
            continue;
        }
        words.push(bare(&std::mem::take(&mut cased)));
        words.push(bare_uncased(grapheme));
    }
    words.push(bare(&cased));
}

/// Without letter case, accents, and apostrophes at an end.
fn bare(part: &str) -> String {
    let is_accent = |c: char| c.general_category() == GeneralCategory::NonspacingMark;
    let is_kept = |c: &char| !is_accent(*c) && !is_letter_apostrophe(*c);
    part.nfkd().filter(is_kept).flat_map(fold).collect()
}

/// Without what writers leave out: Hebrew points and accents, Arabic vowel signs and hamza above or
/// below a letter, Syriac and Ethiopic points, Vedic accents, and tatweel. Signs for vowels in other
/// scripts membership.
fn bare_uncased(grapheme: &str) -> String {
    if let Some(letter) = lone_letter(grapheme) {
        return letter_of_word(letter).into();
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
    let decomposed = grapheme.chars().map(letter_of_word).nfd();
    decomposed.filter(|c| !is_optional(c)).map(letter_of_word).nfc().collect()
}

/// The only character, where nothing of it can be left out, as in most cases.
fn lone_letter(grapheme: &str) -> Option<char> {
    let mut chars = grapheme.chars();
    let letter = chars.next().filter(|_| chars.next().is_none());
    letter.filter(|c| match c {
        '\u{627}'..='\u{63f}' | '\u{641}'..='\u{64a}' => true,
        c => !matches!(c, '\u{600}'..='\u{8ff}'),
    })
}

/// The letters of Arabic that keyboards and habits exchange: alef, yeh, kaf and heh in the lookalike_keys
/// that Arabic, Persian and Urdu have for them, and teh marbuta.
fn letter_of_word(c: char) -> char {
    match c {
        'ٱ' | 'ٲ' | 'ٳ' => 'ا',
        'ى' | 'ی' => 'ي',
        'ک' => 'ك',
        'ة' | 'ہ' | 'ۃ' | 'ۀ' | 'ۂ' => 'ه',
        other => other,
    }
}

/// Letters and digits, and emoji.
fn is_of_a_word(c: char) -> bool {
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
    fn of_scripts_without_case_every_character_is_a_word() {
        assert_eq!(words_of("日本語です。"), "日|本|語|で|す");
        assert_eq!(words_of("ｶﾞﾗｽとクレジットカード"), "ガ|ラ|ス|と|ク|レ|ジ|ッ|ト|カ|ー|ド");
        assert_eq!(words_of("ห้องครัว"), "ห้|อ|ง|ค|รั|ว");
        assert_eq!(words_of("안녕하세요 Ana"), "안|녕|하|세|요|ana");
        assert_eq!(words_of("السلام 🎉"), "ا|ل|س|ل|ا|م|🎉");
    }

    #[test]
    fn what_writers_leave_out_makes_no_difference() {
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
    fn what_makes_another_word_makes_a_difference() {
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

    #[test]
    fn one_apostrophe_is_as_good_as_another() {
        for c in "'’‘‛ʼʻʹ′＇`´՚".chars() {
            assert_eq!(
                words_of(&format!("I don{c}t {c}know{c} l{c}été п{c}ять")),
                "i|don't|know|l'ete|п'ять"
            );
            let query = Query::parse(&format!("don{c}t \"l{c}été là\" know{c}s")).unwrap();
            let expected = [
                phrase(&["dont"], false),
                phrase(&["l'ete", "la"], false),
                phrase(&["knows"], true),
            ];
            assert_eq!(query.phrases, expected, "{c}");
        }
    }

    #[cfg(feature = "history")]
    #[test]
    fn a_word_is_kept_in_its_parts_and_in_one() {
        assert_eq!(indexed("I don’t, Ana’s"), "i don't ana's dont anas");
    }

    #[test]
    fn an_author_is_read_as_people_write_one() {
        for query in [
            "from:ana x",
            "FROM:ana x",
            "From: ana x",
            "from:  ana x",
            "from：ana x",
            "from:ANA x",
            "from:\"ana\" x",
            "from: “ana” x",
            "from:@ana x",
            "from: ＠ana, x",
            "from:ana, x",
            "from:ana. x",
            "from:ana، x",
            "from:ana； x",
        ] {
            let query_read = Query::parse(query).unwrap();
            let lookalike_keys: Vec<_> =
                query_read.authors[0].iter().map(Nickname::lookalike_keys).collect();
            assert!(
                lookalike_keys.contains(&Nickname::parse("ana").unwrap().lookalike_keys()),
                "{query}"
            );
            assert_eq!((query_read.authors.len(), query_read.phrases.len()), (1, 1), "{query}");
        }
        let authors = |query| Query::parse(query).unwrap().authors;
        assert_eq!(authors("from:@ana,"), [names(&["@ana,", "@ana", "ana", "ana,"])]);
        assert_eq!(authors("from:\"@ana,\""), [names(&["@ana,"])], "as it is written");
        assert_eq!(authors("from:ana from: bo"), [names(&["ana"]), names(&["bo"])]);
        assert_eq!(authors("x from: "), [[]; 0], "the name is yet to come");
        assert_eq!(authors("\"from:ana\" fromage fröm:ana"), [[]; 0]);
    }

    #[test]
    fn words_in_the_quotation_marks_of_phones_are_a_phrase() {
        for query in ["\"a b\"", "“a b”", "„a b“", "«a b»", "＂a b＂"] {
            assert_eq!(Query::parse(query).unwrap().phrases, [phrase(&["a", "b"], false)]);
        }
        let query = Query::parse("\"say “hi” now\"").unwrap();
        assert_eq!(query.phrases, [phrase(&["say", "hi", "now"], false)]);
    }

    fn phrase(words: &[&str], is_open: bool) -> Phrase {
        Phrase { words: words.iter().map(|it| (*it).to_owned()).collect(), is_open }
    }

    fn names(names: &[&str]) -> Vec<Nickname> {
        names.iter().map(|it| Nickname::parse(it).unwrap()).collect()
    }

    #[test]
    fn a_query_has_words_phrases_and_authors() {
        let query = Query::parse(r#" Ana "and BO" from:"ana b" from:cy hel"#).unwrap();
        let expected =
            [phrase(&["ana"], false), phrase(&["and", "bo"], false), phrase(&["hel"], true)];
        assert_eq!(query.phrases, expected);
        assert_eq!(query.authors, [names(&["ana b"]), names(&["cy"])]);
    }

    #[test]
    fn only_the_first_words_count() {
        let query = Query::parse(&"a b \"c d e\" ".repeat(9)).unwrap();
        assert_eq!(query.phrases.iter().map(|it| it.words.len()).sum::<usize>(), WORDS_MAX);
    }

    #[test]
    fn only_what_is_still_being_typed_may_go_on() {
        let open = |query: &str| Query::parse(query).unwrap().phrases.last().unwrap().is_open;
        assert!(open("hel") && open("a hel") && open("\"a hel"));
        assert!(!open("hel ") && !open("\"a hel\""));
    }

    #[test]
    fn there_has_to_be_something_to_search_for() {
        for query in ["", "  ", "?!", "\"\"", "from:", "from:\u{7}", "\"", "from:\"\""] {
            assert_eq!(Query::parse(query), Err(QueryError::Empty), "{query:?}");
        }
        assert_eq!(Query::parse(&"x".repeat(257)), Err(QueryError::TooLong));
        assert!(Query::parse("x from:").is_ok(), "the name is yet to come");
    }

    proptest! {
        #[test]
        fn words_have_no_space_and_every_word_finds_itself(text in "\\PC{0,60}") {
            for word in words(&text) {
                prop_assert!(!word.is_empty() && !word.contains(char::is_whitespace), "{word:?}");
            }
            let _ = Query::parse(&text);
        }

        /// ASCII takes a shorter way.
        #[test]
        fn words_of_ascii_are_words_like_others(text in "[a-cA-C0-2'`.,_:@ \n-]{0,40}") {
            let mut long = words(&format!("{text} é"));
            prop_assert_eq!(long.pop(), Some("e".to_owned()));
            prop_assert_eq!(words(&text), long);
        }
    }
}
