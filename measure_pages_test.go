package main_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/page"
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

// keepSocket keeps the last WebSocket of a page, and what came through it.
const keepSocket = `window.WebSocket = class extends WebSocket {
	constructor(...args) {
		super(...args);
		window.kept = this;
		this.addEventListener('message', ({ data }) => { if (data.includes('"taskGroup"')) window.frame ??= data; });
	}
}`

// sendFrames lets a hundred frames a second come through the WebSocket, as the
// server sends them, in which members of a large group run and complete.
const sendFrames = `new Promise((resolve) => {
	const look = () => window.frame ? resolve(true) : setTimeout(look, 10);
	look();
}).then(() => {
	const message = JSON.parse(window.frame), group = message.payload.data.taskGroup, { counts, progress } = group;
	let sent = 0;
	const began = performance.now();
	window.sent = () => sent;
	setInterval(() => {
		for (; sent < (performance.now() - began) / 10; sent++) {
			counts.revision += 1;
			counts.running = sent % 8;
			counts.completed = 100 + sent;
			counts.finished = counts.completed;
			counts.waiting = 1_000_000 - counts.completed - counts.running;
			counts.unfinished = counts.waiting + counts.running;
			counts.total = 1_000_000;
			Object.assign(progress, { itemsDone: sent, itemsTotal: 1_000_000, bytesDone: sent * 12_345, bytesTotal: 12_345_000_000, bytesPerSecond: 1_234_500 + sent % 100, remainingSeconds: 1_000 });
			Object.assign(group, { state: 'RUNNING', startedAt: group.createdAt });
			window.kept.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(message) }));
		}
	}, 10);
	return true;
})`

// measureLive looks at a group whose counts change a hundred times a second. No
// server does that to its subscribers, so the frames are made in the page, where
// those of the server arrive.
func measureLive(t *testing.T, path string, long time.Duration) {
	p := start(t, "--data", t.TempDir(), "--workers", "0")
	p.repositories(30)
	id := p.mirrorAll()
	b := newTabFor(t, path, long+5*time.Minute)
	b.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: keepSocket})
		return err
	}))
	b.do(chromedp.Navigate(p.address + "/groups/" + id))
	b.until(`document.querySelectorAll('.member').length > 5`)
	eval[bool](b, sendFrames)
	before, busy := eval[int](b, `window.sent()`), b.metrics()["TaskDuration"]
	got := b.watchFrames(20, ``)
	t.Logf("counts that change %.0f times a second: %+v, the page is at work %.0f%% of the time", float64(eval[int](b, `window.sent()`)-before)/20, got, (b.metrics()["TaskDuration"]-busy)/20*100)
	if !eval[bool](b, shows("[data-number=Tasks]", " of 1,000,000")) {
		t.Error("the page does not show the frames")
	}

	for began := time.Now(); time.Since(began) < long; time.Sleep(min(time.Minute, long/10)) {
		b.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			_, err := cdp.Call(ctx, tab, heapprofiler.CollectGarbage, cdp.Empty{})
			return err
		}))
		m := b.metrics()
		t.Logf("after %4.0f s: heap %.2f MB, %.0f nodes, %.0f listeners, %d frames so far", time.Since(began).Seconds(), m["JSHeapUsedSize"]/1e6, m["Nodes"], m["JSEventListeners"],
			eval[int](b, `window.sent()`))
	}
}

// metrics are what the browser counts of a tab.
func (b *tab) metrics() map[string]float64 {
	b.t.Helper()
	all := map[string]float64{}
	b.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		if _, err := cdp.Call(ctx, tab, performance.Enable, performance.EnableParams{}); err != nil {
			return err
		}
		metrics, err := cdp.Call(ctx, tab, performance.GetMetrics, cdp.Empty{})
		if err != nil {
			return err
		}
		for _, m := range metrics.Metrics {
			all[m.Name] = m.Value
		}
		return nil
	}))
	return all
}
