//! Capture filters: `pcap-filter(7)` expressions compiled to classic BPF, for the kernel or interpreted.
