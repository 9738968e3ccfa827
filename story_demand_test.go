package main_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"ream/blob/blobtest"
	"ream/db/dbtest"
)

// bytesOf makes a file of so many bytes, which no other call makes.
func bytesOf(size int) []byte {
	seed := []byte(fmt.Sprintf("%08d", madeFiles.Add(1)))
	return bytes.Repeat(seed, size/len(seed)+1)[:size]
}

// onDemand makes a repository that is fetched on demand, with its remote, and
// serves it.
func (p *program) onDemand(name string, up *upstream) (remote string) {
	p.t.Helper()
	remote = p.remote(name, map[string]any{"url": up.URL + "/PULP_MANIFEST", "policy": "ON_DEMAND", "retries": 0})
	if got := p.follow(p.mirror(name)); got.State != "COMPLETED" {
		p.t.Fatalf("%s: got %+v %+v", name, got, got.Error)
	}
	return remote
}

// times is how often a file was asked for.
func (u *upstream) times(file string) (n int) {
	u.set(func() { n = u.served[file] })
	return n
}

// ask asks for a path of the content with headers.
func (p *program) ask(method, path string, header ...string) (response *http.Response, body []byte, err error) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.address+(&url.URL{Path: path}).EscapedPath(), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response = p.send(r)
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return response, body, err
}

// storedUnits tells of each path of a repository whether its bytes are stored.
func (p *program) storedUnits(name string) map[string]bool {
	p.t.Helper()
	units := query[struct {
		Repository struct {
			LatestVersion struct {
				Units struct {
					Nodes []struct {
						Path   string
						Stored bool
					}
				}
			}
		}
	}](p, `query($n: String!) { repository(name: $n) { latestVersion { units(first: 100) { nodes { path stored } } } } }`, map[string]any{"n": name})
	all := map[string]bool{}
	for _, u := range units.Repository.LatestVersion.Units.Nodes {
		all[u.Path] = u.Stored
	}
	return all
}

// await asks a question until the answer is true.
func await(t *testing.T, what string, answer func() bool) {
	t.Helper()
	for began := time.Now(); !answer(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatalf("it never happened: %s", what)
		}
	}
}

