package rest

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// preferredWait is for how long a client would like to wait for work, as RFC
// 7240 has it, but no longer than anybody may; 0 if it would not. The first of
// several preferences counts, and one that is malformed is none.
func (h *Handler) preferredWait(r *http.Request) time.Duration {
	for preference := range strings.SplitSeq(strings.Join(r.Header.Values("Prefer"), ","), ",") {
		preference, _, _ = strings.Cut(preference, ";")
		name, value, _ := strings.Cut(preference, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "wait") {
			continue
		}
		seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 31)
		if err != nil {
			return 0
		}
		return min(time.Duration(seconds)*time.Second, h.o.MaxWait)
	}
	return 0
}
