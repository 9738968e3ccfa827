package cli

import (
	"strings"
	"testing"
)

func TestPromoteAndRollback(t *testing.T) {
	t.Parallel()
	operations := map[string]string{
		"FindDistribution": `{"data":{"distribution":{"id":"distribution-2"}}}`,
		"Promote":          `{"data":{"promote":{"path":"prod","publication":{"id":"publication-5"}}}}`,
		"Rollback":         `{"data":{"rollback":{"path":"prod","publication":{"id":"publication-4"}}}}`,
	}
	const none = `{"data":{"distribution":null}}`
	for _, tt := range []struct {
		words, found    string
		operation, sent string
		status          int
		stdout, stderr  string
	}{
		{"promote test prod", operations["FindDistribution"], "Promote", `{"input":{"from":"distribution-2","to":"distribution-2"}}`, 0, "prod serves publication-5\n", ""},
		{"promote test prod --publication publication-5", operations["FindDistribution"], "Promote",
			`{"input":{"from":"distribution-2","to":"distribution-2","publication":"publication-5"}}`, 0, "prod serves publication-5\n", ""},
		{"rollback prod", operations["FindDistribution"], "Rollback", `{"id":"distribution-2"}`, 0, "prod serves publication-4\n", ""},
		{"rollback prod --publication publication-4", operations["FindDistribution"], "Rollback", `{"id":"distribution-2","publication":"publication-4"}`, 0, "prod serves publication-4\n", ""},
		{"rollback prod", none, "FindDistribution", `{"path":"prod"}`, 1, "", "ream rollback: there is no distribution at \"prod\"\n"},
		{"promote test", none, "", "", 2, "", "ream promote: say from which distribution and to which, by their paths\n"},
		{"rollback", none, "", "", 2, "", "ream rollback: say which distribution, by its path\n"},
	} {
		t.Run(tt.words, func(t *testing.T) {
			t.Parallel()
			server := newAnswers(t, map[string]string{"FindDistribution": tt.found, "Promote": operations["Promote"], "Rollback": operations["Rollback"]})
			status, stdout, stderr := command(t, server.URL, strings.Fields(tt.words)...)
			if status != tt.status || stdout != tt.stdout || !strings.HasPrefix(stderr, tt.stderr) {
				t.Errorf("got status %d, %q and %q; want %d, %q and %q", status, stdout, stderr, tt.status, tt.stdout, tt.stderr)
			}
			if got := server.sent(tt.operation); tt.operation != "" && got != tt.sent {
				t.Errorf("%s: got %s, want %s", tt.operation, got, tt.sent)
			}
		})
	}
}
