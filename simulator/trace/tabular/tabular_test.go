package tabular_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zip"
	"github.com/klauspost/compress/zstd"
	"github.com/wattle-project/wattle/simulator/trace/tabular"
	"pgregory.net/rapid"
)

func records(t testing.TB, content string) (all []string, err error) {
	r := tabular.NewReader("x.csv", strings.NewReader(content))
	for {
		fields, err := r.Read()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		row := make([]string, len(fields))
		for i, f := range fields {
			row[i] = string(f)
		}
		all = append(all, strings.Join(row, "|"))
	}
}

func TestRecords(t *testing.T) {
	tests := []struct{ content, want string }{
		{"a,b\nc,d\n", "a|b;c|d"},
		{"\xef\xbb\xbfa,b\r\n\r\n# note\r\nc,", "a|b;c|"},
		{"\"a,b\",\"say \"\"so\"\"\",c", "a,b|say \"so\"|c"},
		{"\"\"", ""},
		{",,", "||"},
		{strings.Repeat("x", 200_000) + ",y\nz", strings.Repeat("x", 200_000) + "|y;z"},
	}
	for _, tt := range tests {
		got, err := records(t, tt.content)
		if err != nil || strings.Join(got, ";") != tt.want {
			t.Errorf("%.40q reads %.60q, %v; want %.60q", tt.content, got, err, tt.want)
		}
	}
	for _, bad := range []string{"\"a", "\"a\"b,c", strings.Repeat("x", 3<<20)} {
		if _, err := records(t, bad); err == nil {
			t.Errorf("%.20q: accepted", bad)
		}
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	r := tabular.NewReader("x.csv", strings.NewReader("name,watts\n\na,b\n"))
	at, err := r.ReadHeader("Watts", "volts?")
	if err != nil || at[0] != 1 || at[1] != -1 {
		t.Fatalf("header at %v, %v", at, err)
	}
	if _, err = r.Read(); err != nil {
		t.Fatal(err)
	}
	_, err = r.Float(1, 0, 10)
	var e *tabular.Error
	if !errors.As(err, &e) || e.Line != 3 || e.Column != 2 || err.Error() != `x.csv:3: column 2 (watts): "b": want a number from 0 to 10` {
		t.Fatalf("%v", err)
	}
	if _, err = tabular.NewReader("y.csv", strings.NewReader("a,b\n")).ReadHeader("c"); err == nil || err.Error() != `y.csv:1: no column "c": the header is a,b` {
		t.Fatalf("%v", err)
	}
}

func archive(t testing.TB, path string, members map[string]string) {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range members {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte(content))
	}
	if err := errors.Join(w.Close(), os.WriteFile(path, b.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func TestFindAndOpen(t *testing.T) {
	dir := t.TempDir()
	var gz, zst bytes.Buffer
	g := gzip.NewWriter(&gz)
	g.Write([]byte("packed"))
	g.Close()
	z, _ := zstd.NewWriter(&zst)
	z.Write([]byte("packed"))
	z.Close()
	os.MkdirAll(filepath.Join(dir, "sub", ".git"), 0o700)
	for name, content := range map[string]string{"a.csv": "packed", "b.csv": gz.String(), "c.csv.zst": zst.String(), "sub/d*1.csv": "packed", "sub/.git/x.csv": "no", ".e.csv": "no"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	archive(t, filepath.Join(dir, "f.zip"), map[string]string{"in/g*2.csv": "packed", "in/h.csv": gz.String(), "in/.i": "no"})
	files, err := tabular.Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	check := func(f tabular.File, r io.Reader) error {
		content, err := io.ReadAll(r)
		if string(content) != "packed" {
			t.Errorf("%s holds %q, %v", f.Name, content, err)
		}
		names = append(names, f.Base())
		return err
	}
	if err := tabular.Each(files, check); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(names, " "); got != "a.csv b.csv c.csv g*2.csv h.csv d*1.csv" {
		t.Fatalf("found %s", got)
	}
	for _, f := range files {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(check(f, r), r.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]int{"*.csv": 3, "f.zip": 2, "sub": 1, "sub/d*1.csv": 1} {
		if files, err := tabular.Find(filepath.Join(dir, path)); err != nil || len(files) != want {
			t.Errorf("%s names %d files, %v; want %d", path, len(files), err, want)
		}
	}
	if _, err := tabular.Find(filepath.Join(dir, "none*")); !errors.Is(err, tabular.ErrNoFile) {
		t.Errorf("nothing found: %v", err)
	}
}

func TestBrokenCompressionIsAnError(t *testing.T) {
	for _, content := range []string{"\x1f\x8b\x00", "\x28\xb5\x2f\xfd\xff\xff\xff"} {
		r, err := tabular.Memory("x", []byte(content)).Open()
		if err == nil {
			_, err = io.ReadAll(r)
		}
		if err == nil {
			t.Errorf("%q: read without an error", content)
		}
	}
}

// Fields that are quoted where they must be come back as they were.
func TestFieldsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fields := rapid.SliceOfN(rapid.StringMatching(`[a-c," ]{0,6}`), 2, 6).Draw(t, "fields")
		quoted := make([]string, len(fields))
		for i, f := range fields {
			quoted[i] = `"` + strings.ReplaceAll(f, `"`, `""`) + `"`
		}
		r := tabular.NewReader("x", strings.NewReader(strings.Join(quoted, ",")+"\r\n"))
		got, err := r.Read()
		if err != nil || len(got) != len(fields) {
			t.Fatalf("%q reads %q, %v", quoted, got, err)
		}
		for i := range got {
			if string(got[i]) != fields[i] {
				t.Fatalf("field %d reads %q, want %q", i, got[i], fields[i])
			}
		}
	})
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("a,b\n\"c\"\"\",d\r\n"))
	f.Add([]byte("\x1f\x8b\x08\x00"))
	f.Add([]byte("\x28\xb5\x2f\xfd\x04\x00"))
	f.Fuzz(func(t *testing.T, content []byte) {
		in, err := tabular.Memory("x", content).Open()
		if err != nil {
			return
		}
		defer in.Close()
		r := tabular.NewReader("x", io.LimitReader(in, 1<<20))
		for {
			if _, err := r.Read(); err != nil {
				return
			}
		}
	})
}
