//! Lists and compresses the files of the page in `web/`, and builds the text of `--version`.
//!
//! The path of a file in `web/` is its path on the server, except that `index.html` is at `/`.
//! Hidden files and type declarations (`.d.ts`) are not part of the page. Nothing is bundled,
//! minified or renamed.

use std::env::{var, var_os};
#[cfg(feature = "page")]
use std::fmt::Write as _;
#[cfg(feature = "page")]
use std::fs;
use std::io;
#[cfg(feature = "page")]
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

#[cfg(feature = "page")]
use flate2::{Compression, write::GzEncoder};

fn main() -> io::Result<()> {
    let folder = |name| PathBuf::from(var_os(name).expect("cargo sets the folders"));
    let root = folder("CARGO_MANIFEST_DIR");
    // Cargo watches the folders below, too.
    println!("cargo::rerun-if-changed=web");
    println!("cargo::rustc-env=FULL_VERSION={}", full_version(&root));
    #[cfg(feature = "page")]
    write_assets(&root.join("web"), &folder("OUT_DIR"))?;
    Ok(())
}

/// Writes the list of the files, for `src/http/page/assets.rs`.
#[cfg(feature = "page")]
fn write_assets(web: &Path, out: &Path) -> io::Result<()> {
    let mut paths = Vec::new();
    collect(web, "", &mut paths)?;
    paths.sort();
    fs::write(out.join("assets.rs"), list(web, out, &paths)?)
}

/// Collects the paths of the files in a folder and below it, relative to `web/`.
#[cfg(feature = "page")]
fn collect(folder: &Path, prefix: &str, paths: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || name.ends_with(".d.ts") {
            continue;
        }
        let path = format!("{prefix}{name}");
        // A URL can spell other characters in several ways, so that the file would not be found.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        assert!(name.chars().all(is_plain), "web/{path} has a character that is not allowed");
        match entry.path().is_dir() {
            true => collect(&entry.path(), &format!("{path}/"), paths)?,
            false => paths.push(path),
        }
    }
    Ok(())
}

/// Returns the list of the files as Rust code.
#[cfg(feature = "page")]
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
        let _ = writeln!(list, "BuiltIn {{ path: \"{url}\", plain: {plain}, gzip: {gzip} }},");
    }
    list.push(']');
    Ok(list)
}

/// Compresses a file. The gzip header has no time, so that the same source gives the same program.
#[cfg(feature = "page")]
fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    encoder.finish()
}

/// Returns the version with the commit, the features and the target of this build. It has no time,
/// so that the same source gives the same program.
fn full_version(root: &Path) -> String {
    let set = |name: &str| var(name).unwrap_or_default();
    let feature = |name: &&str| var_os(format!("CARGO_FEATURE_{}", name.to_uppercase())).is_some();
    let features: Vec<_> = ["history", "confusables"].into_iter().filter(feature).collect();
    let features = if features.is_empty() { "no features".to_owned() } else { features.join(" ") };
    let commit = commit(root).map(|commit| format!("commit {commit}"));
    let parts: Vec<_> = commit.into_iter().chain([features, set("TARGET")]).collect();
    format!("{} ({})", set("CARGO_PKG_VERSION"), parts.join(", "))
}

/// Returns the commit that is checked out. Source from a registry or a tarball has none, even inside
/// the repository of another project.
fn commit(root: &Path) -> Option<String> {
    let top = PathBuf::from(git(root, &["rev-parse", "--show-toplevel"])?);
    if top.canonicalize().ok()? != root.canonicalize().ok()? {
        return None;
    }
    // `HEAD` names the branch, and the others hold the commit of the branch. Cargo would build
    // each time for a file that does not exist.
    let branch = git(root, &["rev-parse", "--symbolic-full-name", "HEAD"])?;
    for file in ["HEAD", "logs/HEAD", &branch, "packed-refs"] {
        let path = root.join(git(root, &["rev-parse", "--git-path", file])?);
        if path.is_file() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    git(root, &["rev-parse", "HEAD"])?.get(..9).map(str::to_owned)
}

/// Runs git, and returns its output if it succeeds.
fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    // A git hook sets these for its own repository.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        git.env_remove(variable);
    }
    let output = git.current_dir(root).args(arguments).output().ok()?;
    let answer = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    Some(answer.trim().to_owned())
}
