package main_test

import (
	"context"
	"crypto/sha256"
	"fmt"
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

// signOut leaves and waits for the page that is loaded anew: what is asked of the
// old one in the meantime would never be answered.
func (b *tab) signOut() {
	b.t.Helper()
	b.until(shows("button", "Sign out"))
	click := chromedp.Func(func(ctx context.Context, page *chromedp.Target) error {
		_, err := chromedp.Evaluate[bool](`([...document.querySelectorAll('button')].find((e) => e.innerText.trim() === 'Sign out').click(), true)`)(ctx, page)
		return err
	})
	if _, err := chromedp.RunResponse(b.ctx, click); err != nil {
		b.t.Fatal(err)
	}
}

// write types a text where a selector leads, once it is there. The keys go to what
// has the focus: chromedp's own SendKeys reads a node while the page changes it.
func (b *tab) write(selector, text string) {
	b.t.Helper()
	b.until(`(() => {
		const found = document.querySelector(` + quoted(selector) + `);
		found?.focus();
		found?.setSelectionRange(found.value.length, found.value.length);
		return found !== null && document.activeElement === found;
	})()`)
	b.do(chromedp.KeyEvent(text))
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
		b.t.Errorf("%s is %d pixels wider than a telephone: %q", eval[string](b, `location.pathname`), over,
			eval[[]string](b, `[...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > innerWidth && !e.closest('.scroll')).map((e) => e.outerHTML.slice(0, 120))`))
	}
	b.do(chromedp.EmulateViewport(1280, 800))
	b.until(`innerWidth === 1280`)
}

// members is an expression that tells whether the page of a group shows so many
// members in a state, and so many in all.
func members(state string, n, total string) string {
	return `document.querySelector('.legend [data-state=` + state + `]')?.dataset.count === ` + quoted(strings.ReplaceAll(n, ",", "")) + ` && ` + shows("[data-number=Tasks]", " of "+total)
}

func TestPagesInABrowser(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	p := start(t, "--data", t.TempDir())
	up := p.repositories(4)
	up[1].set(func() { up[1].manifest = "broken" })
	_, releaseFirst := up[3].hold("file-0.bin")
	_, release := up[2].hold("file-0.bin")

	b.do(chromedp.Navigate(p.address + "/"))
	b.until(shows("h1", "Overview") + ` && ` + shows("[role=status]", "Live"))
	b.checkAccess()

	// Whatever happens shows without asking, and leads to the group.
	group := p.mirrorAll()
	b.until(shows("[data-tile=Failed]", "1"))
	b.press("mirror 4 repositories")
	b.until(shows("h1", "mirror 4 repositories") + ` && ` + members("FAILED", "1", "12") + ` && ` + members("COMPLETED", "3", "12"))
	b.until(members("RUNNING", "2", "12") + ` && ` + shows(".member", "waits for sync r2"))
	b.checkAccess()
	b.press("Failed")
	b.until(`document.querySelectorAll('.member').length === 1`)
	b.press("sync r1")
	b.until(shows("h1", "sync r1") + ` && ` + shows("[role=alert]", "PULP_MANIFEST"))
	b.checkAccess()
	eval[bool](b, `(history.back(), true)`)
	b.until(shows("h1", "mirror 4 repositories"))
	b.press("Finished")
	b.until(`document.querySelectorAll('.member').length === 6`)
	releaseFirst()
	b.until(`document.querySelectorAll('.member').length > 6 && ` + members("COMPLETED", "6", "12"))
	release() // whose members come before those, in a list that was read a moment ago
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
	b.write("input[type=password]", "ream_wrong\r")
	b.until(shows("form", "does not accept this token"))
	b.write("input[type=password]", strings.Repeat("\b", len("ream_wrong"))+secret+"\r")
	b.until(shows("h1", "Work") + ` && ` + shows("main", "No groups yet"))
	b.do(chromedp.Navigate(p.address + "/playground"))
	for _, operation := range []struct{ name, text, answer string }{
		{"Look", "query Look { queue { counts { total } } }", `"total": 0`},
		{"Watch", "subscription Watch { queue { counts { all: total } } }", `"all": 0`},
	} {
		b.until(`document.querySelector('.CodeMirror .cm-keyword')`)
		eval[bool](b, `(`+operations+`.setValue(`+quoted(operation.text)+`), true)`)
		// The playground learns a moment later what operations there are.
		for known := false; !known; known = eval[bool](b, answer+`.getValue().includes(`+quoted(operation.answer)+`)`) {
			b.execute(operation.name)
			b.until(`[` + quoted(operation.answer) + `, 'none of that name'].some((text) => ` + answer + `.getValue().includes(text))`)
		}
	}
	b.do(chromedp.Navigate(p.address + "/"))
	b.until(shows("[data-tile=Running]", "0"))
	b.signOut()
	b.until(shows("h1", "Sign in"))
}

