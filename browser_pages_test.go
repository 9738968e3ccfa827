package main_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// openBrowser starts a browser, unless tests are to do without.
func openBrowser(t *testing.T) *tab {
	t.Helper()
	path := os.Getenv(browserVariable)
	if path == "" {
		t.Skip(browserVariable + " is unset")
	}
	return newTab(t, path)
}

// shows is an expression that tells whether an element has a text.
func shows(selector, text string) string {
	return `[...document.querySelectorAll(` + quoted(selector) + `)].some((e) => e.innerText.includes(` + quoted(text) + `))`
}

// press clicks the button, the link or the choice with the text, once it is there and can be
// clicked.
func (b *tab) press(text string) {
	b.t.Helper()
	b.until(`(() => {
		const found = [...document.querySelectorAll('button, a, label')].find((e) => e.innerText.trim() === ` + quoted(text) + ` && !e.disabled && !e.dataset.loading);
		found?.click();
		return found !== undefined;
	})()`)
}

// checkAccess holds the page to what axe knows of accessibility, in both color
// schemes, and to its width on a telephone.
func (b *tab) checkAccess() {
	b.t.Helper()
	axe, err := os.ReadFile("web/app/node_modules/axe-core/axe.min.js")
	if err != nil {
		b.t.Fatal(err)
	}
	b.until(`!document.querySelector('[aria-label="Loading"]')`)
	eval[bool](b, string(axe)+`;true`)
	for _, scheme := range []string{"light", "dark"} {
		b.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
			}})
			return err
		}))
		b.until(`document.documentElement.dataset.mantineColorScheme === ` + quoted(scheme) + ` && document.getAnimations().length === 0`)
		for _, violation := range eval[[]string](b, `axe.run().then(({violations}) => violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html + ' ' + n.failureSummary).join('; ')))`) {
			b.t.Errorf("%s, %s: %s", eval[string](b, `location.pathname`), scheme, violation)
		}
	}
	b.do(chromedp.EmulateViewport(360, 740))
	b.until(`innerWidth === 360`)
	if over := eval[int](b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
		b.t.Errorf("%s is %d pixels wider than a telephone", eval[string](b, `location.pathname`), over)
	}
	b.do(chromedp.EmulateViewport(1280, 800))
	b.until(`innerWidth === 1280`)
}

// members is an expression that tells whether the page of a group shows so many
// members in a state, and so many in all.
func members(state string, n, total string) string {
	return `document.querySelector('.legend [data-state=` + state + `]')?.dataset.count === ` + quoted(n) + ` && ` + shows("[data-number=Tasks]", " of "+total)
}

func TestPagesInABrowser(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	p := start(t, "--data", t.TempDir())
	up := p.repositories(4)
	up[1].set(func() { up[1].manifest = "broken" })
	_, release := up[2].hold("file-0.bin")

	b.do(chromedp.Navigate(p.address + "/"))
	b.until(shows("h1", "Overview") + ` && ` + shows("[role=status]", "Live"))
	b.checkAccess()

	// Whatever happens shows without asking, and leads to the group.
	group := p.mirrorAll()
	b.until(shows("[data-tile=Failed]", "1"))
	b.press("mirror 4 repositories")
	b.until(shows("h1", "mirror 4 repositories") + ` && ` + members("FAILED", "1", "12") + ` && ` + members("COMPLETED", "6", "12"))
	b.until(members("RUNNING", "1", "12") + ` && ` + shows(".member", "waits for sync r2"))
	b.checkAccess()
	b.press("Failed")
	b.until(`document.querySelectorAll('.member').length === 1`)
	b.press("sync r1")
	b.until(shows("h1", "sync r1") + ` && ` + shows("[role=alert]", "PULP_MANIFEST"))
	b.checkAccess()
	eval[bool](b, `(history.back(), true)`)
	b.until(shows("h1", "mirror 4 repositories"))
	b.press("Finished")
	b.until(`document.querySelectorAll('.member').length === 9`)
	release()
	b.until(`document.querySelectorAll('.member').length === 12 && ` + members("COMPLETED", "9", "12"))
	if last := p.follow(group); last.State != "FAILED" {
		t.Errorf("the group: got %+v, want FAILED", last)
	}

	// What failed is tried again when upstream is right.
	up[1].set(func() { up[1].manifest = "" })
	b.press("Retry 3 members")
	b.until(`!location.pathname.endsWith(` + quoted(group) + `) && ` + members("COMPLETED", "3", "3"))

	// What is canceled stops.
	reached, _ := up[0].hold("new.bin")
	up[0].add("new.bin", []byte("new"))
	id := p.mirror("r0")
	<-reached
	b.do(chromedp.Navigate(p.address + "/groups/" + id))
	b.press("Cancel")
	b.until(shows("h1 + *", "Canceled") + ` && ` + members("CANCELED", "3", "3"))
	b.press("Work")
	b.until(shows("h1", "Work") + ` && document.querySelectorAll('.lines > li').length === 3`)
	b.checkAccess()
	b.do(chromedp.Navigate(p.address + "/groups/group-999"))
	b.until(shows("[role=alert]", "group-999"))
	b.checkAccess()
	b.checkRequests(p.address, "/", "/graphql", "ws/graphql")
}

