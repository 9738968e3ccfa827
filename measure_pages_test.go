package main_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
)

// measureVariable is the environment variable that says for how long the memory
// of a tab is watched, such as 10m. Without it, nothing is measured.
const measureVariable = "REAM_MEASURE_PAGES"

// TestMeasurePages prints what the pages take: what the first load transfers and
// how long it lasts, how many frames a second a group's page draws while its
// counts change a hundred times a second, what memory its tab takes meanwhile,
// and how a hundred thousand members scroll. It judges nothing.
func TestMeasurePages(t *testing.T) {
	said := os.Getenv(measureVariable)
	if said == "" {
		t.Skip(measureVariable + " is unset")
	}
	long, err := time.ParseDuration(said)
	if err != nil {
		t.Fatal(err)
	}
	path := os.Getenv(browserVariable)
	if path == "" {
		t.Skip(browserVariable + " is unset")
	}
	t.Run("first load", func(t *testing.T) { measureFirstLoad(t, path) })
	t.Run("scrolling", func(t *testing.T) { measureScrolling(t, path) })
	t.Run("live", func(t *testing.T) { measureLive(t, path, long) })
}

func measureFirstLoad(t *testing.T, path string) {
	p := start(t, "--data", t.TempDir())
	var times []float64
	for range 7 {
		b := newTab(t, path) // with nothing in its cache
		b.do(chromedp.Navigate(p.address + "/"))
		b.until(shows("[data-tile=Running]", "0"))
		times = append(times, eval[float64](b, `performance.now()`))
		b.mu.Lock()
		t.Logf("%.1f KB, the overview is there and live after %.0f ms", b.bytes/1000, times[len(times)-1])
		b.mu.Unlock()
	}
	slices.Sort(times)
	t.Logf("median %.0f ms", times[len(times)/2])
}

// drawn is how a page was drawn for some seconds.
type drawn struct {
	PerSecond float64
	Longest   float64 // from one frame to the next, in milliseconds
	Late      int     // frames that came after more than 25 ms
}

// watchFrames watches the frames that the page draws, and does something at each.
func (b *tab) watchFrames(seconds int, each string) drawn {
	b.t.Helper()
	return eval[drawn](b, fmt.Sprintf(`new Promise((resolve) => {
		let began, last, frames = 0, Longest = 0, Late = 0;
		const frame = (now) => {
			began ??= now;
			if (last !== undefined) {
				frames++;
				Longest = Math.max(Longest, now - last);
				if (now - last > 25) Late++;
			}
			last = now;
			%s;
			if (now - began < %d * 1000) requestAnimationFrame(frame);
			else resolve({ PerSecond: frames * 1000 / (now - began), Longest, Late });
		};
		requestAnimationFrame(frame);
	})`, each, seconds))
}

// measureScrolling scrolls through the members of a group, without pause.
func measureScrolling(t *testing.T, path string) {
	p := start(t, "--data", t.TempDir(), "--workers", "0")
	p.manyMembers(100_000)
	b := newTab(t, path)
	b.do(chromedp.Navigate(p.address + "/groups/group-1"))
	b.until(`document.querySelectorAll('.member').length > 5`)
	t.Logf("standing still: %+v", b.watchFrames(5, ``))
	got := b.watchFrames(20, `document.querySelector('.members').scrollTop += 60`)
	last := eval[string](b, `[...document.querySelectorAll('.member[aria-posinset]')].at(-1).ariaPosInSet`)
	t.Logf("scrolling by 60 pixels a frame, until member %s: %+v, %d elements in the page", last, got, eval[int](b, `document.querySelectorAll('*').length`))
}

// measureLive looks at a group of which some fifty members a second start, and
// as many end.
func measureLive(t *testing.T, path string, long time.Duration) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(110 * time.Millisecond) // of six at once, fifty a second
	}))
	t.Cleanup(upstream.Close)
	p := start(t, "--data", t.TempDir(), "--frame-interval", "10ms", "--workers", "8", "--limits", "duration=10m")
	p.repository("r0", upstream.URL+"/PULP_MANIFEST")
	many := int(long.Seconds()+90) * 50
	d := p.openDatabase()
	if _, err := d.Exec(`INSERT INTO repository(name, format, remote_id, created_at, updated_at)
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT 'r' || i, 'FILE', 1, 0, 0 FROM n`, many); err != nil {
		t.Fatal(err)
	}
	d.Close()
	if _, err := p.openDatabase().Exec(`UPDATE remote SET connections = 64`); err != nil {
		t.Fatal(err)
	}
	id := query[struct{ Sync struct{ ID string } }](p, `mutation { sync(input: {repositories: {all: true}}) { ... on Work { id } } }`, nil).Sync.ID

	b := newTabFor(t, path, long+5*time.Minute)
	b.do(chromedp.Navigate(p.address + "/groups/" + id))
	b.until(`document.querySelectorAll('.member').length > 5`)
	before, revision := b.frameCount(), p.revision(id)
	got := b.watchFrames(20, ``)
	t.Logf("counts that change %.0f times a second, told in %.0f frames a second: %+v", float64(p.revision(id)-revision)/20, float64(b.frameCount()-before)/20, got)

	for began := time.Now(); time.Since(began) < long; time.Sleep(min(time.Minute, long/10)) {
		b.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			_, err := cdp.Call(ctx, tab, heapprofiler.CollectGarbage, cdp.Empty{})
			return err
		}))
		var heap, nodes, listeners float64
		b.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			if _, err := cdp.Call(ctx, tab, performance.Enable, performance.EnableParams{}); err != nil {
				return err
			}
			metrics, err := cdp.Call(ctx, tab, performance.GetMetrics, cdp.Empty{})
			if err != nil {
				return err
			}
			for _, m := range metrics.Metrics {
				switch m.Name {
				case "JSHeapUsedSize":
					heap = m.Value
				case "Nodes":
					nodes = m.Value
				case "JSEventListeners":
					listeners = m.Value
				}
			}
			return nil
		}))
		t.Logf("after %4.0f s: heap %.2f MB, %.0f nodes, %.0f listeners, %d frames so far", time.Since(began).Seconds(), heap/1e6, nodes, listeners, b.frameCount())
	}
}

func (b *tab) frameCount() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.frames
}

// revision is how often the counts of a group have changed.
func (p *program) revision(id string) int {
	p.t.Helper()
	return query[struct{ TaskGroupCounts struct{ Revision int } }](p, `query($id: ID!) { taskGroupCounts(id: $id) { revision } }`, map[string]any{"id": id}).TaskGroupCounts.Revision
}
