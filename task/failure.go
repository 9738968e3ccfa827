package task

import "ream/fault"

// Failure is a file that a task could not get, and went on without.
type Failure struct {
	Path    string // as upstream's metadata names it
	URL     string // where it should have been
	Code    string // for programs: a kind of fault
	Message string // for people
}

// FailureOf is what a task records of the error that kept it from a file.
func FailureOf(path, url string, err error) Failure {
	return Failure{Path: path, URL: url, Code: string(fault.KindOf(err)), Message: fault.Message(err)}
}
