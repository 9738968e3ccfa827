package main_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// enter writes a text into the field with a label, in place of what is there.
func (b *tab) enter(label, text string) {
	b.t.Helper()
	b.until(`(() => {
		const found = [...document.querySelectorAll('label')].find((e) => e.innerText.replace(/ \*$/, '') === ` + quoted(label) + `);
		const field = found && document.getElementById(found.htmlFor);
		if (!field || field.disabled) return false;
		field.focus();
		field.select();
		return true;
	})()`)
	b.do(chromedp.KeyEvent("\b" + text))
}

// choose chooses an option of the field with a label.
func (b *tab) choose(label, option string) {
	b.t.Helper()
	b.until(`(() => {
		const found = [...document.querySelectorAll('label')].find((e) => e.innerText === ` + quoted(label) + `);
		const field = found && document.getElementById(found.htmlFor);
		const chosen = field && [...field.options].find((e) => e.text === ` + quoted(option) + `);
		if (!chosen) return false;
		chosen.selected = true;
		field.dispatchEvent(new Event('change', { bubbles: true }));
		return true;
	})()`)
}

// pressNamed clicks what has a name for screen readers, once it is there.
func (b *tab) pressNamed(name string) {
	b.t.Helper()
	b.until(`(() => {
		const found = document.querySelector(` + quoted(`[aria-label=`+quoted(name)+`]`) + `);
		found?.click();
		return found !== null;
	})()`)
}

