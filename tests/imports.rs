//! Checks the way of the data from the imports of `src/`.
//!
//! The folders in the order of `lib.rs` are the way of the data: a folder imports only from itself
//! and from folders below it. Within a folder, the files form no circle. A file may use what the
//! `mod.rs` above it defines. Tests inside `src/` are exempt.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The path of a module from the root of the crate. The root itself is empty.
type Module = Vec<String>;

/// One import: the module in which it stands, its line, and the path as it is written.
struct Import {
    line: usize,
    path: Vec<String>,
}

#[derive(Default)]
struct Tree {
    /// The product code of each module, without comments.
    sources: BTreeMap<Module, String>,
    /// The `mod` lines of `lib.rs`, in their order.
    order: Vec<String>,
}

impl Tree {
    fn read(folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        collect(folder, &mut Vec::new(), &mut files);
        Self::of(files.iter().map(|(module, text)| (module.as_slice(), text.as_str())))
    }

    fn of<'a>(files: impl Iterator<Item = (&'a [String], &'a str)>) -> Self {
        let mut tree = Self::default();
        let mut tests = BTreeSet::new();
        for (module, text) in files {
            let text = without_comments(text);
            for name in test_modules(&text) {
                tests.insert([module, &[name]].concat());
            }
            if module.is_empty() {
                tree.order = declared(&text);
            }
            tree.sources.insert(module.to_vec(), without_tests(&text));
        }
        let is_test = |module: &Module| (1..=module.len()).any(|n| tests.contains(&module[..n]));
        tree.sources.retain(|module, _| !is_test(module));
        tree
    }

    /// Returns the module in which the item of a path is defined, as seen from `from`. Re-exports
    /// are followed. `None` for paths out of the crate.
    fn resolve(&self, from: &Module, path: &[String]) -> Option<Module> {
        let mut rest = path;
        let mut module = match rest.first()?.as_str() {
            "crate" => Vec::new(),
            "self" => from.clone(),
            "super" => from[..from.len().checked_sub(1)?].to_vec(),
            child if self.is_child(from, child) => from.clone(),
            _ => return None,
        };
        if matches!(rest[0].as_str(), "crate" | "self" | "super") {
            rest = &rest[1..];
        }
        while let Some((name, others)) = rest.split_first() {
            if name == "super" {
                module.pop()?;
            } else if self.is_child(&module, name) {
                module.push(name.clone());
            } else {
                return Some(self.definition(module, name));
            }
            rest = others;
        }
        Some(module)
    }

    fn is_child(&self, module: &Module, name: &str) -> bool {
        self.sources.contains_key(&[module.as_slice(), &[name.to_owned()]].concat())
    }

    fn definition(&self, module: Module, item: &str) -> Module {
        let is_it = |import: &Import| {
            import.path.last().is_some_and(|last| last == item)
                && self.is_child(&module, &import.path[0])
        };
        let reexport = imports(&self.sources[&module]).into_iter().find(is_it);
        match reexport.and_then(|it| self.resolve(&module, &it.path)) {
            Some(found) if found != module => found,
            _ => module,
        }
    }

    /// Returns each import of a module by another, with its line.
    fn edges(&self) -> Vec<(&Module, usize, Module)> {
        let mut edges = Vec::new();
        for (module, source) in &self.sources {
            for import in imports(source) {
                let target = self.resolve(module, &import.path);
                edges.extend(target.map(|target| (module, import.line, target)));
            }
        }
        edges
    }

    /// Returns a sentence for each import that goes upward.
    fn upward(&self) -> Vec<String> {
        let floor = |module: &Module| self.order.iter().position(|it| Some(it) == module.first());
        let is_upward = |(from, _, to): &(&Module, usize, Module)| match (floor(from), floor(to)) {
            (Some(from), Some(to)) => to < from,
            _ => false,
        };
        let upward = self.edges().into_iter().filter(is_upward);
        let sentence = |(from, line, to): (&Module, usize, Module)| {
            let (from, to) = (from.join("::"), to.join("::"));
            format!("{from}, line {line}, imports {to} from above: move the definition down")
        };
        upward.map(sentence).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Returns the files of each circle.
    fn circles(&self) -> Vec<String> {
        let mut arrows: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
        for (from, _, to) in self.edges() {
            let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            // The two siblings below their common folder; the folder's own mod.rs is exempt.
            if common < from.len() && common < to.len() {
                let siblings = [&from[..=common], &to[..=common]].map(<[String]>::to_vec);
                let [from, to] = siblings;
                arrows.entry(from).or_default().insert(to);
            }
        }
        let mut circles = BTreeSet::new();
        for start in arrows.keys() {
            if let Some(mut way) = way_back(&arrows, start) {
                way.sort();
                circles.insert(way);
            }
        }
        let names = |way: &Vec<Module>| way.iter().map(|it| it.join("::")).collect::<Vec<_>>();
        circles.iter().map(|way| names(way).join(" <-> ")).collect()
    }
}

