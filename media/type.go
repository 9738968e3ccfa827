package media

import (
	"path"
	"strings"
)

// TypeOf returns the media type of a published path by its name alone, from a
// table of its own: what a machine's mime.types says must not change what
// Ream serves, and compressed files stay files, never a Content-Encoding.
// HTML is told as such, since some clients read indexes in it; the sandbox
// takes its teeth.
func TypeOf(name string) string {
	base := path.Base(name)
	switch base {
	case "PULP_MANIFEST", "InRelease", "Release", "Packages", "Sources", "SHA256SUMS", "MD5SUMS", "README", "LICENSE":
		return "text/plain; charset=utf-8"
	case "Release.gpg":
		return "application/pgp-signature"
	}
	switch strings.ToLower(path.Ext(base)) {
	case ".deb", ".udeb", ".ddeb":
		return "application/vnd.debian.binary-package"
	case ".rpm", ".drpm":
		return "application/x-rpm"
	case ".gz", ".tgz":
		return "application/gzip"
	case ".xz", ".txz":
		return "application/x-xz"
	case ".bz2", ".tbz", ".tbz2":
		return "application/x-bzip2"
	case ".zst", ".tzst":
		return "application/zstd"
	case ".lz4":
		return "application/x-lz4"
	case ".tar":
		return "application/x-tar"
	case ".zip", ".whl", ".jar":
		return "application/zip"
	case ".iso":
		return "application/x-iso9660-image"
	case ".json":
		return "application/json"
	case ".xml":
		return "application/xml"
	case ".yaml", ".yml":
		return "application/yaml"
	case ".html", ".htm":
		return "text/html; charset=utf-8"
	case ".txt", ".md", ".dsc", ".changes", ".buildinfo", ".sha256", ".sha512", ".csv", ".log":
		return "text/plain; charset=utf-8"
	case ".asc", ".sig":
		return "application/pgp-signature"
	case ".gpg", ".key":
		return "application/pgp-keys"
	case ".sqlite", ".db":
		return "application/vnd.sqlite3"
	case ".pdf":
		return "application/pdf"
	case ".png":
		return "image/png"
	}
	return "application/octet-stream"
}
