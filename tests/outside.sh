#!/bin/sh
# Packages the library, and builds and runs a program that embeds it (tests/outside/), in a folder
# outside the repository. So the package has all files, and the public API suffices.
set -eu
target=$(cd "$(dirname "$0")/.." && pwd)/target/outside
cd "$(dirname "$0")/.."

outside=$(mktemp -d)
trap 'rm -r "$outside"' EXIT
trap 'exit 1' HUP INT TERM
rm -rf "$target/package"
cargo package --locked --package chinwag --no-verify --allow-dirty --quiet --target-dir "$target"
tar -xzf "$target"/package/chinwag-*.crate -C "$outside"
mv "$outside"/chinwag-* "$outside/chinwag"
cp -R tests/outside "$outside/embedder"
cp "$outside/chinwag/Cargo.lock" "$outside/embedder"

cd "$outside/embedder"
# The folder has another name each time, so nothing could use the earlier builds of these two.
cargo clean --offline --quiet --package chinwag --package embedder --target-dir "$target"
cargo run --offline --quiet --target-dir "$target"
echo "the embedder outside the repository has used the packaged library"
