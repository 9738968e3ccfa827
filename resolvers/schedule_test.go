package resolvers

import (
	"context"
	"fmt"
	"testing"
	"time"

	"ream/access"
	"ream/catalog"
	"ream/content"
	"ream/fault"
	"ream/task"
)

func (r *requests) CreateSchedule(_ context.Context, in catalog.ScheduleInput) (*task.Schedule, error) {
	r.last = in
	return &task.Schedule{ID: 1}, nil
}

func (r *requests) UpdateSchedule(_ context.Context, id task.ScheduleID, in catalog.ScheduleChange) (*task.Schedule, error) {
	r.last = in
	return &task.Schedule{ID: id}, nil
}

func (r *requests) FireSchedule(_ context.Context, id task.ScheduleID) (task.Work, error) {
	r.last = id
	return &task.Group{ID: 1}, nil
}

func (r *requests) Purge(_ context.Context, in catalog.PurgeRequest) (task.Work, error) {
	r.last = in
	return &task.Task{ID: 1}, nil
}

func (r *requests) CleanOrphans(_ context.Context, in catalog.CleanOrphansRequest) (task.Work, error) {
	r.last = in
	return &task.Task{ID: 1}, nil
}

func (r *requests) VerifyContent(_ context.Context, in catalog.VerifyContentRequest) (task.Work, error) {
	r.last = in
	return &task.Group{ID: 1}, nil
}

// planned is a store of one schedule.
type planned struct {
	memory
	schedule task.Schedule
}

// Within is the same within every limit.
func (p *planned) Within(access.Limit) Store { return p }

func (p *planned) SchedulesByID(_ context.Context, ids []task.ScheduleID) ([]*task.Schedule, error) {
	found := make([]*task.Schedule, len(ids))
	for i, id := range ids {
		if id == p.schedule.ID {
			found[i] = &p.schedule
		}
	}
	return found, nil
}

func (p *planned) ScheduleByName(_ context.Context, name string) (*task.Schedule, error) {
	if name != p.schedule.Name {
		return nil, fault.New(fault.NotFound, "there is no such schedule")
	}
	return &p.schedule, nil
}

func TestScheduleMutations(t *testing.T) {
	t.Parallel()
	const create = `createSchedule(input: {name: "n", cron: "@daily", operation: {%s}}){id}`
	created := func(o catalog.Operation) catalog.ScheduleInput {
		return catalog.ScheduleInput{Name: "n", Cron: "@daily", TimeZone: "UTC", Operation: o}
	}
	checkMutations(t, []mutation{
		{"sync", fmt.Sprintf(create, `sync: {repositories: {labels: "a"}, maxRunning: 2}`),
			created(catalog.Operation{Sync: &catalog.SyncRequest{Repositories: catalog.Selector{Labels: new("a")}, Mirror: true, OnError: content.Fail, Priority: task.Normal, MaxRunning: 2}}),
			`{"createSchedule":{"id":"schedule-1"}}`},
		{"publish", fmt.Sprintf(create, `publish: {repositories: {ids: ["repository-2"]}, version: 3, priority: HIGH}`),
			created(catalog.Operation{Publish: &catalog.PublishRequest{Repositories: catalog.Selector{IDs: []content.RepositoryID{2}}, Version: 3, Priority: task.High}}),
			`{"createSchedule":{"id":"schedule-1"}}`},
		{"mirror", fmt.Sprintf(create, `mirror: {repositories: {names: ["a"]}, path: "p", mirror: false, onError: SKIP}`),
			created(catalog.Operation{Mirror: &catalog.MirrorRequest{Repositories: catalog.Selector{Names: []string{"a"}}, Path: "p", OnError: content.Skip, Priority: task.Normal}}),
			`{"createSchedule":{"id":"schedule-1"}}`},
		{"purge", fmt.Sprintf(create, `purge: {olderThanDays: 7, priority: LOW}`),
			created(catalog.Operation{Purge: &catalog.PurgeRequest{OlderThanDays: 7, Priority: task.Low}}),
			`{"createSchedule":{"id":"schedule-1"}}`},
		{"clean", fmt.Sprintf(create, `cleanOrphans: {}`),
			created(catalog.Operation{CleanOrphans: &catalog.CleanOrphansRequest{GraceHours: 24, Priority: task.Normal}}),
			`{"createSchedule":{"id":"schedule-1"}}`},
		{"verify", fmt.Sprintf(create, `verifyContent: {repositories: {all: true}, maxRunning: 2}`),
			created(catalog.Operation{VerifyContent: &catalog.VerifyContentRequest{Repositories: &catalog.Selector{All: true}, Priority: task.Normal, MaxRunning: 2}}),
			`{"createSchedule":{"id":"schedule-1"}}`},
		{"clean now", `cleanOrphans(input: {graceHours: 2, idempotencyKey: "k"}){... on Work{id}}`,
			catalog.CleanOrphansRequest{GraceHours: 2, Priority: task.Normal, IdempotencyKey: "k"}, `{"cleanOrphans":{"id":"task-1"}}`},
		{"verify now", `verifyContent(input: {idempotencyKey: "k", priority: LOW}){... on Work{id}}`,
			catalog.VerifyContentRequest{Priority: task.Low, IdempotencyKey: "k"}, `{"verifyContent":{"id":"group-1"}}`},
		{"pause", `updateSchedule(input: {id: "schedule-2", paused: true, timeZone: "Europe/Berlin"}){id}`,
			catalog.ScheduleChange{Paused: new(true), TimeZone: new("Europe/Berlin")}, `{"updateSchedule":{"id":"schedule-2"}}`},
		{"another operation", `updateSchedule(input: {id: "schedule-2", operation: {purge: {olderThanDays: 0}}}){id}`,
			catalog.ScheduleChange{Operation: &catalog.Operation{Purge: &catalog.PurgeRequest{Priority: task.Normal}}}, `{"updateSchedule":{"id":"schedule-2"}}`},
		{"fire", `fireSchedule(id: "schedule-2"){__typename ... on Work{id}}`, task.ScheduleID(2), `{"fireSchedule":{"__typename":"TaskGroup","id":"group-1"}}`},
		{"purge now", `purge(input: {olderThanDays: 30, idempotencyKey: "k"}){... on Work{id}}`,
			catalog.PurgeRequest{OlderThanDays: 30, Priority: task.Normal, IdempotencyKey: "k"}, `{"purge":{"id":"task-1"}}`},
	})
}

