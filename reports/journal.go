package reports

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// Journal keeps every judged trial at once in a file, so that a run that is killed loses none. Read reads it like a report. A nil
// Journal keeps nothing. Its methods are safe for concurrent use.
type Journal struct {
	mu   sync.Mutex
	path string
	file *os.File
	size int64 // of what is whole
}

// OpenJournal begins the journal of a run in a new file at path, over an old one. head is the report so far: its trials are left
// out. The file is one JSON value per line: the head, then the trials in the order in which they ended.
func OpenJournal(path string, head *Report) (*Journal, error) {
	short := *head
	short.Trials = []Trial{}
	line, err := encode(struct {
		Journal bool `json:"journal"`
		*Report
	}{true, &short}, "")
	if err != nil {
		return nil, fmt.Errorf("begin journal %s: %w", path, err)
	}
	file, err := os.Create(path) // #nosec G304 -- the user names the file
	if err != nil {
		return nil, fmt.Errorf("begin journal: %w: choose another folder for the report", err)
	}
	j := &Journal{path: path, file: file}
	if err := j.write(line); err != nil {
		return nil, errors.Join(err, j.Remove())
	}
	return j, nil
}

// Add appends a trial.
func (j *Journal) Add(t Trial) error {
	if j == nil {
		return nil
	}
	line, err := encode(t, "")
	if err != nil {
		return fmt.Errorf("journal trial %q: %w", t.Title, err)
	}
	return j.write(line)
}

func (j *Journal) write(line []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return fmt.Errorf("write journal %s: it is closed", j.path)
	}
	n, err := j.file.WriteAt(append(line, '\n'), j.size)
	if err != nil { // half a line would spoil those after it
		return fmt.Errorf("write journal: %w", errors.Join(err, j.file.Truncate(j.size)))
	}
	j.size += int64(n)
	return nil
}

// Close ends the journal and leaves the file. To close it again does nothing.
func (j *Journal) Close() error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	file := j.file
	j.file = nil
	if err := file.Close(); err != nil {
		return fmt.Errorf("close journal: %w", err)
	}
	return nil
}

// Remove ends the journal and removes the file: for a run whose whole report is written.
func (j *Journal) Remove() error {
	if j == nil {
		return nil
	}
	err := j.Close()
	if gone := os.Remove(j.path); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, fmt.Errorf("remove journal: %w", gone))
	}
	return err
}
