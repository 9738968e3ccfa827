package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"ream/access"
	"ream/blob"
	"ream/catalog"
	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/page"
	"ream/task"
)

// eachUploads is eachHouse with a storage. An upload may have 100 bytes, and its
// parts have 10.
func eachUploads(t *testing.T, f func(h house, r *content.Repository)) {
	t.Helper()
	eachHouse(t, func(h house) {
		blobs, err := blob.NewDisk(h.t.TempDir())
		if err != nil {
			h.t.Fatal(err)
		}
		h.t.Cleanup(func() { blobs.Close() })
		h.Blobs, h.Uploads = blobs, catalog.UploadLimits{Size: 100, Part: 10}
		f(h, h.repository("own"))
	})
}

// as is the context of a mutation by somebody.
func (h house) as(name string, limit ...access.Limit) context.Context {
	p := access.Principal{Kind: access.ByToken, Name: name, Role: access.Operator}
	if len(limit) > 0 {
		p.Limit = limit[0]
	}
	return access.WithAction(access.WithCaller(h.t.Context(), access.Caller{Principal: p}), access.NewAction("test", nil))
}

// begin begins an upload of so many bytes.
func (h house) begin(ctx context.Context, size int) *content.Upload {
	h.t.Helper()
	return must[*content.Upload](h.t)(h.CreateUpload(ctx, catalog.UploadInput{Name: "a", Size: int64(size)}))
}

// whole uploads a text.
func (h house) whole(who, text string) content.UploadID {
	h.t.Helper()
	u := h.begin(h.as(who), len(text))
	must[*content.Upload](h.t)(h.Receive(h.as(who), u.ID, 0, strings.NewReader(text), nil))
	return u.ID
}

// files are the paths of the newest version of a repository, with their digests.
func (h house) files(r *content.Repository) map[string]content.Digest {
	h.t.Helper()
	found := must[[]*content.Repository](h.t)(h.DB.RepositoriesByID(h.t.Context(), []content.RepositoryID{r.ID}))[0]
	files := map[string]content.Digest{}
	if found.LatestID == 0 {
		return files
	}
	v := must[[]*content.Version](h.t)(h.DB.VersionsByID(h.t.Context(), []content.VersionID{found.LatestID}))[0]
	if err := h.DB.UnitsInOrder(h.t.Context(), v, func(u *content.Unit) error { files[u.Path] = u.SHA256; return nil }); err != nil {
		h.t.Fatal(err)
	}
	return files
}

func TestUploadsComeInParts(t *testing.T) {
	eachUploads(t, func(h house, r *content.Repository) {
		const text = "0123456789abcdefghijklmnopqrstuvwxyz"
		ctx := h.as("me")
		u := h.begin(ctx, len(text))
		broken := errors.New("the client is gone")
		// 23 bytes come: two parts, and what was left when the client went away.
		_, err := h.Receive(ctx, u.ID, 0, io.MultiReader(strings.NewReader(text[:23]), iotest.ErrReader(broken)), nil)
		if !errors.Is(err, broken) {
			h.t.Errorf("got %v", err)
		}
		if got := must[*content.Upload](h.t)(h.Upload(ctx, u.ID)); got.Received != 23 || got.Complete() {
			h.t.Errorf("got %+v", got)
		}
		_, err = h.Receive(ctx, u.ID, 20, strings.NewReader(text[20:]), nil)
		wantFault(h.t, err, fault.Conflict, "upload-1 is at 23, not at 20")
		wrong := errors.New("another checksum")
		if _, err := h.Receive(ctx, u.ID, 23, strings.NewReader(text[23:30]), func() error { return wrong }); err != wrong {
			h.t.Errorf("got %v", err)
		}
		_, err = h.Receive(ctx, u.ID, 23, strings.NewReader(text[23:]+"!"), nil)
		if !errors.Is(err, catalog.ErrTooLarge) {
			h.t.Errorf("too much: got %v", err)
		}
		// What filled a part before it was too much is kept.
		got := must[*content.Upload](h.t)(h.Upload(ctx, u.ID))
		got = must[*content.Upload](h.t)(h.Receive(ctx, u.ID, got.Received, strings.NewReader(text[got.Received:]), nil))
		if got.SHA256 != digestOf(text) || got.Received != int64(len(text)) {
			h.t.Errorf("got %+v", got)
		}
		empty := h.begin(ctx, 0)
		if !empty.Complete() {
			h.t.Errorf("an empty file: got %+v", empty)
		}
		h.done(h.UploadFiles(ctx, catalog.UploadRequest{Repository: r.ID, Files: []catalog.UploadedFile{{Path: "dir/a", Upload: u.ID}, {Path: "empty", Upload: empty.ID}}}))
		files := h.files(r)
		if len(files) != 2 || files["dir/a"] != digestOf(text) || files["empty"] != digestOf("") {
			h.t.Errorf("got %v", files)
		}
		f, err := h.Blobs.Open(ctx, string(digestOf(text)), int64(len(text)))
		if err != nil {
			h.t.Fatal(err)
		}
		defer f.Close()
		if stored, err := io.ReadAll(f); err != nil || string(stored) != text {
			h.t.Errorf("stored: got %q, %v", stored, err)
		}
	})
}

