package reports

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestJournalOnAFullDisk: a trial for which there is no room is lost, but not those after it.
func TestJournalOnAFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("a small disk can't be made here: %v", err)
	}
	t.Cleanup(func() { assert.NoError(t, unix.Unmount(disk, unix.MNT_DETACH)) })
	r := handmade()
	path := filepath.Join(disk, "report.json.part")
	j, err := OpenJournal(path, New("v1", "x.yaml", 1, r.Started))
	require.NoError(t, err)
	big := r.Trials[0]
	big.Title = strings.Repeat("x", 80<<10)
	require.ErrorIs(t, j.Add(big), unix.ENOSPC)
	require.NoError(t, j.Add(r.Trials[1]))
	require.NoError(t, j.Close())
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	got, err := Read(f)
	require.NoError(t, err)
	require.Len(t, got.Trials, 1)
	assert.Equal(t, r.Trials[1].Title, got.Trials[0].Title)
}
