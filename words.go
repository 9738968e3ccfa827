package main

import "strings"

// words are the values of a flag that may be given several times, or once with
// commas. Those of the command line take the place of the variable's.
type words struct {
	all       []string
	isDefault bool
}

func (w *words) String() string { return strings.Join(w.all, ",") }

// Set adds values.
func (w *words) Set(text string) error {
	if w.isDefault {
		w.all, w.isDefault = nil, false
	}
	for one := range strings.SplitSeq(text, ",") {
		if one = strings.TrimSpace(one); one != "" {
			w.all = append(w.all, one)
		}
	}
	return nil
}