// Remotes, repositories and what is served are made, changed and deleted.
func TestPagesChangeThings(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	disk := diskDepot(t)
	p := start(t, "--data", t.TempDir(), "--storage", disk.location)
	up := newUpstream(t, someFiles(3))

	b.do(chromedp.Navigate(p.address + "/remotes"))
	b.until(shows("main", "No remotes yet"))
	b.press("New remote")
	b.enter("Name", "upstream")
	b.enter("URL", up.URL+"/")
	b.press("Make it")
	b.until(shows("form", "it names a directory")) // beside the field that is wrong
	b.enter("URL", up.URL+"/PULP_MANIFEST")
	b.press("On demand")
	b.enter("User name", "me")
	b.enter("Password", "secret words")
	b.checkAccess()
	b.press("Make it")
	b.pressNamed("Show upstream")
	b.until(shows("dl", "user me, a password") + ` && ` + shows("dl", "when somebody asks for them"))
	b.checkAccess()
	b.pressNamed("Change upstream")
	b.until(shows("form", "One is set"))
	if strings.Contains(eval[string](b, `document.body.innerHTML`), "secret words") {
		t.Error("the page shows a password")
	}
	b.press("Immediately")
	b.press("Forget the credentials that are set")
	b.press("Save")
	b.until(`document.querySelector('main form') === null`)
	b.pressNamed("Show upstream")
	b.until(shows("dl", "none") + ` && !` + shows("dl", "password") + ` && ` + shows("dl", "during the sync"))

	b.press("Repositories")
	b.press("New repository")
	b.enter("Name", "docs")
	b.enter("Remote", "nowhere")
	b.press("Make it")
	b.until(shows("form", "There is no remote nowhere."))
	b.enter("Remote", "upstream")
	b.enter("Labels", "env=prod, old")
	b.checkAccess()
	b.press("Make it")
	b.until(shows("h1", "docs") + ` && ` + shows("main", "No versions yet"))
	b.press("Settings")
	b.press("Change it")
	b.enter("Labels", "env=test")
	b.enter("Versions to keep", "2")
	b.checkAccess()
	b.press("Save")
	b.until(shows("dl", "env=test") + ` && ` + shows("dl", "2")) // pushed
	b.checkAccess()

	// What others do shows without asking.
	p.follow(p.mirror("docs"))
	b.until(shows("main", "version 1 with 3 units"))
	up.add("new.bin", []byte("new"))
	p.follow(p.mirror("docs"))
	b.press("Distributions")
	b.until(shows("main", "serves version 2"))
	b.press("Serve it at another path")
	b.enter("Path", "docs")
	b.press("Make it")
	b.until(shows("[role=alert]", "already"))
	b.enter("Path", "stable")
	b.choose("Readers", "Only who has a token")
	b.checkAccess()
	b.press("Make it")
	b.until(shows("section[aria-label=stable]", "to who has a token") + ` && ` + shows("section[aria-label=stable] pre", `curl --user "token:$REAM_TOKEN" `+p.address+"/content/stable/PULP_MANIFEST"))
	b.until(shows("section[aria-label=docs]", "to everybody, as the server says") + ` && ` + shows("section[aria-label=docs] pre", "curl "+p.address+"/content/docs/PULP_MANIFEST"))
	b.pressNamed("Roll back docs")
	b.press("Serve version 1 again?")
	b.until(shows("section[aria-label=docs]", "") + ` || !document.querySelector('section[aria-label=docs]')`)
	b.press("Content")
	b.until(`[...document.querySelectorAll('tbody tr')].some((e) => e.innerText.startsWith('docs') && e.innerText.includes('version 1'))`)
	b.pressNamed("Promote docs")
	b.enter("To the path", "nowhere")
	b.press("Promote it")
	b.until(shows("form", "Nothing is served at nowhere"))
	b.enter("To the path", "stable")
	b.checkAccess()
	b.press("Promote it")
	b.until(`[...document.querySelectorAll('tbody tr')].some((e) => e.innerText.startsWith('stable') && e.innerText.includes('version 1'))`)
	b.pressNamed("Change stable")
	b.enter("Path", "steady")
	b.choose("Readers", "Everybody")
	b.checkAccess()
	b.press("Save")
	b.until(`[...document.querySelectorAll('tbody tr')].some((e) => e.innerText.startsWith('steady') && e.innerText.includes('everybody') && !e.innerText.includes('as the server says'))`)
	for _, path := range []string{"steady", "docs"} {
		b.pressNamed("Delete " + path)
		b.press("Really delete it?")
		b.until(`!(` + shows("td:first-child", path) + `)`)
	}

	b.press("Repositories")
	b.enter("Name", "DOC")
	b.until(shows("td", "docs"))
	b.enter("Name", "nothing")
	b.until(shows("main", "No repository is like that"))
	b.enter("Name", "")
	b.until(shows("td", "docs"))
	b.press("docs")
	b.press("Tasks")
	b.until(shows("main .lines", "sync docs"))
	b.checkAccess()
	b.press("Versions")
	b.press("Show units")
	b.until(`document.querySelectorAll('tbody tr').length >= 3 && !` + shows("td", "not stored yet"))
	b.enter("Path", "NEW")
	b.until(`document.querySelectorAll('tbody tr').length === 1 && ` + shows("td", "new.bin"))
	b.checkAccess()
	b.until(shows("[data-storage]", "3.7 KB of its own, 0 bytes shared"))
	b.press("Settings")
	b.press("Delete it")
	b.press("Really delete docs with all of its versions?")
	b.until(shows("main", "No repositories yet"))

	// What it had is orphaned, and goes when it is older than a day.
	p.ageArtifacts(disk)
	b.press("Overview")
	b.until(shows("[data-number=Orphaned]", "6, 3.7 KB"))
	b.checkAccess()
	b.press("Clean orphans")
	b.press("Really remove those older than a day?")
	b.until(shows("h1", "clean orphans") + ` && ` + shows("h1 + *", "Completed") + ` && ` + shows("main", "3.7 KB of 3.7 KB"))
	b.checkRequests(p.address, "/remotes", "/graphql", "ws/graphql")
}

// key presses a key as a person does.
func (b *tab) key(name string, options ...chromedp.KeyOption) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(name, options...))
}

// tabTo presses the tabulator until what has the focus is like that.
func (b *tab) tabTo(like string) {
	b.t.Helper()
	for range 60 {
		if eval[bool](b, `((e) => `+like+`)(document.activeElement)`) {
			if !eval[bool](b, `(({outlineStyle, outlineWidth, boxShadow, borderColor}) => outlineStyle !== 'none' && outlineWidth !== '0px' || boxShadow !== 'none' || borderColor !== '')(getComputedStyle(document.activeElement))`) {
				b.t.Errorf("nothing shows where the focus is: %s", like)
			}
			return
		}
		b.key("\t")
	}
	b.t.Fatalf("the tabulator does not lead to what is like %s, but to %s", like, eval[string](b, `document.activeElement.outerHTML`))
}

