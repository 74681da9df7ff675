# shellcheck shell=bash
# Fresh Debian systems in chroots, for tests. Source this file in bash, then:
#
#   chroot_make SUITE                    # debootstrap, unless it is there already
#   chroot_run SUITE COMMAND [ARGUMENT ...]
#   chroot_copy_source SUITE DIRECTORY   # the files of this project, as they are now, without what was built
#
# CHROOTS is the directory that holds them; default build/chroots. As root or with sudo. A chroot's /proc and
# /dev are mounted in a mount namespace of the one command, so that nothing stays mounted.

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
    chroot_as_root unshare --mount sh -ec '
        root=$1
        shift
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
            chroot "$root" "$@"' sh "$root" "$@" </dev/null
}

# "experimental" is no whole system: it is sid with experimental's packages where they are wanted.
chroot_make() {
    local suite=$1 base=$1 root=$CHROOTS/$1 mirror

    [ ! -e "$root/.complete" ] || return 0
    [ "$suite" != experimental ] || base=sid
    mirror=$(chroot_mirror)
    command -v debootstrap >/dev/null || { echo "chroot: debootstrap is not installed" >&2; return 1; }
    mkdir -p "$CHROOTS"
    chroot_as_root rm -rf --one-file-system "$root"
    echo "chroot: debootstrap $base" >&2
    if ! chroot_as_root debootstrap --variant=minbase "$base" "$root" "$mirror" >"$root.bootstrap.log" 2>&1 </dev/null; then
        tail -n 20 "$root.bootstrap.log" >&2
        return 1
    fi
    if [ "$suite" != "$base" ]; then
        echo "deb $mirror $suite main" | chroot_as_root tee -a "$root/etc/apt/sources.list" >/dev/null
    fi
    # A mirror that lags behind is no reason not to test.
    echo 'Acquire::Check-Valid-Until "false";' |
        chroot_as_root tee "$root/etc/apt/apt.conf.d/mirror" >/dev/null
    chroot_run "$suite" apt-get -qq update
    chroot_as_root touch "$root/.complete"
}

chroot_copy_source() {
    local target=$CHROOTS/$1$2

    chroot_as_root rm -rf "$target"
    chroot_as_root mkdir -p "$target"
    git ls-files -z --cached --others --exclude-standard |
        tar -c --null --files-from=- --ignore-failed-read 2>/dev/null | chroot_as_root tar -x --no-same-owner -C "$target"
}
