#!/usr/bin/env bash
# Installs on Debian what the tests of this directory talk to. Run it again as
# often as you like: what is there already stays as it is.
set -euo pipefail
cd "$(dirname "$0")"
exec </dev/null
export DEBIAN_FRONTEND=noninteractive

as_root() {
	if ((EUID == 0)); then "$@"; else sudo -n -E "$@"; fi
}

# A package is wanted if the thing it is for is not there. Node.js may have come
# from elsewhere, so it goes by its commands.
wanted=()
want() {
	if ! [[ -x $1 ]]; then wanted+=("$2"); fi
}
want /usr/bin/python3 python3
want /usr/bin/curl curl
want /usr/sbin/nginx nginx
want /usr/sbin/squid squid
want /usr/lib/squid/basic_ncsa_auth squid
want /usr/bin/microsocks microsocks
want /usr/bin/chromium chromium
(cd / && /usr/bin/python3 -I -c 'import websockets' 2>/dev/null) || wanted+=(python3-websockets)
command -v node >/dev/null || wanted+=(nodejs)
command -v npm >/dev/null || wanted+=(npm)

policy=/usr/sbin/policy-rc.d
if ((${#wanted[@]} > 0)); then
	# Nothing that is installed here may start as a service of the system.
	if ! [[ -e $policy ]]; then
		trap 'as_root rm -f "$policy"' EXIT
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
		as_root chmod 755 "$policy"
	fi
	# Another apt may be at work: wait for it.
	apt=(as_root apt-get -qq -o DPkg::Lock::Timeout=300)
	"${apt[@]}" update
	"${apt[@]}" install -y --no-install-recommends "${wanted[@]}" >/dev/null
	# Where there is systemd, they would start with the machine.
	for service in nginx squid; do
		if [[ " ${wanted[*]} " == *" $service "* ]] && command -v systemctl >/dev/null; then
			as_root systemctl disable "$service" >/dev/null 2>&1 || true
		fi
	done
fi

cd node
if ! cmp -s package-lock.json node_modules/.installed; then
	npm ci --no-audit --no-fund --loglevel=error
	cp package-lock.json node_modules/.installed
fi