func TestOnDemand(t *testing.T) {
	eachStorage(t, func(t *testing.T, p *program) {
		small, large := bytesOf(10_000), bytesOf(5<<20)
		up := newUpstream(t, map[string][]byte{"dir/small": small, "large": large, "never": bytesOf(100), "later": bytesOf(100), "empty": {}})
		remote := p.onDemand("d", up)
		for _, file := range []string{"dir/small", "large", "never", "later", "empty"} {
			if n := up.times(file); n != 0 {
				t.Errorf("the sync fetched %s %d times", file, n)
			}
		}
		if stored := p.storedUnits("d"); len(stored) != 5 || stored["large"] || stored["dir/small"] {
			t.Errorf("after the sync: got %v", stored)
		}

		// What is known without the bytes.
		etag := `"` + digest(large) + `"`
		for _, tt := range []struct {
			method string
			header []string
			status int
		}{
			{"HEAD", nil, 200}, {"GET", []string{"If-None-Match", etag}, 304}, {"GET", []string{"If-None-Match", `"other", ` + etag}, 304},
			{"GET", []string{"If-Match", `"other"`}, 412}, {"GET", []string{"Range", "bytes=99999999-"}, 416},
		} {
			response, body, err := p.ask(tt.method, "/content/d/large", tt.header...)
			if err != nil || response.StatusCode != tt.status || tt.status != 416 && response.Header.Get("Etag") != etag || tt.status == 200 && response.ContentLength != int64(len(large)) || tt.status < 400 && len(body) > 0 {
				t.Errorf("%s with %q: got %s %v with %d bytes, %v", tt.method, tt.header, response.Status, response.Header, len(body), err)
			}
		}
		if body := p.get("/content/d/empty"); len(body) != 0 {
			t.Errorf("the empty file has %d bytes", len(body))
		}
		if n := up.times("large") + up.times("empty"); n != 0 {
			t.Errorf("upstream was asked %d times for what is known", n)
		}

		// The first who ask, all at once.
		var all sync.WaitGroup
		for i := range 200 {
			path, want := "/content/d/large", large
			if i%5 > 0 { // the others move many bytes
				path, want = "/content/d/dir/small", small
			}
			all.Go(func() {
				response, body, err := p.ask("GET", path)
				if err != nil || response.StatusCode != 200 || !bytes.Equal(body, want) {
					t.Errorf("%s: got %s, %d bytes, %v", path, response.Status, len(body), err)
				}
			})
		}
		all.Wait()
		await(t, "both are stored", func() bool { s := p.storedUnits("d"); return s["large"] && s["dir/small"] })
		if body := p.get("/content/d/large"); !bytes.Equal(body, large) {
			t.Errorf("from the storage: got %d bytes", len(body))
		}
		if a, b := up.times("large"), up.times("dir/small"); a != 1 || b != 1 {
			t.Errorf("upstream was asked %d and %d times", a, b)
		}

		// Another repository has units whose bytes are not here, gets them from where
		// they come from, and finds what is here.
		repository := query[struct{ CreateRepository struct{ ID string } }](p, `mutation { createRepository(input: {name: "copy", format: FILE}) { id } }`, nil).CreateRepository.ID
		version := query[struct {
			Repository struct{ LatestVersion struct{ ID string } }
		}](p, `{ repository(name: "d") { latestVersion { id } } }`, nil).Repository.LatestVersion.ID
		copied := query[struct{ CopyUnits struct{ ID string } }](p, `mutation($v: ID!, $r: ID!) { copyUnits(input: {version: $v, repository: $r}) { id } }`,
			map[string]any{"v": version, "r": repository}).CopyUnits.ID
		completes := func(id string) {
			t.Helper()
			if got := p.follow(id); got.State != "COMPLETED" {
				t.Fatalf("%s: got %+v %+v", id, got, got.Error)
			}
		}
		completes(copied)
		completes(query[struct{ Publish struct{ ID string } }](p, `mutation { publish(input: {repositories: {names: ["copy"]}}) { ... on Work { id } } }`, nil).Publish.ID)
		query[any](p, `mutation($r: ID!) { createDistribution(input: {path: "copy", repository: $r}) { id } }`, map[string]any{"r": repository})
		if body := p.get("/content/copy/later"); !bytes.Equal(body, up.files["later"]) {
			t.Errorf("of a copied unit: got %q", body)
		}
		if body := p.get("/content/copy/large"); !bytes.Equal(body, large) || up.times("large") != 1 {
			t.Errorf("of a copied unit that is stored: got %d bytes, asked for %d times", len(body), up.times("large"))
		}

		// The other policy fetches what is missing, and nothing else.
		p.update(remote, map[string]any{"policy": "IMMEDIATE"})
		p.completes("d")
		for path, stored := range p.storedUnits("d") {
			if !stored {
				t.Errorf("after a sync with the policy IMMEDIATE, %s is not stored", path)
			}
		}
		if versions, _ := p.versions("d"); versions != 1 {
			t.Errorf("there are %d versions", versions)
		}
		for _, file := range []string{"large", "dir/small", "never", "later"} {
			if n := up.times(file); n != 1 {
				t.Errorf("%s was asked for %d times in all", file, n)
			}
		}
	})
}

// TestOnDemandLies has an upstream that gives other files than its manifest
// says, or none, and that is well again after a while.
func TestOnDemandLies(t *testing.T) {
	eachStorage(t, func(t *testing.T, p *program) {
		small, large := bytesOf(10_000), bytesOf(5<<20)
		up := newUpstream(t, map[string][]byte{"small": small, "large": large, "away": bytesOf(100)})
		p.onDemand("d", up)
		wrong := func(file []byte) []byte { return append(bytes.Clone(file[:len(file)-1]), '!') }
		up.set(func() {
			up.before = func(w http.ResponseWriter, path string) bool {
				switch path {
				case "small":
					w.Write(wrong(small))
				case "large":
					w.Write(wrong(large))
				case "away":
					http.Error(w, "out of order", http.StatusServiceUnavailable)
				default:
					return false
				}
				return true
			}
		})
		for _, path := range []string{"small", "away"} {
			response, body, err := p.ask("GET", "/content/d/"+path)
			if err != nil || response.StatusCode != 502 || response.Header.Get("Retry-After") == "" || response.Header.Get("Etag") != "" || strings.Contains(string(body), up.URL) {
				t.Errorf("%s: got %s %v %q, %v", path, response.Status, response.Header, body, err)
			}
		}
		response, body, err := p.ask("GET", "/content/d/large")
		if err == nil || response.StatusCode != 200 || len(body) >= len(large) || !bytes.Equal(body, large[:len(body)]) {
			t.Errorf("large: got %s and %d bytes, %v", response.Status, len(body), err)
		}
		if stored := p.storedUnits("d"); stored["small"] || stored["large"] || stored["away"] {
			t.Errorf("what is wrong is stored: %v", stored)
		}
		up.set(func() { up.before = nil })
		for path, want := range map[string][]byte{"small": small, "large": large, "away": up.files["away"]} {
			await(t, path+" is got from an upstream that is well again", func() bool {
				response, body, err := p.ask("GET", "/content/d/"+path)
				return err == nil && response.StatusCode == 200 && bytes.Equal(body, want)
			})
		}
	})
}

