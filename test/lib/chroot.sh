# shellcheck shell=bash
# Debian systems in chroots, for tests. Source this file in bash, then:
#
#   chroot_make NAME SUITE               # debootstrap, unless it is there already
#   chroot_remove NAME
#   chroot_run NAME COMMAND [ARGUMENT ...]
#   chroot_copy_source NAME DIRECTORY    # the files of this project, as they are now, without what was built
#   copy_source DIRECTORY                # the same outside of chroots
#
# CHROOTS is the directory that holds them; default build/chroots. As root or with sudo. A command has mounts and
# processes of its own, so that nothing stays mounted, and nothing running.

CHROOTS=${CHROOTS:-$PWD/build/chroots}

chroot_as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# The mirror that this machine gets Debian from.
# shellcheck disable=SC2016
chroot_mirror() {
    apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "Debian" && $2 == "Debian" { print $3; exit }'
}

# shellcheck disable=SC2016
chroot_run() {
    local root=$CHROOTS/$1
    shift
    chroot_as_root unshare --mount --pid --fork --kill-child sh -ec '
        root=$1
        shift
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
            chroot "$root" "$@"' sh "$root" "$@" </dev/null
}

chroot_write() { # name file, the content from a here-document
    chroot_as_root tee -a "$CHROOTS/$1$2" >/dev/null
}

# "experimental" is no whole system: it is sid with experimental's packages where they are wanted.
chroot_make() {
    local name=$1 suite=$2 base=$2 root=$CHROOTS/$1 mirror

    [ ! -e "$root/.complete" ] || return 0
    [ "$suite" != experimental ] || base=sid
    mirror=$(chroot_mirror)
    [ -n "$mirror" ] || { echo "chroot: apt of this machine names no Debian mirror: apt-get update?" >&2; return 1; }
    mkdir -p "$CHROOTS"
    chroot_remove "$name"
    echo "chroot: debootstrap $base" >&2
    if ! chroot_as_root debootstrap --variant=minbase "$base" "$root" "$mirror" >"$root.log" 2>&1 </dev/null; then
        tail -n 20 "$root.log" >&2
        return 1
    fi
    if [ "$suite" != "$base" ]; then
        chroot_write "$name" /etc/apt/sources.list <<<"deb $mirror $suite main"
        chroot_write "$name" /etc/apt/preferences.d/suite \
            <<<$'Package: src:postgresql-*\nPin: release a='"$suite"$'\nPin-Priority: 500'
    fi
    # A mirror that lags behind is no reason not to test.
    chroot_write "$name" /etc/apt/apt.conf.d/mirror <<<'Acquire::Check-Valid-Until "false";'
    chroot_write "$name" /usr/sbin/policy-rc.d <<<$'#!/bin/sh\n# Packages start no daemons here.\nexit 101'
    chroot_as_root chmod 755 "$root/usr/sbin/policy-rc.d"
    chroot_run "$name" apt-get -qq update
    chroot_as_root touch "$root/.complete"
}

chroot_remove() {
    chroot_as_root rm -rf --one-file-system "${CHROOTS:?}/$1"
}

copy_source() {
    chroot_as_root rm -rf "$1"
    chroot_as_root mkdir -p "$1"
    # What is deleted, but not yet in a commit, is listed as well.
    git ls-files -z --cached --others --exclude-standard |
        tar -c --null --files-from=- --ignore-failed-read 2>/dev/null | chroot_as_root tar -x --no-same-owner -C "$1"
}

chroot_copy_source() {
    copy_source "$CHROOTS/$1$2"
}
