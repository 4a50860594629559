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

missing=()
for client in "${clients[@]}"; do
  PATH="$PATH:/usr/sbin" command -v "${client%%:*}" >/dev/null || missing+=("$client")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >/dev/null 2>&1
  apt-get install -y -qq --no-install-recommends "${missing[@]#*:}" >/dev/null 2>&1
fi

for client in "${missing[@]}"; do
  PATH="$PATH:/usr/sbin" command -v "${client%%:*}" >/dev/null && continue
  echo "skipped: tests with ${client%%:*} (Debian package ${client##*:} is not installed; that needs root and apt)"
done
exit 0
