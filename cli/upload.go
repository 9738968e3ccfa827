package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"ream/cli/client"
)

const (
	wholeUpload    = 8 << 20 // up to how many bytes a file is sent with one request
	uploadTries    = 6       // how often a file is tried again without any progress
	uploadedAtOnce = 10_000  // how many files may come into one version at once
)

func uploadLocalFiles(ctx context.Context, args []string, env Env) error {
	f := newFlags("upload", `upload REPOSITORY PATH…

Adds files to a repository, all of them as one new version. Of a directory, what
lies below it is added, by its path from there; a file, by its name. What lies at
the same paths in the repository is replaced. If it is broken off, the same
command goes on where it was.`)
	connect, wait, priority := f.server(env), f.wait(), f.priority()
	into := f.String("into", "", "the `directory` of the repository that the files go to (default: the top)")
	connections := f.Uint("connections", 8, "send `N` files at once")
	words, err := f.parse(args)
	if err != nil {
		return err
	}
	if len(words) < 2 {
		return misuse("say which repository gets the files, and which files or directories these are")
	}
	files, err := localFiles(words[1:], *into)
	if err != nil {
		return err
	}
	if err := checkPaths(files, env); err != nil {
		return err
	}
	c, err := connect()
	if err != nil {
		return err
	}
	to, err := client.FindRepository(ctx, c, words[0])
	if err != nil {
		return err
	}
	if to.Repository.Id == "" {
		return fmt.Errorf("there is no repository %q", words[0])
	}
	s := &sending{c: c, env: env}
	if err := s.findUnfinished(ctx); err != nil {
		return err
	}
	if err := s.sendAll(ctx, files, max(1, int(*connections))); err != nil {
		return err
	}
	input := client.UploadFilesInput{Repository: to.Repository.Id, Priority: *priority, Files: make([]client.UploadedFileInput, len(files))}
	for i, one := range files {
		input.Files[i] = client.UploadedFileInput{Path: one.to, Upload: one.upload}
	}
	queued, err := client.UploadFiles(ctx, c, input)
	if err != nil {
		return err
	}
	if err := accompany(ctx, c, &queued.UploadFiles, *wait, env); err != nil || !*wait {
		return err
	}
	return printMade(ctx, c, queued.UploadFiles.Id, env)
}

// printMade prints the version that a task made.
func printMade(ctx context.Context, c *client.Client, id string, env Env) error {
	made, err := client.Made(ctx, c, id)
	if err != nil {
		return err
	}
	for _, one := range made.Task.Created {
		if v, ok := one.(*client.MadeTaskCreatedRepositoryVersion); ok {
			_, err := fmt.Fprintf(env.Stdout, "%s@%d\n", clean(v.Repository.Name), v.Number)
			return err
		}
	}
	_, err = fmt.Fprintln(env.Stdout, "nothing changed: the repository had these files already")
	return err
}

// localFile is a file that is to be sent.
type localFile struct {
	at     string // on this machine
	to     string // in the repository
	size   int64
	upload string // its id, once all has come
}

// localFiles finds the files that paths stand for.
func localFiles(paths []string, into string) ([]*localFile, error) {
	var all []*localFile
	add := func(at, to string) error {
		info, err := os.Stat(at)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is no file", at)
		}
		all = append(all, &localFile{at: at, to: path.Join(into, filepath.ToSlash(to)), size: info.Size()})
		return nil
	}
	for _, root := range paths {
		info, err := os.Stat(root)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			if err := add(root, filepath.Base(root)); err != nil {
				return nil, err
			}
			continue
		}
		if err := filepath.WalkDir(root, func(at string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			to, err := filepath.Rel(root, at)
			if err != nil {
				return err
			}
			return add(at, to)
		}); err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		return nil, errors.New("there are no files in these directories")
	}
	if len(all) > uploadedAtOnce {
		return nil, fmt.Errorf("these are %d files: at most %d may come into one version at once, so upload them part by part", len(all), uploadedAtOnce)
	}
	slices.SortFunc(all, func(a, b *localFile) int { return strings.Compare(a.to, b.to) })
	for i := range all[1:] {
		if all[i].to == all[i+1].to {
			return nil, fmt.Errorf("%s and %s both go to %s: upload them one after the other, or elsewhere with --into", all[i].at, all[i+1].at, all[i].to)
		}
	}
	return all, nil
}

