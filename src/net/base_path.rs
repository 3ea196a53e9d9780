//! The path of the server on its host.

use std::fmt;
use std::str::FromStr;

/// Maximum length of a path (bytes). It is part of every invitation.
const PATH_BYTES_MAX: usize = 128;

/// The path below which a server is reached, such as `/chat`. The default is the whole host.
///
/// ```
/// use chinwag::{BasePath, Config};
///
/// let path: BasePath = "/chat".parse()?;
/// assert_eq!(path.as_ref(), "/chat");
/// let config = Config::default().path(path);
/// assert!("chat".parse::<BasePath>().is_err());
/// # Ok::<(), chinwag::BasePathError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BasePath(String);

/// The text is not a path for a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a path looks like /chat or /team/chat: at most 128 letters of ASCII, digits, -, ., _ and ~ \
     between slashes"
)]
pub struct BasePathError;

impl FromStr for BasePath {
    type Err = BasePathError;

    /// Parses a path. A slash at the end is left out.
    fn from_str(path: &str) -> Result<Self, Self::Err> {
        // Only characters with a single spelling in a URL (RFC 3986, section 2.3).
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~');
        // A browser resolves dots by itself.
        let is_name = |name: &str| !matches!(name, "" | "." | "..") && name.chars().all(is_plain);
        let names = path.strip_prefix('/').ok_or(BasePathError)?;
        let names = names.strip_suffix('/').unwrap_or(names);
        if names.is_empty() {
            return if path == "/" { Ok(Self::default()) } else { Err(BasePathError) };
        }
        match names.len() < PATH_BYTES_MAX && names.split('/').all(is_name) {
            true => Ok(Self(format!("/{names}"))),
            false => Err(BasePathError),
        }
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_ref())
    }
}

impl AsRef<str> for BasePath {
    /// Returns the path without a slash at the end. The whole host is the empty text.
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl BasePath {
    /// Returns the length of this path if the target of a request is this path or below it.
    pub(crate) fn length_in(&self, target: &str) -> Option<usize> {
        let below = target.strip_prefix(&self.0)?;
        (below.is_empty() || below.starts_with(['/', '?'])).then_some(self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_begins_with_a_slash_and_has_plain_characters() {
        let longest = format!("/{}", "a".repeat(PATH_BYTES_MAX - 1));
        for (path, parsed) in [
            ("/", ""),
            ("/chat", "/chat"),
            ("/chat/", "/chat"),
            ("/Team-1/~chat_2.0", "/Team-1/~chat_2.0"),
            (&longest, &longest),
        ] {
            assert_eq!(path.parse::<BasePath>().unwrap().as_ref(), parsed, "{path}");
        }
        let too_long = format!("{longest}a");
        for path in [
            "", "chat", "//", "//chat", "/chat//", "/a//b", "/a/../b", "/.", "/a b", "/a%20b",
            "/a?b", "/a#b", "/küche", &too_long,
        ] {
            assert_eq!(path.parse::<BasePath>(), Err(BasePathError), "{path}");
        }
    }

    #[test]
    fn a_target_is_the_path_or_below_it() {
        let path: BasePath = "/chat".parse().unwrap();
        for target in ["/chat", "/chat/", "/chat?a", "/chat/main.js", "/chat/?room=a"] {
            assert_eq!(path.length_in(target), Some(5), "{target}");
        }
        for target in ["/", "/cha", "/chats", "/chat.js", "/Chat", "/x/chat", "*", ""] {
            assert_eq!(path.length_in(target), None, "{target}");
        }
        assert_eq!(BasePath::default().length_in("/chat"), Some(0));
    }
}
