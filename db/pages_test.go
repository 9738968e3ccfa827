package db_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"ream/content"
	"ream/db"
	"ream/db/dbtest"
	"ream/page"
	"ream/task"
)

// TestOneStatementForAllOwners reads lists of thirty repositories, and of their
// versions, with as many statements as for one.
func TestOneStatementForAllOwners(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var ids []content.RepositoryID
		var versions []*content.Version
		err := d.InTx(t.Context(), func(tx *db.Tx) error {
			for i := range 30 {
				r := &content.Repository{Name: fmt.Sprint(i), Format: content.File}
				if err := tx.CreateRepository(t.Context(), r); err != nil {
					return err
				}
				v, err := tx.CreateVersion(t.Context(), r, 0, nil, nil)
				if err != nil {
					return err
				}
				ids, versions = append(ids, r.ID), append(versions, v)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		count := d.CountStatements()
		key := fmt.Sprint(1)
		for _, c := range []struct {
			name string
			read func(page.Request) (counts []func(context.Context) (int, error), err error)
		}{
			{"versions", func(r page.Request) ([]func(context.Context) (int, error), error) {
				return countsOf(d.Versions(t.Context(), ids, r))
			}},
			{"publications", func(r page.Request) ([]func(context.Context) (int, error), error) {
				return countsOf(d.RepositoryPublications(t.Context(), ids, r))
			}},
			{"distributions", func(r page.Request) ([]func(context.Context) (int, error), error) {
				return countsOf(d.RepositoryDistributions(t.Context(), ids, r))
			}},
			{"units", func(r page.Request) ([]func(context.Context) (int, error), error) {
				return countsOf(d.VersionUnits(t.Context(), versions, r))
			}},
		} {
			for request, want := range map[page.Request]int64{{}: 1, {First: 2}: 1, {Last: 2}: 1, {First: 1, After: key}: 2, {Last: 1, After: key, Before: key}: 3} {
				before := count.Load()
				counts, err := c.read(request)
				if err != nil || len(counts) != 30 {
					t.Fatalf("%s: %d pages, %v", c.name, len(counts), err)
				}
				if got := count.Load() - before; got != want {
					t.Errorf("%s %+v: %d statements, want %d", c.name, request, got, want)
				}
				before = count.Load()
				for _, n := range counts {
					if _, err := n(t.Context()); err != nil {
						t.Error(err)
					}
				}
				if got := count.Load() - before; got > 1 {
					t.Errorf("%s %+v: %d statements to count them, want at most 1", c.name, request, got)
				}
			}
		}
		before := count.Load()
		if _, err := d.VersionsByNumber(t.Context(), []content.VersionKey{{RepositoryID: 1, Number: 1}, {RepositoryID: 2, Number: 1}}); err != nil || count.Load()-before != 1 {
			t.Errorf("versions by number: %d statements, %v, want 1", count.Load()-before, err)
		}
	})
}

func countsOf[T any](pages []*page.Of[T], err error) (counts []func(context.Context) (int, error), _ error) {
	for _, p := range pages {
		counts = append(counts, p.Count)
	}
	return counts, err
}

// TestTasksOfSeveral reads the tasks of groups of different sizes at once.
func TestTasksOfSeveral(t *testing.T) {
	eachEngine(t, func(t *testing.T, e engine) {
		var groups []int64
		for n := range 4 {
			var tasks []task.New
			for range n {
				tasks = append(tasks, task.New{Kind: "a", Name: "test", Priority: task.Normal})
			}
			groups = append(groups, int64(e.group(tasks...)))
		}
		claimed := e.claim(4) // one of the first group with any, two of the next, one of the last
		e.finish(task.Failed, claimed[1], claimed[3])
		read := func(relation task.Relation, ids []int64, f task.Filter, r page.Request) string {
			t.Helper()
			pages, err := e.TasksOf(t.Context(), relation, ids, f, r)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range pages {
				n, err := p.Count(t.Context())
				if err != nil {
					t.Error(err)
				}
				var states []string
				for _, item := range p.Items {
					states = append(states, string(item.Node.State))
				}
				got = append(got, fmt.Sprintf("%d%v", n, states))
			}
			return strings.Join(got, " ")
		}
		finished, unfinished := true, false
		for _, c := range []struct {
			name, got, want string
		}{
			{"all", read(task.MemberOf, groups, task.Filter{}, page.Request{First: 2}), "0[] 1[RUNNING] 2[FAILED RUNNING] 3[FAILED WAITING]"},
			{"last", read(task.MemberOf, groups, task.Filter{}, page.Request{Last: 1}), "0[] 1[RUNNING] 2[RUNNING] 3[WAITING]"},
			{"finished", read(task.MemberOf, groups, task.Filter{Finished: &finished}, page.Request{}), "0[] 0[] 1[FAILED] 1[FAILED]"},
			{"unfinished", read(task.MemberOf, groups, task.Filter{Finished: &unfinished}, page.Request{}), "0[] 1[RUNNING] 1[RUNNING] 2[WAITING WAITING]"},
			{"failed", read(task.MemberOf, groups, task.Filter{States: []task.State{task.Failed}}, page.Request{}), "0[] 0[] 1[FAILED] 1[FAILED]"},
			{"failed or waiting", read(task.MemberOf, groups, task.Filter{States: []task.State{task.Failed, task.Waiting}}, page.Request{}), "0[] 0[] 1[FAILED] 3[FAILED WAITING WAITING]"},
			{"of workers", read(task.RunBy, []int64{int64(e.worker), 99}, task.Filter{}, page.Request{}), "2[RUNNING RUNNING] 0[]"},
			{"of no parents", read(task.SpawnedBy, []int64{int64(claimed[0].ID)}, task.Filter{}, page.Request{}), "0[]"},
			{"retries", read(task.RetryOf, []int64{int64(claimed[1].ID)}, task.Filter{}, page.Request{}), "0[]"},
		} {
			if c.got != c.want {
				t.Errorf("%s: got %s, want %s", c.name, c.got, c.want)
			}
		}
		again, err := e.GroupRetries(t.Context(), []task.GroupID{1, 2}, page.Request{})
		if err != nil || len(again) != 2 || len(again[0].Items) != 0 {
			t.Errorf("retries of groups: got %v, %v", again, err)
		}
		count := e.CountStatements()
		if read(task.MemberOf, groups, task.Filter{}, page.Request{}); count.Load() != 3 { // with the progress and the counts
			t.Errorf("%d statements, want 3", count.Load())
		}
	})
}
