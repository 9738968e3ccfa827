package dbtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"ream/access"
	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/page"
	"ream/task"
)

func (l library) token(t access.Token) *access.Token {
	l.t.Helper()
	l.tx(func(tx *db.Tx) error { return tx.CreateToken(l.ctx(), &t, "hash of "+t.Name) })
	return &t
}

func (l library) revoke(id access.TokenID) (t *access.Token) {
	l.t.Helper()
	l.tx(func(tx *db.Tx) (err error) { t, err = tx.RevokeToken(l.ctx(), id); return err })
	return t
}

func tokens(l library) {
	soon, past := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond), time.Now().Add(-time.Hour).UTC().Truncate(time.Microsecond)
	a := l.token(access.Token{Name: "a", Role: access.Admin, CreatedBy: "anonymous"})
	b := l.token(access.Token{Name: "b", Role: access.Reader, Limit: "env=prod", CreatedBy: `token "a"`, ExpiresAt: &soon})
	c := l.token(access.Token{Name: "c", Role: access.Operator, CreatedBy: "x", ExpiresAt: &past})
	equal(l.t, "by hash", must(l.TokenByHash(l.ctx(), "hash of b"))(l.t), b)
	equal(l.t, "by name", must(l.TokenByName(l.ctx(), "a"))(l.t), a)
	equal(l.t, "by id", must(l.TokensByID(l.ctx(), []access.TokenID{b.ID, 99, a.ID}))(l.t), []*access.Token{b, nil, a})
	equal(l.t, "all", nodes(must(l.Tokens(l.ctx(), access.TokenFilter{}, page.Request{}))(l.t)), []*access.Token{a, b, c})
	equal(l.t, "active", nodes(must(l.Tokens(l.ctx(), access.TokenFilter{Active: true}, page.Request{}))(l.t)), []*access.Token{a, b})
	_, err := l.TokenByHash(l.ctx(), "HASH OF B")
	wantFault(l.t, err, fault.NotFound, "there is no such token")
	l.fails(fault.Conflict, `there is already a token named "a": revoke it first, or choose another name`, func(tx *db.Tx) error {
		return tx.CreateToken(l.ctx(), &access.Token{Name: "a", Role: access.Reader}, "another")
	})

	a.RevokedAt = l.revoke(a.ID).RevokedAt
	if a.RevokedAt == nil || a.State(time.Now()) != access.Revoked {
		l.t.Errorf("revoked: got %+v", a)
	}
	equal(l.t, "revoked again", l.revoke(a.ID), a)
	equal(l.t, "by the hash of a revoked one", must(l.TokenByHash(l.ctx(), "hash of a"))(l.t), a)
	_, err = l.TokenByName(l.ctx(), "a")
	wantFault(l.t, err, fault.NotFound, `there is no token "a" that is not revoked`)
	l.fails(fault.NotFound, "there is no token-99", func(tx *db.Tx) error { _, err := tx.RevokeToken(l.ctx(), 99); return err })
	again := &access.Token{Name: "a", Role: access.Reader, CreatedBy: "x"}
	l.tx(func(tx *db.Tx) error { return tx.CreateToken(l.ctx(), again, "hash of the second a") })
	equal(l.t, "by the name of another", must(l.TokenByName(l.ctx(), "a"))(l.t), again)
}

func toldOfTokens(l library) {
	var told atomic.Int32
	l.OnChange(func(c db.Changes) {
		if c.Tokens {
			told.Add(1)
		}
	})
	t := l.token(access.Token{Name: "a", Role: access.Admin})
	equal(l.t, "told of a new one", told.Load(), 0)
	l.revoke(t.ID)
	equal(l.t, "told of its end", told.Load(), 1)
	l.revoke(t.ID)
	equal(l.t, "told when nothing changed", told.Load(), 1)
}

