# A gateway, this host as its one machine, and the order in which they start and stop. Sourced by scripts/run and
# scripts/demo, which set `folder`, `http_port`, `ssh_port` and `lease_ports` first.
# shellcheck shell=bash

binaries=${TIDEGATE_BIN_DIR:-$PWD/.build/release}
machine_name=this-host
login=$(id -un)
sshd=$(command -v sshd || echo /usr/sbin/sshd)
started=() # pids, in the order of their start

step() { printf '\n== %s\n' "$*"; }
note() { printf '   %s\n' "$*"; }
die() {
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    [[ -z ${2:-} || ! -s ${2:-} ]] || { printf -- '--- end of %s\n' "$2" && tail -n 20 "$2"; } >&2
    exit 1
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# The port asked for when nobody holds it, else any free one.
port_or_free() {
    python3 - "$1" <<'PY'
import socket, sys
for port in (int(sys.argv[1]), 0):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        print(probe.getsockname()[1])
        break
PY
}

# json PATH.TO.FIELD <ANSWER
json() {
    python3 -c '
import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1].split("."):
    value = value[int(name)] if name.isdigit() else value[name]
print(json.dumps(value) if isinstance(value, (dict, list, bool)) else value)' "$1"
}

# wait_until SECONDS COMMAND…: true as soon as the command is, false when the time is over.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}

ends_within() {
    local pid=$1 seconds=$2
    # Not `kill -0` alone: a child that has ended stays visible until it is waited for.
    wait_until "$seconds" has_ended "$pid"
}
has_ended() {
    local state
    state=$(sed -E 's/^.*\) (.).*/\1/' "/proc/$1/stat" 2>/dev/null) || return 0
    [[ -z $state || $state == Z ]]
}

# In a session of its own, so that Ctrl-C reaches this script alone and it can stop things in their order.
start() {
    local log=$1
    shift
    setsid "$@" </dev/null >>"$log" 2>&1 9>&- &
    started+=("$!")
    last_started=$!
}

answers() {
    python3 - "$1" <<'PY'
import sys, urllib.request
urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1], timeout=2).read()
PY
}

need_programs() {
    local name
    for name in tidegate tidegate-agent tidegate-keys; do
        [[ -x $binaries/$name ]] || die "$binaries/$name is missing: run 'make build' first"
    done
    [[ -x $sshd ]] || die "sshd is missing: run 'make setup' first"
    # As root, sshd runs the helper; it has to lie where sshd accepts it.
    [[ $EUID != 0 ]] || scripts/setup --helper
}

# This host's own sshd is left alone: the machine is a second one, on loopback, for the current user only.
start_machine_sshd() {
    machine_port=$(free_port)
    mkdir -p "$folder/machine"
    chmod 0700 "$folder/machine"
    [[ -f $folder/machine/host_key ]] || ssh-keygen -q -t ed25519 -N '' -C '' -f "$folder/machine/host_key"
    [[ -f $folder/machine/login_key ]] || ssh-keygen -q -t ed25519 -N '' -C '' -f "$folder/machine/login_key"
    cp "$folder/machine/login_key.pub" "$folder/machine/authorized_keys"
    cat >"$folder/machine/sshd_config" <<CONFIG
ListenAddress 127.0.0.1:$machine_port
HostKey $folder/machine/host_key
PidFile none
AuthorizedKeysFile $folder/machine/authorized_keys
AllowUsers $login
AuthenticationMethods publickey
# The folder may lie below /tmp, which everybody may write to.
StrictModes no
# Only with PAM does an sshd started by an ordinary user accept an account whose password it can't read.
UsePAM yes
PermitRootLogin prohibit-password
PrintMotd no
Subsystem sftp internal-sftp
CONFIG
    if [[ $EUID == 0 && ! -d /run/sshd ]]; then
        install -d -m 0755 /run/sshd
    fi
    start "$folder/machine.log" "$sshd" -D -e -f "$folder/machine/sshd_config"
    wait_until 10 grep -q 'Server listening' "$folder/machine.log" ||
        die "the machine's sshd did not start" "$folder/machine.log"
}