// TestWrongSizeOfAnUpstream has an upstream that says a wrong size of a file that
// another one has as well: its own repository alone does not give the file.
func TestWrongSizeOfAnUpstream(t *testing.T) {
	eachStorage(t, func(t *testing.T, p *program) {
		files := map[string][]byte{"dir/f": bytesOf(1000)}
		liar, honest := newUpstream(t, files), newUpstream(t, files)
		liar.set(func() { liar.manifest = fmt.Sprintf("dir/f,%s,1\n", digest(files["dir/f"])) })
		p.onDemand("liar", liar)
		p.remote("honest", map[string]any{"url": honest.URL + "/PULP_MANIFEST"})
		if got := p.follow(p.mirror("honest")); got.State != "COMPLETED" {
			t.Fatalf("got %+v %+v", got, got.Error)
		}
		if got := p.get("/content/honest/PULP_MANIFEST"); string(got) != manifestOf(files) {
			t.Errorf("the manifest: got %q, want %q", got, manifestOf(files))
		}
		if got := p.get("/content/honest/dir/f"); !bytes.Equal(got, files["dir/f"]) {
			t.Errorf("got %d bytes", len(got))
		}
		if response, _, err := p.ask("GET", "/content/liar/dir/f"); err != nil || response.StatusCode != 502 {
			t.Errorf("of the wrong size: got %v, %v", response, err)
		}
		liar.set(func() { liar.manifest = "" })
		if got := p.follow(p.mirror("liar")); got.State != "COMPLETED" {
			t.Fatalf("got %+v %+v", got, got.Error)
		}
		if got := p.get("/content/liar/dir/f"); !bytes.Equal(got, files["dir/f"]) {
			t.Errorf("once corrected: got %d bytes", len(got))
		}
	})
}

// TestOnDemandKilled kills the server in the middle of a fetch.
func TestOnDemandKilled(t *testing.T) {
	eachDepot(t, func(t *testing.T, p *program, _ depot) {
		file := bytesOf(5 << 20)
		up := newUpstream(t, map[string][]byte{"f": file})
		p.onDemand("d", up)
		halfway, over := make(chan struct{}), make(chan struct{})
		defer close(over)
		up.set(func() {
			up.before = func(w http.ResponseWriter, path string) bool {
				if path == "f" {
					w.Header().Set("Content-Length", fmt.Sprint(len(file)))
					w.Write(file[:len(file)/2])
					http.NewResponseController(w).Flush()
					close(halfway)
					<-over
				}
				return path == "f"
			}
		})
		client := make(chan int, 1)
		go func() {
			n := -1
			if response, err := http.Get(p.address + "/content/d/f"); err == nil {
				body, _ := io.ReadAll(response.Body) // it breaks off
				response.Body.Close()
				n = len(body)
			}
			client <- n
		}()
		<-halfway
		p.kill()
		if n := <-client; n >= len(file) {
			t.Errorf("the client got %d bytes", n)
		}
		up.set(func() { up.before = nil })
		p.start()
		if p.storedUnits("d")["f"] {
			t.Error("half a file is stored")
		}
		if body := p.get("/content/d/f"); !bytes.Equal(body, file) {
			t.Errorf("got %d bytes", len(body))
		}
	})
}

// TestOnDemandByTwoServers has two servers of one database and storage that are
// asked for the same at once.
func TestOnDemandByTwoServers(t *testing.T) {
	t.Parallel()
	for name, open := range depots {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onDemandByTwoServers(t, "--data", t.TempDir(), "--database", dbtest.PostgresAddress(t), "--storage", open(t).location)
		})
	}
}

