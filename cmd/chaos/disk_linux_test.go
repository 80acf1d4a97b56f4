package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/chaos-startup/chaos/reports"
)

// TestFullDisk: there is room for the journal to begin, and no more. The earlier report stays, and what could be kept is kept.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	l := newLab(t, "")
	disk := filepath.Join(l.dir, "disk")
	require.NoError(t, os.Mkdir(disk, 0o700))
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("a small disk can't be made here: %v", err)
	}
	t.Cleanup(func() { assert.NoError(t, unix.Unmount(disk, unix.MNT_DETACH)) })
	earlier := filepath.Join(disk, "report.json")
	require.NoError(t, os.WriteFile(earlier, []byte("of an earlier run"), 0o600))
	fill(t, disk, 16<<10)
	l.start("run", "lab.yaml", "--servers", "standin", "--repeat", "12", "--parallel", "1", "--json", "disk/report.json", "--junit", "junit.xml")
	go l.answerAll(l.await("started"))
	assert.Equal(t, 4, l.code(), "stderr:\n%s", &l.err)
	l.requireClean()
	assert.Contains(t, l.out.String(), "2 experiments: 2 pass", "the summary is there")
	assert.Contains(t, l.err.String(), "chaos: write json report disk/report.json: ")
	assert.Contains(t, l.err.String(), "no space left on device (the previous file, if any, is unchanged; free space, or choose another place)")
	assert.Contains(t, l.err.String(), "chaos: what was judged is kept in disk/report.json.part: read it with `")
	text, err := os.ReadFile(earlier)
	require.NoError(t, err)
	assert.Equal(t, "of an earlier run", string(text))
	assert.True(t, l.exists("junit.xml"), "an output elsewhere is written")
	r := l.report("disk/report.json.part")
	assert.NotEmpty(t, r.Trials)
	assert.Less(t, len(r.Trials), 26, "the test fills the disk")
	entries, err := os.ReadDir(disk)
	require.NoError(t, err)
	assert.Len(t, entries, 3, "nothing else is left beside the report: %v", entries)
	code, out := l.judge("disk/report.json.part")
	assert.Equal(t, reports.ExitInconclusive, code, out)
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
