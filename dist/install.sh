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
script=https://raw.githubusercontent.com/gatewright/gatewright/main/dist/install.sh

fail() {
  printf 'gw was not installed: %s\n  -> %s\n' "$1" "$2" >&2
  exit 1
}

folder=${GW_INSTALL_DIR:-${HOME:+$HOME/.local/bin}}
[ -n "$folder" ] || fail "neither GW_INSTALL_DIR nor HOME is set" "curl -fsSL $script | GW_INSTALL_DIR=/usr/local/bin sh"
case $releases in
  https://* | /*) ;;
  *) fail "GW_RELEASES is neither an address with https nor a folder: $releases" "curl -fsSL $script | env -u GW_RELEASES sh" ;;
esac

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
case $from in
  /*) look="ls -l $from" ;;
  *) look="curl -fsSLO $from/$archive" ;;
esac
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
  esac || fail "$from/$1 can't be fetched" "$look"
}

if command -v sha256sum >/dev/null 2>&1; then
  sum=sha256sum
elif command -v shasum >/dev/null 2>&1; then
  sum='shasum -a 256'
else
  fail "neither sha256sum nor shasum is on PATH" "cargo install gatewright"
fi

get "$archive"
get "$archive.sha256sum"
expected=$(cut -d ' ' -f 1 <"$work/$archive.sha256sum")
got=$($sum "$work/$archive" | cut -d ' ' -f 1)
if [ -z "$expected" ] || [ "$expected" != "$got" ]; then
  fail "$archive is not the file that its checksum is of (expected $expected, got $got)" "$look"
fi

tar -xzf "$work/$archive" -C "$work" || fail "$archive can't be unpacked" "$look"
new=$folder/.gw.new
trap 'rm -rf "$work" "$new"' EXIT
if ! { mkdir -p "$folder" && cp "$work/gw-$system-$processor/gw" "$new" && chmod 755 "$new"; }; then
  fail "$folder can't be written to" "curl -fsSL $script | sudo GW_INSTALL_DIR='$folder' sh"
fi
# A C library older than the program's, or another one, can't run it; the gw from before stays.
said=$("$new" --version) || fail "this machine can't run the gw of $archive" "cargo install gatewright"
# Moved, not copied: a gw that runs keeps its file.
mv -f "$new" "$folder/gw"

printf '%s is in %s\n' "$said" "$folder"
# shellcheck disable=SC2016 # the reader's shell is to expand it
case :$PATH: in
  *:"$folder":*) ;;
  *) printf 'it is not on PATH yet:\n  export PATH="%s:$PATH"\n' "$folder" ;;
esac
