//! What somebody searches for, and the words in which texts are compared with it.

use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};
use unicode_segmentation::UnicodeSegmentation as _;

use super::Nickname;

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
    /// Each of these is to have written it, and so there is one at most that finds anything.
    pub(crate) authors: Vec<Nickname>,
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
            let (is_author, part) = match rest.strip_prefix("from:") {
                Some(author) => (true, author),
                None => (false, rest),
            };
            let (part, is_quoted, after) = part_of(part);
            let is_open = after.is_empty() && !is_quoted;
            if !is_author {
                let mut words = words(part);
                words.truncate(words_left);
                words_left -= words.len();
                phrases.extend((!words.is_empty()).then_some(Phrase { words, is_open }));
            } else if !(part.is_empty() && is_open) {
                // Nobody can be called anything else.
                authors.push(Nickname::parse_any(part).map_err(|_| QueryError::Empty)?);
            }
            rest = after.trim_start();
        }
        if phrases.is_empty() && authors.is_empty() {
            return Err(QueryError::Empty);
        }
        Ok(Self { phrases, authors })
    }
}

/// The next part, whether it stands in quotes, and what is behind it.
fn part_of(text: &str) -> (&str, bool, &str) {
    if let Some(quoted) = text.strip_prefix('"') {
        return match quoted.split_once('"') {
            Some((part, after)) => (part, true, after),
            None => (quoted, false, ""),
        };
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], false, &text[end..])
}

/// The words of a text as they are compared: without letter case and accents. Scripts that do not
/// know letter case seldom know spaces either, or put small words together with large ones; of
/// their words every character is one, so that any part of a text is found.
pub(crate) fn words(text: &str) -> Vec<String> {
    let composed: String = text.nfkc().collect();
    let parts = composed.split_word_bounds().map(str::trim);
    parts.flat_map(words_of_part).filter(|word| word.chars().any(is_of_a_word)).collect()
}

fn words_of_part(part: &str) -> Vec<String> {
    if part.chars().any(|c| c.general_category() == GeneralCategory::OtherLetter) {
        return part.graphemes(true).map(str::to_owned).collect();
    }
    let is_accent = |c: &char| c.general_category() == GeneralCategory::NonspacingMark;
    let bare: String = part.nfkd().filter(|c| !is_accent(c)).collect();
    vec![bare.to_lowercase()]
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

    fn phrase(words: &[&str], is_open: bool) -> Phrase {
        Phrase { words: words.iter().map(|it| (*it).to_owned()).collect(), is_open }
    }

    #[test]
    fn a_query_has_words_phrases_and_authors() {
        let query = Query::parse(r#" Ana "and BO" from:"ana b" from:cy hel"#).unwrap();
        let expected =
            [phrase(&["ana"], false), phrase(&["and", "bo"], false), phrase(&["hel"], true)];
        assert_eq!(query.phrases, expected);
        assert_eq!(query.authors, ["ana b", "cy"].map(|it| Nickname::parse(it).unwrap()));
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
    }
}
