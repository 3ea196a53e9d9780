//! The files of an embedder's own page.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::assets::{Asset, Assets};
use crate::config::page::{FileSource, PageFiles};

/// Maximum size of all files of a folder (bytes).
const FOLDER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A file or folder of the page cannot be read.
#[derive(Debug)]
pub(crate) struct PageError {
    pub(crate) path: PathBuf,
    pub(crate) error: io::Error,
}

/// Reads the files of a page.
///
/// # Errors
/// If a file cannot be read, or a folder is too large.
pub(super) fn read(files: &PageFiles) -> Result<Assets, PageError> {
    match &files.0 {
        FileSource::Folder(folder) => {
            let mut reader = FolderReader { assets: Assets::new(), bytes_left: FOLDER_BYTES_MAX };
            reader.read(folder, "")?;
            Ok(reader.assets)
        }
        FileSource::Embedded(files) => {
            let mut assets = Assets::new();
            for (path, content) in files {
                insert(&mut assets, path.trim_start_matches('/'), content.clone());
            }
            Ok(assets)
        }
    }
}

fn insert(assets: &mut Assets, path: &str, content: Cow<'static, [u8]>) {
    let path = match path.strip_suffix("index.html") {
        Some(folder) if folder.is_empty() || folder.ends_with('/') => folder,
        _ => path,
    };
    let path = format!("/{path}");
    let asset = Arc::new(Asset::own(&path, content));
    assets.insert(path, asset);
}

struct FolderReader {
    assets: Assets,
    bytes_left: u64,
}

impl FolderReader {
    /// Reads the files of a folder, which has this path on the server.
    fn read(&mut self, folder: &Path, path: &str) -> Result<(), PageError> {
        let failed = |at: &Path| {
            let path = at.to_owned();
            move |error| PageError { path, error }
        };
        for entry in fs::read_dir(folder).map_err(failed(folder))? {
            let entry = entry.map_err(failed(folder))?;
            let file = entry.path();
            let kind = entry.file_type().map_err(failed(&file))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                return Err(failed(&file)(io::Error::other("the name is not UTF-8")));
            };
            if name.starts_with('.') {
                continue;
            }
            if kind.is_dir() {
                self.read(&file, &format!("{path}{name}/"))?;
            } else if kind.is_file() {
                let mut content = Vec::new();
                let opened = File::open(&file).map_err(failed(&file))?;
                let mut bounded = opened.take(self.bytes_left + 1);
                bounded.read_to_end(&mut content).map_err(failed(&file))?;
                let left = self.bytes_left.checked_sub(content.len() as u64);
                self.bytes_left = left.ok_or_else(|| {
                    failed(&file)(io::Error::other("with this file, the page has more than 64 MiB"))
                })?;
                insert(&mut self.assets, &format!("{path}{name}"), content.into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use testkit::TempDir;

    use super::*;

    fn paths(assets: &Assets) -> Vec<&str> {
        let mut paths: Vec<_> = assets.keys().map(String::as_str).collect();
        paths.sort_unstable();
        paths
    }

    #[test]
    fn a_folder_is_read_with_its_folders() {
        let folder = TempDir::new();
        fs::create_dir_all(folder.file("docs/deep")).unwrap();
        fs::create_dir(folder.file(".git")).unwrap();
        for file in ["index.html", "a b.js", "docs/index.html", "docs/deep/myindex.html"] {
            fs::write(folder.file(file), file).unwrap();
        }
        fs::write(folder.file(".hidden"), "").unwrap();
        fs::write(folder.file(".git/config"), "").unwrap();
        std::os::unix::fs::symlink("/etc/hostname", folder.file("link")).unwrap();
        let assets = read(&PageFiles::folder(folder.file("."))).unwrap();
        assert_eq!(paths(&assets), ["/", "/a b.js", "/docs/", "/docs/deep/myindex.html"]);
        assert_eq!(assets["/docs/"].form(true).content, b"docs/index.html");
        assert_eq!(assets["/docs/"].content_type(), "text/html; charset=utf-8");
    }

    #[test]
    fn embedded_files_need_no_slash_in_front() {
        let files = [("index.html", &b"1"[..]), ("/a/b.css", b"2"), ("a/index.html", b"3")];
        let assets = read(&PageFiles::embedded(files)).unwrap();
        assert_eq!(paths(&assets), ["/", "/a/", "/a/b.css"]);
        assert_eq!(assets["/a/b.css"].content_type(), "text/css; charset=utf-8");
    }

    #[test]
    fn an_error_names_the_file() {
        let folder = TempDir::new();
        let missing = folder.file("missing");
        let error = read(&PageFiles::folder(&missing)).unwrap_err();
        assert_eq!((error.path, error.error.kind()), (missing, io::ErrorKind::NotFound));
    }

    #[test]
    fn a_large_folder_is_an_error() {
        let folder = TempDir::new();
        for name in ["1", "2"] {
            let half = File::create(folder.file(name)).unwrap();
            half.set_len(FOLDER_BYTES_MAX / 2 + 1).unwrap();
        }
        let error = read(&PageFiles::folder(folder.file("."))).unwrap_err();
        assert!(error.error.to_string().contains("64 MiB"), "{error:?}");
        fs::remove_file(folder.file("2")).unwrap();
        assert!(read(&PageFiles::folder(folder.file("."))).is_ok());
    }
}