start_gateway() {
    export TIDEGATE_URL=http://127.0.0.1:$http_port
    export TIDEGATE_TOKEN_FILE=$folder/admin.token
    export TIDEGATE_HOME=$folder/client
    mkdir -p -m 0700 "$TIDEGATE_HOME"
    local arguments=(
        --state-dir "$folder/gateway" --listen "127.0.0.1:$http_port" --ssh-listen "127.0.0.1:$ssh_port"
        --bootstrap-token-file "$TIDEGATE_TOKEN_FILE"
    )
    [[ -z ${lease_ports:-} ]] || arguments+=(--lease-ports "$lease_ports")
    start "$folder/gateway.log" env -u TIDEGATE_TOKEN_FILE "$binaries/tidegate" serve "${arguments[@]}"
    gateway_pid=$last_started
    local deadline=$((SECONDS + 30))
    until answers "$TIDEGATE_URL/readyz" 2>/dev/null; do
        ! has_ended "$gateway_pid" || die "the gateway ended" "$folder/gateway.log"
        ((SECONDS < deadline)) || die "the gateway is not ready after 30 s" "$folder/gateway.log"
        sleep 0.1
    done
    [[ -s $TIDEGATE_TOKEN_FILE ]] || die "the gateway wrote no $TIDEGATE_TOKEN_FILE" "$folder/gateway.log"
}

tidegate() { "$binaries/tidegate" "$@"; }

enrol_machine() {
    local token_file=$folder/enrolment.token
    (
        umask 077
        if tidegate machine show "$machine_name" >/dev/null 2>&1; then
            tidegate machine enrol "$machine_name" --json | json token >"$token_file"
        else
            tidegate machine add "$machine_name" --json | json enrolment.token >"$token_file"
        fi
    )
    TIDEGATE_AGENT_STATE_DIR=$folder/agent "$binaries/tidegate-agent" enrol --again "$TIDEGATE_URL" \
        --token-file "$token_file" >>"$folder/agent.log" 2>&1 || die "enrolling failed" "$folder/agent.log"
    rm -f "$token_file"
}

start_agent() {
    start "$folder/agent.log" env -u TIDEGATE_TOKEN_FILE -u TIDEGATE_HOME \
        TIDEGATE_AGENT_STATE_DIR="$folder/agent" "$binaries/tidegate-agent" run --target "127.0.0.1:$machine_port"
    agent_pid=$last_started
    wait_until 30 machine_is_connected || die "the machine is not reachable after 30 s" "$folder/agent.log"
}

machine_is_connected() {
    [[ $(tidegate machine show "$machine_name" --json | json connected) == true ]]
}

# Whoever still talks to the ports of this gateway or of the machine, or names the folder.
leftovers() {
    local port
    for port in "$http_port" "$ssh_port" "$machine_port"; do
        ss -Htna "( sport = :$port or dport = :$port )" | grep -v TIME-WAIT || true
    done
    local entry command_line
    for entry in /proc/[0-9]*; do
        [[ ${entry#/proc/} != "$$" && ${entry#/proc/} != "$BASHPID" ]] || continue
        # Processes end while this looks: what can't be opened any more is not there.
        command_line=$({ tr '\0' ' ' <"$entry/cmdline"; } 2>/dev/null) || continue
        [[ $command_line != *"$folder"* ]] || echo "${entry#/proc/} $command_line"
    done
}
nothing_left() { [[ -z $(leftovers) ]]; }

# Last started, first stopped: the agent's ssh ends before the gateway, so that no live session outlives it.
# A gateway leaves its live sshd sessions up on purpose when it stops, for the next one to adopt.
stop_all() {
    local index pid
    # A second Ctrl-C in the middle of this would leave the rest running.
    trap '' INT TERM HUP
    for ((index = ${#started[@]} - 1; index >= 0; index--)); do
        pid=${started[index]}
        has_ended "$pid" || kill -TERM "$pid" 2>/dev/null || true
        if ! ends_within "$pid" 10; then
            kill -KILL -- "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null || true
        fi
        wait "$pid" 2>/dev/null || true
    done
    started=()
}