func useOfTokens(l library) {
	a, b := l.token(access.Token{Name: "a", Role: access.Admin}), l.token(access.Token{Name: "b", Role: access.Admin})
	first := time.Now().UTC().Truncate(time.Microsecond)
	used := func(what string, uses map[access.TokenID]time.Time, want ...*time.Time) {
		l.t.Helper()
		if err := l.UseTokens(l.ctx(), uses); err != nil {
			l.t.Fatal(err)
		}
		for i, t := range must(l.TokensByID(l.ctx(), []access.TokenID{a.ID, b.ID}))(l.t) {
			equal(l.t, what, t.LastUsedAt, want[i])
		}
	}
	later := first.Add(time.Minute)
	used("none", nil, nil, nil)
	used("one", map[access.TokenID]time.Time{a.ID: first}, &first, nil)
	used("both", map[access.TokenID]time.Time{a.ID: later, b.ID: first, 99: first}, &later, &first)
	used("told late", map[access.TokenID]time.Time{a.ID: first}, &later, &first)
}

func (l library) record(e access.Entry) *access.Entry {
	l.t.Helper()
	if e.Arguments == nil {
		e.Arguments = json.RawMessage(`{}`)
	}
	l.tx(func(tx *db.Tx) error { return tx.Record(l.ctx(), &e) })
	if e.Results == nil {
		e.Results = []string{}
	}
	return &e
}

func auditLog(l library) {
	token := access.Principal{Kind: access.ByToken, Name: "ci", Role: access.Operator, Limit: "env=prod", TokenID: 3}
	a := l.record(access.Entry{Caller: access.Caller{Principal: token, Address: "192.0.2.1"}, Operation: "sync",
		Arguments: json.RawMessage(`{"input":{"repositories":{"all":true}}}`), Results: []string{"group-1"}, Code: access.Done})
	b := l.record(access.Entry{Caller: access.Caller{Principal: access.Principal{Kind: access.Anonymous, Role: access.Admin}}, Operation: "sync", Code: "BAD_INPUT"})
	c := l.record(access.Entry{Caller: access.Caller{Principal: token}, Operation: "cancel", Code: access.Done})
	for _, tt := range []struct {
		name   string
		filter access.EntryFilter
		want   []*access.Entry
	}{
		{"all", access.EntryFilter{}, []*access.Entry{c, b, a}},
		{"of one", access.EntryFilter{Name: "ci"}, []*access.Entry{c, a}},
		{"of an operation", access.EntryFilter{Operation: "sync"}, []*access.Entry{b, a}},
		{"failed", access.EntryFilter{Failed: true}, []*access.Entry{b}},
		{"since", access.EntryFilter{Since: b.At}, []*access.Entry{c, b}},
		{"until", access.EntryFilter{Until: b.At}, []*access.Entry{a}},
		{"of a time when nothing was done", access.EntryFilter{Since: c.At.Add(time.Second)}, nil},
	} {
		p := must(l.Entries(l.ctx(), tt.filter, page.Request{}))(l.t)
		equal(l.t, tt.name, nodes(p), tt.want)
		equal(l.t, tt.name+", counted", must(p.Count(l.ctx()))(l.t), len(tt.want))
	}
	equal(l.t, "by id", must(l.EntriesByID(l.ctx(), []access.EntryID{b.ID, 99}))(l.t), []*access.Entry{b, nil})

	failure := errors.New("changed its mind")
	if err := l.InTx(l.ctx(), func(tx *db.Tx) error {
		return errors.Join(tx.Record(l.ctx(), &access.Entry{Operation: "never", Code: access.Done}), failure)
	}); !errors.Is(err, failure) {
		l.t.Errorf("got %v, want the function's own error", err)
	}
	equal(l.t, "after a change that failed", len(nodes(must(l.Entries(l.ctx(), access.EntryFilter{}, page.Request{}))(l.t))), 3)
}

func purgeOfTheAuditLog(l library) {
	var last *access.Entry
	l.tx(func(tx *db.Tx) error {
		for range 2500 {
			last = &access.Entry{Operation: "sync", Arguments: json.RawMessage(`{}`), Code: access.Done}
			if err := tx.Record(l.ctx(), last); err != nil {
				return err
			}
		}
		return nil
	})
	left := func() int {
		return must(must(l.Entries(l.ctx(), access.EntryFilter{}, page.Request{}))(l.t).Count(l.ctx()))(l.t)
	}
	before := must(l.Entries(l.ctx(), access.EntryFilter{Until: last.At}, page.Request{}))(l.t)
	old := must(before.Count(l.ctx()))(l.t)
	equal(l.t, "purged", must(l.PurgeEntries(l.ctx(), last.At))(l.t), old)
	equal(l.t, "left", left(), 2500-old)
	equal(l.t, "purged of all", must(l.PurgeEntries(l.ctx(), last.At.Add(time.Second)))(l.t), 2500-old)
	equal(l.t, "left of all", left(), 0)
}

