#!/usr/bin/env bash
# Installs the Debian packages that the tests need and this machine lacks: a browser, Node, `pigs`, Redis, mosquitto, nginx,
# HAProxy, `ip`, `strace`;
# with the word `campaigns` libfaketime too, with `screenshots` a Chinese font, with `browsers` Firefox, WebKit and a screen.
set -euo pipefail

missing=()
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
command -v pigs >/dev/null || missing+=(pigpio-tools)
command -v chromium >/dev/null || command -v google-chrome >/dev/null || missing+=(chromium)
command -v redis-server >/dev/null || missing+=(redis-server)
[ -x /usr/sbin/mosquitto ] || command -v mosquitto >/dev/null || missing+=(mosquitto)
command -v curl >/dev/null || missing+=(curl)
[ -x /usr/sbin/nginx ] || command -v nginx >/dev/null || missing+=(nginx-light)
[ -x /usr/sbin/haproxy ] || command -v haproxy >/dev/null || missing+=(haproxy)
command -v ip >/dev/null || missing+=(iproute2)
command -v strace >/dev/null || missing+=(strace)
if [ "${1:-}" = campaigns ]; then
    compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null || missing+=(libfaketime)
fi
if [ "${1:-}" = screenshots ]; then
    fc-list :lang=zh 2>/dev/null | grep -q . || missing+=(fontconfig fonts-noto-cjk)
fi
if [ "${1:-}" = browsers ]; then
    command -v firefox-esr >/dev/null || command -v firefox >/dev/null || missing+=(firefox-esr)
    command -v WebKitWebDriver >/dev/null || missing+=(webkit2gtk-driver)
    command -v Xvfb >/dev/null || missing+=(xvfb)
fi
command -v chromium-headless-shell >/dev/null || ! command -v apt-get >/dev/null || missing+=(chromium-headless-shell)
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
    echo "the tests need these programs: ${missing[*]}; install them with this system's package manager" >&2
    exit 1
fi
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
export DEBIAN_FRONTEND=noninteractive
# The tests start nginx and others themselves, on 127.0.0.1: no package is to start one of its own on every network.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod +x "$policy"
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi
"${as_root[@]}" apt-get update -qq
if [ -z "$(apt-cache show chromium-headless-shell 2>/dev/null)" ]; then  # Debian alone has it; the browser will do
    for at in "${!missing[@]}"; do
        [ "${missing[$at]}" != chromium-headless-shell ] || unset "missing[$at]"
    done
fi
[ ${#missing[@]} -eq 0 ] && exit 0
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
