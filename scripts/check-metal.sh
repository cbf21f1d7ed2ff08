#!/usr/bin/env bash
# Type-checks the Metal build from any machine that has the Apple target of the toolchain: nothing is linked or run.
# usage: scripts/check-metal.sh     (on a Mac, `cargo build --release --features metal` is the better check)
set -euo pipefail
cd "$(dirname "$0")/.."
target=aarch64-apple-darwin
if ! rustup target list --installed | grep -qx "$target"; then
    rustup target add "$target" || { echo "the target $target cannot be installed here: the Metal build is not checked"; exit 2; }
fi
cargo check --release --no-default-features --features metal --lib --target "$target" --target-dir target/metal-check
echo "the Metal build type-checks"
