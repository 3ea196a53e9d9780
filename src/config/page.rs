//! The page of a server: the built-in one, the embedder's own, or none.

#[cfg(feature = "page")]
use std::{borrow::Cow, path::PathBuf};

/// The page that a browser gets at `/`. The default is the built-in page, or none without the
/// feature `page`.
///
/// ```
/// use chinwag::{Config, Page};
///
/// let without = Config::default().page(Page::None);
/// # #[cfg(feature = "page")] {
/// use chinwag::PageFiles;
///
/// let folder = Config::default().page(PageFiles::folder("kiosk/"));
/// // `include_bytes!` puts a file into the program.
/// let html = b"<!doctype html><title>Kiosk</title>";
/// let embedded = Config::default().page(PageFiles::embedded([("index.html", html)]));
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Page {
    /// The page of chinwag.
    #[cfg(feature = "page")]
    #[default]
    BuiltIn,
    /// None: `/` is not found. `/healthz` and `/invite` remain. No thread serves pages.
    #[cfg_attr(not(feature = "page"), default)]
    None,
    /// The embedder's own files in place of the built-in page.
    #[cfg(feature = "page")]
    Files(PageFiles),
}

#[cfg(feature = "page")]
impl From<PageFiles> for Page {
    fn from(files: PageFiles) -> Self {
        Self::Files(files)
    }
}

/// The files of a page of the embedder. The path of a file is its path on the server, except that
/// `index.html` is at `/`, and `DIR/index.html` at `DIR/`.
///
/// The content type follows from the extension. Nothing is compressed. There is no
/// `Content-Security-Policy`; a page can have one in a `<meta http-equiv>`.
#[cfg(feature = "page")]
#[derive(Clone, Debug)]
pub struct PageFiles(pub(crate) FileSource);

#[cfg(feature = "page")]
#[derive(Clone, Debug)]
pub(crate) enum FileSource {
    Folder(PathBuf),
    Embedded(Vec<(String, Cow<'static, [u8]>)>),
}

#[cfg(feature = "page")]
impl PageFiles {
    /// Takes the files of a folder and of the folders in it. [`Server::bind`](crate::Server::bind)
    /// reads them into memory, 64 MiB at most. It leaves out hidden files (`.name`), symbolic links,
    /// and everything else that is not a regular file.
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self(FileSource::Folder(path.into()))
    }

    /// Takes files from memory, each with its path, such as `main.js` or `pictures/logo.svg`.
    pub fn embedded<P, C>(files: impl IntoIterator<Item = (P, C)>) -> Self
    where
        P: Into<String>,
        C: Into<Cow<'static, [u8]>>,
    {
        let owned = |(path, content): (P, C)| (path.into(), content.into());
        Self(FileSource::Embedded(files.into_iter().map(owned).collect()))
    }
}
