package file_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"ream/content"
	"ream/fault"
	"ream/format/file"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const sum = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

func parse(r io.Reader) ([]file.Entry, error) {
	var entries []file.Entry
	err := file.Parse(r, func(e file.Entry) error {
		entries = append(entries, e)
		return nil
	})
	return entries, err
}

func TestParse(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat(strings.Repeat("d", 100)+"/", 11)[:content.MaxPath-1] + "f"
	deepest := strings.Repeat("d/", content.MaxSegments-1) + "f"
	for _, test := range []struct {
		name, manifest string
		want           []file.Entry
	}{
		{"empty", "", nil},
		{"one", "a," + sum + ",5\n", []file.Entry{{1, "a", sum, 5}}},
		{"no newline at the end", "a," + sum + ",5", []file.Entry{{1, "a", sum, 5}}},
		{"CRLF", "a," + sum + ",5\r\nb," + sum + ",0\r\n", []file.Entry{{1, "a", sum, 5}, {2, "b", sum, 0}}},
		{"commas in a path", "a,b,,c," + sum + ",5\n", []file.Entry{{1, "a,b,,c", sum, 5}}},
		{"upper-case digest", "a," + strings.ToUpper(sum) + ",5\n", []file.Entry{{1, "a", sum, 5}}},
		{"directories", "d/a," + sum + ",1\nd/e/a," + sum + ",2\nda," + sum + ",3\n", []file.Entry{{1, "d/a", sum, 1}, {2, "d/e/a", sum, 2}, {3, "da", sum, 3}}},
		{"a manifest below", "d/PULP_MANIFEST," + sum + ",1\n", []file.Entry{{1, "d/PULP_MANIFEST", sum, 1}}},
		{"spaces and letters", "ä b ," + sum + ",1\n", []file.Entry{{1, "ä b ", sum, 1}}},
		{"largest size", "a," + sum + ",1125899906842624\n", []file.Entry{{1, "a", sum, content.MaxSize}}},
		{"longest line", longest + "," + sum + ",1125899906842624\r\n", []file.Entry{{1, longest, sum, content.MaxSize}}},
		{"deepest path", deepest + "," + sum + ",5\n", []file.Entry{{1, deepest, sum, 5}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, r := range []io.Reader{strings.NewReader(test.manifest), iotest.OneByteReader(strings.NewReader(test.manifest))} {
				got, err := parse(r)
				if err != nil || !slices.Equal(got, test.want) {
					t.Errorf("Parse: got %v, %v, want %v", got, err, test.want)
				}
			}
			var again []file.Entry
			if err := file.ParseAgain(strings.NewReader(test.manifest), func(e file.Entry) error { again = append(again, e); return nil }); err != nil || !slices.Equal(again, test.want) {
				t.Errorf("ParseAgain: got %v, %v, want %v", again, err, test.want)
			}
		})
	}
}

