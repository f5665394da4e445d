#!/bin/sh
# Installs gw: the release archive of this machine, checked against its checksum.
#
#   curl -fsSL https://raw.githubusercontent.com/gatewright/gatewright/main/dist/install.sh | sh
#
# GW_VERSION      a release such as v0.1.0; without it the latest
# GW_INSTALL_DIR  where gw goes; without it ~/.local/bin
# GW_RELEASES     where releases are: an address, or a folder for tests and machines without a network
set -eu

releases=${GW_RELEASES:-https://github.com/gatewright/gatewright/releases}
version=${GW_VERSION:-latest}
folder=${GW_INSTALL_DIR:-${HOME:?}/.local/bin}

fail() {
  printf 'gw was not installed: %s\n' "$1" >&2
  [ -z "${2:-}" ] || printf '  -> %s\n' "$2" >&2
  exit 1
}

case $(uname -s) in
  Linux) system=linux ;;
  Darwin) system=darwin ;;
  *) fail "there is no release for $(uname -s)" "cargo install gatewright" ;;
esac
case $(uname -m) in
  x86_64 | amd64) processor=amd64 ;;
  aarch64 | arm64) processor=arm64 ;;
  *) fail "there is no release for $(uname -m)" "cargo install gatewright" ;;
esac
# A shell under Rosetta says x86_64 on a machine that is not.
if [ "$system-$processor" = darwin-amd64 ] && [ "$(sysctl -n sysctl.proc_translated 2>/dev/null || echo 0)" = 1 ]; then
  processor=arm64
fi

case $version in
  latest) from=$releases/latest/download ;;
  v*) from=$releases/download/$version ;;
  *) from=$releases/download/v$version ;;
esac
archive=gw-$system-$processor.tar.gz
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

get() {
  case $from in
    /*) cp "$from/$1" "$work/$1" 2>/dev/null ;;
    *)
      if command -v curl >/dev/null 2>&1; then
        curl -fsSL --retry 3 --proto '=https' -o "$work/$1" "$from/$1"
      elif command -v wget >/dev/null 2>&1; then
        wget -q -O "$work/$1" "$from/$1"
      else
        fail "neither curl nor wget is on PATH" "cargo install gatewright"
      fi
      ;;
  esac || fail "$from/$1 can't be fetched" "curl -fsSLO $from/$1"
}

sum_of() {
  if command -v sha256sum >/dev/null 2>&1; then
    sha256sum "$1"
  elif command -v shasum >/dev/null 2>&1; then
    shasum -a 256 "$1"
  else
    fail "neither sha256sum nor shasum is on PATH" "cargo install gatewright"
  fi | cut -d ' ' -f 1
}

get "$archive"
get "$archive.sha256sum"
expected=$(cut -d ' ' -f 1 <"$work/$archive.sha256sum")
got=$(sum_of "$work/$archive")
if [ -z "$expected" ] || [ "$expected" != "$got" ]; then
  fail "$archive is not the file that its checksum is of (expected $expected, got $got)" "curl -fsSLO $from/$archive"
fi

tar -xzf "$work/$archive" -C "$work"
mkdir -p "$folder"
# Moved, not copied: a gw that runs keeps its file.
cp "$work/gw-$system-$processor/gw" "$folder/.gw.new"
chmod 755 "$folder/.gw.new"
mv "$folder/.gw.new" "$folder/gw"

printf '%s is in %s\n' "$("$folder/gw" --version)" "$folder"
# shellcheck disable=SC2016 # the reader's shell is to expand it
case :$PATH: in
  *:"$folder":*) ;;
  *) printf 'it is not on PATH yet:\n  export PATH="%s:$PATH"\n' "$folder" ;;
esac