// neighbours are two repositories with one of everything each.
type neighbours struct {
	repository   [2]*content.Repository
	remote       [2]*content.Remote
	version      [2]*content.Version
	unit         [2]content.UnitID
	publication  [2]*content.Publication
	distribution [2]*content.Distribution // that follow
	pinned       [2]*content.Distribution
	task         [2]task.ID
	group        [2]task.GroupID
}

// newNeighbours makes the first with the label team=a, and the second with
// team=b and old.
func newNeighbours(l library) neighbours {
	var n neighbours
	labels := [2][]content.Label{{{Key: "team", Value: "a"}}, {{Key: "team", Value: "b"}, {Key: "old"}}}
	for i, name := range []string{"a", "b"} {
		r := l.repository(name, labels[i]...)
		n.remote[i] = l.remote(name)
		r.RemoteID = n.remote[i].ID
		l.tx(func(tx *db.Tx) error { return tx.UpdateRepository(l.ctx(), r) })
		n.unit[i] = l.store(unit(name, i+1))[0]
		n.version[i] = l.version(r, []content.UnitID{n.unit[i]}, nil)
		n.publication[i] = l.publish(n.version[i])
		n.repository[i] = l.again(r)
		n.distribution[i] = l.distribute(content.Distribution{Path: name + "/follows", RepositoryID: r.ID})
		n.pinned[i] = l.distribute(content.Distribution{Path: name + "/pins", PublicationID: n.publication[i].ID})
		n.task[i] = l.enqueue(about(r))
		n.group[i] = l.group("", about(r), about(r))
	}
	return n
}

// about is a task about a repository.
func about(r *content.Repository) task.New {
	return task.New{Kind: "repository.sync", Name: "sync " + r.Name, Priority: task.Normal, RepositoryID: int64(r.ID)}
}

func (l library) enqueue(t task.New) (id task.ID) {
	l.t.Helper()
	l.tx(func(tx *db.Tx) (err error) { id, err = tx.Enqueue(l.ctx(), t); return err })
	return id
}

// group queues a group, within a limit.
func (l library) group(limit access.Limit, tasks ...task.New) (id task.GroupID) {
	l.t.Helper()
	l.tx(func(tx *db.Tx) (err error) {
		tx.Restrict(limit)
		id, err = tx.EnqueueGroup(l.ctx(), task.NewGroup{Name: "g", Tasks: tasks})
		return err
	})
	return id
}

// listed is a page with its count, as text.
func listed[T interface{ NodeID() string }](l library) func(*page.Of[T], error) string {
	return func(p *page.Of[T], err error) string {
		l.t.Helper()
		if err != nil {
			return string(fault.KindOf(err))
		}
		var ids []string
		for _, n := range nodes(p) {
			ids = append(ids, n.NodeID())
		}
		return fmt.Sprint(strings.Join(ids, " "), " of ", must(p.Count(l.ctx()))(l.t))
	}
}

// present tells which of several things are there.
func present[T any](found []*T, err error) string {
	if err != nil {
		return string(fault.KindOf(err))
	}
	text := ""
	for _, f := range found {
		if f == nil {
			text += "-"
		} else {
			text += "x"
		}
	}
	return text
}

