# Sourced by start.sh and test.sh: makes sure that Rust and the system libraries are there.
# Debian and Ubuntu: installs what is missing, as root or by sudo; elsewhere it names what to install.

say() { printf '%s\n' "$*" >&2; }

# Rust by its own installer, for this user, when there is none: rust-toolchain.toml names the version, which it fetches by itself.
require_rust() {
    PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    if command -v cargo >/dev/null 2>&1 && cargo --version >/dev/null 2>&1; then
        check_rust_version
        return
    fi
    if ! command -v curl >/dev/null 2>&1; then
        require_packages curl ca-certificates
    fi
    if ! command -v rustup >/dev/null 2>&1; then
        say "Rust is missing: installing it for this user with rustup (https://rustup.rs)"
        curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --quiet --no-modify-path --profile minimal \
            --default-toolchain none
    fi
    # Where rustup does not fetch a missing toolchain by itself.
    cargo --version >/dev/null 2>&1 || rustup toolchain install
}

# A distribution's own cargo may be older than what Cargo.toml asks for; rustup's follows rust-toolchain.toml.
check_rust_version() {
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "${BASH_SOURCE[0]%/*}/../Cargo.toml")
    found=$(cargo --version | cut -d ' ' -f 2)
    if [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" != "$wanted" ]; then
        say "Rust $wanted or later is needed, and $found is here: install it from https://rustup.rs and run this again"
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