// Nothing needs a mouse: neither the wizard nor what can be done about a group.
func TestPagesByKeyboard(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	p := start(t, "--data", t.TempDir())
	up := newUpstream(t, someFiles(2))
	_, release := up.hold("file-0.bin")
	t.Cleanup(release)
	has := func(text string) string { return `e.innerText?.trim() === ` + quoted(text) }

	b.do(chromedp.Navigate(p.address + "/"))
	b.until(shows("h1", "Overview"))
	b.tabTo(has("Skip to the content"))
	b.tabTo(has("Mirror"))
	b.key("\r")
	b.until(shows("h1", "Mirror an upstream"))
	b.tabTo(`e.type === 'url'`)
	b.do(chromedp.KeyEvent(up.URL))
	b.until(shows("form [role=status]", "2 files"))
	b.tabTo(`e.value === '127.0.0.1'`)
	b.tabTo(has("Mirror it"))
	b.key("\r")
	b.until(shows("h1", "mirror 127.0.0.1") + ` && ` + members("RUNNING", "1", "3") + ` && document.activeElement === document.querySelector('main')`)
	b.tabTo(has("Cancel"))
	b.key(" ")
	b.until(members("CANCELED", "3", "3"))
	b.tabTo(`e.type === 'radio'`) // the filter of the members
	b.key(kb.ArrowRight)
	b.until(`location.search === '?show=unfinished' && ` + shows("main", "No member is like that"))
	b.key(kb.ArrowLeft)
	b.tabTo(`e.classList.contains('members')`)
	b.tabTo(has("sync 127.0.0.1"))
	b.key("\r")
	b.until(shows("h1", "sync 127.0.0.1"))
	b.tabTo(has("Retry"))
	b.key("\r")
	b.until(shows("main", "retry of"))

	// A form takes the focus, and gives it back however it goes.
	b.do(chromedp.Navigate(p.address + "/published"))
	opener := func(name string) string { return `e.ariaLabel === ` + quoted(name) }
	focused := func(like string) string { return `((e) => ` + like + `)(document.activeElement)` }
	b.until(shows("main", "Nothing is served yet"))
	b.tabTo(has("New distribution"))
	b.key("\r")
	b.until(focused(`e.labels?.[0]?.innerText.startsWith('Path') ?? false`))
	b.key("docs")
	b.tabTo(has("Cancel"))
	b.key("\r")
	b.until(focused(has("New distribution")))
	b.key("\r")
	b.until(focused(`e.labels?.[0]?.innerText.startsWith('Path') ?? false`))
	b.key("docs")
	b.tabTo(`e.labels?.[0]?.innerText.startsWith('Repository') ?? false`)
	b.key("127.0.0.1\r")
	b.until(shows("td", "docs") + ` && ` + focused(has("New distribution")))
	b.tabTo(opener("Delete docs"))
	b.key("\r")
	b.until(focused(has("Really delete it?")))
	b.key(kb.Escape)
	b.until(focused(opener("Delete docs")))
	b.key("\r")
	b.key("\r")
	b.until(shows("main", "Nothing is served yet") + ` && document.activeElement === document.querySelector('main')`)

	// What is busy for a while keeps the focus.
	b.do(chromedp.Navigate(p.address + "/schedules"))
	b.until(shows("main", "purge the history"))
	b.tabTo(opener("Pause: purge history"))
	for _, next := range []string{"Resume: purge history", "Pause: purge history"} {
		b.key("\r")
		b.until(focused(opener(next)))
	}
	b.do(chromedp.Navigate(p.address + "/tokens"))
	b.until(shows("main label", "Name"))
	b.tabTo(`e.labels?.[0]?.innerText.startsWith('Name') ?? false`)
	b.key("ci")
	b.tabTo(has("Make it"))
	b.key("\r")
	b.until(shows("td", "ci") + ` && ` + focused(has("Make it")+` && e.ariaDisabled === 'true'`)) // as there is no name any more

	// What leads on to the end of a list leaves the keyboard there.
	for i := range 100 {
		query[any](p, `mutation($name: String!) { createRemote(input: {name: $name, url: "http://127.0.0.1:1/PULP_MANIFEST"}) { id } }`, map[string]any{"name": fmt.Sprintf("r%03d", i)})
	}
	b.do(chromedp.Navigate(p.address + "/remotes"))
	const rows = `[...document.querySelectorAll('main [aria-label^="Show "]')]`
	b.until(shows("button", "Show more") + ` && ` + rows + `.length === 100`)
	eval[bool](b, `(window.last = `+rows+`.at(-1), [...document.querySelectorAll('button')].find((e) => e.innerText === 'Show more').focus(), true)`)
	b.key("\r")
	b.until(rows + `.length === 101 && !` + shows("button", "Show more"))
	b.key("\t", chromedp.KeyModifiers(chromedp.ModifierShift))
	b.until(`(window.last.compareDocumentPosition(document.activeElement) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0`)

	// On a telephone the menu is gone through once it is open.
	b.do(chromedp.EmulateViewport(360, 740))
	b.do(chromedp.Navigate(p.address + "/published"))
	b.until(shows("main", "Nothing is served yet"))
	b.tabTo(opener("Navigation"))
	b.tabTo(`e.title.startsWith('Colours')`)
	b.key("\t")
	b.until(focused(has("New distribution")))
	b.key("\t", chromedp.KeyModifiers(chromedp.ModifierShift))
	b.key("\t", chromedp.KeyModifiers(chromedp.ModifierShift))
	b.key("\t", chromedp.KeyModifiers(chromedp.ModifierShift))
	b.until(focused(opener("Navigation")))
	b.key("\r")
	b.tabTo(has("Server"))
	b.key("\r")
	b.until(shows("h1", "Server") + ` && getComputedStyle(document.querySelector('nav')).visibility === 'hidden'`)
}