func TestParseRejects(t *testing.T) {
	t.Parallel()
	good := "a/b," + sum + ",5\n"
	for _, test := range []struct {
		name, line, message string
	}{
		{"empty line", "", "it is empty"},
		{"only a path", "x", "want path,sha256,size"},
		{"no path", sum + ",5", "want path,sha256,size"},
		{"empty path", "," + sum + ",5", "the path is empty"},
		{"absolute path", "/x," + sum + ",5", "is absolute"},
		{"path upwards", "../x," + sum + ",5", `has a segment ".."`},
		{"path with a dot", "x/./y," + sum + ",5", `has a segment "."`},
		{"backslash", `x\y,` + sum + ",5", "contains"},
		{"NUL in the path", "x\x00y," + sum + ",5", `contains '\x00'`},
		{"NUL in the size", "x," + sum + ",5\x00", "is no number of bytes"},
		{"not UTF-8", "x\xff," + sum + ",5", "is not UTF-8"},
		{"two carriage returns", "x," + sum + ",5\r\r", "is no number of bytes"},
		{"long path", strings.Repeat("x", content.MaxPath+1) + "," + sum + ",5", "at most 1024"},
		{"long line", strings.Repeat("x", 1<<20), "it is longer than"},
		{"named twice", "a/b," + sum + ",5", `"a/b" is named twice`},
		{"a file that is a directory", "a," + sum + ",5", `"a" is a directory of another line`},
		{"a directory that is a file", "a/b/c/d," + sum + ",5", `lies below "a/b", which is a file`},
		{"the manifest itself", "PULP_MANIFEST," + sum + ",5", "is the manifest's own"},
		{"below the manifest", "PULP_MANIFEST/x," + sum + ",5", `lies below "PULP_MANIFEST"`},
		{"short digest", "x," + sum[1:] + ",5", "is no SHA-256"},
		{"no hex", "x,g" + sum[1:] + ",5", "is no SHA-256"},
		{"space before the digest", "x, " + sum + ",5", "is no SHA-256"},
		{"no size", "x," + sum + ",", "is no number of bytes"},
		{"negative size", "x," + sum + ",-1", "is no number of bytes"},
		{"plus", "x," + sum + ",+5", "is no number of bytes"},
		{"space before the size", "x," + sum + ", 5", "is no number of bytes"},
		{"hex size", "x," + sum + ",0x5", "is no number of bytes"},
		{"underscore", "x," + sum + ",1_000", "is no number of bytes"},
		{"fraction", "x," + sum + ",5.0", "is no number of bytes"},
		{"too large", "x," + sum + ",1125899906842625", "the size 1125899906842625 is too large: a file has at most 1125899906842624 bytes"},
		{"largest number", "x," + sum + ",9223372036854775807", "the size 9223372036854775807 is too large"},
		{"no number", "x," + sum + ",18446744073709551616", "the size 18446744073709551616 is too large"},
		{"too deep", strings.Repeat("d/", content.MaxSegments) + "f," + sum + ",5", "has 65 segments: at most 64 are allowed"},
		{"much too deep", strings.Repeat("d/", content.MaxPath/2-1) + "f," + sum + ",5", "has 512 segments: at most 64 are allowed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := parse(strings.NewReader(good + test.line + "\n"))
			if !fault.Is(err, fault.BadInput) {
				t.Fatalf("Parse: got %v, want BadInput", err)
			}
			message := fault.Message(err)
			if !strings.HasPrefix(message, "PULP_MANIFEST line 2: ") || !strings.Contains(message, test.message) {
				t.Errorf("message: got %q, want line 2 and %q", message, test.message)
			}
			if len(message) > 300 {
				t.Errorf("message: got %d bytes, want it short", len(message))
			}
			if len(got) != 1 {
				t.Errorf("entries before the error: got %d, want 1", len(got))
			}
		})
	}
}

// TestParseWeighs names files that one by one are not too large.
func TestParseWeighs(t *testing.T) {
	t.Parallel()
	line := func(path string, size int64) string { return fmt.Sprintf("%s,%s,%d\n", path, sum, size) }
	var all string
	for i := range content.MaxTotal / content.MaxSize {
		all += line(fmt.Sprint(i), content.MaxSize)
	}
	if got, err := parse(strings.NewReader(all + line("empty", 0))); err != nil || len(got) != 9 {
		t.Errorf("as many bytes as there may be: got %d entries, %v", len(got), err)
	}
	_, err := parse(strings.NewReader(all + line("one", 1) + line("more", 0)))
	if want := "PULP_MANIFEST line 9: with its size, the files have more than 9007199254740992 bytes"; !fault.Is(err, fault.BadInput) || !strings.HasPrefix(fault.Message(err), want) {
		t.Errorf("one byte more: got %v, want %s", err, want)
	}
}

// TestParseBoundsDirectories has lines that each name as many directories as they
// may, which take more memory than the lines themselves.
func TestParseBoundsDirectories(t *testing.T) {
	t.Parallel()
	deep, n := strings.Repeat("/d", 63), 0
	r, w := io.Pipe()
	go func() {
		for i := 0; ; i++ {
			if _, err := fmt.Fprintf(w, "%d%s,%s,1\n", i, deep, sum); err != nil {
				return
			}
		}
	}()
	err := file.Parse(r, func(file.Entry) error { n++; return nil })
	r.Close()
	if want := "the files are in more than 2000000 directories"; n != 2_000_000/63 || !fault.Is(err, fault.BadInput) || !strings.Contains(fault.Message(err), want) {
		t.Errorf("got %v after %d lines, want %s", err, n, want)
	}
}