// Who knows nothing but a URL gets to what clients can use, and to whatever else
// the pages show.
func TestPagesMirrorAnUpstream(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	p := start(t, "--data", t.TempDir())
	up := newUpstream(t, someFiles(120))

	b.do(chromedp.Navigate(p.address + "/repositories"))
	b.until(shows("main", "No repositories yet"))
	b.press("Mirror an upstream")
	b.until(shows("h1", "Mirror an upstream") + ` && document.activeElement.type === 'url'`)
	b.checkAccess()
	b.write("input[type=url]", "example")
	b.until(shows("form", "Paste a whole URL"))
	b.write("input[type=url]", strings.Repeat("\b", len("example"))+up.URL+"/")
	b.until(shows("form [role=status]", up.URL+"/PULP_MANIFEST"))
	b.checkAccess()
	b.press("On demand")
	b.press("Mirror it") // the name that is proposed is the host's
	b.until(shows("h1", "mirror 127.0.0.1") + ` && ` + members("COMPLETED", "3", "3"))
	b.press("Repositories")
	b.press("127.0.0.1")
	b.until(shows("h1", "127.0.0.1") + ` && ` + shows(".timeline", "+120"))
	b.press("Show units")
	b.until(`[...document.querySelectorAll('tbody td')].filter((e) => e.innerText.includes('not stored yet')).length === 100`)
	b.press("Show more")
	b.until(`document.querySelectorAll('tbody tr').length === 120`)
	b.checkAccess()
	up.add("new.bin", []byte("new"))
	b.press("Sync")
	b.until(shows("h1 + *", "Completed") + ` && ` + shows("main", "Version 2 of"))
	eval[bool](b, `(history.back(), true)`)
	b.until(shows(".timeline", "Version 2"))
	b.press("Changed until 2")
	b.until(shows("td", "added") + ` && document.querySelectorAll('tbody tr').length === 1`)
	b.checkAccess()
	b.press("Restore it")
	b.until(shows("h1 + *", "Completed") + ` && ` + shows("main", "Version 3 of"))
	eval[bool](b, `(history.back(), true)`)
	b.until(shows(".timeline", "Version 3"))
	b.press("Distributions")
	b.until(shows("pre", "curl "+p.address+"/content/127.0.0.1/PULP_MANIFEST"))
	b.checkAccess()
	for _, tab := range []string{"Publications", "Settings"} {
		b.press(tab)
		b.until(`document.querySelector('[role=tab][aria-selected=true]').innerText === ` + quoted(tab))
		b.checkAccess()
	}

	// Several that are chosen become one group.
	p.repository("other", up.URL+"/PULP_MANIFEST")
	b.press("Repositories")
	b.until(`document.querySelectorAll('tbody tr').length === 2`)
	b.pressNamed("Choose all")
	b.until(shows("[role=status]", "2 repositories chosen"))
	b.checkAccess()
	b.press("Sync")
	b.until(shows("h1", "sync 2 repositories") + ` && ` + members("COMPLETED", "2", "2"))

	b.press("Schedules")
	b.until(shows("li", "purge"))
	b.press("New schedule")
	b.write("input[required]", "nightly")
	b.checkAccess()
	b.press("Make it")
	b.until(shows("li", "nightly: mirror all repositories"))
	b.checkAccess()
	b.press("Tokens")
	b.until(shows("main", "No tokens"))
	b.write("input[required]", "ci")
	b.press("Make it")
	b.until(shows("pre", "ream_") + ` && ` + shows("td", "ci"))
	b.checkAccess()
	b.press("Revoke")
	b.press("Really revoke ci?")
	b.until(shows("main", "No tokens"))
	b.press("Audit log")
	b.until(shows("td", "createSchedule"))
	b.checkAccess()
	b.browse(p, up)
	b.press("Workers")
	b.until(shows("main", "It runs nothing"))
	b.checkAccess()
	b.press("Server")
	b.until(shows("dd", "SQLite") + ` && ` + shows("dd", "a directory") + ` && ` + shows("dd", "everybody who reaches the server") + ` && ` + shows("[data-limit=cost]", "20000"))
	b.checkAccess()
	b.press("Dark")
	b.until(`document.documentElement.dataset.mantineColorScheme === 'dark'`)
	b.checkRequests(p.address, "/repositories", "/graphql", "ws/graphql")
}