func limits(l library) {
	n := newNeighbours(l)
	for limit, seen := range map[access.Limit]string{
		"": "xx", "team=a": "x-", "team=b": "-x", "!old": "x-", "team!=a": "-x", "team": "xx", "team=c": "--", "old=1": "--",
		"a b": "--", " ": "--", // no selectors
	} {
		v := l.Within(limit)
		ctx := l.ctx()
		check := func(what, got string) {
			l.t.Helper()
			equal(l.t, fmt.Sprintf("%q: %s", limit, what), got, seen)
		}
		check("repositories", present(v.RepositoriesByID(ctx, []content.RepositoryID{n.repository[0].ID, n.repository[1].ID})))
		check("repositories by name", present(v.RepositoriesByName(ctx, []string{"a", "b"})))
		check("remotes", present(v.RemotesByID(ctx, []content.RemoteID{n.remote[0].ID, n.remote[1].ID})))
		check("versions", present(v.VersionsByID(ctx, []content.VersionID{n.version[0].ID, n.version[1].ID})))
		check("units", present(v.UnitsByID(ctx, n.unit[:])))
		check("publications", present(v.PublicationsByID(ctx, []content.PublicationID{n.publication[0].ID, n.publication[1].ID})))
		check("distributions", present(v.DistributionsByID(ctx, []content.DistributionID{n.distribution[0].ID, n.distribution[1].ID})))
		check("pinned distributions", present(v.DistributionsByID(ctx, []content.DistributionID{n.pinned[0].ID, n.pinned[1].ID})))
		check("tasks", present(v.TasksByID(ctx, n.task[:])))
		check("groups", present(v.GroupsByID(ctx, n.group[:])))

		// What lists hold is what is found by ids, and they count no more.
		of := func(ids ...string) string {
			var all []string
			for i, s := range seen {
				if s == 'x' {
					all = append(all, strings.Fields(ids[i])...)
				}
			}
			return fmt.Sprint(strings.Join(all, " "), " of ", len(all))
		}
		list := func(what, got, want string) {
			l.t.Helper()
			equal(l.t, fmt.Sprintf("%q: list of %s", limit, what), got, want)
		}
		list("repositories", listed[*content.Repository](l)(v.Repositories(ctx, "", page.Request{})), of(n.repository[0].NodeID(), n.repository[1].NodeID()))
		list("repositories by label", listed[*content.Repository](l)(v.Repositories(ctx, "team", page.Request{})), of(n.repository[0].NodeID(), n.repository[1].NodeID()))
		list("remotes", listed[*content.Remote](l)(v.Remotes(ctx, page.Request{})), of(n.remote[0].NodeID(), n.remote[1].NodeID()))
		list("distributions", listed[*content.Distribution](l)(v.Distributions(ctx, page.Request{})),
			of(n.distribution[0].NodeID()+" "+n.pinned[0].NodeID(), n.distribution[1].NodeID()+" "+n.pinned[1].NodeID()))
		groups := must(v.Groups(ctx, page.Request{}))(l.t)
		slices.Reverse(groups.Items)
		list("groups", listed[*task.Group](l)(groups, nil), of(n.group[0].String(), n.group[1].String()))
		list("tasks", listed[*task.Task](l)(v.Tasks(ctx, task.Filter{}, page.Request{})), of("task-1 task-2 task-3", "task-4 task-5 task-6"))
		list("unfinished tasks", listed[*task.Task](l)(v.Tasks(ctx, task.Filter{Finished: new(bool)}, page.Request{})), of("task-1 task-2 task-3", "task-4 task-5 task-6"))
		list("a group's tasks", listed[*task.Task](l)(only(v.TasksOf(ctx, task.MemberOf, []int64{int64(n.group[1])}, task.Filter{}, page.Request{}))), of("", "task-5 task-6"))
		list("publications", listed[*content.Publication](l)(only(v.RepositoryPublications(ctx, []content.RepositoryID{n.repository[1].ID}, page.Request{}))), of("", n.publication[1].NodeID()))
		list("versions", listed[*content.Version](l)(only(v.Versions(ctx, []content.RepositoryID{n.repository[1].ID}, page.Request{}))), of("", n.version[1].NodeID()))

		var selected string
		for _, r := range must(v.SelectRepositories(ctx, ""))(l.t) {
			selected += r.Name
		}
		equal(l.t, fmt.Sprintf("%q: selected", limit), selected, strings.Join(strings.FieldsFunc(of("a", "b"), func(r rune) bool { return r != 'a' && r != 'b' }), ""))
		for i, name := range []string{"a", "b"} {
			found := map[byte]fault.Kind{'x': fault.Internal, '-': fault.NotFound}[seen[i]]
			_, byName := v.RemoteByName(ctx, name)
			_, byPath := v.DistributionByPath(ctx, name+"/follows")
			equal(l.t, fmt.Sprintf("%q: remote %s", limit, name), fault.KindOf(byName), found)
			equal(l.t, fmt.Sprintf("%q: distribution of %s", limit, name), fault.KindOf(byPath), found)
			equal(l.t, fmt.Sprintf("%q: locked %s", limit, name), fault.KindOf(l.InTx(ctx, func(tx *db.Tx) error {
				tx.Restrict(limit)
				_, err := tx.LockRepository(ctx, n.repository[i].ID)
				return err
			})), found)
		}
		equal(l.t, fmt.Sprintf("%q: queue", limit), must(v.Queue(ctx))(l.t).Tally.Total(), len(must(v.Tasks(ctx, task.Filter{}, page.Request{}))(l.t).Items))
		schedules := must(v.Schedules(ctx, page.Request{}))(l.t)
		equal(l.t, fmt.Sprintf("%q: schedules", limit), len(schedules.Items) > 0, limit == "")
		equal(l.t, fmt.Sprintf("%q: schedule", limit), present(v.SchedulesByID(ctx, []task.ScheduleID{1})) == "x", limit == "")
	}

	// Labels and repositories come and go.
	mine := l.Within("team=a")
	n.repository[0].Labels = nil
	l.tx(func(tx *db.Tx) error { return tx.UpdateRepository(l.ctx(), n.repository[0]) })
	equal(l.t, "after the label is gone", present(mine.TasksByID(l.ctx(), n.task[:]))+present(mine.GroupsByID(l.ctx(), n.group[:])), "----")
}

