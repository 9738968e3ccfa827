package media_test

import (
	"testing"

	"ream/media"
)

func TestTypeOf(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"pool/a_1.0_amd64.deb":         "application/vnd.debian.binary-package",
		"dists/stable/Release":         "text/plain; charset=utf-8",
		"dists/stable/Release.gpg":     "application/pgp-signature",
		"dists/stable/InRelease":       "text/plain; charset=utf-8",
		"dists/stable/Packages.xz":     "application/x-xz",
		"archive-keyring.gpg":          "application/pgp-keys",
		"repodata/repomd.xml":          "application/xml",
		"repodata/repomd.xml.asc":      "application/pgp-signature",
		"repodata/repomd.XML":          "application/xml",
		"Release.gpg/a":                "application/octet-stream",
		"PULP_MANIFEST":                "text/plain; charset=utf-8",
		"page.html":                    "text/html; charset=utf-8",
		"usr/share/doc/ream/copyright": "application/octet-stream",
	} {
		if got := media.TypeOf(path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}
