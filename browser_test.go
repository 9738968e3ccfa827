package main_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browserVariable is the environment variable with the path of a Chromium.
// Without it, no test uses a browser.
const browserVariable = "REAM_TEST_BROWSER"

// tab is an open page of a browser, and what it asked for and complained of.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	asked      map[string]bool // URLs
	complaints []string
	bytes      float64 // of all responses, as they were sent
}

// newTab starts the browser at path, which ends with the test.
func newTab(t *testing.T, path string) *tab {
	t.Helper()
	return newTabFor(t, path, 5*time.Minute)
}

// newTabFor is newTab for what lasts at most so long.
func newTabFor(t *testing.T, path string, limit time.Duration) *tab {
	t.Helper()
	b := &tab{t: t, asked: map[string]bool{}}
	limited, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	// It leaves files behind, so it has a directory of its own. Its sandbox needs
	// what containers seldom give, and the pages are Ream's.
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.Env("TMPDIR="+t.TempDir()),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.WindowSize(1280, 800),
	)
	allocator, stop := chromedp.NewExecAllocator(limited, options...)
	t.Cleanup(stop)
	var end context.CancelFunc
	b.ctx, end = chromedp.NewContext(allocator, chromedp.WithListener(b.listen))
	t.Cleanup(end)
	return b
}

// listen notes what the page does. Other goroutines call it.
func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.asked[e.Request.URL] = true
	case *network.EventLoadingFinished:
		b.bytes += e.EncodedDataLength
	case *network.EventWebSocketCreated:
		b.asked[e.URL] = true
	case *runtime.EventExceptionThrown:
		complaint := e.ExceptionDetails.Text
		if thrown := e.ExceptionDetails.Exception; thrown != nil {
			complaint += " " + thrown.Description
		}
		b.complaints = append(b.complaints, complaint)
	case *log.EventEntryAdded: // what the policy of the page refused, for one
		if e.Entry.Level == log.EntryLevelError {
			b.complaints = append(b.complaints, e.Entry.Text)
		}
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// eval runs an expression in the page and returns its value.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := b.ctx, context.CancelFunc(func() {})
	if end, ok := ctx.Deadline(); ok { // after which the browser can be asked nothing more
		ctx, cancel = context.WithDeadline(ctx, end.Add(-lookBack))
	}
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.mu.Lock()
		complaints := slices.Clone(b.complaints)
		b.mu.Unlock()
		b.t.Fatalf("%s: %v\nwhat the page complained of: %q\nwhat it shows: %s", expression, err, complaints, b.shown())
	}
	return value
}

// lookBack is what is left of a browser's time to tell what it shows, when what
// was waited for did not come.
const lookBack = 10 * time.Second

