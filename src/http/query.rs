//! The parameters in the target of a request.

use percent_encoding::percent_decode_str;

use super::rejection::Rejection;
use crate::chat::{Nickname, RoomName};

/// The parameters of a query of a client that joins.
pub(super) struct JoinParams {
    pub(super) room: RoomName,
    pub(super) nickname: Option<Nickname>,
}

impl JoinParams {
    /// # Errors
    /// When the name of the room is invalid. An invalid nickname is ignored.
    pub(super) fn parse(query: &str) -> Result<Self, Rejection> {
        let mut params = Self { room: RoomName::lobby(), nickname: None };
        for (name, value) in params_of(query) {
            match name.as_str() {
                "room" => {
                    params.room = RoomName::parse(&value).map_err(|_| {
                        Rejection::Malformed(
                            "The name of a room is 1 to 32 letters, digits, - or _.",
                        )
                    })?;
                }
                "nick" => params.nickname = Nickname::parse(&value).ok(),
                _ => {}
            }
        }
        Ok(params)
    }
}

/// Returns the first value of a parameter in a query.
pub(super) fn param(query: &str, name: &str) -> Option<String> {
    params_of(query).find(|(it, _)| it == name).map(|(_, value)| value)
}

/// Returns the names and values in a query, which has the encoding of HTML forms.
fn params_of(query: &str) -> impl Iterator<Item = (String, String)> {
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    let params = query.split('&').filter(|param| !param.is_empty());
    params.map(move |param| {
        let (name, value) = param.split_once('=').unwrap_or((param, ""));
        (decoded(name), decoded(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_have_the_encoding_of_forms() {
        let params: Vec<_> = params_of("a=1+2&&b&c==%3D&%C3%A9=%FF%&a=3").collect();
        let expected = [("a", "1 2"), ("b", ""), ("c", "=="), ("é", "\u{fffd}%"), ("a", "3")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(params, expected);
        assert_eq!(param("a=1&a=2", "a").as_deref(), Some("1"));
        assert_eq!(params_of("").next(), None);
    }
}