func TestUploadsThatAreRefused(t *testing.T) {
	eachUploads(t, func(h house, r *content.Repository) {
		ctx := h.as("me")
		_, err := h.CreateUpload(ctx, catalog.UploadInput{Size: 101})
		if !errors.Is(err, catalog.ErrTooLarge) || fault.Message(err) != "size: the upload has 101 bytes: at most 100 are allowed" {
			h.t.Errorf("got %v", err)
		}
		h.Uploads.Size = 0
		_, err = h.CreateUpload(ctx, catalog.UploadInput{Size: content.MaxSize + 1})
		if !errors.Is(err, catalog.ErrTooLarge) || fault.Message(err) != "size: the upload has 1125899906842625 bytes: at most 1125899906842624 are allowed" {
			h.t.Errorf("more than any file has: got %v", err)
		}
		h.Uploads.Size = 100
		deep := strings.Repeat("d/", content.MaxSegments) + "f"
		wantFault(h.t, catalog.CheckUploadPaths([]string{deep}), fault.BadInput, fmt.Sprintf("files: the path %.80q has 65 segments: at most 64 are allowed", deep))
		wanted := must[*content.Upload](h.t)(h.CreateUpload(ctx, catalog.UploadInput{Size: 3, SHA256: digestOf("abc")}))
		if _, err := h.Receive(ctx, wanted.ID, 0, strings.NewReader("abd"), nil); !errors.Is(err, catalog.ErrWrongDigest) {
			h.t.Errorf("another digest: got %v", err)
		}
		_, err = h.Upload(ctx, wanted.ID)
		wantFault(h.t, err, fault.NotFound, "there is no upload-1")
		mine, theirs, part := h.whole("me", "mine"), h.whole("them", "theirs"), h.begin(ctx, 5)
		_, err = h.Upload(ctx, theirs)
		wantFault(h.t, err, fault.NotFound, "there is no upload-3")
		_, err = h.DropUpload(ctx, theirs)
		wantFault(h.t, err, fault.NotFound, "there is no upload-3")
		file := func(path string, id content.UploadID) catalog.UploadedFile {
			return catalog.UploadedFile{Path: path, Upload: id}
		}
		for _, c := range []struct {
			files []catalog.UploadedFile
			want  string
		}{
			{nil, "files: there is nothing to do: name files to add"},
			{[]catalog.UploadedFile{file("../a", mine)}, "files: "},
			{[]catalog.UploadedFile{file("a", theirs)}, "files: you have no upload-3: it may have expired"},
			{[]catalog.UploadedFile{file("a", part.ID)}, "files: of upload-4 only 0 of 5 bytes have come: send the rest first"},
			{[]catalog.UploadedFile{file("a", mine), file("b", mine)}, "files: an upload is named twice: it goes to one path"},
			{[]catalog.UploadedFile{file("a", mine), file("a", part.ID)}, "files: the path \"a\" is named twice"},
			{[]catalog.UploadedFile{file("a", mine), file("a/b", part.ID)}, "files: the path \"a/b\" lies below \"a\", which is a file"},
			{[]catalog.UploadedFile{file("PULP_MANIFEST", mine)}, "files: the path PULP_MANIFEST is the manifest's own, which publishing writes"},
			{[]catalog.UploadedFile{file("@2026-11-01/x", mine)}, "files: the path \"@2026-11-01/x\" begins with a time: clients find there what was served then"},
			{[]catalog.UploadedFile{{Path: "a", Upload: mine, SHA256: digestOf("x")}}, fmt.Sprintf("files: a has the SHA-256 %s, not %s", digestOf("mine"), digestOf("x"))},
		} {
			_, err := h.UploadFiles(h.as("me"), catalog.UploadRequest{Repository: r.ID, Files: c.files})
			if !fault.Is(err, fault.BadInput) || !strings.HasPrefix(fault.Message(err), c.want) {
				h.t.Errorf("got %v, want %q", err, c.want)
			}
		}
		_, err = h.UploadFiles(h.as("me", "team=x"), catalog.UploadRequest{Repository: r.ID, Files: []catalog.UploadedFile{file("a", mine)}})
		wantFault(h.t, err, fault.BadInput, "repository: there is no repository-1")
		h.done(h.UploadFiles(h.as("me"), catalog.UploadRequest{Repository: r.ID, Files: []catalog.UploadedFile{file("a", mine)}, IdempotencyKey: "k"}))
		if again := must[*task.Task](h.t)(h.UploadFiles(h.as("me"), catalog.UploadRequest{Repository: r.ID, Files: []catalog.UploadedFile{file("a", mine)}, IdempotencyKey: "k"})); again.State != task.Completed {
			h.t.Errorf("again: got %+v", again)
		}
		_, err = h.UploadFiles(h.as("me"), catalog.UploadRequest{Repository: r.ID, Files: []catalog.UploadedFile{file("a", mine)}})
		wantFault(h.t, err, fault.BadInput, "files: you have no upload-2: it may have expired")
	})
}

