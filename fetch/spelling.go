package fetch

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// standsFor returns the addresses that a host's name stands for without being
// resolved, in all spellings that are in use; none for other names.
func standsFor(name string) []netip.Addr {
	if strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 }) {
		// Digits and dots of other scripts are mapped even if the name is not valid.
		name, _ = idna.Lookup.ToASCII(name)
	}
	name = strings.ToLower(strings.TrimRight(name, "."))
	if a, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{a}
	}
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	}
	var all []netip.Addr
	for _, leadingZero := range []int{8, 10} { // programs do not agree
		if a, ok := parseIPv4(name, leadingZero); ok {
			all = append(all, a)
		}
	}
	return slices.Compact(all)
}

// parseIPv4 reads an address as inet_aton of C does: of one to four numbers, the
// last of which fills the rest, in decimal, hex, or what a leading zero means.
func parseIPv4(name string, leadingZero int) (a netip.Addr, ok bool) {
	parts := strings.Split(name, ".")
	if len(parts) > 4 {
		return a, false
	}
	var whole uint64
	for i, part := range parts {
		size := 8 // bits
		if i == len(parts)-1 {
			size = 8 * (5 - len(parts))
		}
		base := 10
		if digits, isHex := strings.CutPrefix(part, "0x"); isHex {
			part, base = digits, 16
			if part == "" {
				part = "0"
			}
		} else if strings.HasPrefix(part, "0") {
			base = leadingZero
		}
		number, err := strconv.ParseUint(part, base, size)
		if err != nil {
			return a, false
		}
		whole = whole<<size | number
	}
	return netip.AddrFrom4([4]byte{byte(whole >> 24), byte(whole >> 16), byte(whole >> 8), byte(whole)}), true
}
