//! The answer that carries a asset of the page, in the form that suits who asks.

use std::io;

use tiny_http::{Header, Response};

use super::assets::asset;

/// Answers one request. Whoever asked may have gone; that is no error.
pub(super) fn respond(request: tiny_http::Request) {
    let Some(asset) = asset(request.url()) else {
        // The door lets nobody in who asks for what there is not.
        let _ = request.respond(Response::empty(404));
        return;
    };
    let form = asset.form(field(&request, "Accept-Encoding").is_some_and(takes_gzip));
    let etag = form.etag();
    let is_known = field(&request, "If-None-Match").is_some_and(|tags| lists(tags, &etag));
    let policy = content_security_policy(field(&request, "Host").unwrap_or_default());
    let mut fields = vec![
        ("Content-Type", asset.content_type()),
        ("Content-Security-Policy", &policy),
        ("ETag", &etag),
        // Kept, and asked for again each time: a new version shows at once.
        ("Cache-Control", "no-cache"),
    ];
    if asset.varies() {
        fields.push(("Vary", "Accept-Encoding"));
    }
    if form.is_gzip && !is_known {
        fields.push(("Content-Encoding", "gzip"));
    }
    // tiny_http sends no content with 304, and says how long it would have been.
    let status = if is_known { 304 } else { 200 };
    let response = Response::from_data(form.content).with_chunked_threshold(usize::MAX);
    let _ = request.respond(with_fields(response, status, &fields));
}

fn with_fields<R: io::Read>(
    mut response: Response<R>,
    status: u16,
    fields: &[(&str, &str)],
) -> Response<R> {
    const ALWAYS: [(&str, &str); 3] = [
        ("Server", "chinwag"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
    ];
    for (name, value) in ALWAYS.iter().chain(fields) {
        let field = Header::from_bytes(*name, *value);
        response.add_header(field.expect("the names and values of fields are ASCII"));
    }
    response.with_status_code(status)
}

fn field<'a>(request: &'a tiny_http::Request, name: &'static str) -> Option<&'a str> {
    let found = request.headers().iter().find(|header| header.field.equiv(name));
    found.map(|header| header.value.as_str())
}

/// Everything from here, nothing from elsewhere, nothing inline. The WebSocket is named beside
/// `'self'` for browsers that take that to mean http only.
fn content_security_policy(host: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self' ws://{host} wss://{host}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
}

/// Whether a list of entity tags has this one (RFC 9110, section 13.1.2).
fn lists(tags: &str, etag: &str) -> bool {
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

/// Whether gzip is taken, and no less willingly than no coding at all (RFC 9110, section 12.5.3).
/// Who says nothing gets no coding.
fn takes_gzip(accepted: &str) -> bool {
    let accepted = || accepted.split(',').map(coding_and_weight);
    let listed = |coding: &str| accepted().find(|(it, _)| it.eq_ignore_ascii_case(coding));
    let weight = |coding: &str| listed(coding).or_else(|| listed("*")).map(|(_, weight)| weight);
    // An old name for the same (RFC 9110, section 8.4.1.3).
    let name =
        if listed("gzip").is_none() && listed("x-gzip").is_some() { "x-gzip" } else { "gzip" };
    let gzip = weight(name).unwrap_or(0.0);
    gzip > 0.0 && gzip >= weight("identity").unwrap_or(0.0)
}

/// What stands in one place of the list. A weight that is none counts as a refusal.
fn coding_and_weight(listed: &str) -> (&str, f32) {
    let (coding, parameter) = listed.split_once(';').unwrap_or((listed, "q=1"));
    let (name, value) = parameter.split_once('=').unwrap_or_default();
    let weight = value.trim().parse().ok().filter(|weight| (0.0..=1.0).contains(weight));
    let weight = weight.filter(|_| name.trim().eq_ignore_ascii_case("q"));
    (coding.trim(), weight.unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_goes_to_those_who_take_it() {
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
            assert!(takes_gzip(accepted), "{accepted}");
        }
    }

    #[test]
    fn others_get_no_coding() {
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
            assert!(!takes_gzip(accepted), "{accepted}");
        }
    }
}
