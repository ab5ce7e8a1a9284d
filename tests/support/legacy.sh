# A home of the detached model, like a real one, with the fixture as its daemons: sourced by tests only.
#
#   legacy_home HOME FIXTURE       three modules and a hub, nothing runs
#   legacy_start HOME FIXTURE      starts all four as the original did, and waits until they listen
#
# The hub runs in the group of its starter; modules lead sessions of their own; the wrapper's child holds its
# port; all append to a raw log; pidfiles contain a number only.

legacy_home() {
    local home=$1 fixture=$2 short
    for short in vault scribe wrapper; do
        mkdir -p "$home/$short/run" "$home/$short/logs" "$home-modules/$short/.parachute"
    done
    mkdir -p "$home/hub/run" "$home/hub/logs"
    # Each with its own program, like a module.
    cp "$fixture" "$home-modules/vault/server"
    cp "$fixture" "$home-modules/scribe/server"
    cp "$fixture" "$home-modules/wrapper/server"
    legacy_module vault 1940 '"./server", "server"'
    legacy_module scribe 1943 '"./server", "server"'
    legacy_module wrapper 1951 '"./server", "server", "--child"'
    cat > "$home/services.json" <<END
{
  "services": [
    { "name": "vault", "port": 1940, "paths": ["/vault"], "health": "/health", "version": "0.3.6", "installDir": "$home-modules/vault" },
    { "name": "scribe", "port": 1943, "paths": ["/scribe"], "health": "/health", "version": "0.0.0", "installDir": "$home-modules/scribe" },
    { "name": "wrapper", "port": 1951, "paths": ["/wrapper"], "health": "/health", "version": "0.1.0", "installDir": "$home-modules/wrapper" }
  ]
}
END
    chmod 755 "$home"
}

legacy_module() {
    cat > "$home-modules/$1/.parachute/module.json" <<END
{ "name": "$1", "manifestName": "$1", "kind": "tool", "port": $2, "paths": ["/$1"], "health": "/health", "startCmd": [$3] }
END
}

# legacy_daemon HOME SHORT PORT COMMAND…: detached, leader of its own session.
legacy_daemon() {
    local home=$1 short=$2 port=$3
    shift 3
    (cd "$home-modules/$short" && PORT=$port SECRET="of $short" exec setsid "$@") \
        >> "$home/$short/logs/$short.log" 2>&1 < /dev/null &
    echo $! > "$home/$short/run/$short.pid"
}

# legacy_hub HOME FIXTURE: in the group of its starter.
legacy_hub() {
    PORT=1939 "$2" server >> "$1/hub/logs/hub.log" 2>&1 < /dev/null &
    echo $! > "$1/hub/run/hub.pid"
    echo 1939 > "$1/hub/run/hub.port"
}

legacy_start() {
    local home=$1 fixture=$2 port
    legacy_hub "$home" "$fixture"
    legacy_daemon "$home" vault 1940 ./server server ${VAULT_OPTIONS:-}
    legacy_daemon "$home" scribe 1943 ./server server
    legacy_daemon "$home" wrapper 1951 ./server server --child
    for port in 1939 1940 1943 1951; do
        until "$fixture" get $port /health > /dev/null 2>&1; do sleep 0.02; done
    done
}
