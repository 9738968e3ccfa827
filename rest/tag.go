package rest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ream/task"
)

// tag tells two states of work apart. It is weak: what changes by the clock
// alone makes no new one, and neither does what a task created, which comes
// with the next state.
func tag(work task.Work) string {
	switch work := work.(type) {
	case *task.Group:
		v := viewGroup(work, time.Time{})
		v.Progress.paceView = paceView{}
		return "W/\"" + strconv.FormatInt(work.Tally.Revision, 10) + "-" + digest(v) + "\""
	case *task.Task:
		v := viewTask(work, nil, time.Time{})
		v.Progress.paceView = paceView{}
		return "W/\"" + digest(v) + "\""
	}
	panic(fmt.Sprintf("rest: %T is neither a task nor a group", work)) // task.Work is closed
}

func digest(view any) string {
	text, err := json.Marshal(view)
	if err != nil {
		panic(fmt.Sprintf("rest: encode %T: %v", view, err)) // only types of this package come here
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// matches reports whether If-None-Match names a tag, weakly compared.
func matches(header, tag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}