/// Returns the shortest way from a module back to itself.
fn way_back(arrows: &BTreeMap<Module, BTreeSet<Module>>, start: &Module) -> Option<Vec<Module>> {
    let mut ways = vec![vec![start.clone()]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut next = Vec::new();
        for way in ways {
            for to in arrows.get(way.last()?).into_iter().flatten() {
                if to == start {
                    return Some(way);
                }
                if seen.insert(to.clone()) {
                    next.push([way.clone(), vec![to.clone()]].concat());
                }
            }
        }
        ways = next;
    }
    None
}

fn collect(folder: &Path, module: &mut Module, files: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            // The program is a crate of its own.
            if !(module.is_empty() && name == "bin") {
                module.push(name);
                collect(&path, module, files);
                module.pop();
            }
        } else if path.extension().is_some_and(|it| it == "rs") {
            let mut module = module.clone();
            if name != "mod" && name != "lib" {
                module.push(name);
            }
            files.insert(module, fs::read_to_string(&path).expect("the file can be read"));
        }
    }
}

fn without_comments(text: &str) -> String {
    let code = |line: &str| match line.find("//") {
        Some(0) => String::new(),
        Some(at) if line[..at].ends_with(char::is_whitespace) => line[..at].to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(|line| code(line) + "\n").collect()
}

/// Returns the names of modules that are declared for tests only.
fn test_modules(text: &str) -> Vec<String> {
    let mut is_test = false;
    let mut names = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = declaration(line).filter(|_| is_test) {
            names.push(name);
        }
        is_test = line == "#[cfg(test)]" || (is_test && line.starts_with("#["));
    }
    names
}

/// Returns the name in `mod name;`.
fn declaration(line: &str) -> Option<String> {
    let line = line.strip_prefix("pub(crate) ").or(line.strip_prefix("pub ")).unwrap_or(line);
    Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
}

fn declared(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| declaration(line.trim())).collect()
}

/// Cuts off the module of tests, which is the last in its file, and single items for tests.
fn without_tests(text: &str) -> String {
    let is_module = |at: &usize| {
        let rest = &text[*at + "#[cfg(test)]".len()..];
        rest.lines().find(|it| !it.trim().is_empty() && !it.trim().starts_with("#[")).is_some_and(
            |line| line.trim_start().starts_with("mod ") && line.trim_end().ends_with('{'),
        )
    };
    let starts = text.match_indices("#[cfg(test)]").map(|(at, _)| at);
    let end = starts.into_iter().find(is_module).unwrap_or(text.len());
    text[..end].to_owned()
}

/// Returns the paths in `use` declarations, and other paths from `crate::` or `super::` on.
fn imports(source: &str) -> Vec<Import> {
    let line_of = |at: usize| source[..at].matches('\n').count() + 1;
    let mut found = Vec::new();
    let mut uses = Vec::new();
    for (at, _) in source.match_indices("use ") {
        let is_word = source[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let Some(length) = source[at..].find(';').filter(|_| !is_word) else { continue };
        uses.push(at..at + length);
        let tree: String = source[at + "use ".len()..at + length].split_whitespace().collect();
        found.extend(expand(&tree).into_iter().map(|path| Import { line: line_of(at), path }));
    }
    for root in ["crate::", "super::"] {
        for (at, _) in source.match_indices(root) {
            let before = source[..at].chars().next_back();
            let is_inside = before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':'));
            if is_inside || uses.iter().any(|it| it.contains(&at)) {
                continue;
            }
            let is_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
            let end = source[at..].find(|c| !is_path(c)).map_or(source.len(), |end| at + end);
            let path = source[at..end].split("::").filter(|it| !it.is_empty());
            found.push(Import { line: line_of(at), path: path.map(str::to_owned).collect() });
        }
    }
    found
}

/// Expands the tree of a `use` declaration, without spaces, into paths.
fn expand(tree: &str) -> Vec<Vec<String>> {
    let Some(open) = tree.find('{') else {
        let path = tree.split("::").filter(|it| !matches!(*it, "" | "self" | "*"));
        let name = |it: &str| it.split_once("as_").map_or(it, |(name, _)| name).to_owned();
        return vec![path.map(name).collect()];
    };
    let close = tree.rfind('}').expect("a use declaration closes its braces");
    let prefix: Vec<_> =
        tree[..open].split("::").filter(|it| !it.is_empty()).map(str::to_owned).collect();
    let mut paths = Vec::new();
    let (mut depth, mut start) = (0, open + 1);
    for (at, c) in tree.char_indices().filter(|(at, _)| (open + 1..=close).contains(at)) {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                let branches = expand(&tree[start..at]);
                paths.extend(branches.into_iter().map(|it| [prefix.clone(), it].concat()));
                start = at + 1;
            }
            _ => {}
        }
    }
    paths
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn no_folder_imports_from_above() {
    let tree = Tree::read(&root().join("src"));
    let folders: BTreeSet<_> = tree.sources.keys().filter_map(|it| it.first()).collect();
    assert_eq!(folders, tree.order.iter().collect(), "lib.rs declares every folder");
    assert!(tree.edges().len() > 100, "the imports are found");
    let upward = tree.upward();
    assert!(upward.is_empty(), "\n{}", upward.join("\n"));
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let circles = Tree::read(&root().join("src")).circles();
    assert!(circles.is_empty(), "\n{}", circles.join("\n"));
}