// browse looks at what clients see of the repository that was mirrored, now and
// before, and while that changes.
func (b *tab) browse(p *program, up *upstream) {
	b.t.Helper()
	entries := func(n int) string { return fmt.Sprintf(`document.querySelectorAll('.member.entry').length === %d`, n) }
	deb := []byte("no Debian package")
	up.add("pool/main/x.deb", deb)
	p.follow(p.mirror("127.0.0.1"))
	b.press("Content")
	b.until(shows("td", "127.0.0.1"))
	b.checkAccess()
	b.press("127.0.0.1")
	b.until(shows("h1", "127.0.0.1") + ` && ` + shows(".entry", "PULP_MANIFEST") + ` && ` + shows(".entry", "stored"))
	b.checkAccess()
	b.write("input[type=search]", "po")
	b.until(entries(1))
	b.press("pool/")
	b.press("main/")
	b.until(entries(1) + ` && ` + shows(".entry", "application/vnd.debian.binary-package") + ` && ` + shows(".entry", "not fetched yet") + ` && document.activeElement.innerText === 'main'`)
	if got, want := eval[string](b, `document.querySelector('.entry code').title`), fmt.Sprintf("%x", sha256.Sum256(deb)); got != want {
		b.t.Errorf("the digest of x.deb: got %s, want %s", got, want)
	}
	b.checkAccess()
	b.until(`[...document.querySelectorAll('.entry a')].some((e) => e.innerText === 'x.deb' && e.href === ` + quoted(p.address+"/content/127.0.0.1/pool/main/x.deb") + `)`)

	// What was served before is there, and goes on as it was.
	eval[bool](b, `(() => {
		const times = document.querySelector('select');
		Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, 'value').set.call(times, times.options[times.options.length - 1].value);
		return times.dispatchEvent(new Event('change', { bubbles: true }));
	})()`)
	b.until(shows("[role=alert]", "no directory pool/main"))
	b.leaveDirectories()
	b.until(shows(".entry", "dir 0/") + ` && ` + shows("h1 + *", "Version 1 of") + ` && !` + shows(".entry", "pool/"))
	b.checkAccess()
	manifest := eval[string](b, `[...document.querySelectorAll('.entry a')].find((e) => e.innerText === 'PULP_MANIFEST').pathname`)
	if got := p.fetched(manifest); strings.Contains(got, "x.deb") || strings.Count(got, "\n") < 119 {
		b.t.Errorf("%s: got %q, want the first manifest", manifest, got)
	}

	// A newer publication does not take away what somebody looks at.
	b.press("Content")
	b.press("127.0.0.1")
	b.until(shows(".entry", "pool/"))
	up.add("another.bin", []byte("another"))
	p.follow(p.mirror("127.0.0.1"))
	b.until(shows("main [role=status]", "is served by now"))
	if eval[bool](b, shows(".entry", "another.bin")) {
		b.t.Error("the list changed while somebody looked at it")
	}
	b.press("Show what is served now")
	b.until(shows(".entry", "another.bin") + ` && !` + shows("main", "is served by now"))
}

// leaveDirectories goes to the topmost directory.
func (b *tab) leaveDirectories() {
	b.t.Helper()
	b.until(`(document.querySelector('.crumbs a')?.click(), true)`)
}

// What a role may not do is not offered.
func TestPagesOfAReader(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	p := start(t, "--data", t.TempDir(), "--require-tokens")
	admin := p.by(p.tokenCommand("create", "boss", "--role", "admin"))
	_, secret := admin.newToken(`name: "guest", role: READER, labels: "env=prod"`)
	admin.repository("secret", "http://127.0.0.1:1/PULP_MANIFEST")
	admin.follow(admin.queueSync("secret", false))
	b.do(chromedp.Navigate(p.address + "/"))
	b.until(shows("h1", "Sign in"))
	b.write("input[type=password]", secret+"\r")
	b.until(shows("main", "that you see: env=prod") + ` && ` + shows("[data-tile=Failed]", "0") + ` && ` + shows("nav", "Work"))
	b.checkAccess()
	admin.label(admin.repository("public", "http://127.0.0.1:1/PULP_MANIFEST"), "env", "prod")
	admin.follow(admin.queueSync("public", false))
	b.until(shows("[data-tile=Failed]", "1") + ` && ` + shows("main", "sync public"))
	if eval[bool](b, shows("main", "secret")) {
		t.Error("a limited reader learns of what is secret")
	}
	for _, hidden := range []string{"Mirror", "Tokens", "Audit log"} {
		if eval[bool](b, shows("nav a", hidden)) {
			t.Errorf("a reader is offered %s", hidden)
		}
	}
	b.press("Repositories")
	b.until(shows("td", "public"))
	if eval[bool](b, `[...document.querySelectorAll('main button')].length > 0`) {
		t.Error("a reader is offered work")
	}

	b.press("Server")
	b.until(shows("dd", "guest") + ` && ` + shows("dd", "env=prod") + ` && ` + shows("dd", "it is revoked"))
	if eval[bool](b, shows("dd", "SQLite")) {
		t.Error("a reader learns what the server is made of")
	}

	// One who may see everything sees what is orphaned, and cannot remove it.
	_, secret = admin.newToken(`name: "auditor", role: READER`)
	b.signOut()
	b.until(shows("h1", "Sign in"))
	b.write("input[type=password]", secret+"\r")
	b.press("Overview")
	b.until(shows("[data-number=Orphaned]", "none"))
	d := admin.openDatabase()
	defer d.Close()
	for _, step := range []struct{ change, shown string }{
		{`UPDATE storage_count SET orphaned_artifacts = 3, orphaned_bytes = 5000`, shows("[data-number=Orphaned]", "3, 5 KB")},
		{`CREATE TRIGGER uncounted BEFORE INSERT ON storage_count BEGIN SELECT RAISE(IGNORE); END; DELETE FROM storage_count`, shows("section", "Not counted yet")},
	} {
		if _, err := d.ExecContext(t.Context(), step.change); err != nil {
			t.Fatal(err)
		}
		b.until(step.shown)
		if eval[bool](b, shows("main button", "Clean orphans")) {
			t.Error("a reader is offered to clean")
		}
	}
}