func TestScheduleMutationsThatAreRefused(t *testing.T) {
	t.Parallel()
	sync := func(fields map[string]any) map[string]any { return map[string]any{"sync": fields} }
	all := map[string]any{"all": true}
	tests := []struct {
		name      string
		operation map[string]any
		code      fault.Kind
		field     string
	}{
		{"no operation", map[string]any{}, fault.BadInput, "operation"},
		{"two operations", map[string]any{"sync": map[string]any{"repositories": all}, "purge": map[string]any{"olderThanDays": 1}}, fault.BadInput, "operation"},
		{"two selections", sync(map[string]any{"repositories": map[string]any{"all": true, "names": []string{"a"}}}), fault.BadInput, "operation.sync.repositories"},
		{"no version", map[string]any{"publish": map[string]any{"repositories": all, "version": 0}}, fault.BadInput, "operation.publish.version"},
		{"two selections to verify", map[string]any{"verifyContent": map[string]any{"repositories": map[string]any{"all": true, "names": []string{"a"}}}}, fault.BadInput, "operation.verifyContent.repositories"},
		{"a key to clean", map[string]any{"cleanOrphans": map[string]any{"idempotencyKey": "k"}}, fault.BadInput, "operation.cleanOrphans.idempotencyKey"},
		{"a key", sync(map[string]any{"repositories": all, "idempotencyKey": "k"}), fault.BadInput, "operation.sync.idempotencyKey"},
		{"no repository's id", sync(map[string]any{"repositories": map[string]any{"ids": []string{"task-1"}}}), fault.BadInput, "operation.sync.repositories.ids"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			made := &requests{}
			a := ask(t, Resolver{Store: &memory{}, Catalog: made}, `mutation($o: ScheduledOperationInput!){createSchedule(input: {name: "n", cron: "@daily", operation: $o}){id}}`,
				map[string]any{"o": tt.operation})
			if code := a.code(t); code != string(tt.code) || made.last != nil {
				t.Fatalf("got %v and request %+v, want %s", a.Errors, made.last, tt.code)
			}
			if field, _ := a.Errors[0].Extensions["field"].(string); field != tt.field {
				t.Errorf("field: got %q, want %q", field, tt.field)
			}
		})
	}
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	at := time.Date(2126, 1, 1, 0, 0, 0, 0, time.UTC)
	schedule := func(operation string) *planned {
		return &planned{schedule: task.Schedule{ID: 4, Name: "n", Cron: "0 0 1 1 *", TimeZone: "UTC", Operation: []byte(operation), NextAt: &at,
			LastAt: &at, LastWork: "group-3", LastError: &task.Error{Code: "SKIPPED", Message: "why"}}}
	}
	const (
		operation  = `operation{__typename ... on ScheduledSync{repositories{ids names labels all} mirror onError priority} ... on ScheduledPublish{repositories{ids} version} ... on ScheduledMirror{repositories{names} path onError} ... on ScheduledPurge{olderThanDays} ... on ScheduledCleanOrphans{graceHours} ... on ScheduledVerifyContent{of{all} maxRunning}}`
		everything = `{"sync":{"repositories":{"all":true},"mirror":true,"priority":"NORMAL"}}`
	)
	tests := []struct {
		name, operation, query, want string
	}{
		{"fields", everything, `schedule(id: "schedule-4"){name cron timeZone paused nextFiringAt lastFiredAt lastWork{... on Node{id}} lastError{code message}}`,
			`{"schedule":{"name":"n","cron":"0 0 1 1 *","timeZone":"UTC","paused":false,"nextFiringAt":"2126-01-01T00:00:00Z","lastFiredAt":"2126-01-01T00:00:00Z","lastWork":{"id":"group-3"},"lastError":{"code":"SKIPPED","message":"why"}}}`},
		{"node", everything, `node(id: "schedule-4"){__typename id}`, `{"node":{"__typename":"Schedule","id":"schedule-4"}}`},
		{"by name", everything, `schedule(name: "n"){id}`, `{"schedule":{"id":"schedule-4"}}`},
		{"none", everything, `a: schedule(name: "m"){id} b: schedule(id: "schedule-5"){id}`, `{"a":null,"b":null}`},
		{"sync", everything, `schedule(id: "schedule-4"){` + operation + `}`,
			`{"schedule":{"operation":{"__typename":"ScheduledSync","repositories":{"ids":null,"names":null,"labels":null,"all":true},"mirror":true,"onError":"FAIL","priority":"NORMAL"}}}`},
		{"publish", `{"publish":{"repositories":{"ids":[2]},"priority":"LOW"}}`, `schedule(id: "schedule-4"){` + operation + `}`,
			`{"schedule":{"operation":{"__typename":"ScheduledPublish","repositories":{"ids":["repository-2"]},"version":null}}}`},
		{"mirror", `{"mirror":{"repositories":{"names":[]},"path":"p","mirror":false,"onError":"SKIP","priority":"LOW"}}`, `schedule(id: "schedule-4"){` + operation + `}`,
			`{"schedule":{"operation":{"__typename":"ScheduledMirror","repositories":{"names":[]},"path":"p","onError":"SKIP"}}}`},
		{"purge", `{"purge":{"olderThanDays":30,"priority":"LOW"}}`, `schedule(id: "schedule-4"){` + operation + `}`,
			`{"schedule":{"operation":{"__typename":"ScheduledPurge","olderThanDays":30}}}`},
		{"clean", `{"cleanOrphans":{"graceHours":24,"priority":"LOW"}}`, `schedule(id: "schedule-4"){` + operation + `}`,
			`{"schedule":{"operation":{"__typename":"ScheduledCleanOrphans","graceHours":24}}}`},
		{"verify all", `{"verifyContent":{"priority":"LOW"}}`, `schedule(id: "schedule-4"){` + operation + `}`,
			`{"schedule":{"operation":{"__typename":"ScheduledVerifyContent","of":null,"maxRunning":null}}}`},
		{"verify some", `{"verifyContent":{"repositories":{"all":true},"priority":"LOW","maxRunning":3}}`, `schedule(id: "schedule-4"){` + operation + `}`,
			`{"schedule":{"operation":{"__typename":"ScheduledVerifyContent","of":{"all":true},"maxRunning":3}}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := ask(t, Resolver{Store: schedule(tt.operation)}, "{"+tt.query+"}", nil)
			if len(a.Errors) > 0 {
				t.Fatalf("errors: %v", a.Errors)
			}
			if got := string(a.Data); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	t.Run("unknown operation", func(t *testing.T) {
		t.Parallel()
		if code := ask(t, Resolver{Store: schedule(`{"teleport":{}}`)}, `{schedule(id: "schedule-4"){operation{__typename}}}`, nil).code(t); code != "CONFLICT" {
			t.Errorf("got code %q, want CONFLICT", code)
		}
	})
	t.Run("upcoming", func(t *testing.T) {
		t.Parallel()
		a := ask(t, Resolver{Store: schedule(everything)}, `{schedule(id: "schedule-4"){upcoming(first: 2)}}`, nil)
		year := time.Now().UTC().Year()
		if got, want := string(a.Data), fmt.Sprintf(`{"schedule":{"upcoming":["%d-01-01T00:00:00Z","%d-01-01T00:00:00Z"]}}`, year+1, year+2); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if code := ask(t, Resolver{Store: schedule(everything)}, `{schedule(id: "schedule-4"){upcoming(first: 101)}}`, nil).code(t); code != "BAD_INPUT" {
			t.Errorf("too many: got code %q, want BAD_INPUT", code)
		}
	})
}
