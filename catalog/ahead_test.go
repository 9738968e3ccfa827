package catalog_test

import (
	"testing"

	"ream/catalog"
	"ream/content"
	"ream/task"
)

func TestNextSyncs(t *testing.T) {
	eachHouse(t, func(h house) {
		web := h.repository("web", content.Label{Key: "env", Value: "prod"})
		docs := h.repository("docs")
		local, err := h.CreateRepository(h.t.Context(), catalog.RepositoryInput{Name: "local", Format: content.File})
		if err != nil {
			h.t.Fatal(err)
		}
		plan := func(name, cron string, o catalog.Operation) {
			h.t.Helper()
			if _, err := h.CreateSchedule(h.t.Context(), catalog.ScheduleInput{Name: name, Cron: cron, TimeZone: "UTC", Operation: o}); err != nil {
				h.t.Fatal(err)
			}
		}
		check := func(want ...string) {
			h.t.Helper()
			schedules, err := h.DB.FiringSchedules(h.t.Context())
			if err != nil {
				h.t.Fatal(err)
			}
			for i, at := range catalog.NextSyncs(schedules, []*content.Repository{web, docs, local}) {
				got := "-"
				if at != nil {
					got = at.Format("15:04")
				}
				if got != want[i] {
					h.t.Errorf("repository %d: got %s, want %s", i+1, got, want[i])
				}
			}
		}
		check("-", "-", "-")
		plan("publish", "10 0 * * *", catalog.Operation{Publish: &catalog.PublishRequest{Repositories: catalog.Selector{All: true}, Priority: task.Normal}})
		check("-", "-", "-")
		plan("all", "30 3 * * *", catalog.Operation{Mirror: &catalog.MirrorRequest{Repositories: catalog.Selector{All: true}, Mirror: true, Priority: task.Normal}})
		check("03:30", "03:30", "-") // one without a remote is not synced
		plan("prod", "0 2 * * *", catalog.Operation{Sync: &catalog.SyncRequest{Repositories: catalog.Selector{Labels: new("env=prod")}, Priority: task.Normal}})
		check("02:00", "03:30", "-")
		plan("named", "0 1 * * *", catalog.Operation{Sync: &catalog.SyncRequest{Repositories: catalog.Selector{Names: []string{docs.Name}}, Priority: task.Normal}})
		plan("by id", "59 0 * * *", catalog.Operation{Sync: &catalog.SyncRequest{Repositories: catalog.Selector{IDs: []content.RepositoryID{web.ID}}, Priority: task.Normal}})
		check("00:59", "01:00", "-")
	})
}
