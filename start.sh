#!/usr/bin/env bash
# Builds ct2rgb and opens the viewer, on the bundled sample or on the path given.
# Without a display it colours the sample into ./ct2rgb-out instead.
set -euo pipefail
cd "$(dirname "$0")"
. scripts/system-packages.sh
require_rust
require_packages gcc libc6-dev libvulkan1 mesa-vulkan-drivers libxkbcommon0 libxkbcommon-x11-0 libx11-xcb1 libxcursor1 libxi6

if [ "$(uname -s)" = Linux ] && [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && [ $# -eq 0 ]; then
    say "no display: colouring the bundled sample into ct2rgb-out instead"
    exec cargo run --release --locked -- colorize sample --out ct2rgb-out
fi
exec cargo run --release --locked -- "$@"
