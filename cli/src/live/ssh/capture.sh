# Runs at the far end, as root where that is needed: tcpdump writes to the standard output until the standard input
# ends. Arguments: interface, snaplen, filter, and the words before tcpdump.
interface=$1
snaplen=$2
filter=$3
shift 3

# Frames that the captured interfaces carried since the host started, into $frames; `-` where Linux does not tell.
count_frames() {
    frames=-
    [ -r /proc/net/dev ] || return 0
    frames=0
    while IFS=' :' read -r name rb received re rd rf rr rc rm tb sent rest; do
        case $sent in '' | *[!0-9]*) continue ;; esac
        case $interface in any | "$name") frames=$((frames + received + sent)) ;; esac
    done </proc/net/dev
}

# The time, and that the connection and this shell live.
beat() {
    count_frames
    printf 'correlate: %s %s %s\n' "$1" "$(date +%s.%N)" "$frames" >&2
}

pause() { sleep 0.2 2>/dev/null || sleep 1; }

exec 3<&0
"$@" tcpdump -i "$interface" -s "$snaplen" -n -U -w - --immediate-mode "$filter" </dev/null 3<&- &
tcpdump=$!
(while :; do beat beat && pause; done) >/dev/null 3<&- &
beats=$!
(
    # Nobody may be left to hear of it, and it has to be done all the same.
    trap '' PIPE
    cat <&3 >/dev/null 2>&1
    beat end
    # What was captured until then is written by tcpdump before it hears of its end.
    pause
    kill -TERM "$tcpdump" 2>/dev/null || sudo -n kill -TERM "$tcpdump" </dev/null 2>/dev/null || {
        printf 'correlate: left\n' >&2
        kill -TERM $$
    }
) >/dev/null &
ending=$!
exec 3<&-
wait "$tcpdump"
status=$?
kill "$beats" "$ending" 2>/dev/null
printf 'correlate: exit %s\n' "$status" >&2
