//! Finds the parts of the page in `web/`, and compresses them, once for all who will ask for them.
//!
//! A file's path there is its path on the server, but for `index.html`, which is at `/`. Hidden
//! files are none of the page's. The files themselves stay as they are: nothing is bundled,
//! minified or renamed.

use std::env::var_os;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

fn main() -> io::Result<()> {
    // Cargo looks into folders, too: at what is in them, and whether something came or went.
    println!("cargo::rerun-if-changed=web");
    let folder = |name| PathBuf::from(var_os(name).expect("cargo says where the folders are"));
    let (web, out) = (folder("CARGO_MANIFEST_DIR").join("web"), folder("OUT_DIR"));
    let mut paths = Vec::new();
    collect(&web, "", &mut paths)?;
    paths.sort();
    fs::write(out.join("parts.rs"), list(&web, &out, &paths)?)
}

/// The files in a folder, and in those below it, by their paths from `web/` on.
fn collect(folder: &Path, prefix: &str, paths: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let path = format!("{prefix}{name}");
        // Anything else is spelled in more than one way in a URL, and would never be found.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        assert!(name.chars().all(is_plain), "web/{path} is no name for a part of the page");
        match entry.path().is_dir() {
            true => collect(&entry.path(), &format!("{path}/"), paths)?,
            false => paths.push(path),
        }
    }
    Ok(())
}

/// The list of the parts, in Rust, for `src/page/parts.rs`.
fn list(web: &Path, out: &Path, paths: &[String]) -> io::Result<String> {
    let mut list = "&[\n".to_owned();
    for path in paths {
        let url = if path == "index.html" { "/".to_owned() } else { format!("/{path}") };
        let plain = fs::read(web.join(path))?;
        let gzip = gzip(&plain)?;
        let gzip = if gzip.len() < plain.len() {
            let compressed = out.join("web").join(format!("{path}.gz"));
            fs::create_dir_all(compressed.parent().expect("it is in a folder"))?;
            fs::write(compressed, gzip)?;
            format!("Some(include_bytes!(concat!(env!(\"OUT_DIR\"), \"/web/{path}.gz\")))")
        } else {
            "None".to_owned()
        };
        let plain =
            format!("include_bytes!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/web/{path}\"))");
        let _ = writeln!(list, "Part {{ path: \"{url}\", plain: {plain}, gzip: {gzip} }},");
    }
    list.push(']');
    Ok(list)
}

/// The same bytes for the same content, always: the head of gzip could hold a time, and holds none.
fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    encoder.finish()
}
