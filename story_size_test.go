package main_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// TestSizesThatNoFileHas syncs, in one group, from an upstream that says of a
// file that it has as many bytes as a number can tell, from one that goes as far
// as it may, and from an ordinary one. Everybody else's work goes on, and
// whatever is summed can be read.
func TestSizesThatNoFileHas(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		const most = 1 << 50
		claims := func(name string, sizes ...int64) *upstream {
			up := newUpstream(t, nil)
			for i, size := range sizes {
				up.manifest += fmt.Sprintf("%s-%d,%064x,%d\n", name, i, len(name)+i, size)
			}
			return up
		}
		evil, large := claims("evil", math.MaxInt64, math.MaxInt64), claims("large", most, most)
		ordinary := newUpstream(t, someFiles(3))
		p.repository("evil", evil.URL+"/PULP_MANIFEST")
		p.remote("large", map[string]any{"url": large.URL + "/PULP_MANIFEST", "retries": 0})
		p.repository("ordinary", ordinary.URL+"/PULP_MANIFEST")
		group := p.queueGroup()
		if got := p.follow(group); got.State != "FAILED" {
			t.Errorf("the group: got %+v, want FAILED", got)
		}
		if versions, units := p.versions("ordinary"); versions != 1 || units != 3 {
			t.Errorf("the ordinary one: got %d versions, of %d units", versions, units)
		}
		progress := query[struct {
			TaskGroup struct {
				Progress struct{ BytesDone, BytesTotal int64 }
			}
		}](p, `query($id: ID!) { taskGroup(id: $id) { progress { bytesDone bytesTotal remainingSeconds } } taskGroups { nodes { progress { bytesTotal } } } }`,
			map[string]any{"id": group}).TaskGroup.Progress
		if progress.BytesTotal < 2*most || progress.BytesTotal > 3*most || progress.BytesDone < 0 {
			t.Errorf("progress of the group: got %+v", progress)
		}

		why := "PULP_MANIFEST line 1: the size 9223372036854775807 is too large: a file has at most 1125899906842624 bytes, which are 1 PiB"
		p.fails("evil", "BAD_INPUT", why)
		preview := query[struct{ Sync struct{ ID string } }](p, `mutation { sync(input: {repositories: {names: ["evil"]}, dryRun: true}) { ... on Work { id } } }`, nil).Sync.ID
		if got := p.follow(preview); got.State != "FAILED" || got.Error == nil || !strings.HasSuffix(got.Error.Message, why) {
			t.Errorf("the preview: got %+v %+v", got, got.Error)
		}

		p.onDemand("lazy", large)
		p.awaitMetrics(func(s scrape) bool { return s.value("ream_storage_unfetched_bytes") == 2*most })
	})
}
