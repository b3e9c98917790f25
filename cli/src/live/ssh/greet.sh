# Runs at the far end, under any POSIX shell: says what is there, then does what it is told, line by line.
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/local/bin:/usr/local/sbin:/usr/sbin:/sbin
export PATH

say() { printf '%s\n' "$*"; }
clock() { say clock "$(date +%s.%N)"; }

# Whether correlate is here, serves over its standard output, and may capture: itself, or by sudo.
find_agent() {
    agent=$(command -v correlate) || return 1
    "$agent" agent --help </dev/null 2>/dev/null | grep -q -e --stdio || return 1
    by=
    "$agent" doctor </dev/null >/dev/null 2>&1 && return 0
    by='sudo -n'
    sudo -n "$agent" doctor </dev/null >/dev/null 2>&1
}

# Opens the interface and compiles the filter, and captures nothing: what is wrong is said without a packet lost.
# The words before tcpdump are given.
rehearse() { "$@" tcpdump -i "$interface" -s "$snaplen" -n -d "$filter" </dev/null 2>&1 >/dev/null; }

# What to do is in $script: it takes interface, snaplen, filter, and the words before tcpdump.
capture() {
    if said=$(rehearse); then
        say capturing
        exec sh -c "$script" sh "$interface" "$snaplen" "$filter"
    fi
    if [ "$(id -u)" != 0 ] && by_sudo=$(rehearse sudo -n); then
        say capturing
        # Who is root throughout can also end tcpdump; some may run nothing else by sudo.
        if sudo -n sh -c : </dev/null >/dev/null 2>&1; then
            exec sudo -n sh -c "$script" sh "$interface" "$snaplen" "$filter"
        fi
        exec sh -c "$script" sh "$interface" "$snaplen" "$filter" sudo -n
    fi
    printf '%s\n' "$said" | while IFS= read -r line; do say tcpdump said "$line"; done
    printf '%s\n' "${by_sudo-}" | while IFS= read -r line; do say sudo said "$line"; done
    say refused
    exit 1
}

say correlate-ssh 1
say connection "${SSH_CONNECTION-}"
say system "$(uname -sr)"
ip -o link show </dev/null 2>/dev/null | while IFS= read -r line; do say link "$line"; done
ip -o address show </dev/null 2>/dev/null | while IFS= read -r line; do say address "$line"; done
if find_agent; then
    say tool agent
elif command -v tcpdump >/dev/null; then
    say tool tcpdump
else
    say tool none
fi
say ready

while IFS= read -r told; do
    case $told in
    clock) clock ;;
    agent)
        IFS= read -r name
        set --
        while IFS= read -r line && [ -n "$line" ]; do set -- "$@" --exclude "$line"; done
        exec $by "$agent" agent --stdio --name "$name" "$@"
        ;;
    capture)
        IFS= read -r interface
        IFS= read -r snaplen
        IFS= read -r filter
        script=$(while IFS= read -r line && [ "$line" != . ]; do printf '%s\n' "$line"; done)
        capture
        ;;
    esac
done
