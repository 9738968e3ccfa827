package origin

import (
	"context"
	"strings"
	"time"

	"ream/content"
	"ream/fault"
)

// timeLayouts are how paths may say a time, in UTC. A day stands for its
// beginning, so that what is served for it never changes.
var timeLayouts = []string{time.DateOnly, "2006-01-02T15:04:05Z", "20060102T150405Z"}

// cutTime cuts the time off a path within a distribution that begins with one,
// as in /@2026-11-01/dir/file. What is below begins with a slash, unless it is
// empty.
func cutTime(path string) (at time.Time, below string, ok bool) {
	text, ok := strings.CutPrefix(path, "/@")
	if !ok {
		return at, "", false
	}
	if i := strings.IndexByte(text, '/'); i >= 0 {
		text, below = text[:i], text[i:]
	}
	for _, layout := range timeLayouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at, below, true
		}
	}
	return at, "", false
}

// settled is after how long no transaction can change any more what was served
// at a time: it must have ended by then.
const settled = time.Hour

// isPast reports whether what was served at a time will always be that.
func (h *Handler) isPast(at time.Time) bool { return h.now().Sub(at) >= settled }

// at returns what the distribution of s served at a time. It fails with
// fault.NotFound if that was nothing, or if the caller may not see it.
func (h *Handler) at(ctx context.Context, s content.Serving, at time.Time, path string) (content.Serving, error) {
	then, err := h.served.findAt(ctx, s, at)
	if err == nil && h.sees != nil {
		err = h.check(ctx, then, path)
	}
	return then, err
}

// findAt returns what a distribution served at a time that has passed.
func (s *served) findAt(ctx context.Context, serving content.Serving, at time.Time) (content.Serving, error) {
	if at.After(s.now()) {
		return content.Serving{}, fault.New(fault.NotFound, "not found: that time has not come yet")
	}
	now, key := s.snapshot(), moment{serving.DistributionID, at.UnixMicro()}
	now.mu.RLock()
	then, ok := now.byTime[key]
	now.mu.RUnlock()
	if ok {
		return then, nil
	}
	found, err := s.lookup.ServedAt(ctx, serving.DistributionID, at)
	if err != nil {
		return content.Serving{}, err
	}
	now.mu.Lock()
	defer now.mu.Unlock()
	if len(now.byTime) >= maxServed {
		clear(now.byTime)
	}
	now.byTime[key] = *found
	return *found, nil
}

// find returns what lies at a path of what is served or, if nothing does, the
// file that lay there until recently.
func (h *Handler) find(ctx context.Context, s content.Serving, path string) (*file, error) {
	f, err := h.files.find(ctx, s.PublicationID, path)
	if !fault.Is(err, fault.NotFound) {
		return f, err
	}
	for _, id := range s.Replaced {
		switch old, e := h.files.find(ctx, id, path); {
		case e == nil && !old.isDir:
			return old, nil
		case e != nil && !fault.Is(e, fault.NotFound):
			return nil, e
		}
	}
	return nil, err
}