// manyMembers makes group-1, of so many members that have completed.
func (p *program) manyMembers(n int) {
	p.t.Helper()
	d := p.openDatabase()
	defer d.Close()
	for _, statement := range []string{
		`INSERT INTO task_group(id, name, completed, created_at, started_at, finished_at) VALUES (1, 'many', ?, 1, 1, 1)`,
		`INSERT INTO task(id, kind, name, priority, position, group_id, args, outcome, created_at, started_at, finished_at)
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i, 'repository.sync', 'sync r' || i, 2, i, 1, '{}', 'COMPLETED', 1, 1, 1 FROM n`,
	} {
		if _, err := d.Exec(statement, n); err != nil {
			p.t.Fatal(err)
		}
	}
}

// manyEntries makes distribution-1, which serves so many files of one directory.
func (p *program) manyEntries(n int) {
	p.t.Helper()
	p.repository("many", "http://127.0.0.1:1/PULP_MANIFEST")
	query[any](p, `mutation { createDistribution(input: {path: "many", repository: "repository-1"}) { id } }`, nil)
	d := p.openDatabase()
	defer d.Close()
	for _, statement := range []string{
		`INSERT INTO version(id, repository_id, number, base, units, bytes, added, removed, created_at) VALUES (1, 1, 1, 0, ?, 0, 0, 0, 1)`,
		`INSERT INTO publication(id, repository_id, version_id, files, bytes, created_at) VALUES (1, 1, 1, ?, 0, 1)`,
		`INSERT INTO published_file(publication_id, path, sha256, size, modified_at)
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT 1, 'pool' || char(9) || printf('%06d.deb', i), printf('%064d', i), i, 1 FROM n`,
		`UPDATE repository SET newest_publication_id = 1 WHERE id = min(?, 1)`,
	} {
		if _, err := d.Exec(statement, n); err != nil {
			p.t.Fatal(err)
		}
	}
}

// scroll scrolls through the rows of a list, as far as to some positions, and
// counts those that are in the page at once.
func (b *tab) scroll(positions ...int) {
	b.t.Helper()
	most := 0
	for _, position := range positions {
		// A person scrolls on as long as there is more.
		b.until(fmt.Sprintf(`(() => {
			const list = document.querySelector('.members');
			list.scrollTop = Math.min(list.scrollHeight, %d * 48);
			return [...document.querySelectorAll('.member[aria-posinset]')].some((e) => Number(e.ariaPosInSet) >= %d);
		})()`, position, position))
		most = max(most, eval[int](b, `document.querySelectorAll('.member').length`))
	}
	if most > 80 {
		b.t.Errorf("%d rows are in the page at once, want only those in sight", most)
	}
	if all := eval[int](b, `document.querySelectorAll('*').length`); all > 2000 {
		b.t.Errorf("the page has %d elements", all)
	}
}

