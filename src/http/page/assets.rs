//! The files of the page, by their paths on the server.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

/// The files of a page, by their paths. `index.html` of a folder has the path of the folder, which
/// ends with a slash.
pub(super) type Assets = HashMap<String, Arc<Asset>>;

/// A file of the page.
#[derive(Debug)]
pub(super) struct Asset {
    content_type: &'static str,
    plain: Cow<'static, [u8]>,
    /// Present if it is shorter.
    gzip: Option<&'static [u8]>,
    /// The built-in page has a strict Content-Security-Policy, which need not fit other pages.
    pub(super) is_built_in: bool,
}

/// An asset as it is sent: compressed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form<'a> {
    pub(super) content: &'a [u8],
    pub(super) is_gzip: bool,
}

/// A file of the built-in page.
struct BuiltIn {
    path: &'static str,
    plain: &'static [u8],
    gzip: Option<&'static [u8]>,
}

/// The files that `build.rs` has found in `web/`.
const BUILT_IN: &[BuiltIn] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Returns the files of the built-in page.
pub(super) fn built_in() -> Assets {
    let asset = |BuiltIn { path, plain, gzip }: &BuiltIn| Asset {
        content_type: content_type(path),
        plain: Cow::Borrowed(plain),
        gzip: *gzip,
        is_built_in: true,
    };
    BUILT_IN.iter().map(|file| (file.path.to_owned(), Arc::new(asset(file)))).collect()
}

/// Returns the content type of the file with this path.
fn content_type(path: &str) -> &'static str {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        _ if name.is_empty() => "text/html; charset=utf-8",
        "html" | "htm" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "md" => "text/markdown; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "xml" => "text/xml; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "wasm" => "application/wasm",
        "pdf" => "application/pdf",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "otf" => "font/otf",
        "mp3" => "audio/mpeg",
        "ogg" | "oga" => "audio/ogg",
        "wav" => "audio/wav",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        _ => "application/octet-stream",
    }
}

impl Asset {
    /// Returns an asset of an embedder's own page.
    pub(super) fn own(path: &str, content: Cow<'static, [u8]>) -> Self {
        Self { content_type: content_type(path), plain: content, gzip: None, is_built_in: false }
    }

    pub(super) fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// Returns whether the response depends on `Accept-Encoding`.
    pub(super) fn varies(&self) -> bool {
        self.gzip.is_some()
    }

    pub(super) fn form(&self, accepts_gzip: bool) -> Form<'_> {
        match self.gzip {
            Some(content) if accepts_gzip => Form { content, is_gzip: true },
            _ => Form { content: &self.plain, is_gzip: false },
        }
    }
}

impl Form<'_> {
    /// Returns a tag that differs for different content, and so for each form.
    pub(super) fn etag(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.content.hash(&mut hasher);
        format!("\"{:016x}\"", hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read as _;
    use std::path::{Path, PathBuf};

    use flate2::read::GzDecoder;

    use super::*;

    /// Maximum size of the page in bytes, as it is sent to a browser. Browsers take gzip, so that
    /// comments and readable names cost next to nothing.
    const PAGE_BYTES_MAX: usize = 48 * 1024;

    fn files_below(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let is_part = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            !name.starts_with('.') && !name.ends_with(".d.ts")
        };
        let parts = entries.filter(is_part);
        parts.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn every_file_of_the_page_is_built_in() {
        let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
        let (files, assets) = (files_below(&web), built_in());
        for file in &files {
            let path = format!("/{}", file.strip_prefix(&web).unwrap().to_str().unwrap());
            let path = if path == "/index.html" { "/" } else { &path };
            let asset = assets.get(path).unwrap_or_else(|| panic!("{path} is missing"));
            assert_eq!(*asset.plain, fs::read(file).unwrap(), "{path}");
        }
        assert_eq!((files.len(), files.len()), (assets.len(), BUILT_IN.len()), "{assets:?}");
    }

    #[test]
    fn the_page_is_small() {
        let bytes: usize = built_in().values().map(|asset| asset.form(true).content.len()).sum();
        assert!(bytes <= PAGE_BYTES_MAX, "the page has {bytes} bytes in gzip");
    }

    #[test]
    fn each_built_in_file_has_a_content_type() {
        for (path, asset) in built_in() {
            assert_ne!(asset.content_type(), "application/octet-stream", "{path}");
        }
    }

    #[test]
    fn content_types_follow_the_names_of_the_files() {
        for (path, expected) in [
            ("/", "text/html; charset=utf-8"),
            ("/docs/", "text/html; charset=utf-8"),
            ("/LOGO.PNG", "image/png"),
            ("/app.v2/module.mjs", "text/javascript; charset=utf-8"),
            ("/app.js/file", "application/octet-stream"),
            ("/README", "application/octet-stream"),
        ] {
            assert_eq!(content_type(path), expected, "{path}");
        }
    }

    #[test]
    fn gzip_has_the_same_content_and_is_shorter() {
        let assets = built_in();
        for (path, asset) in &assets {
            let Form { content, is_gzip } = asset.form(true);
            assert_eq!(is_gzip, asset.varies(), "{path}");
            if is_gzip {
                assert!(content.len() < asset.plain.len(), "{path}");
                let mut plain = Vec::new();
                GzDecoder::new(content).read_to_end(&mut plain).unwrap();
                assert!(plain == *asset.plain, "{path}");
            }
        }
        assert!(assets["/"].varies());
    }

    #[test]
    fn a_new_version_has_another_tag() {
        let tag = |content| Form { content, is_gzip: false }.etag();
        let tags = [tag(b"ok\n"), tag(b"ok!\n")];
        assert_ne!(tags[0], tags[1]);
        for tag in tags {
            assert!(tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        }
    }
}