// TestParsePlaces looks for directories and files of one name among lines that
// share some of their directories with the lines before.
func TestParsePlaces(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ paths, message string }{
		{"a/b/c a/b/d a/e/c b/a a/bb/c ab/c abc", ""},
		{"a/b/c a/x a/b/d a/b", `line 4: the path "a/b" is a directory of another line`},
		{"a/b/c/d a/b/e a/b/c", `line 3: the path "a/b/c" is a directory of another line`},
		{"a/b a/c a/b/d", `line 3: the path "a/b/d" lies below "a/b", which is a file`},
		{"a/b a/b/c", `line 2: the path "a/b/c" lies below "a/b", which is a file`},
		{"a/b a/c/d a/c/d/e", `line 3: the path "a/c/d/e" lies below "a/c/d", which is a file`},
		{"a/b b/a a/b", `line 3: the path "a/b" is named twice`},
	} {
		var manifest string
		for path := range strings.FieldsSeq(test.paths) {
			manifest += path + "," + sum + ",1\n"
		}
		_, err := parse(strings.NewReader(manifest))
		switch {
		case test.message == "":
			if err != nil {
				t.Errorf("%s: got %v", test.paths, err)
			}
		case err == nil || !strings.HasSuffix(fault.Message(err), test.message):
			t.Errorf("%s: got %v, want %s", test.paths, err, test.message)
		}
	}
}

func TestParseStops(t *testing.T) {
	t.Parallel()
	manifest := "a," + sum + ",1\nb," + sum + ",2\n"
	stop := errors.New("stop")
	calls := 0
	if err := file.Parse(strings.NewReader(manifest), func(file.Entry) error { calls++; return stop }); !errors.Is(err, stop) || calls != 1 {
		t.Errorf("Parse: got %v after %d calls, want each's error after 1", err, calls)
	}
	// The size would be 1 if half a line counted.
	broken := io.MultiReader(strings.NewReader("a,"+sum+",1"), iotest.ErrReader(iotest.ErrTimeout))
	if got, err := parse(broken); len(got) != 0 || !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("Parse of a broken reader: got %v, %v, want nothing and its error", got, err)
	}
}

func TestWriteEntryGolden(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	for i, path := range []string{"a", "a,b", "d/e/f.iso", "ä ö"} {
		if err := file.WriteEntry(&b, file.Entry{Path: path, SHA256: sum, Size: int64(i) * 1_000_000_007}); err != nil {
			t.Fatalf("WriteEntry: %v", err)
		}
	}
	golden := filepath.Join("testdata", file.ManifestName)
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("manifest: got\n%swant\n%s", b.Bytes(), want)
	}
}

// FuzzParse checks that whatever is accepted is safe, and that it reads the
// same after it was written.
func FuzzParse(f *testing.F) {
	f.Add("")
	f.Add("a," + sum + ",5\n")
	f.Add("a,b," + sum + ",5\r\nd/e," + strings.ToUpper(sum) + ",007")
	f.Add("a," + sum + ",5\na/b," + sum + ",5\n")
	f.Add("PULP_MANIFEST/x," + sum + ",5\n")
	f.Add("../x," + sum + ",-1\n\n")
	f.Fuzz(func(t *testing.T, manifest string) {
		entries, err := parse(strings.NewReader(manifest))
		if err != nil {
			if !fault.Is(err, fault.BadInput) {
				t.Fatalf("Parse(%q): got %v, want BadInput", manifest, err)
			}
			return
		}
		var written strings.Builder
		seen := map[string]bool{}
		for i, e := range entries {
			if err := content.CheckPath(e.Path); err != nil || e.Size < 0 || e.Line != i+1 || seen[e.Path] {
				t.Fatalf("Parse(%q) accepts %v (%v)", manifest, e, err)
			}
			seen[e.Path] = true
			if err := file.WriteEntry(&written, e); err != nil {
				t.Fatal(err)
			}
		}
		again, err := parse(strings.NewReader(written.String()))
		if err != nil || !slices.Equal(again, entries) {
			t.Fatalf("read again: got %v, %v, want %v", again, err, entries)
		}
	})
}

func ExampleParse() {
	manifest := "disk.iso," + sum + ",5\n"
	err := file.Parse(strings.NewReader(manifest), func(e file.Entry) error {
		fmt.Println(e.Line, e.Path, e.Size)
		return nil
	})
	fmt.Println(err)
	// Output:
	// 1 disk.iso 5
	// <nil>
}