func onDemandByTwoServers(t *testing.T, shared ...string) {
	p, other := start(t, shared...), start(t, shared...)
	small, large := bytesOf(10_000), bytesOf(5<<20)
	up := newUpstream(t, map[string][]byte{"small": small, "large": large})
	p.onDemand("d", up)
	var all sync.WaitGroup
	for i := range 100 {
		p := []*program{p, other}[i%2]
		path, want := "/content/d/large", large
		if i%4 < 2 {
			path, want = "/content/d/small", small
		}
		all.Go(func() {
			response, body, err := p.ask("GET", path)
			if err != nil || response.StatusCode != 200 || !bytes.Equal(body, want) {
				t.Errorf("%s: got %s, %d bytes, %v", path, response.Status, len(body), err)
			}
		})
	}
	all.Wait()
	if a, b := up.times("large"), up.times("small"); a != 1 || b != 1 {
		t.Errorf("upstream was asked %d and %d times", a, b)
	}
}

// TestOnDemandIntoS3 has a server that sends clients to the bucket once a file
// is there.
func TestOnDemandIntoS3(t *testing.T) {
	t.Parallel()
	s3 := blobtest.StartS3(t)
	p := start(t, "--data", t.TempDir(), "--storage", s3.Location(s3.Bucket(t))+"&redirect=true")
	small, large := bytesOf(10_000), bytesOf(5<<20)
	up := newUpstream(t, map[string][]byte{"small": small, "large": large})
	p.onDemand("d", up)
	for path, want := range map[string][]byte{"small": small, "large": large} {
		response, body, err := p.ask("GET", "/content/d/"+path)
		if err != nil || response.StatusCode != 200 || !bytes.Equal(body, want) || response.Request.URL.Host != strings.TrimPrefix(p.address, "http://") {
			t.Errorf("%s first: got %s, %d bytes, %v", path, response.Status, len(body), err)
		}
		await(t, path+" is stored", func() bool { return p.storedUnits("d")[path] })
		response, body, err = p.ask("GET", "/content/d/"+path)
		elsewhere := strings.HasPrefix(response.Request.URL.String(), s3.Endpoint)
		if err != nil || response.StatusCode != 200 || !bytes.Equal(body, want) || elsewhere != (path == "large") {
			t.Errorf("%s later: got %s from %s, %d bytes, %v", path, response.Status, response.Request.URL, len(body), err)
		}
		if n := up.times(path); n != 1 {
			t.Errorf("%s was asked for %d times", path, n)
		}
	}
}

// TestDamagedComesOnDemand loses a file that upstream does not give when it is
// missed, but later.
func TestDamagedComesOnDemand(t *testing.T) {
	eachDepot(t, damagedComes)
}

// TestDamagedComesOnDemandElsewhere has clients read from the bucket, which they
// are not sent to for what was moved aside.
func TestDamagedComesOnDemandElsewhere(t *testing.T) {
	eachDatabase(t, func(t *testing.T, args ...string) {
		d := s3Depot(t)
		damagedComes(t, start(t, append(args, "--storage", d.location+"&redirect=true")...), d)
	})
}

// damagedComes loses a file for a while.
func damagedComes(t *testing.T, p *program, d depot) {
	t.Helper()
	lost := strings.Repeat("lost", 64<<10)
	up := newUpstream(t, map[string][]byte{"lost": []byte(lost)})
	p.repository("r", up.URL+"/PULP_MANIFEST")
	if last := p.follow(p.mirror("r")); last.State != "COMPLETED" {
		t.Fatalf("mirror: got %+v", last)
	}
	if got := p.fetched("/content/r/lost"); got != lost {
		t.Fatalf("before: got %.40q", got)
	}
	d.spoil(hexOf(lost), strings.Replace(lost, "o", "0", 1))
	up.set(func() { up.files = map[string][]byte{} })
	id := query[struct{ VerifyContent struct{ ID string } }](p, `mutation { verifyContent(input: {}) { ... on Work { id } } }`, nil).VerifyContent.ID
	if last := p.follow(id); last.State != "FAILED" {
		t.Fatalf("verify: got %+v", last)
	}
	if stored := p.storedUnits("r"); stored["lost"] {
		t.Error("what is damaged is said to be stored")
	}
	if got := p.fetched("/content/r/lost"); !strings.HasPrefix(got, "50") {
		t.Errorf("what was moved aside: got %.40q, want an error that is the server's", got)
	}
	up.set(func() { up.files = map[string][]byte{"lost": []byte(lost)} })
	await(t, "it is fetched again", func() bool { return p.fetched("/content/r/lost") == lost })
	if stored := p.storedUnits("r"); !stored["lost"] {
		t.Error("what was fetched again is not stored")
	}
}