// A hundred thousand members, and as many files, scroll, and only those in sight
// are in the page. The last ones are as near as the first.
func TestPagesOfManyMembers(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	p := start(t, "--data", t.TempDir(), "--workers", "0")
	p.manyMembers(100_000)
	p.manyEntries(100_000)

	b.do(chromedp.Navigate(p.address + "/groups/group-1"))
	b.until(members("COMPLETED", "100,000", "100,000"))
	b.until(`document.querySelectorAll('.member').length > 5`)
	b.scroll(500, 1000, 1500, 2000)
	pages := eval[int](b, questions)
	b.tabTo(`e.classList.contains('members')`)
	row := func(n int) string {
		return fmt.Sprintf(`[...document.querySelectorAll('.member')].some((e) => e.ariaPosInSet === '%d' && e.dataset.member === 'task-%d')`, n, n)
	}
	b.key(kb.End)
	b.until(row(100_000))
	for range 3 {
		before := eval[float64](b, `document.querySelector('.members').scrollTop`)
		b.key(kb.PageUp)
		b.until(fmt.Sprintf(`document.querySelector('.members').scrollTop < %v`, before) +
			` && [...document.querySelectorAll('.member')].every((e) => e.dataset.member === 'task-' + e.ariaPosInSet)`)
	}
	b.key(kb.Home)
	b.until(row(1))
	if asked := eval[int](b, questions) - pages; asked > 20 {
		t.Errorf("to the end and back: %d questions to the server, want a few", asked)
	}
	b.scroll(250)

	b.do(chromedp.Navigate(p.address + "/published/distribution-1?in=pool"))
	b.until(shows(".entry", "000001.deb"))
	b.scroll(500, 1000)
	b.until(`[...document.querySelectorAll('.entry')].some((e) => e.ariaPosInSet === '1000' && e.innerText.includes('001000.deb'))`)
}

// questions is an expression that counts what the page asked of the API so far.
const questions = `performance.getEntriesByType('resource').filter((e) => e.name.endsWith('/graphql')).length`

// What others do about what is served shows on pages that are open.
func TestPagesAreToldWhatIsServed(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	p := start(t, "--data", t.TempDir())
	up := newUpstream(t, someFiles(1))
	p.repository("docs", up.URL+"/PULP_MANIFEST")
	p.follow(p.mirror("docs"))
	change := func(mutation string) {
		t.Helper()
		query[any](p, `mutation { `+mutation+` { id } }`, nil)
	}
	change(`createDistribution(input: {path: "stable", publication: "publication-1"})`)
	up.add("new.bin", []byte("new"))
	p.follow(p.mirror("docs"))
	row := func(text string) string { return shows("tbody tr", text) }

	b.do(chromedp.Navigate(p.address + "/published"))
	b.until(row("version 2") + ` && ` + row("version 1"))
	eval[bool](b, `(window.kept = true)`)
	change(`promote(input: {from: "distribution-1", to: "distribution-2"})`)
	b.until(`!(` + row("version 1") + `)`)
	change(`rollback(id: "distribution-2")`)
	b.until(row("version 1"))

	b.press("stable")
	b.until(shows("h1 + *", "Version 1 of"))
	change(`promote(input: {from: "distribution-1", to: "distribution-2"})`)
	b.until(shows("[role=status]", "Version 2 is served by now"))
	b.press("Show what is served now")
	b.until(shows("h1 + *", "Version 2 of") + ` && ` + shows(".entry", "new.bin"))
	change(`deleteDistribution(id: "distribution-2")`)
	b.until(shows("h1", "There is no such distribution"))

	b.press("Repositories")
	b.press("docs")
	b.press("Distributions")
	b.until(shows("section", "serves version 2"))
	change(`createDistribution(input: {path: "again", repository: "repository-1"})`)
	b.until(shows("section[aria-label=again]", "serves version 2"))
	change(`deleteDistribution(id: "distribution-3")`)
	b.until(`!document.querySelector('section[aria-label=again]')`)
	if !eval[bool](b, `window.kept === true`) {
		t.Error("the page was loaded again")
	}
}
