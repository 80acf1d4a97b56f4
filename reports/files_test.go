package reports

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func format(t *testing.T, name string) Format {
	t.Helper()
	for _, f := range Builtin() {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no format %s", name)
	return Format{}
}

// onlyFile checks that nothing but the named file is left in dir.
func onlyFile(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	assert.Equal(t, []string{name}, names)
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report.json")
	require.NoError(t, WriteFile(path, format(t, "json"), handmade()))
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	r, err := Read(f)
	require.NoError(t, err)
	assert.Equal(t, handmade(), r)
	onlyFile(t, dir, "report.json")

	require.NoError(t, os.Chmod(path, 0o640))
	require.NoError(t, WriteFile(path, format(t, "text"), handmade()))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o640), info.Mode().Perm(), "the mode of an existing file is kept")
}

func TestWriteFileKeepsThePreviousOne(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report.json")
	require.NoError(t, os.WriteFile(path, []byte("yesterday's"), 0o600))
	full := Format{Name: "json", Write: func(w io.Writer, _ *Report) error {
		if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<20)); err != nil {
			return err
		}
		return &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	}}
	err := WriteFile(path, full, handmade())
	require.ErrorIs(t, err, syscall.ENOSPC)
	assert.ErrorContains(t, err, "the previous file, if any, is unchanged; free space")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "yesterday's", string(data))
	onlyFile(t, dir, "report.json")
}

func TestWriteFileElsewhere(t *testing.T) {
	dir := t.TempDir()
	err := WriteFile(filepath.Join(dir, "nowhere", "report.json"), format(t, "json"), handmade())
	assert.ErrorContains(t, err, "make its folder first")

	require.NoError(t, WriteFile("/dev/null", format(t, "json"), handmade()))
	info, err := os.Stat("/dev/null")
	require.NoError(t, err)
	assert.False(t, info.Mode().IsRegular(), "a device stays a device")
	err = WriteFile("/dev/full", format(t, "json"), handmade())
	require.ErrorIs(t, err, syscall.ENOSPC, "a full device says so")

	target, link := filepath.Join(dir, "target.json"), filepath.Join(dir, "link.json")
	require.NoError(t, os.WriteFile(target, nil, 0o600))
	require.NoError(t, os.Symlink(target, link))
	require.NoError(t, WriteFile(link, format(t, "json"), handmade()))
	info, err = os.Lstat(link)
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&os.ModeSymlink, "a link stays a link")
	data, err := os.ReadFile(target)
	require.NoError(t, err)
	assert.NotEmpty(t, data)
}

func TestWritersReportFailure(t *testing.T) {
	for _, f := range Builtin() {
		err := f.Write(failing{}, handmade())
		require.ErrorIs(t, err, errBroken, f.Name)
	}
}

var errBroken = errors.New("broken pipe")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errBroken }

func TestReadSaysWhatIsWrong(t *testing.T) {
	var whole bytes.Buffer
	require.NoError(t, WriteJSON(&whole, handmade()))
	for name, c := range map[string]struct{ in, says string }{
		"empty":          {"", "it is empty"},
		"not JSON":       {"<testsuites/>", "it is not JSON (at byte 1"},
		"YAML":           {"version: 1\n", "it is not JSON"},
		"other JSON":     {`{"version": 1}`, "no field `schema`"},
		"a list":         {`[1]`, "no field `schema`"},
		"newer":          {`{"schema": "chaos.report/v2", "trials": 7}`, `its schema is "chaos.report/v2" and this chaos reads "chaos.report/v1"`},
		"wrong type":     {`{"schema": "chaos.report/v1", "trials": 7}`, "not what schema chaos.report/v1 promises"},
		"cut off":        {whole.String()[:whole.Len()/2], "ends in the middle"},
		"two in one":     {whole.String() + whole.String(), "more after the end"},
		"garbage behind": {whole.String() + "x", "more after the end"},
	} {
		_, err := Read(strings.NewReader(c.in))
		assert.ErrorContains(t, err, c.says, name)
	}
	r, err := Read(strings.NewReader(`{"schema": "chaos.report/v1", "from_the_future": 1}`))
	require.NoError(t, err, "fields that are not known yet are passed over")
	r.Judge()
	assert.Equal(t, ExitInconclusive, r.ExitCode())
}

func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.json.part")
	r := handmade()
	j, err := OpenJournal(path, r)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for _, trial := range r.Trials {
		wg.Go(func() { assert.NoError(t, j.Add(trial)) })
	}
	wg.Wait()
	data, err := os.ReadFile(path)
	require.NoError(t, err, "what was added is there before Close")
	assert.Equal(t, len(r.Trials)+1, bytes.Count(data, []byte("\n")))

	got, err := Read(bytes.NewReader(data))
	require.NoError(t, err)
	got.Judge()
	assert.True(t, got.Interrupted)
	assert.ElementsMatch(t, r.Trials, got.Trials)
	assert.Equal(t, r.Summary, got.Summary)

	torn, err := Read(bytes.NewReader(data[:len(data)-20]))
	require.NoError(t, err, "the line that was being written when the run was killed is left out")
	assert.Len(t, torn.Trials, len(r.Trials)-1)

	require.NoError(t, j.Close())
	require.NoError(t, j.Close())
	require.Error(t, j.Add(r.Trials[0]))
	require.NoError(t, j.Remove())
	require.NoError(t, j.Remove())
	assert.NoFileExists(t, path)

	var none *Journal
	assert.NoError(t, errors.Join(none.Add(r.Trials[0]), none.Close(), none.Remove()))
	_, err = OpenJournal(filepath.Join(t.TempDir(), "no", "folder"), r)
	assert.ErrorContains(t, err, "begin journal")
}
