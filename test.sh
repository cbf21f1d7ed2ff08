#!/usr/bin/env bash
# All checks: format, lints as errors, tests with and without the window, documentation.
set -euo pipefail
cd "$(dirname "$0")"
. scripts/system-packages.sh
require_rust
# gcc links; lavapipe is the software Vulkan that draws the window's tests.
require_packages gcc libc6-dev libvulkan1 mesa-vulkan-drivers libxkbcommon0

step() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }

step "format"
cargo fmt --check
# One profile throughout, so that the dependencies are built once.
step "lints, with the window and without"
cargo clippy --release --all-targets --locked -- -D warnings
cargo clippy --release --all-targets --locked --no-default-features -- -D warnings
step "tests with the window"
cargo test --release --locked
step "tests without the window"
cargo test --release --locked --no-default-features
step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --no-deps --document-private-items --quiet
if cargo deny --version >/dev/null 2>&1; then
    step "licences and sources of the dependencies"
    cargo deny check bans licenses sources
fi
step "all passed"
