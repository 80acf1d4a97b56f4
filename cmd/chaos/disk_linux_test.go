package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/chaos-startup/chaos/reports"
)

// TestFullDisk: there is room for the journal to begin, and no more. The earlier report stays, and what could be kept is kept.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	l := newLab(t, "")
	disk := l.disk("size=64k")
	earlier := filepath.Join(disk, "report.json")
	require.NoError(t, os.WriteFile(earlier, []byte("of an earlier run"), 0o600))
	fill(t, disk, 16<<10)
	l.start("run", "lab.yaml", "--servers", "standin", "--repeat", "12", "--parallel", "1", "--json", "disk/report.json", "--junit", "junit.xml")
	go l.answerAll(l.await("started"))
	assert.Equal(t, 4, l.code(), "stderr:\n%s", &l.err)
	whole := l.rescued()
	l.requireClean()
	assert.Len(t, whole.Trials, 26)
	assert.Equal(t, reports.ExitPass, whole.ExitCode())
	assert.Contains(t, l.out.String(), "2 experiments: 2 pass", "the summary is there")
	assert.Contains(t, l.err.String(), "chaos: write json report disk/report.json: ")
	assert.Contains(t, l.err.String(), "no space left on device (the previous file, if any, is unchanged; free space, or choose another place)")
	text, err := os.ReadFile(earlier)
	require.NoError(t, err)
	assert.Equal(t, "of an earlier run", string(text))
	assert.True(t, l.exists("junit.xml"), "an output elsewhere is written")
	r := l.report("disk/report.json.part")
	assert.NotEmpty(t, r.Trials)
	assert.Less(t, len(r.Trials), 26, "the test fills the disk")
	l.toldOnce("chaos: write journal: write disk/report.json.part: no space left on device (free space; ")
	lines := strings.Split(strings.TrimSpace(l.err.String()), "\n")
	assert.Contains(t, lines[len(lines)-1], fmt.Sprintf("chaos: %d of 26 trials kept in disk/report.json.part: read it with `", len(r.Trials)))
	entries, err := os.ReadDir(disk)
	require.NoError(t, err)
	assert.Len(t, entries, 3, "nothing else is left beside the report: %v", entries)
	code, out := l.judge("disk/report.json.part")
	assert.Equal(t, reports.ExitInconclusive, code, out)
}

// TestFullDiskFromTheFirst: the journal has room for no trial. That is told at once, and the report is saved elsewhere.
func TestFullDiskFromTheFirst(t *testing.T) {
	t.Parallel()
	proof := "readiness: [{name: " + strings.Repeat("long ", 2000) + "name, http: {url: 'http://127.0.0.1:${port.http}/work'}}]\n"
	l := newLab(t, "", "contracts:", proof+"contracts:")
	disk := l.disk("size=64k")
	fill(t, disk, 4<<10) // the journal begins, and no trial fits in: the name is in each
	l.start("run", "lab.yaml", "--servers", "standin", "--parallel", "1", "--json", "disk/report.json")
	l.await("started").answer()
	l.await("stopping").answer()
	second := l.await("started") // the first trial is judged, and the run goes on
	assert.Eventually(t, func() bool {
		return strings.Contains(l.err.String(), "write disk/report.json.part: no space left on device")
	}, soon, 10*time.Millisecond)
	go l.answerAll(second)
	assert.Equal(t, 4, l.code(), "stderr:\n%s", &l.err)
	assert.Len(t, l.rescued().Trials, 3)
	l.requireClean()
	l.toldOnce("write disk/report.json.part: no space left on device")
	assert.Contains(t, l.err.String(), "chaos: no trial is kept in disk/report.json.part\n")
	assert.False(t, l.exists("disk/report.json.part"))
	assert.Contains(t, l.out.String(), "2 experiments: 2 pass", "the summary is there")
}

// disk makes a small disk in the lab's folder.
func (l *lab) disk(size string) string {
	l.t.Helper()
	disk := filepath.Join(l.dir, "disk")
	require.NoError(l.t, os.Mkdir(disk, 0o700))
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, size); err != nil {
		l.t.Skipf("a small disk can't be made here: %v", err)
	}
	l.t.Cleanup(func() { assert.NoError(l.t, unix.Unmount(disk, unix.MNT_DETACH)) })
	return disk
}

// rescued reads the report that was saved in the folder for temporary files, and removes it.
func (l *lab) rescued() *reports.Report {
	l.t.Helper()
	found, err := filepath.Glob(filepath.Join(l.tmp, "chaos-report-*.json"))
	require.NoError(l.t, err)
	require.Len(l.t, found, 1, "stderr:\n%s", &l.err)
	assert.Contains(l.t, l.err.String(), "chaos: the whole report is in "+found[0]+": read it with `")
	name, err := filepath.Rel(l.dir, found[0])
	require.NoError(l.t, err)
	r := l.report(name)
	require.NoError(l.t, os.Remove(found[0]))
	return r
}

func (l *lab) toldOnce(text string) {
	l.t.Helper()
	assert.Equal(l.t, 1, strings.Count(l.err.String(), text), "%q in:\n%s", text, &l.err)
}

// fill leaves so many bytes free.
func fill(t *testing.T, disk string, free int) {
	file, err := os.Create(filepath.Join(disk, "filler"))
	require.NoError(t, err)
	for block := make([]byte, 4096); err == nil; {
		_, err = file.Write(block)
	}
	require.ErrorIs(t, err, unix.ENOSPC)
	info, err := file.Stat()
	require.NoError(t, err)
	require.NoError(t, file.Truncate(info.Size()-int64(free)))
	require.NoError(t, file.Close())
}