// checkPaths refuses files that the server would refuse for where they go to.
func checkPaths(files []*localFile, env Env) error {
	if env.CheckPaths == nil {
		return nil
	}
	paths := make([]string, len(files))
	for i, one := range files {
		paths[i] = one.to
	}
	return env.CheckPaths(paths)
}

// fileContent is what a file is known by.
type fileContent struct {
	sha256 string
	size   int64
}

// sending sends files.
type sending struct {
	c   *client.Client
	env Env

	mu         sync.Mutex
	unfinished map[fileContent][]client.Upload // of commands before
	resumed    int
}

// findUnfinished asks for what commands before have sent, and not used.
func (s *sending) findUnfinished(ctx context.Context) error {
	s.unfinished = map[fileContent][]client.Upload{}
	for after := ""; ; {
		answer, err := client.UnfinishedUploads(ctx, s.c, after)
		if err != nil {
			return err
		}
		for _, u := range answer.Uploads.Nodes {
			if u.Sha256 != "" {
				key := fileContent{u.Sha256, u.Size}
				s.unfinished[key] = append(s.unfinished[key], client.Upload{ID: u.Id, Received: u.Received})
			}
		}
		if !answer.Uploads.PageInfo.HasNextPage {
			return nil
		}
		after = answer.Uploads.PageInfo.EndCursor
	}
}

// take takes an unfinished upload of the same bytes.
func (s *sending) take(key fileContent) (client.Upload, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.unfinished[key]
	if len(all) == 0 {
		return client.Upload{}, false
	}
	s.unfinished[key] = all[1:]
	s.resumed++
	return all[0], true
}

// sendAll sends all files, some at once.
func (s *sending) sendAll(ctx context.Context, files []*localFile, atOnce int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	var bytes int64
	for _, one := range files {
		bytes += one.size
		group.Go(func() error {
			if err := s.send(ctx, one); err != nil {
				return fmt.Errorf("%s: %w", one.at, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	resumed := ""
	if s.resumed > 0 {
		resumed = fmt.Sprintf(", of which %d had been begun before", s.resumed)
	}
	fmt.Fprintf(s.env.Stderr, "sent %d files, %s%s\n", len(files), size(bytes), resumed)
	return nil
}

// send sends a file to its end, also if that takes several tries.
func (s *sending) send(ctx context.Context, one *localFile) error {
	f, err := os.Open(one.at)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if one.size, err = io.Copy(h, f); err != nil {
		return err
	}
	key := fileContent{hex.EncodeToString(h.Sum(nil)), one.size}
	u, known := s.take(key)
	for failed := 0; !known || u.Received < one.size; {
		before := u.Received
		if !known {
			u, err = s.create(ctx, one, key, f)
			known = err == nil
		} else {
			u, err = s.resume(ctx, u, one, f)
		}
		if err == nil {
			failed = 0
			continue
		}
		if u.Received > before {
			failed = 0
		}
		if refused, ok := errors.AsType[*client.UploadError](err); ok && refused.Status == http.StatusNotFound && known {
			u, known, err = client.Upload{}, false, errExpired // begin anew
		}
		if failed++; failed > uploadTries || !mayPass(err) || ctx.Err() != nil {
			return err
		}
		if err := pause(ctx, time.Second<<(failed-1)/2); err != nil {
			return err
		}
	}
	one.upload = u.ID
	return nil
}

// create begins an upload, and ends it at once if the file is small.
func (s *sending) create(ctx context.Context, one *localFile, key fileContent, f *os.File) (client.Upload, error) {
	var first io.Reader
	if one.size > 0 && one.size <= wholeUpload {
		first = io.NewSectionReader(f, 0, one.size)
	}
	return s.c.CreateUpload(ctx, one.to, one.size, key.sha256, first)
}

// resume sends what is missing. If that fails, it asks how much came.
func (s *sending) resume(ctx context.Context, u client.Upload, one *localFile, f *os.File) (client.Upload, error) {
	next, err := s.c.ResumeUpload(ctx, u, io.NewSectionReader(f, u.Received, one.size-u.Received))
	if err == nil {
		return next, nil
	}
	if found, findErr := s.c.FindUpload(ctx, u.ID); findErr == nil {
		u = found
	}
	return u, err
}

// errExpired is that an upload was given up before it ended.
var errExpired = errors.New("the upload has expired again and again")

// mayPass reports whether what the server or the network failed at may succeed later.
func mayPass(err error) bool {
	refused, ok := errors.AsType[*client.UploadError](err)
	if !ok {
		return true // the network's
	}
	switch refused.Status {
	case http.StatusConflict, http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}