// TestUploadsExpire purges uploads that nothing came of for long, but none that a
// task needs, however long that waits.
func TestUploadsExpire(t *testing.T) {
	eachUploads(t, func(h house, r *content.Repository) {
		ctx := h.as("me")
		old, used := h.whole("me", "old"), h.whole("me", "used")
		queued := must[*task.Task](h.t)(h.UploadFiles(h.as("me"), catalog.UploadRequest{Repository: r.ID, Files: []catalog.UploadedFile{{Path: "a", Upload: used}}}))
		h.clock.advance(20 * time.Hour)
		late := h.begin(ctx, 20)
		h.clock.advance(5 * time.Hour)
		_, err := h.Upload(ctx, old)
		wantFault(h.t, err, fault.NotFound, "there is no "+old.String())
		got, err := h.purge(h.t.Context(), 30)
		if err != nil || got["purge.uploads"] != "Deleting uploads that have expired 1/1 ITEMS" {
			h.t.Errorf("got %v, %v", got, err)
		}
		left := must[*page.Of[*content.Upload]](h.t)(h.DB.Uploads(h.t.Context(), access.CallerOf(ctx).String(), page.Request{}))
		if len(left.Items) != 1 || left.Items[0].Node.ID != late.ID {
			h.t.Errorf("left: got %d", len(left.Items))
		}
		h.clock.advance(48 * time.Hour)
		if _, err := h.purge(h.t.Context(), 30); err != nil {
			h.t.Fatal(err)
		}
		// The first attempt is lost once it made the version; another one has nothing to do.
		claimed := h.claim()
		if len(claimed) != 1 || claimed[0].ID != queued.ID {
			h.t.Fatalf("got %v", claimed)
		}
		handle := h.Handlers()[catalog.UploadKind]
		if err := handle(h.t.Context(), &task.Run{Task: claimed[0], Progress: silent{}}); err != nil {
			h.t.Fatal(err)
		}
		if files := h.files(r); len(files) != 1 || files["a"] != digestOf("used") {
			h.t.Errorf("got %v", files)
		}
		second := *claimed[0]
		second.Attempt = 2
		if err := handle(h.t.Context(), &task.Run{Task: &second, Progress: silent{}}); err != nil {
			h.t.Errorf("once more: got %v", err)
		}
		// Of a task that failed, the uploads are kept for as long as others, to try again.
		again := h.whole("me", "again")
		must[*task.Task](h.t)(h.UploadFiles(h.as("me"), catalog.UploadRequest{Repository: r.ID, Files: []catalog.UploadedFile{{Path: "b", Upload: again}}}))
		h.finish(task.Completed, claimed...)
		failed := h.claim()
		h.finish(task.Failed, failed...)
		retried := must[*task.Task](h.t)(h.RetryTask(h.as("me"), failed[0].ID))
		h.done(retried, nil)
		if files := h.files(r); files["b"] != digestOf("again") {
			h.t.Errorf("tried again: got %v", files)
		}
	})
}

