package access_test

import (
	"regexp"
	"strings"
	"testing"

	"ream/access"
)

func TestSecrets(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^ream_[a-z2-7]{58}$`)
	seen := map[string]bool{}
	for range 1000 {
		s := access.NewSecret()
		if !form.MatchString(s) {
			t.Fatalf("got %q, want the form %s", s, form)
		}
		hash, ok := access.HashSecret(s)
		if !ok || len(hash) != 64 || strings.Contains(s, hash) || seen[s] || seen[hash] {
			t.Fatalf("%q: got hash %q, %t", s, hash, ok)
		}
		seen[s], seen[hash] = true, true
	}
}

// TestMistypedSecrets changes every character, swaps every two that are beside
// each other, and cuts and adds some: all of that is found out.
func TestMistypedSecrets(t *testing.T) {
	t.Parallel()
	s := access.NewSecret()
	wrong := []string{"", "ream_", s[:len(s)-1], s + "a", s[1:], " " + s, s + "\n", strings.ToUpper(s), "ream_" + s, strings.Replace(s, "ream_", "", 1), strings.Replace(s, "ream_", "raem_", 1)}
	for i := range s {
		for _, c := range "abcdefghijklmnopqrstuvwxyz234567_-0189=" {
			if byte(c) != s[i] {
				wrong = append(wrong, s[:i]+string(c)+s[i+1:])
			}
		}
		if i > 0 && s[i] != s[i-1] {
			wrong = append(wrong, s[:i-1]+string(s[i])+string(s[i-1])+s[i+1:])
		}
	}
	for _, w := range wrong {
		if _, ok := access.HashSecret(w); ok {
			t.Errorf("%q is taken for a secret; %q is one", w, s)
		}
	}
}

func FuzzHashSecret(f *testing.F) {
	f.Add(access.NewSecret())
	f.Add("ream_")
	f.Add("ream_" + strings.Repeat("a", 58))
	f.Fuzz(func(t *testing.T, s string) {
		if hash, ok := access.HashSecret(s); ok != (len(hash) == 64) || ok && len(s) != 63 {
			t.Errorf("%q: got %q, %t", s, hash, ok)
		}
	})
}
