package resolvers

import (
	"net/http"
	"strings"
	"testing"
)

func TestBatch(t *testing.T) {
	t.Parallel()
	send := func(t *testing.T, limits, body string) received {
		t.Helper()
		return request(t, newLimitedServer(t, limits), http.MethodPost, "", body, map[string]string{"Content-Type": mediaJSON})
	}
	t.Run("each has its answer", func(t *testing.T) {
		t.Parallel()
		got := send(t, "batch=4", `[{"query":"query($id:ID!){task(id:$id){id}}","variables":{"id":"task-2"}},{"query":"{nothing}"},
			{"query":"subscription{queue{counts{total}}}"},{"query":"{repositories{totalCount}}"}]`)
		const first, last = `[{"data":{"task":{"id":"task-2"}}},{"errors":[{"message":`, `,{"data":{"repositories":{"totalCount":10}}}]`
		if got.status != http.StatusOK || !strings.HasPrefix(got.text, first) || !strings.HasSuffix(got.text, last) || strings.Count(got.text, `"errors"`) != 2 {
			t.Errorf("got %d %s", got.status, got.text)
		}
	})
	t.Run("limit", func(t *testing.T) {
		t.Parallel()
		for limits, status := range map[string]int{"batch=2": 400, "batch=3": 200, "batch=0": 200} {
			got := send(t, limits, `[{"query":"{__typename}"},{"query":"{__typename}"},{"query":"{__typename}"}]`)
			if got.status != status {
				t.Errorf("%s: got %d, want %d: %s", limits, got.status, status, got.text)
			}
			if named := strings.Contains(got.text, `"limit":"batch","maximum":2`); named != (status == 400) {
				t.Errorf("%s: got %s", limits, got.text)
			}
		}
	})
	t.Run("each counts", func(t *testing.T) {
		t.Parallel()
		for body, status := range map[string]int{
			`[{"query":"{__typename}"},{"query":"{__typename}"}]`:                          200,
			`[{"query":"{__typename}"},{"query":"{__typename}"},{"query":"{__typename}"}]`: 429,
		} {
			if got := send(t, "rate=1,burst=2", body); got.status != status {
				t.Errorf("%s: got %d, want %d: %s", body, got.status, status, got.text)
			}
		}
	})
}
