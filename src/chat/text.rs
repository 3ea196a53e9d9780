//! Texts of messages: limited in length, without characters that disturb their neighbours.

use super::visible::draws_nothing;

/// The text of a message, as it is broadcast. It has no control characters except line feed and tab,
/// and no overrides of the writing direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text(String);

/// The text has more bytes than clients may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is longer than {max} bytes")]
pub struct TooLong {
    /// Maximum length of a text (bytes).
    pub max: usize,
}

impl Text {
    /// Parses a text of at most `bytes_max` bytes. Line breaks of all kinds become line feeds. Other
    /// control characters except tab are removed.
    pub(crate) fn parse(said: &str, bytes_max: usize) -> Result<Self, TooLong> {
        if said.len() > bytes_max {
            return Err(TooLong { max: bytes_max });
        }
        // Most texts are ASCII and need no change.
        let plain = |byte: u8| matches!(byte, b'\t' | b'\n' | 0x20..0x7f);
        // Not `all`: the compiler does not vectorise a loop that can stop early.
        if said.bytes().fold(true, |all, byte| all & plain(byte)) {
            return Ok(Self(said.to_owned()));
        }
        Ok(Self::cleaned(said))
    }

    /// Parses a text of any length.
    pub(crate) fn unlimited(text: &str) -> Self {
        Self::parse(text, usize::MAX).unwrap_or_else(|_| Self::cleaned(text))
    }

    fn cleaned(said: &str) -> Self {
        let clean = said.replace("\r\n", "\n").replace('\r', "\n");
        Self(clean.chars().filter(|c| !is_disturbing(*c)).collect())
    }

    /// Returns whether no character is visible.
    pub(crate) fn is_blank(&self) -> bool {
        self.0.chars().all(draws_nothing)
    }

    /// Returns the text as it is broadcast.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Text> for std::sync::Arc<str> {
    fn from(text: Text) -> Self {
        text.0.into()
    }
}

fn is_disturbing(c: char) -> bool {
    let override_of_direction = matches!(c, '\u{202d}' | '\u{202e}');
    (c.is_control() && !matches!(c, '\n' | '\t')) || override_of_direction
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cleaned(said: &str) -> String {
        Text::parse(said, 100).unwrap().0
    }

    #[test]
    fn texts_of_every_script_are_unchanged() {
        for said in ["", "hello", "a\tb\nc", "你好 👋🏽", "مرحبا", "e\u{301}", "  spaces  "]
        {
            assert_eq!(cleaned(said), said);
        }
    }

    #[test]
    fn every_line_break_becomes_a_line_feed() {
        assert_eq!(cleaned("a\r\nb\rc\nd"), "a\nb\nc\nd");
    }

    #[test]
    fn disturbing_characters_are_removed() {
        assert_eq!(cleaned("a\0b\x1b[31mc\x7fd\u{85}e\u{202e}f\u{202d}g"), "ab[31mcdefg");
    }

    #[test]
    fn a_text_without_visible_characters_is_blank() {
        for said in [
            "",
            " \t\n\u{a0}\u{3000}",
            "\u{200b}",
            "\u{200d}\u{200e}\u{2060}\u{feff}\u{ad}",
            "\u{2800} \u{2800}",
            "\u{3164}\u{115f}\u{1160}\u{ffa0}",
            "\u{fe0f}\u{fe0e}\u{e0100}\u{180b}",
            "\u{e0067}\u{e007f}",
            "\u{fffc}\u{1d159}\u{13441}\u{16fe4}",
        ] {
            assert!(Text::parse(said, 100).unwrap().is_blank(), "{said:?}");
        }
        for said in [".", " a", "\u{301}", "\u{200b}你", "\u{fffd}", "\u{e000}", "❤\u{fe0f}", "ـ"]
        {
            assert!(!Text::parse(said, 100).unwrap().is_blank(), "{said:?}");
        }
    }

    #[test]
    fn the_limit_counts_bytes() {
        assert!(Text::parse("éé", 4).is_ok());
        assert_eq!(Text::parse("éé", 3), Err(TooLong { max: 3 }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn no_disturbing_character_remains(
            said in prop_oneof![
                any::<String>(),
                "[a\r\n\t\0\x1b\x7fé\u{85}\u{202d}\u{202e}\u{2028}]{0,40}",
            ]
        ) {
            let Ok(text) = Text::parse(&said, 60) else {
                prop_assert!(said.len() > 60);
                return Ok(());
            };
            prop_assert!(text.as_str().len() <= said.len() && said.len() <= 60);
            let forbidden = |c: char| {
                (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{202d}' | '\u{202e}')
            };
            prop_assert!(!text.as_str().contains(forbidden));
            prop_assert_eq!(Text::parse(text.as_str(), 60), Ok(text.clone()));
            // All other characters stay, and none are added.
            let broken = |c: char| matches!(c, '\n' | '\r') || forbidden(c);
            let rest = |text: &str| text.replace(broken, "");
            prop_assert_eq!(rest(text.as_str()), rest(&said));
        }
    }
}
