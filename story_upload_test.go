package main_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ream/blob/blobtest"
)

// empty creates a repository without a remote.
func (p *program) empty(name string) (id string) {
	p.t.Helper()
	return query[struct{ CreateRepository struct{ ID string } }](p, `mutation($n: String!) { createRepository(input: {name: $n, format: FILE}) { id } }`,
		map[string]any{"n": name}).CreateRepository.ID
}

// served publishes a repository and serves it at its name.
func (p *program) serve(name string) {
	p.t.Helper()
	id := query[struct{ Publish struct{ ID string } }](p, `mutation($n: String!) { publish(input: {repositories: {names: [$n]}}) { ... on Work { id } } }`,
		map[string]any{"n": name}).Publish.ID
	if got := p.follow(id); got.State != "COMPLETED" {
		p.t.Fatalf("publish: got %+v", got)
	}
	answer, errs := ask[struct{}](p, `mutation($n: String!, $r: ID!) { createDistribution(input: {path: $n, repository: $r}) { id } }`,
		map[string]any{"n": name, "r": query[struct{ Repository struct{ ID string } }](p, `query($n: String!) { repository(name: $n) { id } }`, map[string]any{"n": name}).Repository.ID})
	if len(errs) > 0 && errs[0].Extensions.Code != "CONFLICT" {
		p.t.Fatalf("got %+v %+v", answer, errs)
	}
}

// tus sends a request of the protocol. Headers are names and values by turns.
func (p *program) tus(method, path string, body io.Reader, headers ...string) *http.Response {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.address+path, body)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/offset+octet-stream")
	}
	response := p.send(r)
	text, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		p.t.Fatal(err)
	}
	response.Body = io.NopCloser(bytes.NewReader(text))
	if got := response.Header.Get("Tus-Resumable"); got != "1.0.0" {
		p.t.Errorf("%s %s: got Tus-Resumable %q", method, path, got)
	}
	return response
}

// base64Of is a text as tus has it in headers.
func base64Of(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// directory writes files below a directory of its own.
func directory(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for path, text := range files {
		at := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(at), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestUploadADirectory is what somebody does who has packages of their own.
func TestUploadADirectory(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) { uploadADirectory(t, p, 300) })
}

func uploadADirectory(t *testing.T, p *program, small int) {
	p.empty("own")
	files := map[string][]byte{"empty": {}, "large": bytes.Repeat([]byte("0123456789abcdef"), 40<<20/16), "same/again": []byte("same"), "same/and again": []byte("same")}
	for i := range small {
		files[fmt.Sprintf("pool/%d/package-%d.bin", i%10, i)] = []byte(fmt.Sprint("package ", i))
	}
	dir := directory(t, files)
	out := p.ream("upload", "own", dir)
	if !strings.Contains(out, fmt.Sprintf("sent %d files", len(files))) || !strings.HasSuffix(out, "\nown@1\n") {
		t.Errorf("got %q", out)
	}
	if versions, units := p.versions("own"); versions != 1 || units != len(files) {
		t.Errorf("got %d versions, the newest with %d units", versions, units)
	}
	p.serve("own")
	for _, path := range []string{"empty", "large", "same/again", "same/and again", "pool/7/package-77.bin"} {
		if got := p.get("/content/own/" + path); !bytes.Equal(got, files[path]) {
			t.Errorf("%s: got %d bytes", path, len(got))
		}
	}
	// The same again changes nothing, and a file comes into the place of another.
	if out := p.ream("upload", "own", dir); !strings.HasSuffix(out, "\nnothing changed: the repository had these files already\n") {
		t.Errorf("again: got %q", out)
	}
	one := filepath.Join(directory(t, map[string][]byte{"package-77.bin": []byte("newer")}), "package-77.bin")
	p.ream("upload", "--into", "pool/7", "own", one)
	if got, want := p.ream("diff", "own@1", "own@2"), "~ pool/7/package-77.bin\n"; got != want {
		t.Errorf("diff: got %q, want %q", got, want)
	}
	// What no version can have is not sent.
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := command(t, path, "upload", "--into", "../z", "own", one, "--server", p.address); err == nil || !strings.Contains(out, `the path "../z/package-77.bin" has a segment ".."`) || strings.Contains(out, "sent") {
		t.Errorf("got %v %q", err, out)
	}
	if left := query[struct{ Uploads struct{ TotalCount int } }](p, `{ uploads { totalCount } }`, nil).Uploads.TotalCount; left != 0 {
		t.Errorf("%d uploads are left", left)
	}
}

// TestUploadOutlivesAKilledServer kills the server in the middle of an upload,
// and of one that the command sends.
func TestUploadOutlivesAKilledServer(t *testing.T) {
	eachStorage(t, func(t *testing.T, p *program) {
		p.empty("own")
		const part = 32 << 20 // after which what came is safe
		whole := bytes.Repeat([]byte("fedcba9876543210"), 3*part/16)
		created := p.tus("POST", "/api/v1/uploads", nil, "Upload-Length", fmt.Sprint(len(whole)), "Upload-Metadata", "filename "+base64Of("own.iso")+",sha256 "+base64Of(digest(whole)))
		at := created.Header.Get("Location")
		if created.StatusCode != http.StatusCreated || at == "" {
			t.Fatalf("got %s %v", created.Status, created.Header)
		}
		// A client that sends a part and a half, and then nothing.
		from, to := io.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		patch, err := http.NewRequestWithContext(ctx, "PATCH", p.address+at, from)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"} {
			patch.Header.Set(name, value)
		}
		ended := make(chan error, 1)
		go func() {
			response, err := http.DefaultClient.Do(patch)
			if err == nil {
				response.Body.Close()
			}
			ended <- err
		}()
		if _, err := to.Write(whole[:part+part/2]); err != nil {
			t.Fatal(err)
		}
		offset := func() int {
			head := p.tus("HEAD", at, nil)
			n, err := strconv.Atoi(head.Header.Get("Upload-Offset"))
			if err != nil || head.StatusCode != http.StatusOK || head.Header.Get("Cache-Control") != "no-store" || head.Header.Get("Upload-Length") != fmt.Sprint(len(whole)) {
				t.Fatalf("got %s %v", head.Status, head.Header)
			}
			return n
		}
		eventually(t, "the first part is safe", func() bool { return offset() == part })
		p.kill()
		cancel()
		to.Close()
		if err := <-ended; err == nil {
			t.Error("the request was answered by a killed server")
		}
		p.start()
		if got := offset(); got != part {
			t.Fatalf("after the kill: got %d, want %d", got, part)
		}
		if got := p.tus("PATCH", at, strings.NewReader("x"), "Upload-Offset", "0"); got.StatusCode != http.StatusConflict {
			t.Errorf("from another offset: got %s", got.Status)
		}
		// A client that goes away loses nothing of what it sent.
		gone := p.tus("PATCH", at, bytes.NewReader(whole[part:part+1000]), "Upload-Offset", fmt.Sprint(part))
		if gone.StatusCode != http.StatusNoContent || offset() != part+1000 {
			t.Errorf("got %s, %d", gone.Status, offset())
		}
		// The command goes on with it.
		dir := directory(t, map[string][]byte{"own.iso": whole})
		if out := p.ream("upload", "own", dir); !strings.Contains(out, "of which 1 had been begun before") || !strings.HasSuffix(out, "\nown@1\n") {
			t.Errorf("got %q", out)
		}
		p.serve("own")
		if got := p.get("/content/own/own.iso"); !bytes.Equal(got, whole) {
			t.Errorf("got %d bytes", len(got))
		}
	})
}

