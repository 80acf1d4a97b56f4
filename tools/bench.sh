#!/bin/sh
# The figures of docs/performance.md, as Markdown, from one run on this machine: sh tools/bench.sh [SECTION...]. All of them take half an hour.
# Each section compares what it measures with the same thing without chaos, in the same run: figures of two runs are not comparable.
# Sections: phases ready trials program connect, and those of the proxy beside others (peers: all of these): throughput latency connections memory
# arming fidelity bandwidth; traffic: the load generator beside vegeta.
set -eu
cd "$(dirname "$0")/.."
GO="${GO:-go}"

# bench TITLE PACKAGE PATTERN BENCHTIME: one table, a row for each benchmark and a column for each of its units.
bench() {
	printf '\n### %s\n\n' "$1"
	out=$("$GO" test -run '^$' -bench "$3" -benchtime "$4" -timeout 30m "$2") || { printf '%s\n' "$out" >&2; exit 1; }
	printf '%s\n' "$out" | awk '
		/^Benchmark/ {
			name = $1
			sub(/^Benchmark/, "", name)
			sub(/-[0-9]+$/, "", name)
			rows[++n] = name
			for (i = 3; i < NF; i += 2) {
				unit = $(i + 1)
				if (!(unit in seen)) { seen[unit] = 1; units[++m] = unit }
				value[name, unit] = $i
			}
		}
		END {
			# A benchmark that is run once tells its own units; how long all of it took says nothing.
			if (m > 1 && once) for (j = 1; j <= m; j++) if (units[j] == "ns/op") { for (k = j; k < m; k++) units[k] = units[k + 1]; m--; break }
			head = "| |"; rule = "|---|"
			for (j = 1; j <= m; j++) { head = head " " units[j] " |"; rule = rule "---:|" }
			print head; print rule
			for (i = 1; i <= n; i++) {
				row = "| " rows[i] " |"
				for (j = 1; j <= m; j++) row = row " " value[rows[i], units[j]] " |"
				print row
			}
		}' once="$([ "$4" = 1x ] && echo 1 || echo '')"
}

printf '%s, %s cores, %s, Linux %s, load %s at the start\n' "$(date -u +%Y-%m-%d)" "$(nproc)" "$("$GO" env GOVERSION)" \
	"$(uname -r)" "$(cut -d' ' -f1 /proc/loadavg)"

# peers PATTERN: the tables of package bench that match. Whoever is not installed and can't be has a row that says so.
peers() {
	if ! command -v haproxy >/dev/null && [ ! -x /usr/sbin/haproxy ] && command -v apt-get >/dev/null; then
		sudo=""
		[ "$(id -u)" = 0 ] || sudo="sudo -n"
		DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends haproxy >/dev/null 2>&1 || true
	fi
	tables=$(mktemp)
	if "$GO" test ./bench -count=1 -run "TestPeers/$1" -peers "${PEERS:-all}" -rounds "${ROUNDS:-5}" -for "${FOR:-1s}" -best="${BEST:-false}" -table "$tables" \
		-timeout 60m >"$tables.log" 2>&1; then
		cat "$tables"
		rm -f "$tables" "$tables.log"
	else
		cat "$tables.log" >&2
		rm -f "$tables" "$tables.log"
		exit 1
	fi
}

for section in ${*:-phases ready trials program connect peers}; do
	case $section in
	phases) bench 'A fault lands in its phase: 1,000 trials each, beside a watcher of the log' ./runner PhaseExact 1x ;;
	ready) bench 'False readiness, measured beside the truth: 20 trials each' ./runner FalseReady 1x ;;
	trials) bench 'A whole trial beside the bare service: medians of 101 pairs' ./runner Overhead 1x ;;
	program) bench 'The whole program' ./runner Program 1x ;;
	connect) bench 'A connect(2), plain and intercepted' ./internal/process Connect 1s ;;
	peers) peers . ;;
	throughput | latency | connections | memory | arming | fidelity | bandwidth | traffic) peers "^$section\$" ;;
	*) echo "no section $section; see the head of tools/bench.sh" >&2; exit 2 ;;
	esac
done