// shown is where the page is and its text.
func (b *tab) shown() string {
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.href + ' ' + document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

// until waits until an expression is true in the page.
func (b *tab) until(expression string) {
	b.t.Helper()
	eval[bool](b, `new Promise((resolve) => {
		const look = () => (`+expression+`) ? resolve(true) : requestAnimationFrame(look);
		look();
	})`)
}

// quoted is text as a JavaScript expression.
func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// The editors of the playground: where operations are, and where answers are.
const (
	operations = `document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror`
	answer     = `document.querySelector('.result-window .CodeMirror').CodeMirror`
)

// execute runs the operation of that name as a person does: with the cursor in
// it, by Ctrl-Enter.
func (b *tab) execute(name string) {
	b.t.Helper()
	eval[bool](b, `(() => {
		const editor = `+operations+`;
		const line = editor.getValue().split('\n').findIndex((text) => text.match(`+quoted(`^\w+ `+name+`\b`)+`));
		editor.focus();
		editor.setCursor(line, 1);
		return true;
	})()`)
	b.do(chromedp.KeyEvent("\r", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
}

func TestPlaygroundInABrowser(t *testing.T) {
	t.Parallel()
	path := os.Getenv(browserVariable)
	if path == "" {
		t.Skip(browserVariable + " is unset")
	}
	p := start(t, "--data", t.TempDir())
	b := newTab(t, path)
	up := newUpstream(t, someFiles(9))
	held := make(chan struct{})
	release := sync.OnceFunc(func() { close(held) })
	t.Cleanup(release)
	up.before = func(_ http.ResponseWriter, path string) bool {
		if path != "PULP_MANIFEST" {
			<-held
		}
		return false
	}

	b.do(chromedp.Navigate(p.address + "/"))
	if page, err := chromedp.RunResponse(b.ctx, chromedp.Click(`a[href="/playground"]`)); err != nil || page.URL != p.address+"/playground" {
		t.Fatalf("the link to the playground: got %+v, %v", page, err)
	}
	b.until(`document.querySelector('.CodeMirror .cm-keyword')`)
	eval[bool](b, `(`+operations+`.setValue(`+operations+`.getValue().replace('https://example.org/PULP_MANIFEST', `+quoted(up.URL+"/PULP_MANIFEST")+`)), true)`)
	b.do(chromedp.Click(`button[aria-label="Show Documentation Explorer"]`))
	b.until(`document.querySelector('.graphiql-doc-explorer').innerText.includes('Subscription')`)
	b.do(chromedp.Click(`button[aria-label="Open settings dialog"]`))
	b.until(`document.querySelector('.graphiql-dialog')`)
	b.do(chromedp.Click(`.graphiql-dialog-close`))
	b.until(`!document.querySelector('.graphiql-dialog')`)
	for _, step := range []struct{ operation, answer string }{
		{"CreateRemote", `"id": "remote-1"`},
		{"CreateRepository", `"id": "repository-1"`},
		{"Mirror", `"id": "group-1"`},
	} {
		b.execute(step.operation)
		b.until(answer + `.getValue().includes(` + quoted(step.answer) + `)`)
	}

	// While upstream holds the files back, the group runs; then it ends.
	eval[bool](b, `(window.shown = [], `+answer+`.on('change', (editor) => window.shown.push(editor.getValue())), true)`)
	b.execute("Watch")
	b.until(answer + `.getValue().includes('"state": "RUNNING"')`)
	release()
	b.until(`document.querySelector('.graphiql-execute-button').ariaLabel.startsWith('Execute')`)
	b.checkFrames(eval[[]string](b, `window.shown.filter((frame) => frame !== '')`))
	b.checkRequests(p.address, "/", "/playground", "/playground/graphiql.js", "/playground/graphiql.css", "/graphql", "ws/graphql")
}

func TestReferenceInABrowser(t *testing.T) {
	t.Parallel()
	path := os.Getenv(browserVariable)
	if path == "" {
		t.Skip(browserVariable + " is unset")
	}
	p := start(t, "--data", t.TempDir())
	b := newTab(t, path)
	b.do(chromedp.Navigate(p.address + "/playground"))
	b.until(`document.querySelector('.graphiql-logo a')?.href.endsWith('/playground/reference')`)
	b.do(chromedp.Navigate(p.address + "/"))
	if page, err := chromedp.RunResponse(b.ctx, chromedp.Click(`a[href="/playground/reference"]`)); err != nil || page.URL != p.address+"/playground/reference" {
		t.Fatalf("the link to the reference: got %+v, %v", page, err)
	}
	b.do(chromedp.Click(`[id="Mutation.sync"] a[href="#TaskOrGroup"]`))
	b.until(`document.querySelector(':target').innerText.includes('One of Task, TaskGroup')`)
	b.checkRequests(p.address, "/", "/playground/reference", "/playground/reference.css")
}

// checkFrames holds what the page showed of a mirror to what subscriptions
// promise: each frame is newer than the one before, and only the last is final.
func (b *tab) checkFrames(frames []string) {
	b.t.Helper()
	revision := -1
	for i, text := range frames {
		var frame struct {
			Data struct {
				TaskOrGroup struct {
					State    string
					Finished bool
					Counts   struct{ Completed, Total, Revision int }
				}
			}
		}
		if err := json.Unmarshal([]byte(text), &frame); err != nil {
			b.t.Fatalf("the page showed %s: %v", text, err)
		}
		work := frame.Data.TaskOrGroup
		if work.Counts.Revision < revision || work.Counts.Total != 3 {
			b.t.Errorf("frame %d: got revision %d after %d and %d tasks of 3", i, work.Counts.Revision, revision, work.Counts.Total)
		}
		revision = work.Counts.Revision
		last := i == len(frames)-1
		if work.Finished != last || last && (work.State != "COMPLETED" || work.Counts.Completed != 3) {
			b.t.Errorf("frame %d of %d: got %s", i+1, len(frames), text)
		}
	}
	if len(frames) < 2 {
		b.t.Errorf("got %d frames, want the running group and the finished one", len(frames))
	}
}

// checkRequests fails the test if the pages asked another host than the server
// for anything, did not ask for the paths, or complained.
func (b *tab) checkRequests(server string, paths ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := map[string]bool{}
	for address := range b.asked {
		u, err := url.Parse(address)
		if err != nil {
			b.t.Errorf("the page asked for %q: %v", address, err)
			continue
		}
		switch {
		case u.Scheme == "data" || u.Scheme == "blob": // bytes that it has already
		case "http://"+u.Host == server && u.Scheme == "ws":
			seen["ws"+u.Path] = true
		case "http://"+u.Host == server:
			seen[u.Path] = true
		default:
			b.t.Errorf("the page asked another host: %s", address)
		}
	}
	for _, path := range paths {
		if !seen[path] {
			b.t.Errorf("the page did not ask for %s, only for %q", path, slices.Sorted(maps.Keys(seen)))
		}
	}
	for _, complaint := range b.complaints {
		b.t.Errorf("the page complained: %s", complaint)
	}
}
