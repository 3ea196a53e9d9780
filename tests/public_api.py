"""Lists the public API of the library, one item a line, in the form of cargo-public-api.

    python3 tests/public_api.py           writes tests/public_api.txt
    python3 tests/public_api.py --check   fails if the API is not the one in that file

The list has the default features. It leaves out the methods of trait implementations, because the
trait gives them, and the implementations that the compiler makes without being asked.

The source is rustdoc's JSON, which a stable compiler writes only for a crate that
`RUSTC_BOOTSTRAP` names. That has no effect on any other crate.
"""

import difflib
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIST = ROOT / "tests" / "public_api.txt"
CRATE = "chinwag"
# A folder of its own, because the JSON counts as the documentation of the build.
TARGET = ROOT / "target" / "api"
# Traits that `derive` implements as a marker besides `PartialEq`.
MARKERS = {"StructuralPartialEq"}


def rustdoc_json():
    """Returns rustdoc's JSON of the library."""
    cargo = [os.environ.get("CARGO", "cargo"), "rustdoc", "--locked", "--quiet", "--lib"]
    rustdoc = ["-Z", "unstable-options", "--output-format", "json"]
    command = [*cargo, "--package", CRATE, "--target-dir", str(TARGET), "--", *rustdoc]
    document = TARGET / "doc" / f"{CRATE}.json"
    # So that a file of an earlier run is not taken for the new one.
    document.unlink(missing_ok=True)
    environment = {**os.environ, "RUSTC_BOOTSTRAP": CRATE}
    if subprocess.run(command, cwd=ROOT, env=environment).returncode != 0:
        sys.exit("tests/public_api.py: cargo rustdoc failed")
    return json.loads(document.read_text())


def only(kinds):
    """Returns the kind and the content of an object with one key, or of a string."""
    if isinstance(kinds, str):
        return kinds, None
    [(kind, content)] = kinds.items()
    return kind, content


