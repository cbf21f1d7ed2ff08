#!/usr/bin/env bash
# Builds ct2rgb and opens the viewer, on the bundled sample or on the path given.
# Without a display it colours the sample, or the path given, into ./ct2rgb-out instead.
# Anything else is handed to the program: ./start.sh inspect PATH
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/scripts/system-packages.sh"

features=()
if [ "$(uname -s)" = Linux ] && [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
    require_packages gcc libc6-dev
    # Builds in a third of the time, and needs no library of a window system.
    features=(--no-default-features)
    if [ $# -eq 0 ]; then
        say "no display: colouring the bundled sample into ct2rgb-out instead"
        set -- colorize sample --out ct2rgb-out --panes
    elif [ $# -eq 1 ] && [ -e "$1" ]; then
        say "no display: colouring the CT into ct2rgb-out instead"
        set -- colorize "$1" --out ct2rgb-out
    fi
else
    require_packages gcc libc6-dev libvulkan1 mesa-vulkan-drivers libegl1 libgl1-mesa-dri libxkbcommon0 \
        libxkbcommon-x11-0 libx11-6 libx11-xcb1 libxcursor1 libxi6 libxrandr2
fi

(
    cd "$here"
    require_rust
    cargo build --release --locked ${features[@]+"${features[@]}"}
)
target=${CARGO_TARGET_DIR:-target}
case $target in /*) ;; *) target=$here/$target ;; esac
# In the caller's own folder: paths mean what they mean there.
exec "$target/release/ct2rgb" "$@"