// mirrorAll asks for a mirror of every repository.
func (p *program) mirrorAll() (id string) {
	p.t.Helper()
	return query[struct{ Mirror struct{ ID string } }](p, `mutation { mirror(input: {repositories: {all: true}}) { id } }`, nil).Mirror.ID
}

// A page that was open while the server died is right again when it is back.
func TestPagesSurviveARestart(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	p := start(t, "--data", t.TempDir())
	var address atomic.Pointer[string]
	address.Store(&p.address)
	proxy := httptest.NewServer(&httputil.ReverseProxy{ // the same address for every server
		Rewrite: func(r *httputil.ProxyRequest) {
			target, err := url.Parse(*address.Load())
			if err != nil {
				t.Error(err)
			}
			r.SetURL(target)
			r.Out.Host = r.In.Host // which is the origin of the page
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	})
	t.Cleanup(proxy.Close)
	up := p.repositories(2)
	reached, release := up[1].hold("file-0.bin")
	id := p.mirrorAll()
	<-reached

	b.do(chromedp.Navigate(proxy.URL + "/groups/" + id))
	b.until(members("RUNNING", "1", "6") + ` && ` + members("COMPLETED", "3", "6"))
	eval[bool](b, `(window.kept = true)`)
	p.kill()
	b.until(shows("[role=status]", "Reconnecting"))
	release()
	p.start()
	restarted := p.address
	address.Store(&restarted)
	b.until(shows("[role=status]", "Live") + ` && ` + members("COMPLETED", "6", "6"))
	b.until(`[...document.querySelectorAll('.member .state')].every((e) => e.innerText === 'Completed')`)
	if !eval[bool](b, `window.kept === true`) {
		t.Error("the page was loaded again")
	}
}

// Who has no token is asked for one, and what is asked then goes on.
func TestPagesAskForAToken(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	p := start(t, "--data", t.TempDir(), "--require-tokens")
	secret := p.tokenCommand("create", "boss", "--role", "admin")
	b.do(chromedp.Navigate(p.address + "/work"))
	b.until(shows("h1", "Sign in"))
	b.checkAccess()
	b.do(chromedp.SendKeys("input[type=password]", "ream_wrong\r"))
	b.until(shows("form", "does not accept this token"))
	b.do(chromedp.SendKeys("input[type=password]", strings.Repeat("\b", len("ream_wrong"))+secret+"\r"))
	b.until(shows("h1", "Work") + ` && ` + shows("main", "No groups yet"))
	b.press("Overview")
	b.until(shows("[data-tile=Running]", "0"))
	if _, err := chromedp.RunResponse(b.ctx, chromedp.Click(`//button[.="Sign out"]`)); err != nil {
		t.Fatal(err)
	}
	b.until(shows("h1", "Sign in"))
}