class Api:
    """The public items of a crate, each with its path and its line."""

    def __init__(self, document):
        self.index = {str(id): item for id, item in document["index"].items()}
        self.external = {str(id): entry for id, entry in document["paths"].items()}
        # The path of each public type, trait and module by its id. An item that is exported twice
        # has the first.
        self.paths = {}
        self.lines = []
        self.exports = []
        self.find_paths(str(document["root"]), CRATE)
        for path, id in self.exports:
            self.item(path, self.index[id])
        for item in self.index.values():
            if "impl" in item["inner"]:
                self.implementation(item["inner"]["impl"])

    def text(self):
        # By path, so that the parts of a type follow it. Its implementations are between.
        lines = sorted(set(self.lines), key=lambda it: (it[0], it[1].startswith("impl"), it[1]))
        return "".join(f"{line}\n" for _, line in lines)

    def add(self, path, line, item=None):
        attributes = item["attrs"] if item else []
        is_open = "non_exhaustive" in attributes or "#[non_exhaustive]" in attributes
        self.lines.append((path, f"{'#[non_exhaustive] ' if is_open else ''}{line}"))

    def find_paths(self, id, path):
        """Follows the re-exports from the root of the crate."""
        kind, inner = only(self.index[id]["inner"])
        if kind == "use":
            target = str(inner["id"])
            if inner["is_glob"]:
                sys.exit(f"tests/public_api.py: pub use {inner['source']}::* is not supported")
            if target not in self.index or target in self.paths:
                self.add(path, f"pub use {path} = {self.path_of(target)}")
            else:
                self.find_paths(target, path)
            return
        self.paths[id] = path
        self.exports.append((path, id))
        if kind == "module":
            for id in inner["items"]:
                item = self.index[str(id)]
                name = item["inner"]["use"]["name"] if "use" in item["inner"] else item["name"]
                self.find_paths(str(id), f"{path}::{name}")

    def path_of(self, id):
        return self.paths.get(str(id)) or "::".join(self.external[str(id)]["path"])

    # Items

    def item(self, path, item):
        kind, inner = only(item["inner"])
        if kind == "module":
            self.add(path, f"pub mod {path}", item)
        elif kind == "function":
            self.add(path, self.function(path, inner), item)
        elif kind in ("struct", "enum", "trait"):
            generics = self.generics(inner["generics"])
            bounds = self.bounds(inner["bounds"]) if kind == "trait" else ""
            supertraits = f": {bounds}" if bounds else ""
            fields = ""
            if kind == "struct" and "tuple" in inner["kind"]:
                fields = self.tuple_fields(inner["kind"]["tuple"])
            self.add(path, f"pub {kind} {path}{generics}{supertraits}{fields}"
                     f"{self.where(inner['generics'])}", item)
            self.parts(path, kind, inner)
        elif kind == "constant":
            value = inner["const"]["value"] or inner["const"]["expr"]
            self.add(path, f"pub const {path}: {self.type(inner['type'])} = {value}")
        elif kind == "type_alias":
            generics = self.generics(inner["generics"])
            self.add(path, f"pub type {path}{generics} = {self.type(inner['type'])}")
        else:
            sys.exit(f"tests/public_api.py: {path} is a {kind}, which is not supported")

    def parts(self, path, kind, inner):
        if kind == "struct":
            self.fields(path, inner["kind"]["plain"]["fields"] if "plain" in inner["kind"] else [])
        elif kind == "enum":
            for id in inner["variants"]:
                self.variant(path, self.index[str(id)])
        else:
            for id in inner["items"]:
                self.associated(path, self.index[str(id)])

    def fields(self, path, ids):
        for id in ids:
            field = self.index[str(id)]
            it = f"{path}::{field['name']}"
            self.add(it, f"pub {it}: {self.type(field['inner']['struct_field'])}")

    def tuple_fields(self, ids):
        # A private field has no id, or is not in the index.
        fields = [self.index.get(str(id)) for id in ids]
        types = [self.type(it["inner"]["struct_field"]) if it else "_" for it in fields]
        return f"({', '.join(types)})"

    def variant(self, path, item):
        path = f"{path}::{item['name']}"
        inner = item["inner"]["variant"]
        kind, content = only(inner["kind"])
        fields = self.tuple_fields(content) if kind == "tuple" else ""
        number = f" = {inner['discriminant']['value']}" if inner["discriminant"] else ""
        self.add(path, f"pub {path}{fields}{number}", item)
        if kind == "struct":
            self.fields(path, content["fields"])

    def associated(self, path, item):
        """Adds an item of a trait or of an inherent implementation."""
        path = f"{path}::{item['name']}"
        kind, inner = only(item["inner"])
        if kind == "function":
            self.add(path, self.function(path, inner), item)
        elif kind == "assoc_const":
            value = f" = {inner['value']}" if inner["value"] else ""
            self.add(path, f"pub const {path}: {self.type(inner['type'])}{value}")
        else:
            bounds = f": {self.bounds(inner['bounds'])}" if inner["bounds"] else ""
            default = f" = {self.type(inner['type'])}" if inner["type"] else ""
            self.add(path, f"pub type {path}{bounds}{default}")

    def implementation(self, inner):
        owner = self.type(inner["for"])
        kind, content = only(inner["for"])
        path = self.path_of(content["id"]) if kind == "resolved_path" else owner
        items = [self.index[str(id)] for id in inner["items"] if str(id) in self.index]
        if inner["trait"] is None:
            for item in items:
                if item["visibility"] == "public":
                    self.associated(path, item)
            return
        name = self.path_of(inner["trait"]["id"]).split("::")[-1]
        if inner["is_synthetic"] or inner["blanket_impl"] or name in MARKERS:
            return
        # An implementation for a type of another crate stands with its trait.
        key = path if path.startswith(f"{CRATE}::") else self.path_of(inner["trait"]["id"])
        generics = self.generics(inner["generics"])
        self.add(key, f"impl{generics} {'!' if inner['is_negative'] else ''}"
                 f"{self.path(inner['trait'])} for {owner}{self.where(inner['generics'])}")
        for item in items:
            if "assoc_type" in item["inner"]:
                value = self.type(item["inner"]["assoc_type"]["type"])
                self.add(key, f"pub type <{owner} as {self.path(inner['trait'])}>"
                         f"::{item['name']} = {value}")

    def function(self, path, inner):
        header, signature = inner["header"], inner["sig"]
        words = ["pub"]
        words += [word for word in ("const", "async", "unsafe") if header[f"is_{word}"]]
        kind, content = only(header["abi"])
        if kind != "Rust":
            words.append(f'extern "{kind}"')
        inputs = ", ".join(self.input(name, type) for name, type in signature["inputs"])
        output = f" -> {self.type(signature['output'])}" if signature["output"] else ""
        generics = self.generics(inner["generics"])
        # Only a method of a trait can lack a body: each implementation must have it.
        default = "" if inner["has_body"] else "  // required"
        return (f"{' '.join(words)} fn {path}{generics}({inputs}){output}"
                f"{self.where(inner['generics'])}{default}")

    def input(self, name, type):
        if name == "self":
            kind, content = only(type)
            if (kind, content) == ("generic", "Self"):
                return "self"
            if kind == "borrowed_ref" and content["type"] == {"generic": "Self"}:
                return f"{self.reference(content)}self"
        return f"{name}: {self.type(type)}"

    # Generics

    def generics(self, generics):
        params = [self.param(it) for it in generics["params"] if not is_synthetic(it)]
        return f"<{', '.join(params)}>" if params else ""

    def param(self, param):
        kind, content = only(param["kind"])
        if kind == "lifetime":
            outlives = " + ".join(content["outlives"])
            return f"{param['name']}: {outlives}" if outlives else param["name"]
        if kind == "const":
            return f"const {param['name']}: {self.type(content['type'])}"
        bounds = f": {self.bounds(content['bounds'])}" if content["bounds"] else ""
        default = f" = {self.type(content['default'])}" if content["default"] else ""
        return f"{param['name']}{bounds}{default}"

    def where(self, generics):
        predicates = []
        for predicate in generics["where_predicates"]:
            kind, content = only(predicate)
            if kind == "bound_predicate":
                bounds = self.bounds(content["bounds"])
                predicates.append(f"{self.type(content['type'])}: {bounds}")
            elif kind == "lifetime_predicate":
                predicates.append(f"{content['lifetime']}: {' + '.join(content['outlives'])}")
            else:
                predicates.append(f"{self.type(content['lhs'])} == {self.term(content['rhs'])}")
        return f" where {', '.join(predicates)}" if predicates else ""

    def bounds(self, bounds):
        return " + ".join(self.bound(bound) for bound in bounds)

    def bound(self, bound):
        kind, content = only(bound)
        if kind == "outlives":
            return content
        if kind == "use":
            return f"use<{', '.join(str(only(it)[1]) for it in content)}>"
        modifier = {"maybe": "?", "maybe_const": "~const "}.get(content["modifier"], "")
        binder = self.binder(content["generic_params"])
        return f"{binder}{modifier}{self.path(content['trait'])}"

    def binder(self, params):
        return f"for<{', '.join(self.param(it) for it in params)}> " if params else ""

    # Types

    def type(self, type):
        kind, it = only(type)
        if kind == "resolved_path":
            return self.path(it)
        if kind in ("generic", "primitive"):
            return it
        if kind == "borrowed_ref":
            target = self.type(it["type"])
            is_sum = only(it["type"])[0] in ("dyn_trait", "impl_trait") and " + " in target
            return f"{self.reference(it)}{f'({target})' if is_sum else target}"
        if kind == "tuple":
            comma = "," if len(it) == 1 else ""
            return f"({', '.join(self.type(part) for part in it)}{comma})"
        if kind == "slice":
            return f"[{self.type(it)}]"
        if kind == "array":
            return f"[{self.type(it['type'])}; {it['len']}]"
        if kind == "impl_trait":
            return f"impl {self.bounds(it)}"
        if kind == "dyn_trait":
            traits = [f"{self.binder(part['generic_params'])}{self.path(part['trait'])}"
                      for part in it["traits"]]
            return f"dyn {' + '.join(traits + ([it['lifetime']] if it['lifetime'] else []))}"
        if kind == "qualified_path":
            owner, trait = self.type(it["self_type"]), it["trait"]
            # `Self::Item` names a type of the trait itself.
            path = f"<{owner} as {self.path(trait)}>" if trait and has_name(trait) else owner
            return f"{path}::{it['name']}{self.args(it['args'])}"
        if kind == "function_pointer":
            inputs = ", ".join(self.type(type) for _, type in it["sig"]["inputs"])
            output = f" -> {self.type(it['sig']['output'])}" if it["sig"]["output"] else ""
            return f"{self.binder(it['generic_params'])}fn({inputs}){output}"
        sys.exit(f"tests/public_api.py: a type of the kind {kind} is not supported")

    def reference(self, content):
        lifetime = f"{content['lifetime']} " if content["lifetime"] else ""
        return f"&{lifetime}{'mut ' if content['is_mutable'] else ''}"

    def path(self, path):
        return f"{self.path_of(path['id'])}{self.args(path['args'])}"

    def args(self, args):
        if not args:
            return ""
        kind, content = only(args)
        if kind == "parenthesized":
            inputs = ", ".join(self.type(type) for type in content["inputs"])
            output = f" -> {self.type(content['output'])}" if content["output"] else ""
            return f"({inputs}){output}"
        parts = [self.arg(it) for it in content["args"]]
        for constraint in content["constraints"]:
            name = f"{constraint['name']}{self.args(constraint['args'])}"
            kind, binding = only(constraint["binding"])
            parts.append(f"{name} = {self.term(binding)}" if kind == "equality"
                         else f"{name}: {self.bounds(binding)}")
        return f"<{', '.join(parts)}>" if parts else ""

    def arg(self, arg):
        kind, content = only(arg)
        if kind == "lifetime":
            return content
        return self.term(arg)

    def term(self, term):
        kind, content = only(term)
        return self.type(content) if kind == "type" else content["value"] or content["expr"]


def has_name(trait):
    return bool(trait.get("path") or trait.get("name"))


def is_synthetic(param):
    """Returns whether the parameter stands for an `impl Trait` among the arguments."""
    kind, content = only(param["kind"])
    return kind == "type" and content["is_synthetic"]


def main():
    document = rustdoc_json()
    try:
        now = Api(document).text()
    except (KeyError, TypeError, ValueError) as error:
        sys.exit(f"tests/public_api.py does not know format {document.get('format_version')} of "
                 f"rustdoc's JSON: {type(error).__name__} {error}")
    if sys.argv[1:] != ["--check"]:
        LIST.write_text(now)
        print(f"{LIST.relative_to(ROOT)} has {now.count(chr(10))} lines")
        return
    before = LIST.read_text()
    difference = difflib.ndiff(before.splitlines(), now.splitlines())
    changes = [line for line in difference if line[0] in "+-"]
    if changes:
        print("\n".join(["the public API changed:", *changes]), file=sys.stderr)
        sys.exit("if that is meant, run make api")


if __name__ == "__main__":
    main()
