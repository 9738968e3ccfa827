package task

import (
	"fmt"
	"strconv"
	"strings"
)

// ID identifies a task. Clients see it as "task-12".
type ID int64

// GroupID identifies a group of tasks. Clients see it as "group-7".
type GroupID int64

// WorkerID identifies one run of a worker process: a restarted process is a
// new worker.
type WorkerID int64

func (id ID) String() string       { return "task-" + strconv.FormatInt(int64(id), 10) }
func (id GroupID) String() string  { return "group-" + strconv.FormatInt(int64(id), 10) }
func (id WorkerID) String() string { return "worker-" + strconv.FormatInt(int64(id), 10) }

// ParseID reads a task's ID as clients write it.
func ParseID(s string) (ID, error) { n, err := parse("task-", s); return ID(n), err }

// ParseGroupID reads a group's ID as clients write it.
func ParseGroupID(s string) (GroupID, error) { n, err := parse("group-", s); return GroupID(n), err }

func parse(prefix, s string) (int64, error) {
	digits, ok := strings.CutPrefix(s, prefix)
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 1 || digits[0] == '+' {
		return 0, fmt.Errorf("%q is no id of the form %s<number>", s, prefix)
	}
	return n, nil
}
