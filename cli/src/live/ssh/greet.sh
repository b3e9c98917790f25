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
    quote tcpdump "$said"
    quote sudo "${by_sudo-}"
    say refused
    exit 1
}

# What a program said: its name, its words.
quote() { printf '%s\n' "$2" | while IFS= read -r line; do say "$1" said "$line"; done; }

# Says what a capture would meet here. Nothing is captured: it takes interface, snaplen and filter as a rehearsal does.
look_around() {
    say user "$(id -u)"
    if command -v sudo >/dev/null; then
        if by_sudo=$(sudo -n true </dev/null 2>&1); then say may sudo; else quote sudo "$by_sudo"; fi
    fi
    if command -v tcpdump >/dev/null; then
        tcpdump --version </dev/null 2>&1 | { IFS= read -r line; say has tcpdump "${line#tcpdump }"; }
        if said=$(rehearse); then
            say may tcpdump itself
        elif by_sudo=$(rehearse sudo -n); then
            say may tcpdump by sudo
        else
            quote tcpdump "$said"
        fi
    fi
    if agent=$(command -v correlate); then
        "$agent" --version </dev/null 2>/dev/null | { IFS= read -r line; say has correlate "${line#correlate }"; }
        if find_agent; then
            if [ -n "$by" ]; then say may correlate by sudo; else say may correlate itself; fi
            $by "$agent" doctor </dev/null 2>/dev/null | while IFS= read -r line; do say doctor "$line"; done
        fi
    fi
    say done
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
    doctor)
        IFS= read -r interface
        snaplen=96
        filter=tcp
        look_around
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
