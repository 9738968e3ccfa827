package db

import (
	"slices"
	"strings"

	"ream/content"
	"ream/fault"
)

// maxTerms bounds how long a selector's statement gets.
const maxTerms = 32

// selectLabels narrows a list of repositories to those that fit a label
// selector like "env=prod,team!=web,mirror,!old": all of its terms. An empty
// one fits every repository.
func (l *listing) selectLabels(selector string) error {
	terms, err := parseSelector(selector)
	for _, t := range terms {
		l.and(t.condition("repository.id"), t.args()...)
	}
	return err
}

// CheckSelector reports what is wrong with a label selector, as a
// fault.BadInput.
func CheckSelector(selector string) error {
	_, err := parseSelector(selector)
	return err
}

// Selects reports whether labels fit a label selector. It fails like
// CheckSelector.
func Selects(selector string, labels []content.Label) (bool, error) {
	terms, err := parseSelector(selector)
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(terms, func(t labelTerm) bool { return !t.fits(labels) }), nil
}

func parseSelector(selector string) ([]labelTerm, error) {
	if strings.TrimSpace(selector) == "" {
		return nil, nil
	}
	texts := strings.Split(selector, ",")
	if len(texts) > maxTerms {
		return nil, fault.Input("labels", "the selector has %d terms: at most %d are allowed", len(texts), maxTerms)
	}
	terms := make([]labelTerm, len(texts))
	for i, text := range texts {
		var err error
		if terms[i], err = parseTerm(strings.TrimSpace(text)); err != nil {
			return nil, err
		}
	}
	return terms, nil
}

// labelTerm is one condition on the labels.
type labelTerm struct {
	key      string
	value    string
	anyValue bool
	negated  bool
}

func parseTerm(s string) (labelTerm, error) {
	var t labelTerm
	switch key, value, compares := strings.Cut(s, "="); {
	case compares:
		t.key, t.negated = strings.CutSuffix(key, "!")
		t.value = value
	default:
		t.key, t.negated = strings.CutPrefix(key, "!")
		t.anyValue = true
	}
	t.key, t.value = strings.TrimSpace(t.key), strings.TrimSpace(t.value)
	if t.key == "" || !isLabel(t.key, "/") || !isLabel(t.value, "") {
		return t, fault.Input("labels", "%.80q is no label term: write key=value, key!=value, key or !key, with letters, digits and . _ - in keys and values", s)
	}
	return t, nil
}

// isLabel reports whether s may be a key or a value: up to 63 letters, digits,
// dots, underscores, dashes, and others.
func isLabel(s, others string) bool {
	fits := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-"+others, r)
	}
	return len(s) <= 63 && strings.IndexFunc(s, func(r rune) bool { return !fits(r) }) < 0
}

// fits is condition of labels that are known.
func (t labelTerm) fits(labels []content.Label) bool {
	has := slices.ContainsFunc(labels, func(l content.Label) bool { return l.Key == t.key && (t.anyValue || l.Value == t.value) })
	return has != t.negated
}

// condition is on the labels of the repository with an ID.
func (t labelTerm) condition(id string) string {
	var b strings.Builder
	if t.negated {
		b.WriteString("NOT ")
	}
	b.WriteString("EXISTS (SELECT 1 FROM repository_label l WHERE l.repository_id = " + id + " AND l.key = ?")
	if !t.anyValue {
		b.WriteString(" AND l.value = ?")
	}
	b.WriteString(")")
	return b.String()
}

func (t labelTerm) args() []any {
	if t.anyValue {
		return []any{t.key}
	}
	return []any{t.key, t.value}
}
