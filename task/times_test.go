package task_test

import (
	"strings"
	"testing"
	"time"

	"ream/fault"
	"ream/task"
)

func TestTimesFollowTheZonesClock(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, cron, zone, after string
		want                    []string // in the zone's own time
	}{
		{"plain", "30 2 * * *", "UTC", "2026-03-28T12:00:00Z", []string{"2026-03-29T02:30:00Z", "2026-03-30T02:30:00Z"}},
		{"strictly after", "30 2 * * *", "UTC", "2026-03-29T02:30:00Z", []string{"2026-03-30T02:30:00Z"}},
		{"passed over", "30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
			[]string{"2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"}},
		{"passed over and shown in one", "0,30 2,3 * * *", "Europe/Berlin", "2026-03-29T00:59:00Z",
			[]string{"2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00", "2026-03-30T02:00:00+02:00"}},
		{"twice", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z",
			[]string{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
		{"twice, looked for between", "30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", []string{"2026-10-26T02:30:00+01:00"}},
		{"every hour, set forward", "*/30 * * * *", "Europe/Berlin", "2026-03-29T00:20:00Z",
			[]string{"2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"}},
		{"every hour, set back", "*/30 * * * *", "Europe/Berlin", "2026-10-25T00:20:00Z",
			[]string{"2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T02:30:00+01:00", "2026-10-25T03:00:00+01:00"}},
		{"hourly, across a far change", "@hourly", "Europe/Berlin", "2026-10-25T00:00:00Z", []string{"2026-10-25T02:00:00+01:00"}},
		{"every hour of rare days", "15 * 29 2 *", "Europe/Berlin", "2026-03-01T00:00:00Z", []string{"2028-02-29T00:15:00+01:00"}},
		{"half an hour passed over", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z",
			[]string{"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"}},
		{"half an hour twice", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z",
			[]string{"2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"}},
		{"no midnight", "@daily", "America/Sao_Paulo", "2018-11-03T12:00:00Z",
			[]string{"2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"}},
		{"a day that was not", "0 12 * * *", "Pacific/Apia", "2011-12-29T23:00:00Z",
			[]string{"2011-12-31T00:00:00+14:00", "2011-12-31T12:00:00+14:00"}},
		{"either day", "0 0 13 * FRI", "UTC", "2026-02-07T00:00:00Z",
			[]string{"2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z", "2026-02-27T00:00:00Z", "2026-03-06T00:00:00Z", "2026-03-13T00:00:00Z"}},
		{"names in any case", "0 0 * MAR THU", "UTC", "2026-01-01T00:00:00Z", []string{"2026-03-05T00:00:00Z"}},
		{"Sunday is 7 too", "0 0 * * 7", "UTC", "2026-01-01T00:00:00Z", []string{"2026-01-04T00:00:00Z"}},
		{"a leap day around 2100", "0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", []string{"2104-02-29T00:00:00Z"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			times, err := task.ParseTimes(tt.cron, tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			zone, err := time.LoadLocation(tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			after, err := time.Parse(time.RFC3339, tt.after)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, at := range times.Upcoming(after, len(tt.want)) {
				got = append(got, at.In(zone).Format(time.RFC3339))
			}
			if g, w := strings.Join(got, " "), strings.Join(tt.want, " "); g != w {
				t.Errorf("got  %s\nwant %s", g, w)
			}
		})
	}
}

// TestTimesByTheMinute compares with looking at the zone's clock every minute
// of a year.
func TestTimesByTheMinute(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "Africa/Cairo", "Antarctica/Troll"} {
		for _, cron := range []struct {
			expression string
			fits       func(shown time.Time) bool
			hourly     bool
		}{
			{"*/20 1-3 * * *", func(s time.Time) bool { return s.Minute()%20 == 0 && s.Hour() >= 1 && s.Hour() <= 3 }, false},
			{"10 0 * * *", func(s time.Time) bool { return s.Minute() == 10 && s.Hour() == 0 }, false},
			{"7 * * * *", func(s time.Time) bool { return s.Minute() == 7 }, true},
		} {
			t.Run(name+" "+cron.expression, func(t *testing.T) {
				t.Parallel()
				zone, err := time.LoadLocation(name)
				if err != nil {
					t.Fatal(err)
				}
				times, err := task.ParseTimes(cron.expression, name)
				if err != nil {
					t.Fatal(err)
				}
				begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
				next := times.Next(begin)
				_, offset := begin.In(zone).Zone()
				latest := begin.Add(time.Duration(offset) * time.Second) // that the clock has shown
				for at := begin.Add(time.Minute); at.Year() == 2026; at = at.Add(time.Minute) {
					_, offset := at.In(zone).Zone()
					shown := at.Add(time.Duration(offset) * time.Second)
					fires := false
					if cron.hourly {
						fires = cron.fits(shown)
					} else {
						for ; latest.Before(shown); fires = fires || cron.fits(latest) {
							latest = latest.Add(time.Minute)
						}
					}
					if fires != next.Equal(at) {
						t.Fatalf("at %s: fires %t, but the next is said to be %s", at.In(zone), fires, next.In(zone))
					}
					if fires {
						next = times.Next(at)
					}
				}
			})
		}
	}
}

func TestTimesThatAreNone(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, cron, zone, field, message string }{
		{"empty", "", "UTC", "cron", "want minute"},
		{"too few fields", "0 0 * *", "UTC", "cron", "found 4"},
		{"seconds", "0 0 0 * * *", "UTC", "cron", "found 6"},
		{"out of range", "60 * * * *", "UTC", "cron", "above maximum (59)"},
		{"no such day", "0 0 30 2 *", "UTC", "cron", "never fire"},
		{"an interval", "@every 1h", "UTC", "cron", "*/15"},
		{"unknown descriptor", "@reboot", "UTC", "cron", "@daily"},
		{"a zone in the expression", "CRON_TZ=Europe/Berlin 0 0 * * *", "UTC", "cron", "timeZone"},
		{"unknown zone", "@daily", "Europe/Bielefeld", "timeZone", "Europe/Berlin"},
		{"no zone", "@daily", "", "timeZone", "UTC"},
		{"the machine's zone", "@daily", "Local", "timeZone", "UTC"},
		{"a file", "@daily", "../../etc/passwd", "timeZone", "UTC"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := task.ParseTimes(tt.cron, tt.zone)
			if !fault.Is(err, fault.BadInput) || !strings.HasPrefix(fault.Message(err), tt.field+": ") || !strings.Contains(fault.Message(err), tt.message) {
				t.Errorf("got %v, want a fault of %s that says %q", err, tt.field, tt.message)
			}
		})
	}
}
