//! The invitation: the address at which others reach this server, to be read or to be scanned.

use std::net::SocketAddr;

use qrcode::QrCode;
use qrcode::render::svg;

use super::head::InvitationRequest;
use super::rejection::Rejection;
use super::response::answer;
use crate::chat::RoomName;
use crate::net::addresses::{is_for_others, reachable_addresses};

/// As long as there is no TLS, it is this for everybody. With TLS it is decided here.
const SCHEME: &str = "http";

/// The whole answer, from a server whose page is behind these listeners. The machine is asked for
/// its addresses each time: it may have moved to another network.
///
/// # Errors
/// When others have no way to this server, and when the address is too long to be drawn.
pub(super) fn invite(
    request: &InvitationRequest,
    listening: &[SocketAddr],
) -> Result<Vec<u8>, Rejection> {
    let host = request.host.clone().or_else(|| host_for_others(&reachable_addresses(listening)));
    let address = address(&host.ok_or(Rejection::NoWayIn)?, &request.room);
    let (content_type, content) = match request.is_picture {
        true => ("image/svg+xml", picture(&address)?),
        false => ("text/plain; charset=utf-8", address),
    };
    Ok(answer("200 OK", "", content_type, &content, request.is_head))
}

fn host_for_others(reachable_addresses: &[SocketAddr]) -> Option<String> {
    reachable_addresses.iter().find(|address| is_for_others(address.ip())).map(ToString::to_string)
}

fn address(host: &str, room: &RoomName) -> String {
    if *room == RoomName::lobby() {
        return format!("{SCHEME}://{host}/");
    }
    // What a form encodes in another way than a fragment, such as a space, is in no name of a room.
    let room: String = form_urlencoded::byte_serialize(room.as_str().as_bytes()).collect();
    format!("{SCHEME}://{host}/#{room}")
}

/// Black on white in any theme, with the margin that scanners need (ISO/IEC 18004: four modules).
fn picture(address: &str) -> Result<String, Rejection> {
    // A port may have any number of zeros before it.
    let code = QrCode::new(address)
        .map_err(|_| Rejection::Malformed("This address is too long for a QR code."))?;
    let (black, white) = (svg::Color("#000"), svg::Color("#fff"));
    Ok(code.render().dark_color(black).light_color(white).quiet_zone(true).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str) -> RoomName {
        RoomName::parse(name).unwrap()
    }

    fn hosts(reachable_addresses: &[&str]) -> Option<String> {
        let reachable_addresses: Vec<_> =
            reachable_addresses.iter().map(|it| it.parse().unwrap()).collect();
        host_for_others(&reachable_addresses)
    }

    #[test]
    fn the_room_stands_behind_the_address() {
        assert_eq!(address("chat.lan:8080", &RoomName::lobby()), "http://chat.lan:8080/");
        assert_eq!(
            address("[fd00::2]:8080", &room("Kitchen-2_b")),
            "http://[fd00::2]:8080/#kitchen-2_b"
        );
        let cyrillic = "http://chat.lan/#%D0%BA%D1%83%D1%85%D0%BD%D1%8F";
        assert_eq!(address("chat.lan", &room("кухня")), cyrillic);
    }

    #[test]
    fn others_are_sent_where_they_find_us() {
        assert_eq!(hosts(&["10.0.0.2:80", "127.0.0.1:80"]).as_deref(), Some("10.0.0.2:80"));
        assert_eq!(hosts(&["127.0.0.1:80", "[fd00::2]:80"]).as_deref(), Some("[fd00::2]:80"));
        assert_eq!(hosts(&["127.0.0.1:80", "[::1]:80"]), None);
        assert_eq!(hosts(&[]), None);
    }

    #[test]
    fn the_longest_address_can_be_drawn() {
        let longest = address(&format!("{}:65535", "a".repeat(253)), &room(&"厨".repeat(32)));
        assert!(picture(&longest).is_ok());
        let refused =
            picture(&address(&format!("chat:{}80", "0".repeat(8000)), &RoomName::lobby()));
        assert!(matches!(refused, Err(Rejection::Malformed(_))));
    }
}
