//! Search queries.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

use super::message::Message;
use super::nickname::Nickname;
use super::words::{indexed, without_apostrophes, words};

/// Maximum length of a query (bytes of UTF-8).
pub(crate) const QUERY_BYTES_MAX: usize = 256;
/// Maximum number of words of a query that count. Each takes time, and more hardly change the result.
const WORDS_MAX: usize = 12;

/// A search query: the conditions that a message must meet to be found.
///
/// ```
/// use std::time::SystemTime;
/// use chinwag::store::Query;
/// use chinwag::{Message, Nickname, RoomName};
///
/// let ana = Nickname::parse("ana")?;
/// let message = Message::new(RoomName::lobby(), 1, SystemTime::now(), ana, "Tea is at five.");
/// assert!(Query::parse("from:ana \"at five\"")?.matches(&message));
/// assert!(!Query::parse("from:bo tea")?.matches(&message));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The query as the user wrote it.
    text: String,
    /// Phrases that must all be in the text. None is empty.
    pub(crate) phrases: Vec<Phrase>,
    /// For each `from:` of the query, the nicknames that it may mean: at least one. One of them must
    /// be the author.
    pub(crate) authors: Vec<Vec<Nickname>>,
}

/// Words that must follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Phrase {
    pub(crate) words: Vec<String>,
    /// The last word may be the beginning of a longer one, because the user is still typing it.
    pub(crate) is_open: bool,
}

/// The reason why a text is not a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// It has no word and no author.
    #[error("there is nothing to search for in it")]
    Empty,
    /// It has more than 256 bytes.
    #[error("what is searched for is longer than {QUERY_BYTES_MAX} bytes")]
    TooLong,
}

impl Query {
    /// Parses words, `"phrases"`, and `from:` with a nickname, which needs quotes if it has spaces.
    ///
    /// # Errors
    /// If there is nothing to search for, or the query is longer than 256 bytes.
    pub fn parse(query: &str) -> Result<Self, QueryError> {
        if query.len() > QUERY_BYTES_MAX {
            return Err(QueryError::TooLong);
        }
        let (mut phrases, mut authors, mut words_left) = (Vec::new(), Vec::new(), WORDS_MAX);
        let mut rest = query.trim_start();
        while !rest.is_empty() {
            let author = after_from(rest);
            let (part, is_quoted, after) = next_part(author.unwrap_or(rest));
            let is_open = after.is_empty() && !is_quoted;
            if author.is_none() {
                let mut words = words(part);
                if let ([word], false) = (&mut *words, is_quoted) {
                    *word = without_apostrophes(word).unwrap_or_else(|| std::mem::take(word));
                }
                words.truncate(words_left);
                words_left -= words.len();
                phrases.extend((!words.is_empty()).then_some(Phrase { words, is_open }));
            } else if !(part.is_empty() && is_open) {
                let names = possible_names(part, is_quoted);
                // No author has an invalid nickname.
                authors.push(Some(names).filter(|it| !it.is_empty()).ok_or(QueryError::Empty)?);
            }
            rest = after.trim_start();
        }
        if phrases.is_empty() && authors.is_empty() {
            return Err(QueryError::Empty);
        }
        Ok(Self { text: query.to_owned(), phrases, authors })
    }

    /// Returns the query as the user wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether a message matches, by the rules of PROTOCOL.md. They are those of a history
    /// in a file.
    pub fn matches(&self, message: &Message) -> bool {
        // The other key is that of similar letters, which no history compares.
        let key = |nickname: &Nickname| {
            let [key, _] = nickname.lookalike_keys();
            key
        };
        let is_author = |names: &Vec<Nickname>| {
            let author = key(&message.nickname);
            names.iter().any(|name| key(name) == author)
        };
        if !self.authors.iter().all(is_author) {
            return false;
        }
        let text = indexed(message.text.as_str());
        let tokens: Vec<_> = tokens(&text).collect();
        self.phrases.iter().all(|phrase| phrase.is_in(&tokens))
    }
}

impl Phrase {
    /// Returns whether the phrase is in a text of these tokens.
    fn is_in(&self, text: &[&str]) -> bool {
        let phrase = self.words.join(" ");
        let mut phrase: Vec<_> = tokens(&phrase).collect();
        let Some(last) = phrase.pop() else { return true };
        let is_last = |token: &str| token == last || (self.is_open && token.starts_with(last));
        text.windows(phrase.len() + 1).any(|window| {
            window.split_last().is_some_and(|(end, start)| start == phrase && is_last(end))
        })
    }
}

