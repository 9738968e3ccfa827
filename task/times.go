package task

import (
	"strings"
	"time"

	"github.com/netresearch/go-cron"

	"ream/fault"
)

// Times are the instants that a cron expression names in a time zone. They
// follow the zone's clock also where it is set forward or back: a time that is
// passed over stands for the instant of the change, and one that comes twice
// for the first of the two. An expression for every hour of the day means the
// hours as they pass, so that it leaves none out and takes none for another.
type Times struct {
	wall   cron.Schedule // by a clock that is never set forward or back
	zone   *time.Location
	hourly bool // every hour of the day
}

// parser reads what crontabs hold: where days of the month and of the week are
// given, either is enough. It looks far enough ahead for a 29th of February
// before and after the year 2100.
var parser = cron.MustNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor | cron.DowOrDom).WithMaxSearchYears(9)

// ParseTimes reads a cron expression, and the name of a time zone in the IANA
// database. It fails with a fault.BadInput that names the field as the API
// spells it.
func ParseTimes(expression, zone string) (Times, error) {
	// Names of days and months may be written in any case; the parser itself
	// takes the H of THU for something else.
	lower := strings.ToLower(expression)
	switch {
	case strings.Contains(lower, "tz="):
		return Times{}, fault.Input("cron", "it names a time zone: give that as timeZone")
	case strings.Contains(lower, "@every"):
		return Times{}, fault.Input("cron", "@every names no times: write, for example, */15 * * * * for every 15 minutes")
	}
	wall, err := parser.Parse(lower)
	if err != nil {
		return Times{}, fault.Input("cron", `%v: want minute, hour, day of the month, month and day of the week, such as "30 2 * * 1-5", or @hourly, @daily, @weekly, @monthly or @yearly`, err)
	}
	if wall.Next(time.Unix(0, 0).UTC()).IsZero() {
		return Times{}, fault.Input("cron", "there is no such day: it would never fire")
	}
	location, err := time.LoadLocation(zone)
	if err != nil || zone == "" || zone == time.Local.String() {
		return Times{}, fault.Input("timeZone", "%.80q is no time zone: want a name such as Europe/Berlin, or UTC", zone)
	}
	const everyHour = 1<<24 - 1
	fields, ok := wall.(*cron.SpecSchedule)
	return Times{wall: wall, zone: location, hourly: ok && fields.Hour&everyHour == everyHour}, nil
}

// Next is the first of the instants after the given one. It is the zero time
// if there is none within nine years.
func (t Times) Next(after time.Time) time.Time {
	after = after.In(t.zone)
	if t.hourly {
		return t.nextPassing(after)
	}
	for wall := shown(after); ; {
		if wall = t.wall.Next(wall); wall.IsZero() {
			return wall
		}
		if at := t.at(wall); at.After(after) {
			return at.UTC()
		}
	}
}

// Upcoming are the first n of the instants after the given one.
func (t Times) Upcoming(after time.Time, n int) []time.Time {
	times := make([]time.Time, 0, n)
	for range n {
		if after = t.Next(after); after.IsZero() {
			break
		}
		times = append(times, after)
	}
	return times
}

// nextPassing is Next by the clock as it runs from one change to the other.
func (t Times) nextPassing(after time.Time) time.Time {
	wall := shown(after)
	_, change := after.ZoneBounds()
	for {
		next := t.wall.Next(wall)
		if next.IsZero() {
			return next
		}
		at := after.Add(next.Sub(wall))
		if change.IsZero() || at.Before(change) {
			return at.UTC()
		}
		// What the clock shows at the change may be one of the times itself.
		after, wall = change.Add(-time.Second), shown(change).Add(-time.Second)
		_, change = change.ZoneBounds()
	}
}

// at is the first instant at which the zone's clock shows a time or, if it is
// set forward over that, the instant of the change.
func (t Times) at(wall time.Time) time.Time {
	at := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, t.zone)
	start, end := at.ZoneBounds()
	switch is := shown(at); {
	case is.After(wall):
		return start
	case is.Before(wall):
		return end
	case start.IsZero():
		return at
	}
	_, offset := start.Add(-1).Zone() // before the last change
	if first := wall.Add(-time.Duration(offset) * time.Second); first.Before(start) {
		return first
	}
	return at
}

// shown is what the clock shows at an instant, as if it were UTC.
func shown(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.Add(time.Duration(offset) * time.Second).UTC()
}