// TestPartsAppendedAtOnce lets two requests go on with an upload: one of them
// finds that it is late, and no byte comes twice.
func TestPartsAppendedAtOnce(t *testing.T) {
	eachUploads(t, func(h house, _ *content.Repository) {
		u := h.begin(h.as("me"), 10)
		part := content.Artifact{SHA256: digestOf("five5"), Size: 5}
		results := make(chan error, 2)
		for range 2 {
			go func() {
				mine := *u
				mine.Received = 5
				results <- h.DB.InTx(h.t.Context(), func(tx *db.Tx) error { return tx.AppendUpload(h.t.Context(), &mine, part) })
			}()
		}
		var refused int
		for range 2 {
			if err := <-results; fault.Is(err, fault.Conflict) {
				refused++
			} else if err != nil {
				h.t.Error(err)
			}
		}
		parts := must[[][]content.Artifact](h.t)(h.DB.UploadParts(h.t.Context(), []content.UploadID{u.ID}))
		if refused != 1 || len(parts[0]) != 1 {
			h.t.Errorf("%d were refused, and there are %d parts", refused, len(parts[0]))
		}
	})
}

// TestUploadWhoseBytesAreGone has uploads whose bytes are damaged or missing before
// they come into a version: no version gets them until they are sent again.
func TestUploadWhoseBytesAreGone(t *testing.T) {
	eachDepot(t, func(d *depot) {
		r := must[*content.Repository](d.t)(d.CreateRepository(d.t.Context(), catalog.RepositoryInput{Name: "r", Format: content.File}))
		for text, harm := range map[string]func(content.Digest) error{
			"found damaged": func(digest content.Digest) error {
				err := os.WriteFile(d.path(digest), []byte("found dAmaged"), 0o600)
				if _, found := d.verify(); found == nil {
					d.t.Error("what is damaged was verified")
				}
				return err
			},
			"lost": func(digest content.Digest) error { return os.Remove(d.path(digest)) },
			"found so elsewhere": func(digest content.Digest) error {
				return d.DB.InTx(d.t.Context(), func(tx *db.Tx) error {
					_, err := tx.Quarantine(d.t.Context(), digest)
					return err
				})
			},
		} {
			upload, digest := d.whole("me", text), digestOf(text)
			if err := harm(digest); err != nil {
				d.t.Fatal(err)
			}
			queued := must[*task.Task](d.t)(d.UploadFiles(d.as("me"), catalog.UploadRequest{Repository: r.ID, Files: []catalog.UploadedFile{{Path: text, Upload: upload}}}))
			_, err := d.run(catalog.UploadKind)
			wantFault(d.t, err, fault.Conflict, fmt.Sprintf("the bytes of %s, for %q, are damaged or missing: upload them again", upload, text))
			if named, stored := d.has(text); named && stored || d.files(r)[text] != "" {
				d.t.Errorf("%s: named %t, stored %t, files %v", text, named, stored, d.files(r))
			}
			d.whole("me", text)
			d.done(d.RetryTask(d.as("me"), queued.ID))
			if named, stored := d.has(text); !named || !stored || d.files(r)[text] != digest {
				d.t.Errorf("%s, sent again: named %t, stored %t, files %v", text, named, stored, d.files(r))
			}
		}
	})
}