// TestTus asks for each thing that the protocol has.
func TestTus(t *testing.T) {
	eachDatabase(t, func(t *testing.T, args ...string) {
		p := start(t, append(args, "--upload-size", "1000")...)
		p.empty("own")
		if got := p.tus("OPTIONS", "/api/v1/uploads", nil); got.StatusCode != http.StatusNoContent || got.Header.Get("Tus-Version") != "1.0.0" || got.Header.Get("Tus-Max-Size") != "1000" ||
			got.Header.Get("Tus-Extension") != "creation,creation-with-upload,termination,expiration,checksum" || got.Header.Get("Tus-Checksum-Algorithm") != "sha256,sha1" {
			t.Errorf("OPTIONS: got %s %v", got.Status, got.Header)
		}
		create := func(length, metadata string, body io.Reader, headers ...string) *http.Response {
			return p.tus("POST", "/api/v1/uploads", body, append(headers, "Upload-Length", length, "Upload-Metadata", metadata)...)
		}
		for name, c := range map[string]struct {
			got  *http.Response
			want int
			says string
		}{
			"another version":     {p.tus("POST", "/api/v1/uploads", nil, "Upload-Length", "1", "Tus-Resumable", "0.2.0"), 412, "Tus-Resumable: 1.0.0"},
			"no length":           {p.tus("POST", "/api/v1/uploads", nil), 400, "Upload-Length"},
			"an unknown length":   {p.tus("POST", "/api/v1/uploads", nil, "Upload-Defer-Length", "1"), 400, "Upload-Length"},
			"a negative length":   {create("-1", "", nil), 400, "Upload-Length"},
			"too large":           {create("1001", "", nil), 413, "at most 1000 are allowed"},
			"more than was said":  {create("3", "", strings.NewReader("four")), 413, "more came than the 3 bytes"},
			"bad metadata":        {create("1", "filename *", nil), 400, "Base64"},
			"a bad digest":        {create("1", "sha256 "+base64Of("xyz"), nil), 400, "sha256"},
			"another digest":      {create("3", "sha256 "+base64Of(digest([]byte("abc"))), strings.NewReader("abd")), 460, "the bytes have the SHA-256"},
			"another checksum":    {create("3", "", strings.NewReader("abd"), "Upload-Checksum", "sha1 "+base64Of("x")), 460, "another checksum"},
			"an unknown checksum": {create("3", "", strings.NewReader("abd"), "Upload-Checksum", "crc32 "+base64Of("x")), 400, "sha256 or sha1"},
			"no such upload":      {p.tus("HEAD", "/api/v1/uploads/upload-99", nil), 404, ""},
			"no id":               {p.tus("PATCH", "/api/v1/uploads/x", nil), 404, "upload-12"},
			"another method":      {p.tus("PUT", "/api/v1/uploads/upload-1", nil), 405, "not done here"},
		} {
			text, _ := io.ReadAll(c.got.Body)
			if c.got.StatusCode != c.want || !strings.Contains(string(text), c.says) {
				t.Errorf("%s: got %s %s, want %d", name, c.got.Status, text, c.want)
			}
		}

		at := create("6", "filename "+base64Of("a b"), strings.NewReader("abc"), "Upload-Checksum", "sha1 "+base64Of(string(sum1("abc"))))
		if at.StatusCode != http.StatusCreated || at.Header.Get("Upload-Offset") != "3" || at.Header.Get("Upload-Expires") == "" {
			t.Errorf("created: got %s %v", at.Status, at.Header)
		}
		path := at.Header.Get("Location")
		if got := p.tus("HEAD", path, nil); got.Header.Get("Upload-Metadata") != "filename "+base64Of("a b") || got.Header.Get("Upload-Offset") != "3" {
			t.Errorf("HEAD: got %v", got.Header)
		}
		if got := p.tus("PATCH", path, strings.NewReader("XXX"), "Upload-Offset", "3", "Upload-Checksum", "sha1 "+base64Of("no")); got.StatusCode != 460 {
			t.Errorf("another checksum: got %s", got.Status)
		}
		id := strings.TrimPrefix(path, "/api/v1/uploads/")
		use := func(id string) []gqlError {
			_, errs := ask[struct{}](p, `mutation($u: ID!) { uploadFiles(input: {repository: "repository-1", files: [{path: "a", upload: $u}]}) { id } }`, map[string]any{"u": id})
			return errs
		}
		if errs := use(id); len(errs) != 1 || !strings.Contains(errs[0].Message, "only 3 of 6 bytes have come") {
			t.Errorf("too early: got %+v", errs)
		}
		if got := p.tus("POST", path, strings.NewReader("def"), "Upload-Offset", "3", "X-HTTP-Method-Override", "PATCH"); got.StatusCode != http.StatusNoContent || got.Header.Get("Upload-Offset") != "6" {
			t.Errorf("the rest: got %s %v", got.Status, got.Header)
		}
		other := create("3", "", strings.NewReader("xyz")).Header.Get("Location")
		if got := p.tus("DELETE", other, nil); got.StatusCode != http.StatusNoContent {
			t.Errorf("DELETE: got %s", got.Status)
		}
		if got := p.tus("HEAD", other, nil); got.StatusCode != http.StatusNotFound {
			t.Errorf("once ended: got %s", got.Status)
		}
		if errs := use(id); len(errs) != 0 {
			t.Errorf("got %+v", errs)
		}
		if errs := use(id); len(errs) != 1 {
			t.Errorf("used twice: got %+v", errs)
		}
		var told []string
		for _, e := range query[struct {
			AuditEntries struct {
				Nodes []struct{ Operation, Code string }
			}
		}](p, `{ auditEntries(first: 100) { nodes { operation code } } }`, nil).AuditEntries.Nodes {
			told = append(told, e.Operation+" "+e.Code)
		}
		for _, want := range []string{"createUpload OK", "createUpload BAD_INPUT", "deleteUpload OK", "uploadFiles OK", "uploadFiles BAD_INPUT"} {
			if !strings.Contains(strings.Join(told, ","), want) {
				t.Errorf("the audit log has no %s: got %v", want, told)
			}
		}
	})
}

