//! The files of the page.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// A file of the page, embedded in the program.
pub(super) struct Asset {
    path: &'static str,
    plain: &'static [u8],
    /// Present if it is shorter.
    gzip: Option<&'static [u8]>,
}

/// An asset as it is sent: compressed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) content: &'static [u8],
    pub(super) is_gzip: bool,
}

/// The files that `build.rs` has found in `web/`.
const FILES: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));
const HEALTH: Asset = Asset { path: "/healthz", plain: b"ok\n", gzip: None };

pub(super) fn asset(path: &str) -> Option<&'static Asset> {
    FILES.iter().chain([&HEALTH]).find(|asset| asset.path == path)
}

impl Asset {
    pub(super) fn content_type(&self) -> &'static str {
        match self.path.rsplit_once('.') {
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            _ if self.path == "/" => "text/html; charset=utf-8",
            _ => "text/plain; charset=utf-8",
        }
    }

    /// Returns whether the response depends on `Accept-Encoding`.
    pub(super) fn varies(&self) -> bool {
        self.gzip.is_some()
    }

    pub(super) fn form(&self, accepts_gzip: bool) -> Form {
        match self.gzip {
            Some(content) if accepts_gzip => Form { content, is_gzip: true },
            _ => Form { content: self.plain, is_gzip: false },
        }
    }
}

impl Form {
    /// Returns a tag that differs for different content, and so for each form.
    pub(super) fn etag(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.content.hash(&mut hasher);
        format!("\"{:016x}\"", hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
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
    fn every_file_of_the_page_is_embedded() {
        let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
        let files = files_below(&web);
        for file in &files {
            let path = format!("/{}", file.strip_prefix(&web).unwrap().to_str().unwrap());
            let path = if path == "/index.html" { "/" } else { &path };
            let asset = asset(path).unwrap_or_else(|| panic!("{path} is missing"));
            assert_eq!(asset.plain, fs::read(file).unwrap(), "{path}");
        }
        let paths: BTreeSet<_> = FILES.iter().map(|asset| asset.path).collect();
        assert_eq!((files.len(), files.len()), (paths.len(), FILES.len()), "{paths:?}");
    }

    #[test]
    fn the_page_is_small() {
        let bytes: usize = FILES.iter().map(|asset| asset.form(true).content.len()).sum();
        assert!(bytes <= PAGE_BYTES_MAX, "the page has {bytes} bytes in gzip");
    }

    #[test]
    fn each_asset_has_a_content_type() {
        for asset in FILES {
            assert!(!asset.content_type().starts_with("text/plain"), "{}", asset.path);
        }
    }

    #[test]
    fn gzip_has_the_same_content_and_is_shorter() {
        for asset in FILES {
            let Form { content, is_gzip } = asset.form(true);
            assert_eq!(is_gzip, asset.varies(), "{}", asset.path);
            if is_gzip {
                assert!(content.len() < asset.plain.len(), "{}", asset.path);
                let mut plain = Vec::new();
                GzDecoder::new(content).read_to_end(&mut plain).unwrap();
                assert!(plain == asset.plain, "{}", asset.path);
            }
        }
        assert!(asset("/").unwrap().varies());
    }

    #[test]
    fn a_part_that_gzip_does_not_shorten_stays_as_it_is() {
        assert!(!HEALTH.varies());
        assert_eq!(HEALTH.form(true), Form { content: b"ok\n", is_gzip: false });
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
