#!/usr/bin/env bash
# The wheel on Debian for a Raspberry Pi, 32-bit and 64-bit, in QEMU: installed as docs/how-to/install.md says, and asked for a light.
# Usage, as root: bash campaigns/pi.sh [armhf] [arm64]. Writes docs/pi.md. It takes Debian from the mirror that apt uses
# here, and Python's packages from where pip takes them here; its mounts are its own, and go with it.
set -euo pipefail
cd "$(dirname "$0")/.."

release=bookworm
port=5791
work=$(mktemp -d)

if [ "${1:-}" != --inside ]; then
    [ "$(id -u)" = 0 ] || { echo "make pi needs root: it mounts, and makes Debian systems" >&2; exit 2; }
    apt-get install -y --no-install-recommends debootstrap qemu-user-static >"$work/apt.log" 2>&1 || { tail -3 "$work/apt.log" >&2; exit 1; }
    rm -r "$work"
    exec unshare --mount bash "$0" --inside "${@:-armhf}" $([ $# = 0 ] && echo arm64)
fi
shift

clean() {
    local status=$?
    [ $status = 0 ] || tail -n 20 "$work"/*.log >&2
    kill $(jobs -p) 2>/dev/null || true
    umount -R "$work"/*/proc "$work"/*/dev 2>/dev/null || true
    rm -rf --one-file-system "$work"
}
trap clean EXIT
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -1)
wheel=$(ls -t dist/pilotlight-*.whl | head -1)

# QEMU runs foreign programs by itself, also in a chroot (F): binfmt_misc, which the kernel documents.
handled=/proc/sys/fs/binfmt_misc
[ -e $handled/register ] || mount -t binfmt_misc binfmt_misc $handled
register() { # NAME QEMU ELF-CLASS ELF-MACHINE
    [ -e "$handled/pilotlight-$1" ] && return
    local magic="\\x7fELF\\x$3\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\x$4\\x00"
    local mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    printf '%s' ":pilotlight-$1:M::$magic:$mask:/usr/bin/$2:F" >$handled/register
}
register armhf qemu-arm-static 01 28
register arm64 qemu-aarch64-static 02 b7

try() { # ARCHITECTURE
    local root="$work/$1" began=$SECONDS
    debootstrap --variant=minbase --arch="$1" --include=ca-certificates,python3-venv \
        "$release" "$root" "$mirror" >"$work/$1.log" 2>&1
    mkdir -p "$root/proc" "$root/dev" "$root/home/pi"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
    cp "$wheel" "$root/home/pi/"
    local within=(env -u PIP_FIND_LINKS -u PIP_CONSTRAINT HOME=/home/pi LC_ALL=C.UTF-8 chroot "$root")
    local built=$((SECONDS - began))

    began=$SECONDS
    "${within[@]}" sh -c 'cd && python3 -m venv --system-site-packages panel && panel/bin/pip install ./pilotlight-*.whl' \
        >>"$work/$1.log" 2>&1
    local installed=$((SECONDS - began))

    began=$SECONDS
    "${within[@]}" sh -c "cd && exec panel/bin/pilotlight serve --pins mock --port $port" >"$work/serve.log" 2>&1 &
    local panel=$!
    until curl -fs "http://127.0.0.1:$port/health/live" >/dev/null; do
        kill -0 $panel
        [ $((SECONDS - began)) -lt 180 ]
        sleep 0.5
    done
    local started=$((SECONDS - began))
    local answer
    answer=$(curl -fs -X PATCH --json '{"level": 70}' "http://127.0.0.1:$port/lights/led")
    case "$answer" in *'"level":70'*) ;; *) echo "$answer" >&2; return 1 ;; esac
    local doctor
    doctor=$("${within[@]}" sh -c "cd && panel/bin/pilotlight doctor --pins mock --port 0" || true)
    began=$SECONDS
    kill -TERM $panel
    wait $panel
    cat <<END

### $1

\`\`\`
uname -m    $("${within[@]}" uname -m)
python3     $("${within[@]}" python3 -c 'import platform; print(platform.python_version(), platform.architecture()[0])')
compiled    $("${within[@]}" sh -c 'ls /home/pi/panel/lib/python3*/site-packages' | grep -xE 'uvloop|httptools|argon2|_argon2_cffi_bindings|pydantic_core' | xargs)
Debian      made in $built s
pip         installed the wheel in $installed s
serve       answered after $started s
PATCH /lights/led {"level": 70}
            $(cut -c1-96 <<<"$answer")…
SIGTERM     exit status 0 in $((SECONDS - began)) s
\`\`\`

\`pilotlight doctor\` there:

\`\`\`
$doctor
\`\`\`
END
    umount -R "$root/proc" "$root/dev"
    rm -rf "$root"
}

results="$work/results"
for architecture in "$@"; do
    try "$architecture" >>"$results"
done
sed -i '/^## Last result/,$d' docs/pi.md
cat - "$results" >>docs/pi.md <<END
## Last result

$(date +%Y-%m-%d), $(basename "$wheel"), Debian $release in QEMU user emulation. This shows what works, not how fast a Pi is.
END
cat "$results"