#[test]
fn the_chat_imports_nothing_of_the_crate() {
    let tree = Tree::read(&root().join("src"));
    let is_foreign = |(from, _, to): &(&Module, usize, Module)| {
        from.first().is_some_and(|it| it == "chat") && to.first() != from.first()
    };
    let foreign = tree.edges().into_iter().filter(is_foreign);
    let names: Vec<_> = foreign.map(|(from, line, to)| (from.clone(), line, to)).collect();
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn programs_and_benchmarks_take_the_real_modules() {
    let tree = Tree::read(&root().join("src"));
    for folder in ["src/bin/chinwag", "benches/parts/src"] {
        for entry in fs::read_dir(root().join(folder)).expect("the folder can be read") {
            let path = entry.expect("the folder can be read").path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            assert!(!tree.order.contains(&name), "{} takes the place of a folder", path.display());
            if folder.starts_with("src") {
                let text = fs::read_to_string(&path).expect("the file can be read");
                assert!(!text.contains("#[path"), "{} takes files of the library", path.display());
            }
        }
    }
}

#[cfg(test)]
mod of_the_checker {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let modules: Vec<(Module, &str)> = files
            .iter()
            .map(|(path, text)| {
                let names = path.split('/').filter(|it| !matches!(*it, "lib" | "mod"));
                (names.map(str::to_owned).collect(), *text)
            })
            .collect();
        Tree::of(modules.iter().map(|(module, text)| (module.as_slice(), *text)))
    }

    const ROOT: (&str, &str) = ("lib", "mod top;\nmod low;\npub use top::Thing;\n");

    #[test]
    fn an_import_from_above_is_found() {
        for text in [
            "use crate::top::Thing;\n",
            "use crate::{\n    top::{self, Thing},\n};\n",
            "fn f() -> crate::top::Thing {}\n",
            "fn f() { super::top::g() }\n",
        ] {
            let tree = tree(&[ROOT, ("top/mod", ""), ("low/mod", text)]);
            assert_eq!(tree.upward().len(), 1, "{text}");
        }
    }

    #[test]
    fn imports_from_below_and_of_tests_are_allowed() {
        let tests = "#[cfg(test)]\nmod tests {\n    use crate::top::Thing;\n}\n";
        let comment = "/// See [`crate::top::Thing`].\n// use crate::top::Thing;\n";
        for low in [tests, comment] {
            let top = "use crate::low::X;\nuse std::io;\n";
            let tree = tree(&[ROOT, ("top/mod", top), ("low/mod", low)]);
            assert_eq!(tree.upward(), [""; 0], "{low}");
        }
        let files = "#[cfg(test)]\nmod tests;\n";
        let tree = tree(&[
            ROOT,
            ("top/mod", ""),
            ("low/mod", files),
            ("low/tests", "use crate::top::Thing;"),
        ]);
        assert_eq!(tree.upward(), [""; 0]);
    }

    #[test]
    fn a_circle_is_found() {
        for (a, b) in [
            ("use super::b::B;", "use super::a::A;"),
            ("use super::B;", "use crate::low::a::A;"),
            ("use super::{b, x::Y};", "fn f() { super::a::g() }"),
        ] {
            let low = "mod a;\nmod b;\npub(crate) use b::{B};\n";
            let tree = tree(&[ROOT, ("top/mod", ""), ("low/mod", low), ("low/a", a), ("low/b", b)]);
            assert_eq!(tree.circles(), ["low::a <-> low::b"], "{a} {b}");
        }
    }

    #[test]
    fn a_circle_of_three_is_found() {
        let tree = tree(&[
            ROOT,
            ("top/mod", ""),
            ("low/mod", "mod a;\nmod b;\nmod c;\n"),
            ("low/a", "use super::b::B;"),
            ("low/b", "use super::c::C;"),
            ("low/c", "use super::a::A;"),
        ]);
        assert_eq!(tree.circles(), ["low::a <-> low::b <-> low::c"]);
    }

    #[test]
    fn files_may_use_what_their_folder_defines() {
        let low = "mod a;\nmod b;\npub(crate) struct Own;\nuse a::A;\nuse b::B;\n";
        let tree = tree(&[
            ROOT,
            ("top/mod", ""),
            ("low/mod", low),
            ("low/a", "use super::Own;"),
            ("low/b", "use super::{Own, a::A};"),
        ]);
        assert_eq!(tree.circles(), [""; 0]);
    }
}
