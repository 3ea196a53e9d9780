//! The invitation: the address at which other users reach this server, as text or as a QR code.

use std::net::SocketAddr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
#[cfg(feature = "page")]
use qrcode::{QrCode, render::svg};

use super::head::InvitationRequest;
use super::rejection::Rejection;
use super::response::{PLAIN_TEXT, response};
use crate::chat::RoomName;
use crate::net::addresses::{is_for_others, reachable_addresses};
use crate::net::base_path::BasePath;

/// Characters of a room name that are encoded in an address: all but letters of ASCII, digits, `-` and
/// `_`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');
/// The server has no TLS.
const SCHEME: &str = "http";

/// Returns the response of a server with these page listeners. It queries the addresses of the
/// machine each time, because the machine may have moved to another network.
///
/// # Errors
/// When other machines cannot reach this server, or when the address is too long for a QR code.
pub(super) fn invite(
    request: &InvitationRequest,
    listening: &[SocketAddr],
    base_path: &BasePath,
) -> Result<Vec<u8>, Rejection> {
    let host = request.host.clone().or_else(|| host_for_others(&reachable_addresses(listening)));
    let base_path = request.base_path.as_ref().unwrap_or(base_path);
    let site = format!("{}{base_path}", host.ok_or(Rejection::Unreachable)?);
    let address = address(&site, &request.room);
    let (content_type, content) = match request.is_qr_code {
        true => ("image/svg+xml", qr_code(&address)?),
        false => (PLAIN_TEXT, address),
    };
    Ok(response("200 OK", "", content_type, &content, request.is_head))
}

fn host_for_others(reachable_addresses: &[SocketAddr]) -> Option<String> {
    reachable_addresses.iter().find(|address| is_for_others(address.ip())).map(ToString::to_string)
}

/// Returns the address of a room. `site` is the host and the path of the server.
fn address(site: &str, room: &RoomName) -> String {
    if *room == RoomName::lobby() {
        return format!("{SCHEME}://{site}/");
    }
    let room = utf8_percent_encode(room.as_str(), ENCODED);
    format!("{SCHEME}://{site}/#{room}")
}

/// Draws black on white in any theme, with the margin that scanners need (ISO/IEC 18004: four
/// modules).
#[cfg(feature = "page")]
fn qr_code(address: &str) -> Result<String, Rejection> {
    // The port of a `Host` may have any number of leading zeros.
    let code = QrCode::new(address)
        .map_err(|_| Rejection::Malformed("This address is too long for a QR code."))?;
    let (black, white) = (svg::Color("#000"), svg::Color("#fff"));
    Ok(code.render().dark_color(black).light_color(white).quiet_zone(true).build())
}

/// A QR code needs the feature `page`.
#[cfg(not(feature = "page"))]
fn qr_code(_: &str) -> Result<String, Rejection> {
    Err(Rejection::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str) -> RoomName {
        RoomName::parse(name).unwrap()
    }

    fn chosen(reachable_addresses: &[&str]) -> Option<String> {
        let reachable_addresses: Vec<_> =
            reachable_addresses.iter().map(|it| it.parse().unwrap()).collect();
        host_for_others(&reachable_addresses)
    }

    #[test]
    fn the_fragment_names_the_room() {
        assert_eq!(address("chat.lan:8080", &RoomName::lobby()), "http://chat.lan:8080/");
        assert_eq!(
            address("[fd00::2]:8080", &room("Kitchen-2_b")),
            "http://[fd00::2]:8080/#kitchen-2_b"
        );
        let cyrillic = "http://chat.lan/#%D0%BA%D1%83%D1%85%D0%BD%D1%8F";
        assert_eq!(address("chat.lan", &room("кухня")), cyrillic);
    }

    #[test]
    fn the_first_address_for_other_machines_is_chosen() {
        assert_eq!(chosen(&["10.0.0.2:80", "127.0.0.1:80"]).as_deref(), Some("10.0.0.2:80"));
        assert_eq!(chosen(&["127.0.0.1:80", "[fd00::2]:80"]).as_deref(), Some("[fd00::2]:80"));
        assert_eq!(chosen(&["127.0.0.1:80", "[::1]:80"]), None);
        assert_eq!(chosen(&[]), None);
    }

    #[cfg(feature = "page")]
    #[test]
    fn the_longest_address_fits_into_a_qr_code() {
        let longest = address(
            &format!("{}:65535/{}", "a".repeat(253), "a".repeat(127)),
            &room(&"厨".repeat(32)),
        );
        assert!(qr_code(&longest).is_ok());
        let rejected =
            qr_code(&address(&format!("chat:{}80", "0".repeat(8000)), &RoomName::lobby()));
        assert!(matches!(rejected, Err(Rejection::Malformed(_))));
    }
}
