# shellcheck shell=bash
# A throw-away PostgreSQL server for the scripts beside this one:
#
#   . postgres.sh; start_postgres FOLDER [SETTING=VALUE …]; …; stop_postgres
#
# It listens on a socket in FOLDER/pg and nowhere else, and flushes like one in production. POSTGRES becomes the first half of its
# address (append ?host=… is done: use "$(postgres_url NAME)"). As root it runs as the user postgres or nobody.

start_postgres() {
    pg_folder=$1/pg
    shift
    pg_programs=$(dirname "$(readlink -f "$(command -v initdb || printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -1)")")
    mkdir -p "$pg_folder"
    pg_user=$(id -un)
    if [ "$(id -u)" = 0 ]; then
        pg_user=$(getent passwd postgres nobody | head -1 | cut -d: -f1)
        chown "$pg_user" "$pg_folder"
        chmod a+x "$(dirname "$pg_folder")"
    fi
    local settings="listen_addresses='' unix_socket_directories='$pg_folder' max_wal_size=4GB shared_buffers=512MB $*"
    as_server initdb -D "$pg_folder/data" -U postgres -A trust -E UTF8 --no-locale --no-sync >"$pg_folder/log" 2>&1 &&
        printf '%s\n' $settings >>"$pg_folder/data/postgresql.conf" &&
        as_server pg_ctl -w -s -D "$pg_folder/data" -l "$pg_folder/server.log" start >/dev/null || {
        cat "$pg_folder/log" "$pg_folder/server.log" >&2
        return 1
    }
}

as_server() {
    local program=$1
    shift
    if [ "$(id -un)" = "$pg_user" ]; then
        "$pg_programs/$program" "$@"
    else
        (cd "$pg_folder" && setpriv --reuid "$pg_user" --regid "$(id -g "$pg_user")" --clear-groups "$pg_programs/$program" "$@")
    fi
}

# The address of a new, empty database of that name.
postgres_url() {
    as_server psql -q -h "$pg_folder" -U postgres -c "DROP DATABASE IF EXISTS $1 WITH (FORCE)" -c "CREATE DATABASE $1" >&2 2>/dev/null
    echo "postgres://postgres@localhost/$1?host=$pg_folder"
}

stop_postgres() {
    [ -z "${pg_folder:-}" ] || as_server pg_ctl -s -m immediate -D "$pg_folder/data" stop >/dev/null 2>&1 || true
}
