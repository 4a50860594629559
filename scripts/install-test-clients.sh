#!/usr/bin/env bash
# Installs the real clients that the tests upload with, makers of the file systems that they put pools on, and the tools
# that record a disk and let system calls fail. Needs root and apt; without them the tests that lack one skip themselves,
# and this script says which and why.
set -u

# command, Debian package
clients=(curl:curl lftp:lftp swaks:swaks python3:python3 smtp-source:postfix)
clients+=(tnftp:tnftp ncftpput:ncftp)
clients+=(xmllint:libxml2-utils)
clients+=(mkfs.xfs:xfsprogs mkfs.btrfs:btrfs-progs mkfs.ext4:e2fsprogs)
clients+=(qemu-storage-daemon:qemu-system-common strace:strace losetup:mount prlimit:util-linux)
# modules of Perl, without which swaks knows neither TLS nor CRAM-MD5
clients+=(Net::SSLeay=libnet-ssleay-perl Digest::HMAC_MD5=libdigest-hmac-perl)

name() { case $1 in *=*) echo "${1%%=*}" ;; *) echo "${1%%:*}" ;; esac; }
package() { echo "${1##*[:=]}"; }
is_there() {
  case $1 in
    *=*) perl -M"$(name "$1")" -e 1 2>/dev/null ;;
    *) PATH="$PATH:/usr/sbin" command -v "$(name "$1")" >/dev/null ;;
  esac
}

missing=()
for client in "${clients[@]}"; do
  is_there "$client" || missing+=("$client")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >/dev/null 2>&1
  packages=()
  for client in "${missing[@]}"; do packages+=("$(package "$client")"); done
  apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null 2>&1
fi

for client in "${missing[@]}"; do
  is_there "$client" && continue
  echo "skipped: tests with $(name "$client") (Debian package $(package "$client") is not installed; that needs root and apt)"
done
exit 0
