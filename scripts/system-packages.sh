# Sourced by start.sh and test.sh: makes sure that Rust and the system libraries are there.
# Debian and Ubuntu: installs what is missing, as root or by sudo; elsewhere it names what to install.

say() { printf '%s\n' "$*" >&2; }

require_rust() {
    if ! command -v cargo >/dev/null 2>&1; then
        [ -x "$HOME/.cargo/bin/cargo" ] && PATH="$HOME/.cargo/bin:$PATH" && return
        say "Rust is missing: install it from https://rustup.rs and run this again"
        exit 1
    fi
}

# Packages given as arguments, by their Debian names.
require_packages() {
    [ "$(uname -s)" = Linux ] || return 0
    if ! command -v dpkg-query >/dev/null 2>&1; then
        say "not a Debian system: if something is missing below, install the counterparts of: $*"
        return 0
    fi
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    local root=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null 2>&1 || ! sudo -n true 2>/dev/null; then
            say "these packages are missing, and this user may not install them: ${missing[*]}"
            say "run: sudo apt-get install ${missing[*]}"
            exit 1
        fi
        root=(sudo)
    fi
    say "installing ${missing[*]}"
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
