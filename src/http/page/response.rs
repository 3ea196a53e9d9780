//! The responses that carry the assets of the page.

use tiny_http::{HTTPVersion, Header, Response, StatusCode};

use super::super::head::PageRequest;
use super::assets::Asset;

/// Renders the response to one request, in the coding that the client accepts.
pub(super) fn render(asset: &Asset, request: &PageRequest) -> Vec<u8> {
    let form = asset.form(request.accept_encoding.as_deref().is_some_and(accepts_gzip));
    let etag = form.etag();
    let is_cached = request.if_none_match.as_deref().is_some_and(|tags| lists(tags, &etag));
    let policy = asset.is_built_in.then(|| content_security_policy(&request.host));
    let mut fields = vec![
        ("Server", "chinwag"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Content-Type", asset.content_type()),
        ("ETag", &etag),
        // Browsers keep it, and ask again each time: a new version appears at once.
        ("Cache-Control", "no-cache"),
    ];
    if let Some(policy) = &policy {
        fields.push(("Content-Security-Policy", policy));
    }
    if asset.varies() {
        fields.push(("Vary", "Accept-Encoding"));
    }
    if form.is_gzip && !is_cached {
        fields.push(("Content-Encoding", "gzip"));
    }
    let fields = fields.into_iter().map(|(name, value)| {
        Header::from_bytes(name, value).expect("header fields of the page are ASCII")
    });
    // With 304, tiny_http sends the length without the content.
    let status = StatusCode(if is_cached { 304 } else { 200 });
    let length = Some(form.content.len());
    let response = Response::new(status, fields.collect(), form.content, length, None);
    print(response.with_chunked_threshold(usize::MAX), request.is_head)
}

fn print(response: Response<&[u8]>, is_head: bool) -> Vec<u8> {
    let mut printed = Vec::new();
    response
        .raw_print(&mut printed, HTTPVersion(1, 1), &[], is_head, None)
        .expect("writing to memory does not fail");
    // tiny_http drops this field from the headers of a response.
    let status_line = printed.split_inclusive(|byte| *byte == b'\n').next().map_or(0, <[u8]>::len);
    printed.splice(status_line..status_line, *b"Connection: close\r\n");
    printed
}

/// Permits everything of this server, and nothing inline. It names the WebSocket beside `'self'` for
/// browsers in which `'self'` covers http only.
fn content_security_policy(host: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self' ws://{host} wss://{host}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
}

/// Returns whether a list of entity tags contains this tag (RFC 9110, section 13.1.2).
fn lists(tags: &str, etag: &str) -> bool {
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

/// Returns whether gzip is accepted with at least the weight of no coding (RFC 9110, section
/// 12.5.3). A coding that is not listed is not accepted.
fn accepts_gzip(accepted: &str) -> bool {
    let accepted = || accepted.split(',').map(coding_and_weight);
    let listed = |coding: &str| accepted().find(|(it, _)| it.eq_ignore_ascii_case(coding));
    let weight = |coding: &str| listed(coding).or_else(|| listed("*")).map(|(_, weight)| weight);
    // `x-gzip` is an old name of gzip (RFC 9110, section 8.4.1.3).
    let name =
        if listed("gzip").is_none() && listed("x-gzip").is_some() { "x-gzip" } else { "gzip" };
    let gzip = weight(name).unwrap_or(0.0);
    gzip > 0.0 && gzip >= weight("identity").unwrap_or(0.0)
}

/// Parses one member of the list. An invalid weight counts as 0.
fn coding_and_weight(member: &str) -> (&str, f32) {
    let (coding, parameter) = member.split_once(';').unwrap_or((member, "q=1"));
    let (name, value) = parameter.split_once('=').unwrap_or_default();
    let weight = value.trim().parse().ok().filter(|weight| (0.0..=1.0).contains(weight));
    let weight = weight.filter(|_| name.trim().eq_ignore_ascii_case("q"));
    (coding.trim(), weight.unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_used_if_it_is_accepted() {
        for accepted in [
            "gzip",
            "GZip",
            "gzip, deflate, br, zstd",
            "br;q=1.0, gzip;q=0.8, *;q=0.1",
            "deflate , gzip ; q=0.001",
            "gzip;Q=1.000",
            "*",
            "*;q=0.5, br",
            "gzip, *;q=0",
            "gzip, identity;q=0.5",
            "gzip, identity",
            "identity;q=0, *",
            "x-gzip",
            "x-gzip, *;q=0",
            ",gzip,",
        ] {
            assert!(accepts_gzip(accepted), "{accepted}");
        }
    }

    #[test]
    fn otherwise_no_coding_is_used() {
        for accepted in [
            "",
            "identity",
            "br",
            "gzip;q=0",
            "gzip;q=0.000, *",
            "GZIP; q=0",
            "*;q=0",
            "x-gzip;q=0, *",
            "identity, gzip;q=0.5",
            "gzip;q=0.5, *",
            "gzip;q=2",
            "gzip;q=-1",
            "gzip;q=NaN",
            "gzip;q=",
            "gzip;q",
            "gzip;level=9",
            "gzipped",
            "not gzip",
        ] {
            assert!(!accepts_gzip(accepted), "{accepted}");
        }
    }
}
