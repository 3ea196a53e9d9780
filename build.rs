//! Finds the parts of the page in `web/`, and compresses them, once for all who will ask for them;
//! and finds out what the program says of itself with `--version`.
//!
//! A file's path there is its path on the server, but for `index.html`, which is at `/`. Hidden
//! files are none of the page's. The files themselves stay as they are: nothing is bundled,
//! minified or renamed.

use std::env::{var, var_os};
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;

fn main() -> io::Result<()> {
    // Cargo looks into folders, too: at what is in them, and whether something came or went.
    println!("cargo::rerun-if-changed=web");
    let folder = |name| PathBuf::from(var_os(name).expect("cargo says where the folders are"));
    let (root, out) = (folder("CARGO_MANIFEST_DIR"), folder("OUT_DIR"));
    let web = root.join("web");
    println!("cargo::rustc-env=FULL_VERSION={}", full_version(&root));
    let mut paths = Vec::new();
    collect(&web, "", &mut paths)?;
    paths.sort();
    fs::write(out.join("assets.rs"), list(&web, &out, &paths)?)
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

/// The list of the parts, in Rust, for `src/http/page/assets.rs`.
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
        let _ = writeln!(list, "Asset {{ path: \"{url}\", plain: {plain}, gzip: {gzip} }},");
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

/// The version with what makes this build different from others of it: the commit, the features
/// and the target. It has no time, so that the same source gives the same program.
fn full_version(root: &Path) -> String {
    let set = |name: &str| var(name).unwrap_or_default();
    let feature = |name: &&str| var_os(format!("CARGO_FEATURE_{}", name.to_uppercase())).is_some();
    let features: Vec<_> = ["history", "confusables"].into_iter().filter(feature).collect();
    let features = if features.is_empty() { "no features".to_owned() } else { features.join(" ") };
    let commit = commit(root).map(|commit| format!("commit {commit}"));
    let parts: Vec<_> = commit.into_iter().chain([features, set("TARGET")]).collect();
    format!("{} ({})", set("CARGO_PKG_VERSION"), parts.join(", "))
}

/// The commit that is checked out. A source without a repository of its own has none: one from a
/// registry or a tarball, also when it lies in the repository of something else.
fn commit(root: &Path) -> Option<String> {
    let top = PathBuf::from(git(root, &["rev-parse", "--show-toplevel"])?);
    if top.canonicalize().ok()? != root.canonicalize().ok()? {
        return None;
    }
    // The first says which branch or commit is checked out, the last have the commit of the branch.
    // Cargo builds each time when one of them does not exist.
    let branch = git(root, &["rev-parse", "--symbolic-full-name", "HEAD"])?;
    for file in ["HEAD", "logs/HEAD", &branch, "packed-refs"] {
        let path = root.join(git(root, &["rev-parse", "--git-path", file])?);
        if path.is_file() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    git(root, &["rev-parse", "HEAD"])?.get(..9).map(str::to_owned)
}

/// What git answers, where it is installed and knows the folder.
fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    // A hook of git sets them for its own repository.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        git.env_remove(variable);
    }
    let output = git.current_dir(root).args(arguments).output().ok()?;
    let answer = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    Some(answer.trim().to_owned())
}