func sum1(text string) []byte { s := sha1.Sum([]byte(text)); return s[:] }

// multipartFile is a file of a multipart request.
type multipartFile struct{ name, body string }

// multipart sends a multipart request, and returns the status and the answer.
func (p *program) multipart(operations, places string, files []multipartFile, headers ...string) (int, string) {
	p.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	write := func(name, text string) {
		if err := w.WriteField(name, text); err != nil {
			p.t.Fatal(err)
		}
	}
	write("operations", operations)
	write("map", places)
	for i, f := range files {
		part, err := w.CreateFormFile(fmt.Sprint(i), f.name)
		if err != nil {
			p.t.Fatal(err)
		}
		io.WriteString(part, f.body)
	}
	w.Close()
	r, err := http.NewRequestWithContext(p.t.Context(), "POST", p.address+"/graphql", &body)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", w.FormDataContentType())
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response := p.send(r)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// TestMultipartRequests uploads files with the mutation itself.
func TestMultipartRequests(t *testing.T) {
	eachDatabase(t, func(t *testing.T, args ...string) {
		p := start(t, append(args, "--upload-size", "1000")...)
		p.empty("own")
		const document = `mutation($files: [UploadedFileInput!]!) { uploadFiles(input: {repository: \"repository-1\", files: $files, idempotencyKey: \"k\"}) { id } }`
		operations := `{"query": "` + document + `", "variables": {"files": [{"path": "dir/a", "file": null}, {"path": "b", "file": null, "sha256": "` + digest([]byte("bbb")) + `"}]}}`
		const places = `{"0": ["variables.files.0.file"], "1": ["variables.files.1.file"]}`
		files := []multipartFile{{"a", "aaa"}, {"b", "bbb"}}
		const header = "GraphQL-Require-Preflight"

		if status, text := p.multipart(operations, places, files); status != 403 || !strings.Contains(text, header) {
			t.Errorf("without the header: got %d %s", status, text)
		}
		status, text := p.multipart(operations, places, files, header, "1")
		var answer struct {
			Data struct{ UploadFiles struct{ ID string } }
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil || status != 200 || answer.Data.UploadFiles.ID == "" {
			t.Fatalf("got %d %s", status, text)
		}
		if got := p.follow(answer.Data.UploadFiles.ID); got.State != "COMPLETED" {
			t.Errorf("got %+v", got)
		}
		p.serve("own")
		if a, b := p.get("/content/own/dir/a"), p.get("/content/own/b"); string(a) != "aaa" || string(b) != "bbb" {
			t.Errorf("got %q and %q", a, b)
		}
		// The same request is answered once more, and leaves nothing behind.
		if status, again := p.multipart(operations, places, files, header, "1"); status != 200 || again != text {
			t.Errorf("again: got %d %s, want %s", status, again, text)
		}
		for name, c := range map[string]struct {
			operations, places string
			files              []multipartFile
			status             int
			says               string
		}{
			"other bytes":          {strings.Replace(operations, `idempotencyKey: \"k\"`, "", 1), places, []multipartFile{{"a", "aaa"}, {"b", "ccc"}}, 200, "b has the SHA-256"},
			"the manifest's path":  {strings.Replace(strings.Replace(operations, `idempotencyKey: \"k\"`, "", 1), `"path": "b"`, `"path": "PULP_MANIFEST"`, 1), places, files, 200, "the manifest's own"},
			"a path below another": {strings.Replace(strings.Replace(operations, `idempotencyKey: \"k\"`, "", 1), `"path": "b"`, `"path": "dir"`, 1), places, files, 200, "which is a file"},
			"too large":            {operations, places, []multipartFile{{"a", strings.Repeat("a", 1001)}, {"b", "bbb"}}, 413, "more than 1000 bytes"},
			"too few files":        {operations, places, files[:1], 400, "some of the files are missing"},
			"too many files":       {operations, places, append(files[:2:2], multipartFile{"c", "ccc"}), 400, "does not name"},
			"no place":             {operations, `{"0": ["variables.files.7.file"]}`, files, 400, "no null"},
			"a place taken":        {operations, `{"0": ["variables.files.0.path"]}`, files, 400, "no null"},
			"no map":               {operations, `[]`, files, 400, "no JSON object"},
			"no file for it":       {operations, `{}`, nil, 200, "exactly one of file and upload"},
			"a list of requests":   {"[" + operations + "]", places, files, 400, "not a list"},
		} {
			if status, text := p.multipart(c.operations, c.places, c.files, header, "1"); status != c.status || !strings.Contains(text, c.says) {
				t.Errorf("%s: got %d %s, want %d %q", name, status, text, c.status, c.says)
			}
		}
		if left := query[struct{ Uploads struct{ TotalCount int } }](p, `{ uploads { totalCount } }`, nil).Uploads.TotalCount; left != 0 {
			t.Errorf("%d uploads are left", left)
		}
		if versions, units := p.versions("own"); versions != 1 || units != 2 {
			t.Errorf("got %d versions, the newest with %d units", versions, units)
		}
	})
}

// TestUploadIntoS3 is the story of a directory with a bucket for the storage.
func TestUploadIntoS3(t *testing.T) {
	t.Parallel()
	s3 := blobtest.StartS3(t)
	uploadADirectory(t, start(t, "--data", t.TempDir(), "--storage", s3.Location(s3.Bucket(t))), 100)
}