/// Splits words at their apostrophes, and at every other ASCII character that is no letter or digit.
/// SQLite's tokenizer does the same in the search index.
fn tokens(words: &str) -> impl Iterator<Item = &str> {
    let is_separator = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric();
    words.split(is_separator).filter(|token| !token.is_empty())
}

/// Quotation marks that phones and word processors write instead of `"`.
const QUOTES: [char; 7] = ['“', '”', '„', '‟', '＂', '«', '»'];

/// Returns the text after `from:` and spaces, if `text` begins with it.
fn after_from(text: &str) -> Option<&str> {
    let (name, rest) = text.split_at_checked("from".len())?;
    let author = rest.strip_prefix([':', '：'])?;
    name.eq_ignore_ascii_case("from").then(|| author.trim_start())
}

/// Returns the nicknames that a text may mean. People write `@ana`, and continue with a comma, but a
/// nickname may have these characters, too.
fn possible_names(part: &str, is_quoted: bool) -> Vec<Nickname> {
    let is_punctuation = |c: char| c.general_category() == GeneralCategory::OtherPunctuation;
    let mut candidates = vec![part];
    if !is_quoted {
        let bare = part.strip_prefix(['@', '＠']).unwrap_or(part);
        candidates.extend([part, bare].map(|it| it.trim_end_matches(is_punctuation)));
        candidates.push(bare);
    }
    let mut names: Vec<_> =
        candidates.iter().filter_map(|it| Nickname::recorded(it).ok()).collect();
    names.dedup();
    names
}

/// Returns the next part, whether it is in quotes, and the text after it.
fn next_part(text: &str) -> (&str, bool, &str) {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_apostrophes_of_a_query_are_equal() {
        for c in "'’‘‛ʼʻʹ′＇`´՚".chars() {
            let query = Query::parse(&format!("don{c}t \"l{c}été là\" know{c}s")).unwrap();
            let expected = [
                phrase(&["dont"], false),
                phrase(&["l'ete", "la"], false),
                phrase(&["knows"], true),
            ];
            assert_eq!(query.phrases, expected, "{c}");
        }
    }

    #[test]
    fn an_author_may_be_written_in_several_ways() {
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
            let parsed = Query::parse(query).unwrap();
            let keys: Vec<_> = parsed.authors[0].iter().map(Nickname::lookalike_keys).collect();
            let ana = Nickname::parse("ana").unwrap().lookalike_keys();
            assert!(keys.contains(&ana), "{query}");
            assert_eq!((parsed.authors.len(), parsed.phrases.len()), (1, 1), "{query}");
        }
        let authors = |query| Query::parse(query).unwrap().authors;
        assert_eq!(authors("from:@ana,"), [names(&["@ana,", "@ana", "ana", "ana,"])]);
        assert_eq!(authors("from:\"@ana,\""), [names(&["@ana,"])], "quotes prevent changes");
        assert_eq!(authors("from:ana from: bo"), [names(&["ana"]), names(&["bo"])]);
        assert_eq!(authors("x from: "), [[]; 0], "the user has not typed the name yet");
        assert_eq!(authors("\"from:ana\" fromage fröm:ana"), [[]; 0]);
    }

    #[test]
    fn all_quotation_marks_make_a_phrase() {
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
    fn only_the_last_unquoted_word_may_be_incomplete() {
        let open = |query: &str| Query::parse(query).unwrap().phrases.last().unwrap().is_open;
        assert!(open("hel") && open("a hel") && open("\"a hel"));
        assert!(!open("hel ") && !open("\"a hel\""));
    }

    #[test]
    fn empty_and_long_queries_are_refused() {
        for query in ["", "  ", "?!", "\"\"", "from:", "from:\u{7}", "\"", "from:\"\""] {
            assert_eq!(Query::parse(query), Err(QueryError::Empty), "{query:?}");
        }
        assert_eq!(Query::parse(&"x".repeat(257)), Err(QueryError::TooLong));
        assert!(Query::parse("x from:").is_ok(), "the user has not typed the name yet");
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in "\\PC{0,60}") {
            let _ = Query::parse(&text);
        }
    }
}