// TestUploadsOfATaskThatEnded has uploads whose task made no version of them: they
// are their owner's again, until that task is retried.
func TestUploadsOfATaskThatEnded(t *testing.T) {
	eachUploads(t, func(h house, r *content.Repository) {
		upload := func(path string, ids ...content.UploadID) (*task.Task, error) {
			var files []catalog.UploadedFile
			for i, id := range ids {
				files = append(files, catalog.UploadedFile{Path: fmt.Sprint(path, i), Upload: id})
			}
			return h.UploadFiles(h.as("me"), catalog.UploadRequest{Repository: r.ID, Files: files})
		}
		failed := func(path string, ids ...content.UploadID) task.ID {
			h.t.Helper()
			queued := must[*task.Task](h.t)(upload(path, ids...))
			h.finish(task.Failed, h.claim()...)
			return queued.ID
		}
		listed := func() int {
			h.t.Helper()
			return len(must[*page.Of[*content.Upload]](h.t)(h.DB.Uploads(h.t.Context(), access.CallerOf(h.as("me")).String(), page.Request{})).Items)
		}
		wantUsed := func(id content.UploadID) {
			h.t.Helper()
			if n := listed(); n != 0 {
				h.t.Errorf("%d are listed", n)
			}
			_, err := h.DropUpload(h.as("me"), id)
			wantFault(h.t, err, fault.Conflict, id.String()+" is used by a task already, or was ended")
			_, err = upload("other", id)
			wantFault(h.t, err, fault.BadInput, "files: "+id.String()+" is used by a task already")
		}
		a, b := h.whole("me", "a"), h.whole("me", "b")
		canceled := must[*task.Task](h.t)(upload("canceled", a, b))
		wantUsed(a)
		must[*task.Task](h.t)(h.CancelTask(h.as("me"), canceled.ID))
		first := failed("first", a, b)
		if n := listed(); n != 2 {
			h.t.Errorf("%d are listed, want 2", n)
		}
		_, err := h.RetryTask(h.as("me"), canceled.ID)
		wantFault(h.t, err, fault.Conflict, fmt.Sprintf("of the 2 uploads that %s needs, 2 are gone or are needed by another task: upload the files again", canceled.ID))
		// While a retry is unfinished, it needs them, however long that takes.
		must[*task.Task](h.t)(h.RetryTask(h.as("me"), first))
		wantUsed(b)
		h.clock.advance(48 * time.Hour)
		if _, err := h.purge(h.t.Context(), 30); err != nil {
			h.t.Fatal(err)
		}
		h.finish(task.Failed, h.claim()...)
		h.done(h.RetryTask(h.as("me"), first))
		if files := h.files(r); len(files) != 2 || files["first0"] != digestOf("a") || files["first1"] != digestOf("b") {
			h.t.Errorf("got %v", files)
		}
		// What another task made a version of, or its owner deleted, is gone for the retry.
		a, b, c := h.whole("me", "aa"), h.whole("me", "bb"), h.whole("me", "cc")
		second := failed("second", a, b, c)
		h.done(upload("third", a))
		must[*content.Upload](h.t)(h.DropUpload(h.as("me"), b))
		_, err = h.RetryTask(h.as("me"), second)
		wantFault(h.t, err, fault.Conflict, fmt.Sprintf("of the 3 uploads that %s needs, 2 are gone or are needed by another task: upload the files again", second))
		if n := listed(); n != 1 {
			h.t.Errorf("%d are listed, want 1", n)
		}
		if files := h.files(r); len(files) != 3 || files["third0"] != digestOf("aa") {
			h.t.Errorf("got %v", files)
		}
	})
}

// TestUploadsThatFitNowhere are refused before a task is queued, unless others may
// make room first.
func TestUploadsThatFitNowhere(t *testing.T) {
	eachUploads(t, func(h house, r *content.Repository) {
		upload := func(path string) (*task.Task, error) {
			return h.UploadFiles(h.as("me"), catalog.UploadRequest{Repository: r.ID, Files: []catalog.UploadedFile{{Path: path, Upload: h.whole("me", path)}}})
		}
		h.done(upload("b"))
		h.done(upload("dir/a"))
		_, err := upload("b/y")
		wantFault(h.t, err, fault.Conflict, `repository "own" would have a file at "b" and another below it, at "b/y": it can have only one of them`)
		_, err = upload("dir")
		wantFault(h.t, err, fault.Conflict, `repository "own" would have a file at "dir" and another below it, at "dir/a": it can have only one of them`)
		b := must[[]*content.Unit](h.t)(h.DB.MembersAt(h.t.Context(), r.ID, []string{"b"}))[0]
		must[*task.Task](h.t)(h.Modify(h.as("me"), catalog.ModifyRequest{Repository: r.ID, Remove: []content.UnitID{b.ID}, Priority: task.Normal}))
		must[*task.Task](h.t)(upload("b/y"))
		for range 2 {
			for _, err := range h.run() {
				h.t.Error(err)
			}
		}
		if files := h.files(r); len(files) != 2 || files["b/y"] != digestOf("b/y") {
			h.t.Errorf("got %v", files)
		}
	})
}
