#!/usr/bin/env bash
# Behave as a Python that has the newest Home Assistant. It is in a Debian of its own: stable Debian has no Python for it.
# Usage, as root: HA_PYTHON=campaigns/home_assistant/newest.sh make ha. The first start makes .chroot-ha (1 GB). It takes
# Debian from the mirror that apt uses here, and packages from where pip takes them. Remove the folder to have a newer one.
set -euo pipefail
repository=$(realpath "$(dirname "$0")/../..")
debian="$repository/.chroot-ha"

install() {
    [ "$(id -u)" = 0 ] || { echo "newest.sh needs root: it mounts, and makes a Debian system" >&2; exit 2; }
    echo "installing Debian and the newest Home Assistant into .chroot-ha (1 GB, once)" >&2
    rm -rf --one-file-system "$debian"
    mkdir "$debian"
    log="$debian/install.log"
    trap 'tail -n 20 "$log" >&2' ERR
    apt-get install -y --no-install-recommends debootstrap >"$log" 2>&1
    local mirror
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -1)
    debootstrap --variant=minbase --include=ca-certificates,python3-venv testing "$debian" "$mirror" >>"$log" 2>&1
    cp /etc/resolv.conf "$debian/etc/resolv.conf"
    cp /etc/ssl/certs/ca-certificates.crt "$debian/etc/ssl/certs/ca-certificates.crt"
    # All that it asks for but its cloud, which is large, and which core.py does without. Then what its MQTT needs.
    env -u PIP_FIND_LINKS -u PIP_CONSTRAINT HOME=/root LC_ALL=C.UTF-8 chroot "$debian" sh -euc '
        python3 -m venv /ha
        /ha/bin/pip install --no-deps homeassistant
        cd /ha/lib/python3*/site-packages
        sed -n "s/^Requires-Dist: //p" homeassistant-*.dist-info/METADATA | grep -v hass-nabucasa >/ha/needs.txt
        /ha/bin/pip install --prefer-binary -c homeassistant/package_constraints.txt -r /ha/needs.txt paho-mqtt aiohasupervisor
    ' >>"$log" 2>&1
    touch "$debian/installed"
}

[ -e "$debian/installed" ] || install
# The folders that the campaign names have the same names within. The mounts are of this process, and go with it.
exec unshare --mount sh -euc '
    debian=$1 && shift
    for folder in /proc /dev "${TMPDIR:-/tmp}" "$1"; do
        mkdir -p "$debian$folder"
        mount --rbind "$folder" "$debian$folder"
    done
    shift
    exec chroot "$debian" /ha/bin/python "$@"
' sh "$debian" "$repository" "$@"
