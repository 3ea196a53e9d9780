"""Measures each feature, and writes the table of the features into ARCHITECTURE.md.

    python3 tests/features.py

For each set of features it builds the smallest program that embeds the chat, from nothing, with the
profile in ARCHITECTURE.md. This takes some minutes. All crates must have been downloaded before.
"""

import json
import os
import pathlib
import resource
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "ARCHITECTURE.md"
BEGIN, END = "<!-- made by `make features` -->\n", "<!-- end -->\n"
CARGO = os.environ.get("CARGO", "cargo")

MAIN = """
fn main() -> Result<(), Box<dyn std::error::Error>> {
    chinwag::Server::bind(&chinwag::Config::default())?.start()?.join()?;
    Ok(())
}
"""


def output(*arguments):
    return subprocess.run([CARGO, *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE,
                          text=True).stdout


def features():
    """Returns the features of the library in Cargo.toml."""
    metadata = output("metadata", "--offline", "--locked", "--no-deps", "--format-version", "1")
    [package] = [it for it in json.loads(metadata)["packages"] if it["name"] == "chinwag"]
    return sorted(set(package["features"]) - {"default", "cli"})


def crates(chosen):
    """Returns the number of crates of the library with these features, itself among them."""
    tree = output("tree", "--offline", "--locked", "--package", "chinwag", "--edges", "normal",
                  "--prefix", "none", "--format", "{p}", "--no-default-features",
                  "--features", ",".join(chosen))
    return len({tuple(line.split()[:2]) for line in tree.splitlines()})


def profile():
    """Returns the profile that ARCHITECTURE.md recommends."""
    text = DOCUMENT.read_text().split("\n## Figures\n")[1]
    return text.split("```toml\n")[1].split("```")[0]


def build(folder, target, *arguments):
    """Builds from nothing, and returns the time that all processors took together (s)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [CARGO, "build", "--quiet", "--offline", "--target-dir", str(target), *arguments]
    # A variable of the caller must not choose other flags or another profile.
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("CARGO_PROFILE_", "CARGO_BUILD_", "RUSTFLAGS"))}
    subprocess.run(command, cwd=folder, env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def embedder(chosen):
    """Builds the smallest embedder. Returns the bytes of the program, and the seconds."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "src").mkdir()
        (folder / "src" / "main.rs").write_text(MAIN)
        dependency = f"path = {json.dumps(str(ROOT))}, default-features = false"
        (folder / "Cargo.toml").write_text(
            '[package]\nname = "embedder"\nedition = "2024"\n\n'
            f"[dependencies]\nchinwag = {{ {dependency}, features = {json.dumps(chosen)} }}\n\n"
            f"{profile()}")
        (folder / "Cargo.lock").write_text((ROOT / "Cargo.lock").read_text())
        seconds = build(folder, folder / "target", "--release")
        return (folder / "target" / "release" / "embedder").stat().st_size, seconds


def program():
    """Builds the program with all features. Returns its bytes, and the seconds."""
    with tempfile.TemporaryDirectory() as target:
        target = pathlib.Path(target)
        seconds = build(ROOT, target, "--locked", "--profile", "tiny", "--all-features",
                        "--bin", "chinwag")
        return (target / "tiny" / "chinwag").stat().st_size, seconds


def row(label, chosen, measured):
    size, seconds = measured
    line = f"| {label} | {size:,} | {crates(chosen)} | {seconds:.0f} |"
    print(line, flush=True)
    return line


def main():
    every = features()
    table = ["| features | bytes | crates | seconds of CPU |", "|---|---|---|---|"]
    print("\n".join(table))
    table.append(row("none", [], embedder([])))
    table += [row(f"`{name}`", [name], embedder([name])) for name in every]
    table.append(row("all of these", every, embedder(every)))
    table.append(row("the program", [*every, "cli"], program()))
    # Read only now, because the builds take long.
    head, rest = DOCUMENT.read_text().split(BEGIN)
    tail = rest.split(END)[1]
    DOCUMENT.write_text("\n".join([f"{head}{BEGIN}", *table, "", f"{END}{tail}"]))


if __name__ == "__main__":
    main()