func limitsOfGroups(l library) {
	n := newNeighbours(l)
	a, b := n.repository[0], n.repository[1]
	none := task.New{Kind: "history.purge", Name: "purge", Priority: task.Normal}
	ids := []task.GroupID{
		l.group("", about(a), about(b)), // of both
		l.group("", about(a), none),     // also of none
		l.group("team=a"),               // empty
		l.group(""),                     // empty, of somebody without a limit
		l.group("team=a", about(a), about(a)),
	}
	for limit, seen := range map[access.Limit]string{"": "xxxxx", "team=a": "--x-x", "team=b": "-----", "team": "x---x"} {
		equal(l.t, string(limit), present(l.Within(limit).GroupsByID(l.ctx(), ids)), seen)
	}
	// The members that are about a repository are seen all the same.
	equal(l.t, "members", listed[*task.Task](l)(only(l.Within("team=b").TasksOf(l.ctx(), task.MemberOf, []int64{int64(ids[0])}, task.Filter{}, page.Request{}))), "task-8 of 1")
	equal(l.t, "members", listed[*task.Task](l)(only(l.Within("team=a").TasksOf(l.ctx(), task.MemberOf, []int64{int64(ids[1])}, task.Filter{}, page.Request{}))), "task-9 of 1")
}

func limitsOfLines(l library) {
	n := newNeighbours(l)
	claim := func(r *content.Repository) task.New {
		t := about(r)
		t.Reservations = []task.Reservation{{Resource: "shared", Access: task.Exclusive}}
		return t
	}
	holder := l.enqueue(claim(n.repository[1]))
	first := l.enqueue(claim(n.repository[0]))
	last := l.enqueue(claim(n.repository[0]))
	for limit, want := range map[access.Limit]string{
		"":       fmt.Sprintf("%s %s of 2, held by %s, 7 ahead", holder, first, holder),
		"team=a": fmt.Sprintf("%s of 1, held by, 3 ahead", first),
	} {
		v := l.Within(limit)
		held := ""
		for _, t := range must(v.Holders(l.ctx(), []string{"shared"}))(l.t)[0] {
			held += " " + t.NodeID()
		}
		got := fmt.Sprintf("%s, held by%s, %d ahead", listed[*task.Task](l)(v.BlockedBy(l.ctx(), last, page.Request{})), held, must(v.Ahead(l.ctx(), []task.ID{last}))(l.t)[0])
		equal(l.t, fmt.Sprintf("%q", limit), got, want)
	}
}
