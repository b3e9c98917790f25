//! What a host tells about itself: interfaces, offloads, clocks, counters.
