package dbtest

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/page"
)

// Run checks what every database must do with content. open returns an empty
// database for each of its tests, which run in parallel.
func Run(t *testing.T, open func(*testing.T) *db.DB) {
	t.Helper()
	for name, test := range map[string]func(library){
		"remotes":                    remotes,
		"remote settings":            remoteSettings,
		"secret keys":                secretKeys,
		"pages":                      pages,
		"pages of several":           pagesOfSeveral,
		"pages of paths":             pagesOfPaths,
		"bad cursors":                badCursors,
		"repositories":               repositories,
		"label selectors":            labelSelectors,
		"searches":                   searches,
		"tasks about repositories":   tasksAboutRepositories,
		"current tasks":              currentTasks,
		"told of the catalog":        toldOfTheCatalog,
		"repository in use":          repositoryInUse,
		"repository with work":       repositoryWithWork,
		"repository with history":    repositoryWithHistory,
		"artifacts":                  artifacts,
		"sources":                    sources,
		"only source":                onlySource,
		"leases":                     leases,
		"units":                      units,
		"units added at once":        unitsAddedAtOnce,
		"many units":                 manyUnits,
		"sizes of units":             sizesOfUnits,
		"versions":                   versions,
		"version that is refused":    versionRefused,
		"versions at once":           versionsAtOnce,
		"big version":                bigVersion,
		"diffs":                      diffs,
		"big diffs":                  bigDiffs,
		"deleted versions":           deletedVersions,
		"times outlive versions":     timesOutliveVersions,
		"versions in use":            versionsInUse,
		"served":                     servedRecords,
		"served at once":             servedAtOnce,
		"all that was replaced":      allReplaced,
		"first files":                firstFiles,
		"publications":               publications,
		"older version published":    olderVersionPublished,
		"metadata in a unit's place": metadataInUnitsPlace,
		"published directories":      publishedDirectories,
		"published entries":          publishedEntries,
		"distributions":              distributions,
		"distributions at once":      distributionsAtOnce,
		"serving":                    serving,
		"vacant paths":               vacantPaths,
		"told of content":            toldOfContent,
		"tokens":                     tokens,
		"told of tokens":             toldOfTokens,
		"use of tokens":              useOfTokens,
		"audit log":                  auditLog,
		"purge of the audit log":     purgeOfTheAuditLog,
		"failures of tasks":          failuresOfTasks,
		"previews of tasks":          previewsOfTasks,
		"findings of tasks":          findingsOfTasks,
		"orphans":                    orphans,
		"quarantine":                 quarantine,
		"figures":                    figures,
		"sizes beyond all bounds":    hugeSizes,
		"limits":                     limits,
		"limits of groups":           limitsOfGroups,
		"limits of lines":            limitsOfLines,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(library{open(t), t})
		})
	}
}

// library is a database with short ways to fill it.
type library struct {
	*db.DB
	t *testing.T
}

// ctx is the test's context.
func (l library) ctx() context.Context { return l.t.Context() }

// tx runs f in a transaction that must succeed.
func (l library) tx(f func(*db.Tx) error) {
	l.t.Helper()
	if err := l.InTx(l.ctx(), f); err != nil {
		l.t.Fatal(err)
	}
}

// fails runs f in a transaction that must fail with a fault that says why.
func (l library) fails(kind fault.Kind, message string, f func(*db.Tx) error) {
	l.t.Helper()
	wantFault(l.t, l.InTx(l.ctx(), f), kind, message)
}

func (l library) remote(name string) *content.Remote {
	l.t.Helper()
	r := &content.Remote{Name: name, URL: "https://example.org/" + name, Policy: content.Immediate, Connections: 4}
	l.tx(func(tx *db.Tx) error { return tx.CreateRemote(l.ctx(), r) })
	return r
}

func (l library) repository(name string, labels ...content.Label) *content.Repository {
	l.t.Helper()
	r := &content.Repository{Name: name, Format: content.File, Labels: labels}
	l.tx(func(tx *db.Tx) error { return tx.CreateRepository(l.ctx(), r) })
	return r
}

// again reads a repository anew.
func (l library) again(r *content.Repository) *content.Repository {
	l.t.Helper()
	found := must(l.RepositoriesByID(l.ctx(), []content.RepositoryID{r.ID}))(l.t)
	if found[0] == nil {
		l.t.Fatalf("repository %q is gone", r.Name)
	}
	return found[0]
}

// unit is a file whose bytes are told apart by one number, which is their size too.
func unit(path string, bytes int) *content.Unit {
	return &content.Unit{Format: content.File, Path: path, SHA256: digest(bytes), Size: int64(bytes)}
}

func digest(bytes int) content.Digest { return content.Digest(fmt.Sprintf("%064x", bytes)) }

// store stores units and returns their IDs.
func (l library) store(units ...*content.Unit) []content.UnitID {
	l.t.Helper()
	l.tx(func(tx *db.Tx) error { return tx.AddUnits(l.ctx(), units, nil) })
	ids := make([]content.UnitID, len(units))
	for i, u := range units {
		ids[i] = u.ID
	}
	return ids
}

// version makes the next version of a repository.
func (l library) version(r *content.Repository, added, removed []content.UnitID) (v *content.Version) {
	l.t.Helper()
	base := l.again(r).LatestID
	l.tx(func(tx *db.Tx) (err error) {
		v, err = tx.CreateVersion(l.ctx(), r, base, added, removed)
		return err
	})
	return v
}

func (l library) publish(v *content.Version, metadata ...content.PublishedFile) (p *content.Publication) {
	l.t.Helper()
	l.tx(func(tx *db.Tx) (err error) {
		p, err = tx.CreatePublication(l.ctx(), v, metadata)
		return err
	})
	return p
}

func (l library) distribute(d content.Distribution) *content.Distribution {
	l.t.Helper()
	if d.Access == "" {
		d.Access = content.AsServer
	}
	l.tx(func(tx *db.Tx) error { return tx.CreateDistribution(l.ctx(), &d) })
	return &d
}

// must returns the value of a call that must succeed.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantFault(t *testing.T, err error, kind fault.Kind, message string) {
	t.Helper()
	if !fault.Is(err, kind) || fault.Message(err) != message {
		t.Errorf("got error %v, want %s %q", err, kind, message)
	}
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}

// nodes are what lies on a page.
func nodes[T any](p *page.Of[T]) []T {
	var ns []T
	for _, item := range p.Items {
		ns = append(ns, item.Node)
	}
	return ns
}
